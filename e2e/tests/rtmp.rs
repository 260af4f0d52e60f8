//! Real ffmpeg and real browsers in the same rooms.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::app_2016::AppSocket;
use e2e::ffmpeg::{PICTURE, PICTURE_WITH_B_FRAMES, Pull, Push, SOUND};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server, eventually, lip_sync};
use reqwest::Method;
use serde_json::{Value, json};
use shared::api::{CreatedRoom, Problem};
use shared::health::{AdviceCode, Health, Verdict};
use shared::room::{Ingest, RoomState};

/// Where OBS would publish to.
fn push_url(made: &CreatedRoom) -> Result<String> {
    let server = made.links.rtmp_server.as_deref();
    let stream_key = made.links.rtmp_stream_key.as_deref();
    let (server, stream_key) = server.zip(stream_key).context("no RTMP")?;
    Ok(format!("{server}/{stream_key}"))
}

async fn is_live_by(server: &Server, key: &str, ingest: Ingest) -> Result<()> {
    eventually(&format!("live by {ingest:?}"), LONG, async || {
        let room = server.room(key).await?;
        ensure!(
            room.state == RoomState::Live && room.ingest == Some(ingest),
            "{room:?}"
        );
        Ok(())
    })
    .await
}

async fn hears(viewer: &Browser) -> Result<()> {
    viewer.click("unmute").await?;
    viewer
        .wait("sound is heard", LONG, async || {
            let stats = viewer.stats().await?;
            let energy = stats.number("inbound-rtp", "audio", "totalAudioEnergy")?;
            let packets = stats.number("inbound-rtp", "audio", "packetsReceived")?;
            ensure!(energy > 0.01, "energy {energy} in {packets} packets");
            Ok(())
        })
        .await
}

async fn health(server: &Server, made: &CreatedRoom) -> Result<Health> {
    let path = format!("/api/rooms/{}/health", made.room.key);
    let request = server
        .request(Method::GET, &path)
        .bearer_auth(&made.host_token);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn what_an_encoder_pushes_browsers_see_and_hear_and_the_studio_goes_live() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    host.open(&server.url("/live")).await?;
    let studio = StudioPage::here(&host);
    let (key, url) = studio.prepares_for_software("From OBS").await?;
    let watch = WatchPage::open(&viewer, &server, &key).await?;
    watch.is("waiting", LONG).await?;

    let encoder = Push::ordinary(&url)?;
    studio.is_live().await?;
    watch.is("live", LONG).await?;
    watch.plays().await?;
    hears(&viewer).await?;
    host.wait("the studio's health is good", LONG, async || {
        let verdict = host.attribute("verdict", "data-verdict").await?;
        ensure!(verdict == "good", "it is {verdict}");
        Ok(())
    })
    .await?;

    encoder.stop().await?;
    host.state("studio", "waiting", LONG).await?;
    watch.is("waiting", LONG).await?;
    server.stop().await
}

#[tokio::test]
async fn what_a_browser_broadcasts_ffmpeg_plays_by_rtmp_and_http_flv() -> Result<()> {
    let server = Server::start().await?;
    let host = Browser::start().await?;
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("For VLC").await?;
    is_live_by(&server, &key, Ingest::Whip).await?;
    let flv = server.url(&format!("/live/{key}.flv"));
    let mut pulls = Vec::new();
    for url in [server.rtmp_url(&key), flv] {
        let mut pull = Pull::start(&url)?;
        let first = pull.next().await?;
        println!(
            "{url}: ffprobe has the first frame after {:?}",
            pull.elapsed()
        );
        let frames = [vec![first], pull.decodes(60, 60).await?].concat();
        let mut pictures = frames.iter().filter(|frame| !frame.is_sound);
        let first = pictures.next().context("no picture")?;
        ensure!(first.is_key, "{url} does not start with a keyframe");
        ensure!(
            frames
                .windows(2)
                .all(|pair| { pair[0].is_sound != pair[1].is_sound || pair[0].at <= pair[1].at }),
            "{url}: times step back"
        );
        pulls.push(pull);
    }
    // Smaller pictures from here on: players are sent new parameter sets.
    let script = "const camera = window.e2e.tracks.findLast((track) => track.kind === 'video');
        await camera.applyConstraints({ width: 320, height: 180 });
        return camera.getSettings().width";
    let width = host.js(script, vec![]).await?;
    ensure!(width == 320, "the camera stays {width} wide");
    let mut wide = 0;
    for pull in &mut pulls {
        let mut smaller = 0;
        while smaller < 30 {
            let frame = pull.next().await?;
            wide += usize::from(frame.width > 320);
            smaller += usize::from(!frame.is_sound && frame.width <= 320);
        }
    }
    ensure!(wide > 0, "the pictures were small before");
    studio.end().await?;
    for pull in pulls {
        pull.ends().await?;
    }
    server.stop().await
}

