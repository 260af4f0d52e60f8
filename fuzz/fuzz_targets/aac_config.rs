//! An AudioSpecificConfig, which an encoder sends before its first sound.
#![no_main]

use bytes::Bytes;
use golive::media::aac::AacFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|config: &[u8]| {
    if let Ok(format) = AacFormat::parse(Bytes::copy_from_slice(config)) {
        assert!(format.sample_rate > 0);
        assert!((1..=2).contains(&format.channels));
    }
});
