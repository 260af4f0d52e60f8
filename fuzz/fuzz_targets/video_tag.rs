//! The body of a video tag, down to its NAL units.
#![no_main]

use bytes::Bytes;
use golive::media::avc::{AvcConfig, nal_units};
use golive::flv::video::VideoTag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let body = Bytes::copy_from_slice(body);
    match VideoTag::parse(&body) {
        Ok(VideoTag::Picture {
            composition_ms,
            data,
        }) => {
            assert!((-0x80_0000..0x80_0000).contains(&composition_ms));
            for length_size in 1..=4 {
                let nals = nal_units(data.clone(), length_size);
                let bytes: usize = nals.map_while(Result::ok).map(|nal| nal.len()).sum();
                assert!(bytes <= data.len());
            }
        }
        Ok(VideoTag::SequenceHeader(record)) => {
            let _ = AvcConfig::parse(&record);
        }
        _ => {}
    }
});
