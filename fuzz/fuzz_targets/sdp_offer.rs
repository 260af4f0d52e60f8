//! An SDP offer, of a publisher and of a viewer, as far as our own code reads it.
#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use golive::media::access_unit::AudioFormat;
use golive::media::h264::VideoFormat;
use golive::media::formats::Formats;
use golive::webrtc::read_offer;
use libfuzzer_sys::fuzz_target;

/// Constrained baseline, 1280x720.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// What the room sends.
static FORMATS: LazyLock<Formats> = LazyLock::new(|| Formats {
    video: VideoFormat::parse(Bytes::from_static(SPS), Bytes::from_static(PPS))
        .ok()
        .map(Arc::new),
    audio: Some(AudioFormat::Opus { channels: 2 }),
    b_frames: false,
});

fuzz_target!(|sdp: &str| {
    let (published, watched) = read_offer(sdp, &FORMATS);
    if let Some(tracks) = published.or(watched) {
        assert!(tracks.video || tracks.audio);
    }
});
