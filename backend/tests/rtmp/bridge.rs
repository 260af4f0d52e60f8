//! Picture and sound stay together over the audio bridge, in both directions and with real ffmpeg.
//!
//! ffmpeg sends a flash and a beep at the beginning of every second. What comes out is decoded, and it is
//! measured how much later than its flash each beep begins.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use golive::media::access_unit::{AccessUnit, AudioCodec, AudioFormat, Format, TrackKind};
use golive::media::fanout::Start;
use golive::media::h264::nals;
use golive::media::stage::{NewUnit, Stage, Tracks};
use shared::room::Ingest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::stream_key;
use crate::support::Server;

/// Time for ffmpeg to start and to send in real time, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Broadcasters whose sound is this late or early are noticed.
const MOST_OFFSET: f64 = 0.040;
const RATE: u32 = 48_000;
const FPS: u32 = 50;
/// Edge of a decoded picture, in pixels.
const SIDE: usize = 16;

/// A flash and a beep in the first tenth of every second.
const FLASH: &str =
    "color=c=black:s=320x180:r=50,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'";
const BEEP: &str = "sin(2*PI*1000*t)*0.5*lt(mod(t,1),0.1)";

fn ffmpeg(arguments: &[&str]) -> Child {
    Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("ffmpeg is installed: `cargo xtask test` does it")
}

/// Pushes flashes and beeps in AAC at this sampling rate.
fn push(url: &str, rate: u32) -> Child {
    let beep = format!("aevalsrc='{BEEP}|{BEEP}':s={rate}");
    ffmpeg(
        &[
            &[
                "-re", "-f", "lavfi", "-i", FLASH, "-re", "-f", "lavfi", "-i", &beep,
            ][..],
            &[
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-tune",
                "zerolatency",
            ],
            &[
                "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", "-b:a", "128k",
            ],
            &["-f", "flv", url],
        ]
        .concat(),
    )
}

/// Everything of a room with its sound in Opus, from a keyframe on, for so many seconds.
async fn record(stage: &Stage, seconds: f64) -> Vec<Arc<AccessUnit>> {
    let rendition = stage.rendition(AudioCodec::Opus);
    let mut source = rendition.subscribe(Start::Next);
    let mut units: Vec<Arc<AccessUnit>> = Vec::new();
    let record = async {
        loop {
            let unit = source.next().await.unwrap().unit;
            let first = units.first().map_or(unit.dts, |first| first.dts);
            let recorded = (unit.dts - first).as_micros() as f64 / 1e6;
            units.push(unit);
            if recorded >= seconds {
                return;
            }
        }
    };
    timeout(PATIENCE, record).await.expect("a broadcast");
    units
}

fn seconds(unit: &AccessUnit, origin: &AccessUnit) -> f64 {
    (unit.pts - origin.pts).as_micros() as f64 / 1e6
}

/// The moments at which `levels` rise above a half of their highest.
fn rises(levels: impl Iterator<Item = (f64, f32)> + Clone) -> Vec<f64> {
    let half = levels.clone().fold(0.0, |most, (_, level)| level.max(most)) / 2.0;
    let mut quiet_since = None;
    let mut rises = Vec::new();
    for (at, level) in levels {
        if level < half {
            quiet_since.get_or_insert(at);
        } else if quiet_since.take().is_some_and(|since| at - since > 0.3) {
            rises.push(at);
        }
    }
    rises
}

/// When sound rises: samples lie below half of a wave's height now and then, pauses are longer.
fn beeps(pcm: &[f32], from: f64) -> Vec<f64> {
    let levels = pcm.iter().enumerate();
    rises(levels.map(|(n, sample)| (from + n as f64 / f64::from(RATE), sample.abs())))
}

/// When pictures of [`SIDE`] by [`SIDE`] grey pixels become bright.
fn flashes(pictures: &[u8], times: &[f64]) -> Vec<f64> {
    let levels = pictures.chunks_exact(SIDE * SIDE).zip(times);
    rises(levels.map(|(picture, &at)| {
        let sum: u32 = picture.iter().map(|&pixel| u32::from(pixel)).sum();
        (at, sum as f32)
    }))
}

/// How much later than its flash each beep begins, in seconds.
fn offsets(flashes: &[f64], beeps: &[f64]) -> Vec<f64> {
    let nearest = |&flash: &f64| {
        let offsets = beeps.iter().map(|beep| beep - flash);
        offsets.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap()
    };
    let inside = |flash: &&f64| {
        beeps.first().is_some_and(|first| **flash > first - 0.5)
            && beeps.last().is_some_and(|last| **flash < last + 0.5)
    };
    flashes.iter().filter(inside).map(nearest).collect()
}

fn stay_together(what: &str, offsets: &[f64]) {
    let millis: Vec<_> = offsets.iter().map(|o| (o * 1e4).round() / 10.0).collect();
    println!("{what}: sound is later than the picture by {millis:?} ms");
    assert!(offsets.len() >= 3, "{what}: {offsets:?}");
    let within = offsets.iter().all(|offset| offset.abs() < MOST_OFFSET);
    assert!(within, "{what}: {millis:?} ms");
}

