//! One direction of the bridge: units of sound go in, units in the other codec come out.

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::placement::{Clock, Step};
use super::resampler::Resampler;
use super::{CodecError, RATE};
use crate::media::access_unit::{AccessUnit, AudioCodec, AudioFormat, Epoch, Format};
use crate::media::time::MediaTime;

/// Turns the sound of a broadcast into another codec, with every sound at its time: the codecs' delays are
/// subtracted, what is lost is filled, and decode times never step back.
///
/// Packets that cannot be decoded are replaced by silence or by what was heard before, and counted.
pub struct Transcoder {
    target: AudioCodec,
    chain: Option<Chain>,
    /// A format that could not be set up is not tried again for every packet.
    unusable: Option<AudioFormat>,
    corrupt: u64,
    /// The newest output's.
    last: MediaTime,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcoder")
            .field("target", &self.target)
            .field("corrupt", &self.corrupt)
            .finish_non_exhaustive()
    }
}

impl Transcoder {
    /// A transcoder to this codec.
    #[must_use]
    pub const fn new(target: AudioCodec) -> Self {
        Self {
            target,
            chain: None,
            unusable: None,
            corrupt: 0,
            last: MediaTime::from_micros(i64::MIN),
        }
    }

    /// Packets so far that could not be decoded.
    #[must_use]
    pub const fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// Takes a unit of sound, gives those that are complete now: none to a few, in order. Units that are
    /// not sound are ignored.
    pub fn push(&mut self, unit: &AccessUnit) -> Vec<AccessUnit> {
        let Format::Audio(format) = &unit.format else {
            return Vec::new();
        };
        let mut output = Output {
            units: Vec::new(),
            epoch: unit.epoch,
            random_access: unit.random_access,
        };
        let placed = self.chain.as_mut().filter(|chain| chain.source == *format);
        let step = placed.map_or(Step::Restart, |chain| chain.clock.place(unit.pts));
        match step {
            Step::Drop => return Vec::new(),
            Step::Restart => self.restart(format, unit.pts, &mut output),
            _ => {}
        }
        if let Some(chain) = &mut self.chain
            && let Err(error) = chain.take(&unit.data, step, &mut output)
        {
            self.corrupt += 1;
            if self.corrupt.is_power_of_two() {
                tracing::debug!(%error, corrupt = self.corrupt, "sound that cannot be decoded");
            }
        }
        for unit in &mut output.units {
            self.last = unit.dts.max(self.last);
            (unit.dts, unit.pts) = (self.last, self.last);
        }
        output.units
    }

    /// Begins anew at `at`, after a pause or with another format.
    fn restart(&mut self, format: &AudioFormat, at: MediaTime, output: &mut Output) {
        if let Some(mut before) = self.chain.take()
            && before.source == *format
        {
            before.finish(output);
        }
        if self.unusable.as_ref() == Some(format) {
            return;
        }
        match Chain::new(self.target, format, at) {
            Ok(chain) => self.chain = Some(chain),
            Err(error) => {
                tracing::warn!(%error, codec = format.codec_name(), "sound that cannot be transcoded");
                self.unusable = Some(format.clone());
            }
        }
    }
}

/// Where a chain puts what it makes.
struct Output {
    units: Vec<AccessUnit>,
    epoch: Epoch,
    random_access: bool,
}

/// Decoder, resampler and encoder, for sound of one format without a long pause.
struct Chain {
    source: AudioFormat,
    clock: Clock,
    decoder: Decoder,
    resampler: Option<Resampler>,
    encoder: Encoder,
    began: MediaTime,
    /// Decoded and not yet resampled, resampled and not yet encoded; interleaved.
    decoded: Vec<f32>,
    ready: Vec<f32>,
    /// Packets until the encoder's delay has passed: they lie before the beginning and are left out.
    priming: usize,
    /// Packets behind those.
    packets: i64,
}

