//! The body of an audio tag.
#![no_main]

use bytes::Bytes;
use golive::flv::audio::AudioTag;
use golive::media::aac::AacFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let body = Bytes::copy_from_slice(body);
    match AudioTag::parse(&body) {
        Ok(AudioTag::SequenceHeader(config)) => {
            let _ = AacFormat::parse(config);
        }
        Ok(AudioTag::Packet(packet)) => assert!(packet.len() < body.len()),
        _ => {}
    }
});
