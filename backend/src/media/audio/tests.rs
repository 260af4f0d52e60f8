//! The bridge in both directions: where a click comes out, how well a tone does, what breaks it.

use std::f32::consts::TAU;
use std::sync::Arc;

use bytes::Bytes;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::transcoder::Transcoder;
use super::{RATE, format_in};
use crate::media::aac::AacFormat;
use crate::media::access_unit::{AccessUnit, AudioCodec, AudioFormat, Epoch, Format};
use crate::media::time::MediaTime;

const OPUS: AudioFormat = AudioFormat::Opus { channels: 2 };
/// Not zero, so that a forgotten origin shows.
const BEGAN: i64 = 7_000_000;

fn aac(rate: u32, channels: u8) -> AudioFormat {
    let config: &[u8] = match (rate, channels) {
        (48_000, 1) => &[0x11, 0x88],
        (48_000, 2) => &[0x11, 0x90],
        (44_100, 1) => &[0x12, 0x08],
        (44_100, 2) => &[0x12, 0x10],
        (22_050, 2) => &[0x13, 0x90],
        _ => panic!("no configuration for {rate} Hz"),
    };
    AudioFormat::Aac(Arc::new(
        AacFormat::parse(Bytes::copy_from_slice(config)).unwrap(),
    ))
}

fn unit(format: &AudioFormat, at: MediaTime, data: Bytes) -> AccessUnit {
    AccessUnit {
        epoch: Epoch(1),
        format: Format::Audio(format.clone()),
        dts: at,
        pts: at,
        random_access: false,
        data,
    }
}

/// A broadcast of this sound, whose samples stand at their times.
fn broadcast(format: &AudioFormat, pcm: &[f32]) -> Vec<AccessUnit> {
    let channels = usize::from(format.channels());
    let (rate, packets, frame, delay) = match format {
        AudioFormat::Opus { .. } => {
            let mut encoder = Encoder::new(AudioCodec::Opus, format).unwrap();
            let (frame, delay) = (encoder.frame(), encoder.delay());
            let packets = interleave(pcm, channels)
                .chunks_exact(frame * channels)
                .map(|samples| encoder.encode(samples).unwrap())
                .collect::<Vec<_>>();
            (RATE, packets, frame, delay)
        }
        AudioFormat::Aac(aac) => {
            let options = syom::EncodeOptions::raw();
            let mut encoder = syom::Encoder::new(aac.sample_rate, channels, &options).unwrap();
            let mut packets = Vec::new();
            encoder
                .feed(&vec![pcm; channels], |frame| {
                    packets.push(Bytes::copy_from_slice(frame.payload));
                    Ok(())
                })
                .unwrap();
            (aac.sample_rate, packets, 1_024, 1_024)
        }
    };
    let began = MediaTime::from_micros(BEGAN);
    let at = |n: usize| began + MediaTime::from_ticks((n * frame) as i64 - delay as i64, rate);
    let packets = packets.into_iter().enumerate();
    packets.map(|(n, data)| unit(format, at(n), data)).collect()
}

fn interleave(pcm: &[f32], channels: usize) -> Vec<f32> {
    pcm.iter()
        .flat_map(|&sample| vec![sample; channels])
        .collect()
}

fn transcode(target: AudioCodec, units: &[AccessUnit]) -> Vec<AccessUnit> {
    let mut transcoder = Transcoder::new(target);
    units
        .iter()
        .flat_map(|unit| transcoder.push(unit))
        .collect()
}

/// What is heard of these units: the first channel, sample by sample from [`BEGAN`] on.
fn listen(units: &[AccessUnit]) -> Vec<f32> {
    let Some(first) = units.first() else {
        return Vec::new();
    };
    let Format::Audio(format) = &first.format else {
        panic!("not sound");
    };
    let mut decoder = Decoder::new(format).unwrap();
    let channels = decoder.channels();
    let mut heard = Vec::new();
    for unit in units {
        let mut pcm = Vec::new();
        decoder.decode(&unit.data, &mut pcm).unwrap();
        let at = (unit.pts - MediaTime::from_micros(BEGAN)).to_ticks(decoder.rate());
        for (n, &sample) in pcm.iter().step_by(channels).enumerate() {
            if let Ok(at) = usize::try_from(at + n as i64) {
                heard.resize(heard.len().max(at + 1), 0.0);
                heard[at] = sample;
            }
        }
    }
    heard
}

fn tone(rate: u32, seconds: usize) -> Vec<f32> {
    (0..rate as usize * seconds)
        .map(|n| 0.5 * (n as f32 * 997.0 * TAU / rate as f32).sin())
        .collect()
}

/// Silence, with 2 ms of sound at half a second.
fn click(rate: u32) -> Vec<f32> {
    let mut pcm = vec![0.0; rate as usize];
    let at = rate as usize / 2;
    for (n, sample) in pcm[at..at + rate as usize / 500].iter_mut().enumerate() {
        *sample = 0.8 * (n as f32 * 4_000.0 * TAU / rate as f32).sin();
    }
    pcm
}

