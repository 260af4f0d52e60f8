//! The audio bridge: sound from one codec to the other, Opus for WebRTC and AAC for everybody else.

mod transcoder;

use std::sync::Arc;

use bytes::Bytes;

pub use self::transcoder::Transcoder;
use super::aac::AacFormat;
use super::access_unit::{AudioCodec, AudioFormat};

/// What [`Transcoder`]s produce, and Opus is clocked at, in Hz.
pub const RATE: u32 = 48_000;

/// What sound of this format becomes in `codec`: itself where it has that codec already, otherwise
/// 48 kHz with the same channels.
#[must_use]
pub fn format_in(codec: AudioCodec, format: &AudioFormat) -> AudioFormat {
    match (codec, format) {
        (AudioCodec::Opus, AudioFormat::Aac(aac)) => AudioFormat::Opus {
            channels: aac.channels,
        },
        (AudioCodec::Aac, AudioFormat::Opus { channels }) => {
            // ISO/IEC 14496-3 section 1.6.2.1: AAC-LC, 48 kHz, frames of 1,024 samples.
            let (config, channels) = match channels {
                1 => (&[0x11, 0x88], 1),
                _ => (&[0x11, 0x90], 2),
            };
            AudioFormat::Aac(Arc::new(AacFormat {
                config: Bytes::from_static(config),
                sample_rate: RATE,
                channels,
            }))
        }
        (AudioCodec::Opus, AudioFormat::Opus { .. }) | (AudioCodec::Aac, AudioFormat::Aac(_)) => {
            format.clone()
        }
    }
}
