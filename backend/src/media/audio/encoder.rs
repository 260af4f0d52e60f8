//! From samples to packets, at 48 kHz.

use bytes::Bytes;

use super::{CodecError, RATE, format_in, opus_channels};
use crate::media::access_unit::{AudioCodec, AudioFormat};

/// Samples per channel of an Opus packet: 20 ms.
const OPUS_FRAME: usize = 960;
/// Of 10: half the time of the highest, and no difference that a broadcast would show.
const OPUS_COMPLEXITY: i32 = 5;
/// No Opus packet of one frame is longer (RFC 6716 section 3.4).
const OPUS_LARGEST: usize = 1_275;
/// Samples per channel of an AAC frame.
const AAC_FRAME: usize = 1_024;
/// The encoder's overlap: what goes in comes out a frame later.
const AAC_DELAY: usize = 1_024;

/// Encodes interleaved samples at 48 kHz, one frame at a time.
pub(super) struct Encoder {
    codec: Codec,
    format: AudioFormat,
    channels: usize,
}

enum Codec {
    Opus {
        encoder: opus::Encoder,
        delay: usize,
    },
    Aac(Box<syom::Encoder>),
}

impl Encoder {
    /// An encoder for sound of the format `source`.
    ///
    /// # Errors
    /// [`CodecError`] if the library does not make one.
    pub(super) fn new(codec: AudioCodec, source: &AudioFormat) -> Result<Self, CodecError> {
        let format = format_in(codec, source);
        let channels = format.channels();
        let codec = match codec {
            AudioCodec::Opus => {
                let channels = opus_channels(channels);
                let mut encoder = opus::Encoder::new(RATE, channels, opus::Application::Audio)?;
                encoder.set_complexity(OPUS_COMPLEXITY)?;
                encoder.set_bitrate(opus::Bitrate::Bits(match channels {
                    opus::Channels::Mono => 64_000,
                    opus::Channels::Stereo => 128_000,
                }))?;
                let delay = usize::try_from(encoder.get_lookahead()?).unwrap_or(0);
                Codec::Opus { encoder, delay }
            }
            AudioCodec::Aac => {
                let options = syom::EncodeOptions::raw().with_bitrate_bps(match channels {
                    1 => 96_000,
                    _ => 160_000,
                });
                let encoder = syom::Encoder::new(RATE, channels.into(), &options)?;
                Codec::Aac(Box::new(encoder))
            }
        };
        Ok(Self {
            codec,
            format,
            channels: channels.into(),
        })
    }

    /// What the packets are.
    pub(super) const fn format(&self) -> &AudioFormat {
        &self.format
    }

    /// Samples per channel of a packet.
    pub(super) const fn frame(&self) -> usize {
        match self.codec {
            Codec::Opus { .. } => OPUS_FRAME,
            Codec::Aac(_) => AAC_FRAME,
        }
    }

    /// Samples per channel by which what is decoded comes later than what was encoded.
    pub(super) const fn delay(&self) -> usize {
        match self.codec {
            Codec::Opus { delay, .. } => delay,
            Codec::Aac(_) => AAC_DELAY,
        }
    }

    /// Encodes exactly one frame.
    ///
    /// # Errors
    /// [`CodecError`] if there is no packet for this frame; the next one may go well.
    pub(super) fn encode(&mut self, frame: &[f32]) -> Result<Bytes, CodecError> {
        match &mut self.codec {
            Codec::Opus { encoder, .. } => {
                Ok(encoder.encode_vec_float(frame, OPUS_LARGEST)?.into())
            }
            Codec::Aac(encoder) => {
                let planes: Vec<Vec<f32>> = (0..self.channels)
                    .map(|channel| {
                        frame
                            .iter()
                            .skip(channel)
                            .step_by(self.channels)
                            .copied()
                            .collect()
                    })
                    .collect();
                let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
                let mut packet = Bytes::new();
                let fed = encoder.feed(&planes, |encoded| {
                    packet = Bytes::copy_from_slice(encoded.payload);
                    Ok(())
                });
                if let Err(error) = fed {
                    // An encoder that failed once refuses everything until then.
                    encoder.reset()?;
                    return Err(error.into());
                }
                if packet.is_empty() {
                    return Err(CodecError::Empty);
                }
                Ok(packet)
            }
        }
    }
}
