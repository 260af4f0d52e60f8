//! The audio bridge: sound from one codec to the other, Opus for WebRTC and AAC for everybody else.

mod decoder;
mod encoder;
mod placement;
mod resampler;
#[cfg(test)]
mod tests;
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

/// Why sound cannot be decoded or encoded.
#[derive(Debug, thiserror::Error)]
enum CodecError {
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    #[error("AAC decoder: {0}")]
    AacDecoder(#[from] symphonia_core::errors::Error),
    #[error("AAC encoder: {0}")]
    AacEncoder(#[from] syom::AacError),
    #[error("the decoder failed on a corrupt packet")]
    Panicked,
    #[error("nothing in the packet")]
    Empty,
    #[error("{0} Hz is not a sampling rate of AAC")]
    Rate(u32),
}

const fn opus_channels(channels: u8) -> opus::Channels {
    match channels {
        1 => opus::Channels::Mono,
        _ => opus::Channels::Stereo,
    }
}
