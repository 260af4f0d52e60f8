//! What the audio bridge costs: CPU time for one second of sound, in each direction.
#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::f32::consts::TAU;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use golive::media::aac::AacFormat;
use golive::media::access_unit::{AccessUnit, AudioCodec, AudioFormat, Epoch, Format};
use golive::media::audio::Transcoder;
use golive::media::time::MediaTime;

/// A second of something like music, as AAC.
fn music(rate: u32, config: &'static [u8]) -> Vec<AccessUnit> {
    let format = AacFormat::parse(Bytes::from_static(config)).expect("a valid configuration");
    let format = Format::Audio(AudioFormat::Aac(Arc::new(format)));
    let mut noise = 1_u32;
    let pcm: Vec<f32> = (0..rate)
        .map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 8) as f32 / 8_388_608.0 - 1.0;
            let at = n as f32 * TAU / rate as f32;
            0.3 * (at * 440.0).sin() + 0.2 * (at * 1_250.0).sin() + 0.05 * hiss
        })
        .collect();
    let options = syom::EncodeOptions::raw();
    let mut encoder = syom::Encoder::new(rate, 2, &options).expect("an encoder");
    let mut units = Vec::new();
    let encoded = encoder.feed(&[&pcm, &pcm], |frame| {
        let at = MediaTime::from_ticks(units.len() as i64 * 1_024, rate);
        units.push(AccessUnit {
            epoch: Epoch(1),
            format: format.clone(),
            dts: at,
            pts: at,
            random_access: false,
            data: Bytes::copy_from_slice(frame.payload),
        });
        Ok(())
    });
    encoded.expect("sound that can be encoded");
    units
}

fn transcode(target: AudioCodec, units: &[AccessUnit]) -> Vec<AccessUnit> {
    let mut transcoder = Transcoder::new(target);
    units
        .iter()
        .flat_map(|unit| transcoder.push(unit))
        .collect()
}

fn bridge(c: &mut Criterion) {
    let aac = music(48_000, &[0x11, 0x90]);
    let cd = music(44_100, &[0x12, 0x10]);
    let opus = transcode(AudioCodec::Opus, &aac);
    let mut group = c.benchmark_group("one second of stereo");
    group.sample_size(20);
    for (name, target, units) in [
        ("AAC 48 kHz to Opus", AudioCodec::Opus, &aac),
        ("AAC 44.1 kHz to Opus", AudioCodec::Opus, &cd),
        ("Opus to AAC", AudioCodec::Aac, &opus),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(transcode(target, units)));
        });
    }
    group.finish();
}

criterion_group!(benches, bridge);
criterion_main!(benches);