/// Where the middle of the energy lies, in milliseconds.
fn middle(heard: &[f32], rate: u32) -> f64 {
    let energy = |sample: &f32| f64::from(*sample).powi(2);
    let sum: f64 = heard.iter().map(energy).sum();
    let moments = heard
        .iter()
        .enumerate()
        .map(|(n, sample)| n as f64 * energy(sample));
    assert!(sum > 1.0, "the click was lost");
    moments.sum::<f64>() / sum * 1_000.0 / f64::from(rate)
}

fn click_error(source: &AudioFormat, target: AudioCodec, rate: u32) -> f64 {
    let heard = listen(&transcode(target, &broadcast(source, &click(rate))));
    (middle(&heard, RATE) - 501.0).abs()
}

#[test]
fn a_click_of_aac_stays_at_its_time() {
    for (rate, channels) in [
        (48_000, 2),
        (48_000, 1),
        (44_100, 2),
        (44_100, 1),
        (22_050, 2),
    ] {
        let error = click_error(&aac(rate, channels), AudioCodec::Opus, rate);
        println!("AAC {rate} Hz, {channels} channels to Opus: {error:.2} ms");
        assert!(error < 5.0, "{rate} Hz, {channels} channels: {error} ms");
    }
}

#[test]
fn a_click_of_opus_stays_at_its_time() {
    for channels in [1, 2] {
        let error = click_error(&AudioFormat::Opus { channels }, AudioCodec::Aac, RATE);
        println!("Opus, {channels} channels to AAC: {error:.2} ms");
        assert!(error < 5.0, "{channels} channels: {error} ms");
    }
}

/// Signal to noise of a tone, in dB, measured behind its beginning.
fn tone_quality(source: &AudioFormat, target: AudioCodec, rate: u32) -> f32 {
    let heard = listen(&transcode(target, &broadcast(source, &tone(rate, 2))));
    let range = 24_000..72_000;
    // The phase may differ a little: the best fit of sine and cosine is the signal.
    let (mut in_phase, mut quadrature, mut all) = (0.0, 0.0, 0.0);
    for n in range.clone() {
        let angle = n as f32 * 997.0 * TAU / RATE as f32;
        in_phase += heard[n] * angle.sin();
        quadrature += heard[n] * angle.cos();
        all += heard[n] * heard[n];
    }
    let signal = 2.0 * (in_phase * in_phase + quadrature * quadrature) / range.len() as f32;
    10.0 * (signal / (all - signal).max(f32::MIN_POSITIVE)).log10()
}

#[test]
fn a_tone_sounds_clean() {
    for (source, target, rate) in [
        (OPUS, AudioCodec::Aac, 48_000),
        (AudioFormat::Opus { channels: 1 }, AudioCodec::Aac, 48_000),
        (aac(48_000, 2), AudioCodec::Opus, 48_000),
        (aac(44_100, 2), AudioCodec::Opus, 44_100),
        (aac(22_050, 2), AudioCodec::Opus, 22_050),
    ] {
        let quality = tone_quality(&source, target, rate);
        println!("{source:?} to {target:?}: {quality:.1} dB");
        assert!(quality > 25.0, "{source:?}: {quality} dB");
    }
}

#[test]
fn packets_say_what_was_announced() {
    for (source, target) in [(OPUS, AudioCodec::Aac), (aac(44_100, 1), AudioCodec::Opus)] {
        let announced = Format::Audio(format_in(target, &source));
        let units = transcode(target, &broadcast(&source, &tone(44_100, 1)));
        assert!(units.iter().all(|unit| unit.format == announced));
    }
    for channels in [1, 2] {
        let options = syom::EncodeOptions::raw();
        let encoder = syom::Encoder::new(RATE, channels.into(), &options).unwrap();
        let AudioFormat::Aac(announced) =
            format_in(AudioCodec::Aac, &AudioFormat::Opus { channels })
        else {
            panic!("not AAC");
        };
        assert_eq!(announced.config, encoder.asc());
        assert_eq!(
            AacFormat::parse(announced.config.clone()).unwrap(),
            *announced
        );
    }
}

#[test]
fn a_room_with_one_channel_stays_mono() {
    let units = transcode(
        AudioCodec::Opus,
        &broadcast(&aac(48_000, 1), &tone(48_000, 1)),
    );
    // RFC 6716 section 3.1: the bit `s` of the TOC.
    assert!(units.iter().all(|unit| unit.data[0] & 0x04 == 0));
}

fn steps(units: &[AccessUnit]) -> Vec<i64> {
    units
        .windows(2)
        .map(|pair| (pair[1].dts - pair[0].dts).as_micros())
        .collect()
}

#[test]
fn sound_begins_with_the_first_packet_and_goes_on_without_a_hole() {
    let input = broadcast(&aac(44_100, 2), &tone(44_100, 2));
    let output = transcode(AudioCodec::Opus, &input);
    assert_eq!(output[0].dts, input[0].dts);
    assert!(
        steps(&output)
            .iter()
            .all(|step| (19_999..=20_001).contains(step))
    );
}