#[tokio::test]
async fn encoders_show_why_they_are_refused() -> Result<()> {
    let server = Server::start().await?;
    let made = server.create_room("r").await?;
    let (key, good) = (&made.room.key, push_url(&made)?);
    let wrong_key = format!(
        "{}/{key}?key=guessed",
        made.links.rtmp_server.as_deref().unwrap_or_default()
    );
    let x264 = [PICTURE, SOUND];
    let cases: [(&str, &[&str], &str); 6] = [
        (
            &wrong_key,
            &x264,
            &format!("wrong stream key for room {key}"),
        ),
        (
            &server.rtmp_url("nowhere?key=k"),
            &x264,
            "there is no room nowhere",
        ),
        (&good, &[PICTURE, "-c:a libmp3lame -ar 44100"], "MP3"),
        (&good, &[PICTURE, "-c:a libspeex -ar 16000 -ac 1"], "Speex"),
        (&good, &["-c:v flv1 -b:v 1M", SOUND], "H.263"),
        (
            &good,
            &["-c:v flashsv -s 320x180 -r 5", SOUND],
            "Screen Video",
        ),
    ];
    for (url, codecs, sentence) in cases {
        let (status, said) = Push::start(url, codecs)?.ended().await?;
        let shown = said.lines().find(|line| line.contains(sentence));
        println!("{codecs:?}: {shown:?}");
        ensure!(shown.is_some(), "{sentence:?} is not in\n{said}");
        ensure!(!status.success(), "ffmpeg takes it for a success");
    }
    ensure!(server.room(key.as_str()).await?.state != RoomState::Live);
    // The room is none the worse for it.
    let encoder = Push::ordinary(&good)?;
    is_live_by(&server, key.as_str(), Ingest::Rtmp).await?;
    encoder.stop().await?;
    server.stop().await
}

/// An offer as the page's, from the browser.
async fn offer(browser: &Browser) -> Result<String> {
    let script = "const peer = new RTCPeerConnection();
        for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
        const { sdp } = await peer.createOffer();
        peer.close();
        return sdp";
    let sdp = browser.js(script, vec![]).await?;
    Ok(sdp.as_str().context("no offer")?.to_owned())
}

#[tokio::test]
async fn b_frames_are_watched_by_hls_and_the_host_learns_what_to_change() -> Result<()> {
    let server = Server::start().await?;
    let viewer = Browser::start().await?;
    let made = server.create_room("From OBS as it comes").await?;
    let (key, url) = (made.room.key.as_str(), push_url(&made)?);
    let encoder = Push::ordinary(&url)?;
    is_live_by(&server, key, Ingest::Rtmp).await?;
    WatchPage::watch(&viewer, &server, key).await?;
    let watching = viewer.js("return window.e2e.peers.length", vec![]).await?;

    // The same encoder with other settings takes over.
    let troubled = Push::start(&url, &[PICTURE_WITH_B_FRAMES, SOUND])?;
    let (_, said) = encoder.ended().await?;
    ensure!(said.contains("another encoder has taken over"), "{said}");
    viewer
        .wait("the session of the viewer is over", LONG, async || {
            let script = "return window.e2e.peers[arguments[0] - 1].connectionState";
            let state = viewer.js(script, vec![watching.clone()]).await?;
            ensure!(state == "closed", "it is {state}");
            Ok(())
        })
        .await?;
    let sdp = offer(&viewer).await?;
    let request = server
        .request(Method::POST, &format!("/whep/{key}"))
        .header("content-type", "application/sdp")
        .body(sdp);
    let response = request.send().await?;
    ensure!(response.status() == 406, "{}", response.status());
    let problem: Problem = response.json().await?;
    println!("{}", problem.detail);
    ensure!(
        problem.detail.contains("B-frames") && problem.detail.contains("keyint=60 bframes=0"),
        "{problem:?}"
    );
    let health = health(&server, &made).await?;
    println!("{health:?}");
    ensure!(health.verdict == Verdict::Bad, "{health:?}");
    let advice = health.advice.first().context("no advice")?;
    ensure!(
        advice.code == AdviceCode::BFrames
            && advice.setting.as_deref() == Some("keyint=60 bframes=0"),
        "{advice:?}"
    );
    // Players that can show them do.
    let mut pull = Pull::start(&server.rtmp_url(key))?;
    pull.decodes(30, 30).await?;
    // So does HLS, which the page of the viewer has turned to by itself.
    let watch = WatchPage::here(&viewer);
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(30.0).await?;

    // And back: the page notices that WebRTC can carry it again.
    let encoder = Push::ordinary(&url)?;
    let (_, said) = troubled.ended().await?;
    ensure!(said.contains("another encoder has taken over"), "{said}");
    watch.comes_by("WebRTC").await?;
    watch.is("live", LONG).await?;
    watch.plays().await?;
    encoder.stop().await?;
    server.stop().await
}

