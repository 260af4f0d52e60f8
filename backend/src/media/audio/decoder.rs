//! From packets to samples.

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::{CodecError, RATE};
use crate::media::aac::AacFormat;
use crate::media::access_unit::AudioFormat;

/// Samples per channel of the longest Opus packet: 120 ms (RFC 6716 section 3.2.5).
const OPUS_LONGEST: usize = 5_760;
/// Opus conceals in steps of 2.5 ms.
const OPUS_STEP: usize = 120;
/// Samples per channel that are concealed in one go.
const OPUS_FRAME: usize = 960;
/// Samples per channel of an AAC frame.
const AAC_FRAME: usize = 1_024;

/// Decodes one format. Samples are interleaved, full scale is 1.
pub(super) struct Decoder {
    codec: Codec,
    rate: u32,
    channels: usize,
    /// Samples per channel of the newest good packet.
    usual: usize,
    scratch: Vec<f32>,
}

enum Codec {
    Opus(opus::Decoder),
    Aac(Box<AacDecoder>),
}

impl Decoder {
    /// # Errors
    /// [`CodecError`] if there is no decoder for this format.
    pub(super) fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        Ok(match format {
            AudioFormat::Opus { channels } => Self {
                codec: Codec::Opus(opus::Decoder::new(RATE, super::opus_channels(*channels))?),
                rate: RATE,
                channels: usize::from(*channels).clamp(1, 2),
                usual: OPUS_FRAME,
                scratch: Vec::new(),
            },
            AudioFormat::Aac(aac) => Self {
                codec: Codec::Aac(aac_decoder(aac)?),
                rate: aac.sample_rate,
                channels: usize::from(aac.channels).clamp(1, 2),
                usual: AAC_FRAME,
                scratch: Vec::new(),
            },
        })
    }

    /// In Hz.
    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) const fn channels(&self) -> usize {
        self.channels
    }

    /// Appends a packet's samples to `pcm`.
    ///
    /// # Errors
    /// [`CodecError`] if the packet is corrupt; nothing is appended then.
    pub(super) fn decode(&mut self, packet: &[u8], pcm: &mut Vec<f32>) -> Result<(), CodecError> {
        // To libopus an empty packet is a lost one.
        if packet.is_empty() {
            return Err(CodecError::Empty);
        }
        match &mut self.codec {
            Codec::Opus(decoder) => {
                self.scratch.resize(OPUS_LONGEST * self.channels, 0.0);
                let samples = decoder.decode_float(packet, &mut self.scratch, false)?;
                self.scratch.truncate(samples * self.channels);
            }
            Codec::Aac(decoder) => decode_aac(decoder, packet, &mut self.scratch)?,
        }
        if self.scratch.is_empty() {
            return Err(CodecError::Empty);
        }
        self.usual = self.scratch.len() / self.channels;
        pcm.extend_from_slice(&self.scratch);
        Ok(())
    }

    /// Appends what stands for a packet that could not be decoded.
    pub(super) fn replace(&mut self, pcm: &mut Vec<f32>) {
        self.conceal(self.usual, pcm);
    }

    /// Appends `samples` per channel that stand for lost ones: for Opus what was heard last, faded out,
    /// for AAC silence.
    pub(super) fn conceal(&mut self, samples: usize, pcm: &mut Vec<f32>) {
        let end = pcm.len() + samples * self.channels;
        if let Codec::Opus(decoder) = &mut self.codec {
            let mut left = samples - samples % OPUS_STEP;
            while left > 0 {
                let step = left.min(OPUS_FRAME);
                self.scratch.resize(step * self.channels, 0.0);
                if decoder.decode_float(&[], &mut self.scratch, false).is_err() {
                    break;
                }
                pcm.extend_from_slice(&self.scratch);
                left -= step;
            }
        }
        pcm.resize(end, 0.0);
    }
}

fn aac_decoder(aac: &AacFormat) -> Result<Box<AacDecoder>, CodecError> {
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(CODEC_ID_AAC)
        .with_extra_data(aac.config.to_vec().into_boxed_slice());
    let options = AudioDecoderOptions::default();
    let decoder = catch_unwind(|| AacDecoder::try_new(&parameters, &options));
    Ok(Box::new(decoder.map_err(|_| CodecError::Panicked)??))
}

/// The decoder is safe Rust, but it has indexed wrongly on corrupt frames before: that must not end the
/// sound of the room. What it leaves behind is plain numbers, and the next frame overwrites most of it.
fn decode_aac(
    decoder: &mut AacDecoder,
    packet: &[u8],
    pcm: &mut Vec<f32>,
) -> Result<(), CodecError> {
    let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
    let decode = AssertUnwindSafe(|| {
        decoder
            .decode_ref(&packet)
            .map(|decoded| decoded.copy_to_vec_interleaved(pcm))
    });
    Ok(catch_unwind(decode).map_err(|_| CodecError::Panicked)??)
}
