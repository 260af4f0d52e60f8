//! An AVCDecoderConfigurationRecord and the parameter sets in it.
#![no_main]

use bytes::{Bytes, BytesMut};
use golive::media::avc::{AvcConfig, put_config};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    let Ok(config) = AvcConfig::parse(&Bytes::copy_from_slice(record)) else {
        return;
    };
    assert!((1..=4).contains(&config.length_size));
    let Ok(format) = config.format() else { return };
    // What players get is a record of the same parameter sets.
    let mut written = BytesMut::new();
    put_config(&mut written, &format);
    let again = AvcConfig::parse(&written.freeze()).expect("what we write can be read");
    assert_eq!(again.format(), Ok(format));
});