#[tokio::test]
async fn colours_that_browsers_do_not_decode_are_refused_and_the_host_learns_what_to_change()
-> Result<()> {
    let server = Server::start().await?;
    let viewer = Browser::start().await?;
    let made = server.create_room("In 4:4:4").await?;
    let (key, url) = (made.room.key.as_str(), push_url(&made)?);
    let encoder = Push::start(&url, &[PICTURE, "-pix_fmt yuv444p", SOUND])?;
    is_live_by(&server, key, Ingest::Rtmp).await?;
    // The sound may come first.
    eventually("rooms say that WebRTC cannot carry it", LONG, async || {
        ensure!(!server.room(key).await?.webrtc, "it can");
        Ok(())
    })
    .await?;
    viewer.open(&server.url("/healthz")).await?;
    let request = server
        .request(Method::POST, &format!("/whep/{key}"))
        .header("content-type", "application/sdp")
        .body(offer(&viewer).await?);
    let response = request.send().await?;
    ensure!(response.status() == 406, "{}", response.status());
    let problem: Problem = response.json().await?;
    println!("{}", problem.detail);
    ensure!(problem.detail.contains("NV12"), "{problem:?}");
    let health = health(&server, &made).await?;
    ensure!(health.verdict == Verdict::Bad, "{health:?}");
    let advice = health.advice.first().context("no advice")?;
    println!("{}", advice.sentence);
    ensure!(advice.code == AdviceCode::Colours, "{advice:?}");
    encoder.stop().await?;
    server.stop().await
}

/// Most that picture and sound may be apart, in seconds. The bridge moves media that were dated together by a
/// tenth of a millisecond (the server's own tests); what Chromium sends was 30 ms apart, more on a busy machine.
const MOST_APART: f64 = 0.060;

#[tokio::test]
async fn picture_and_sound_of_a_browser_stay_together_over_the_bridge() -> Result<()> {
    let server = Server::start().await?;
    let host = Browser::with_clock().await?;
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("A clock").await?;
    is_live_by(&server, &key, Ingest::Whip).await?;
    // By then the browser's sender reports have put both tracks on one timeline.
    tokio::time::sleep(Duration::from_secs(8)).await;
    for url in [
        server.rtmp_url(&key),
        server.url(&format!("/live/{key}.flv")),
    ] {
        let mut apart = lip_sync::measure(&url, 12).await?;
        let median = lip_sync::median(&mut apart)?;
        let (first, last) = (apart[0], apart[apart.len() - 1]);
        println!(
            "{url}: pictures are later than their sound by {:.1} ms in the middle of {}, {:.1} to {:.1}",
            median * 1e3,
            apart.len(),
            first * 1e3,
            last * 1e3
        );
        ensure!(median.abs() < MOST_APART, "{url}: {median} s apart");
    }
    studio.end().await?;
    server.stop().await
}

#[tokio::test]
async fn a_room_goes_from_browser_to_encoder_and_back() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Handed over").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    let mut pull = Pull::start(&server.rtmp_url(&key))?;
    pull.decodes(30, 30).await?;

    let script = "return Object.values(localStorage).join(' ')";
    let stored = host.js(script, vec![]).await?;
    let stored = stored.as_str().context("nothing is stored")?;
    let stream_key = stream_key_in(stored).context("no stream key is stored")?;
    let encoder = Push::ordinary(&server.rtmp_url(&format!("{key}?key={stream_key}")))?;
    is_live_by(&server, &key, Ingest::Rtmp).await?;
    host.wait("the studio says that it was taken over", LONG, async || {
        host.find("taken-over").await.map(drop)
    })
    .await?;
    watch.is("live", LONG).await?;
    watch.plays().await?;
    // The same player, over the seam.
    pull.decodes(60, 60).await?;

    host.click("take-back").await?;
    is_live_by(&server, &key, Ingest::Whip).await?;
    let (_, said) = encoder.ended().await?;
    ensure!(said.contains("another encoder has taken over"), "{said}");
    watch.is("live", LONG).await?;
    watch.plays().await?;
    pull.decodes(60, 60).await?;
    studio.end().await?;
    pull.ends().await?;
    server.stop().await
}

/// The stream key among what the page keeps.
fn stream_key_in(stored: &str) -> Option<&str> {
    let (_, rest) = stored.split_once("\"stream_key\":\"")?;
    rest.split('"').next()
}

#[tokio::test]
async fn the_2016_app_pushes_without_a_secret_and_before_its_room_is_made() -> Result<()> {
    let server = Server::start().await?;
    let encoder = Push::ordinary(&server.rtmp_url("phone-1"))?;
    let mut app = AppSocket::broadcaster(&server).await?;
    app.emit("create_room", json!({"key": "phone-1", "title": "Hello"}))
        .await?;
    is_live_by(&server, "phone-1", Ingest::Rtmp).await?;
    let rooms: Vec<Value> = server.json("/rooms").await?;
    ensure!(
        rooms.iter().any(|room| room["key"] == "phone-1"),
        "{rooms:?}"
    );
    // Its audience plays with IJKPlayer, which is ffmpeg.
    let mut pull = Pull::start(&server.rtmp_url("phone-1"))?;
    let frames = pull.decodes(30, 30).await?;
    let first = frames.iter().find(|frame| !frame.is_sound);
    ensure!(first.is_some_and(|frame| frame.is_key), "{first:?}");
    encoder.stop().await?;
    pull.ends().await?;
    server.stop().await
}