/// Decodes H.264 to grey pictures.
async fn decode_pictures(units: &[Arc<AccessUnit>]) -> Vec<u8> {
    let mut stream = BytesMut::new();
    for unit in units {
        let Format::Video(video) = &unit.format else {
            continue;
        };
        let sets = video.parameter_sets().cloned();
        let sets = sets.filter(|_| unit.random_access);
        for nal in sets.chain(nals(&unit.data)) {
            stream.put_slice(&[0, 0, 0, 1]);
            stream.put_slice(&nal);
        }
    }
    let scale = format!("scale={SIDE}:{SIDE}");
    let mut decoder = ffmpeg(&[
        "-f",
        "h264",
        "-i",
        "-",
        "-vf",
        &scale,
        "-fps_mode",
        "passthrough",
        "-pix_fmt",
        "gray",
        "-f",
        "rawvideo",
        "-",
    ]);
    let (mut input, mut output) = (
        decoder.stdin.take().unwrap(),
        decoder.stdout.take().unwrap(),
    );
    let feed = async move { input.write_all(&stream).await.unwrap() };
    let mut pictures = Vec::new();
    let read = output.read_to_end(&mut pictures);
    let (_, read) = timeout(PATIENCE, async { tokio::join!(feed, read) })
        .await
        .unwrap();
    read.unwrap();
    pictures
}

/// Offsets in what was recorded with Opus.
async fn offsets_of(units: &[Arc<AccessUnit>]) -> Vec<f64> {
    let origin = &units[0];
    let of = |kind| units.iter().filter(move |unit| unit.format.kind() == kind);
    let times: Vec<f64> = of(TrackKind::Video)
        .map(|unit| seconds(unit, origin))
        .collect();
    let pictures = decode_pictures(units).await;
    assert_eq!(pictures.len(), times.len() * SIDE * SIDE);

    let mut decoder = opus::Decoder::new(RATE, opus::Channels::Mono).unwrap();
    let (mut pcm, mut from, mut buffer) = (Vec::new(), None, [0.0; 5_760]);
    for unit in of(TrackKind::Audio) {
        assert!(matches!(
            unit.format,
            Format::Audio(AudioFormat::Opus { .. })
        ));
        let from = *from.get_or_insert_with(|| seconds(unit, origin));
        let here = from + pcm.len() as f64 / f64::from(RATE);
        let apart = (seconds(unit, origin) - here).abs();
        assert!(apart < 0.005, "a hole of {apart} s in the sound");
        let count = decoder
            .decode_float(&unit.data, &mut buffer, false)
            .unwrap();
        pcm.extend_from_slice(&buffer[..count]);
    }
    offsets(&flashes(&pictures, &times), &beeps(&pcm, from.unwrap()))
}

/// Broadcasts what was recorded, at its pace.
async fn broadcast(stage: &Arc<Stage>, units: &[Arc<AccessUnit>]) {
    let publication = stage.publish(Tracks {
        video: true,
        audio: true,
    });
    let origin = &units[0];
    let began = tokio::time::Instant::now();
    for unit in units {
        let at = unit.dts.max(origin.dts) - origin.dts;
        tokio::time::sleep_until(began + Duration::from_micros(at.as_micros() as u64)).await;
        publication
            .write(NewUnit {
                format: unit.format.clone(),
                dts: at,
                pts: at,
                keyframe: unit.random_access,
                data: unit.data.clone(),
            })
            .unwrap();
    }
}

/// Plays with ffmpeg to the end of the broadcast; offsets in what it decodes.
async fn offsets_of_player(url: &str) -> Vec<f64> {
    let sound = concat!(env!("CARGO_TARGET_TMPDIR"), "/bridge.f32");
    // Frame by frame from the beginning of the stream on, holes filled: position is time.
    let video = format!("fps={FPS}:start_time=0,scale={SIDE}:{SIDE}");
    let audio = format!("aresample={RATE}:async=1:first_pts=0");
    let mut player = ffmpeg(
        &[
            &["-y", "-i", url, "-map", "0:v", "-vf", &video][..],
            &["-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"],
            &[
                "-map", "0:a", "-af", &audio, "-ac", "1", "-f", "f32le", sound,
            ],
        ]
        .concat(),
    );
    let mut pictures = Vec::new();
    let read = player.stdout.as_mut().unwrap().read_to_end(&mut pictures);
    timeout(PATIENCE, read).await.expect("an end").unwrap();
    assert!(player.wait().await.unwrap().success());
    let count = pictures.len() / (SIDE * SIDE);
    let times: Vec<_> = (0..count).map(|n| n as f64 / f64::from(FPS)).collect();
    let pcm = tokio::fs::read(sound).await.unwrap();
    let pcm: Vec<_> = pcm
        .chunks_exact(4)
        .map(|sample| f32::from_le_bytes(sample.try_into().unwrap()))
        .collect();
    offsets(&flashes(&pictures, &times), &beeps(&pcm, 0.0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flash_and_a_beep_stay_together_from_aac_to_opus_and_back() {
    let server = Server::start().await;
    for rate in [44_100, RATE] {
        let made = server.create_room("from AAC").await;
        let url = format!("{}/{}", server.rtmp_app(), stream_key(&made));
        let encoder = push(&url, rate);
        let units = record(server.inside(&made).stage(), 9.5).await;
        drop(encoder);
        let offsets = offsets_of(&units).await;
        stay_together(&format!("AAC at {rate} Hz to Opus"), &offsets);
        if rate != RATE {
            continue;
        }

        // What a browser would send: the same pictures, with Opus.
        let made = server.create_room("from Opus").await;
        let room = server.inside(&made);
        let on_air = room.go_live(Ingest::Whip).unwrap();
        let url = format!("{}/{}", server.rtmp_app(), made.room.key);
        let play = offsets_of_player(&url);
        let broadcast = async {
            broadcast(room.stage(), &units).await;
            on_air.stop();
        };
        let (offsets, ()) = tokio::join!(play, broadcast);
        stay_together("Opus to AAC, played by ffmpeg", &offsets);
    }
}