impl Chain {
    fn new(target: AudioCodec, source: &AudioFormat, at: MediaTime) -> Result<Self, CodecError> {
        let decoder = Decoder::new(source)?;
        let (rate, channels) = (decoder.rate(), decoder.channels());
        let resampler = Resampler::new(rate, channels);
        if resampler.is_none() && rate != RATE {
            return Err(CodecError::Rate(rate));
        }
        let encoder = Encoder::new(target, source)?;
        // With so much silence before it, the beginning comes out at the beginning of a packet.
        let priming = encoder.delay().div_ceil(encoder.frame());
        let silence = priming * encoder.frame() - encoder.delay();
        Ok(Self {
            source: source.clone(),
            clock: Clock::new(at, rate, source.codec()),
            ready: vec![0.0; silence * channels],
            decoded: Vec::new(),
            decoder,
            resampler,
            encoder,
            began: at,
            priming,
            packets: 0,
        })
    }

    /// Decodes a packet as `step` says and encodes what has become complete.
    fn take(&mut self, packet: &[u8], step: Step, output: &mut Output) -> Result<(), CodecError> {
        let channels = self.decoder.channels();
        if let Step::Fill(samples) = step {
            // Bounded by the longest pause that is filled.
            let samples = usize::try_from(samples).unwrap_or(0);
            self.decoder.conceal(samples, &mut self.decoded);
        }
        let decoded = self.decoder.decode(packet, &mut self.decoded);
        if decoded.is_err() {
            self.decoder.replace(&mut self.decoded);
        }
        let held = self.decoded.len();
        match step {
            Step::Cut(samples) => {
                let samples = usize::try_from(samples).unwrap_or(usize::MAX);
                let cut = samples.saturating_mul(channels).min(held);
                self.decoded.drain(..cut);
            }
            Step::Stretch => self.decoded.extend_from_within(held - channels..),
            Step::Shrink => self.decoded.truncate(held - channels),
            Step::Follow | Step::Fill(_) | Step::Restart | Step::Drop => {}
        }
        self.clock.count(self.decoded.len() / channels);
        self.advance(output);
        decoded
    }

    /// Lets out what is still inside.
    fn finish(&mut self, output: &mut Output) {
        let channels = self.decoder.channels();
        let reach = self.resampler.as_ref().map_or(0, Resampler::reach);
        self.decoded.resize(reach * channels, 0.0);
        self.advance(output);
        let rest = self.ready.len() / channels + self.encoder.delay();
        let whole = rest.next_multiple_of(self.encoder.frame()) * channels;
        self.ready.resize(whole, 0.0);
        self.advance(output);
    }

    /// Resamples and encodes what is there, up to less than a frame.
    fn advance(&mut self, output: &mut Output) {
        match &mut self.resampler {
            Some(resampler) => resampler.process(&self.decoded, &mut self.ready),
            None => self.ready.extend_from_slice(&self.decoded),
        }
        self.decoded.clear();
        let frame = self.encoder.frame() * self.decoder.channels();
        let whole = self.ready.len() - self.ready.len() % frame;
        for samples in self.ready[..whole].chunks_exact_mut(frame) {
            for sample in &mut *samples {
                // Also what is not a number: no encoder takes it.
                *sample = if sample.is_finite() {
                    sample.clamp(-1.0, 1.0)
                } else {
                    0.0
                };
            }
            let encoded = self.encoder.encode(samples);
            if self.priming > 0 {
                self.priming -= 1;
                continue;
            }
            let frame = i64::try_from(self.encoder.frame()).unwrap_or(0);
            let at = self.began + MediaTime::from_ticks(self.packets * frame, RATE);
            self.packets += 1;
            match encoded {
                Ok(data) => output.units.push(AccessUnit {
                    epoch: output.epoch,
                    format: Format::Audio(self.encoder.format().clone()),
                    dts: at,
                    pts: at,
                    random_access: output.random_access,
                    data,
                }),
                Err(error) => tracing::debug!(%error, "a frame of sound that cannot be encoded"),
            }
        }
        self.ready.drain(..whole);
    }
}