#[test]
fn lost_packets_are_filled() {
    for (source, target) in [(OPUS, AudioCodec::Aac), (aac(48_000, 2), AudioCodec::Opus)] {
        let mut input = broadcast(&source, &click(48_000));
        // 200 ms, a quarter of a second before the click.
        input.retain(|unit| !(7_100_000..7_300_000).contains(&unit.pts.as_micros()));
        let output = transcode(target, &input);
        let longest = steps(&output).into_iter().max().unwrap();
        assert!(longest < 21_500, "{source:?}: a hole of {longest} us");
        let error = (middle(&listen(&output), RATE) - 501.0).abs();
        assert!(error < 5.0, "{source:?}: the click is off by {error} ms");
    }
}

#[test]
fn after_a_long_pause_sound_goes_on_at_its_time() {
    for (source, target) in [(OPUS, AudioCodec::Aac), (aac(44_100, 2), AudioCodec::Opus)] {
        let rate = if source == OPUS { 48_000 } else { 44_100 };
        let pause = MediaTime::from_micros(10_000_000);
        let mut input = broadcast(&source, &tone(rate, 1));
        let count = input.len();
        for later in broadcast(&source, &tone(rate, 1)) {
            input.push(unit(&source, later.dts + pause, later.data));
        }
        let output = transcode(target, &input);
        let seconds = output.len() as f32
            * if target == AudioCodec::Aac {
                1_024.0
            } else {
                960.0
            }
            / 48_000.0;
        assert!(seconds < 2.2, "the pause was filled: {seconds} s");
        let after = output
            .iter()
            .find(|unit| unit.dts > input[count - 1].dts + MediaTime::from_micros(100_000));
        assert_eq!(after.unwrap().dts, input[count].dts);
    }
}

#[test]
fn times_that_step_back_are_waited_out() {
    for back in [100_000, 2_000_000] {
        let mut input = broadcast(&OPUS, &tone(48_000, 6));
        for unit in &mut input[150..] {
            unit.dts = unit.dts - MediaTime::from_micros(back);
            unit.pts = unit.dts;
        }
        let output = transcode(AudioCodec::Aac, &input);
        assert!(steps(&output).iter().all(|&step| step >= 0));
        let end = input.last().unwrap().dts - output.last().unwrap().dts;
        assert!(end.as_micros().abs() < 60_000, "{end}");
    }
}

#[test]
fn a_format_may_change_in_mid_stream() {
    let mut input = broadcast(&aac(44_100, 1), &tone(44_100, 1));
    let end = input.last().unwrap().dts;
    for later in broadcast(&aac(48_000, 2), &click(48_000)) {
        let second = MediaTime::from_micros(1_000_000);
        if later.dts + second > end {
            input.push(unit(&aac(48_000, 2), later.dts + second, later.data));
        }
    }
    let output = transcode(AudioCodec::Opus, &input);
    assert!(
        steps(&output).iter().all(|step| (0..45_000).contains(step)),
        "{:?}",
        steps(&output)
    );
    let stereo: Vec<_> = output
        .into_iter()
        .filter(|unit| unit.format == Format::Audio(OPUS))
        .collect();
    let error = (middle(&listen(&stereo), RATE) - 1_501.0).abs();
    assert!(error < 5.0, "{error} ms");
}

/// A generator of numbers that are always the same.
fn noise() -> impl FnMut() -> u32 {
    let mut state = 1_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

#[test]
fn garbage_neither_panics_nor_stops_the_sound() {
    let mut random = noise();
    for (source, target) in [
        (OPUS, AudioCodec::Aac),
        (aac(48_000, 2), AudioCodec::Opus),
        (aac(44_100, 1), AudioCodec::Opus),
    ] {
        let rate = if source.codec() == AudioCodec::Opus {
            48_000
        } else {
            44_100
        };
        let mut input = broadcast(&source, &tone(rate, 10));
        for (n, unit) in input.iter_mut().enumerate() {
            let mut data = unit.data.to_vec();
            match n % 5 {
                0 => data = (0..random() % 1_500).map(|_| random() as u8).collect(),
                1 => data.truncate(random() as usize % (data.len() + 1)),
                2 | 3 => {
                    for _ in 0..1 + random() % 8 {
                        let (at, bit) = (random() as usize % data.len(), random() % 8);
                        data[at] ^= 1 << bit;
                    }
                }
                _ => {}
            }
            unit.data = data.into();
        }
        let mut transcoder = Transcoder::new(target);
        let output: Vec<_> = input
            .iter()
            .flat_map(|unit| transcoder.push(unit))
            .collect();
        assert!(transcoder.corrupt() > 0);
        assert!(steps(&output).iter().all(|&step| step >= 0));
        let length = (output.last().unwrap().dts - input[0].dts).as_micros();
        assert!(length > 9_000_000, "{source:?}: {length} us");
    }
}
