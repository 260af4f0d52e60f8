//! To 48 kHz, by polyphase filtering: each output sample is a windowed sinc around its place in the input.

use std::f64::consts::PI;

use super::RATE;

/// Zero crossings of the sinc on either side of its middle.
const REACH: usize = 32;
/// The shape of the Kaiser window: the stop band is 80 dB down.
const KAISER: f64 = 8.0;
/// Where the pass band ends, as a part of the lower of the two rates' half.
const CUTOFF: f64 = 0.92;
/// The rates of AAC (ISO/IEC 14496-3 table 1.18): others would need filters of any size.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Resamples interleaved sound. Sample `n` of the output stands where `n * from / 48000` stood in the
/// input, so there is no delay to subtract; it is given once the samples after it are known.
pub(super) struct Resampler {
    /// The output has `up` samples for every `down` of the input.
    up: usize,
    down: usize,
    /// One filter of `taps` coefficients for each of the `up` places between two input samples.
    filters: Vec<f32>,
    taps: usize,
    /// By channel: input that is still needed, beginning `taps` before the next output sample's place.
    history: Vec<Vec<f32>>,
    /// The next output sample's place between two input samples, in parts of `up`.
    phase: usize,
}

impl Resampler {
    /// `None` if nothing has to be done, or the rate is not one of AAC's.
    pub(super) fn new(from: u32, channels: usize) -> Option<Self> {
        if from == RATE || !RATES.contains(&from) {
            return None;
        }
        let divisor = gcd(from, RATE);
        let (up, down) = ((RATE / divisor) as usize, (from / divisor) as usize);
        // Against aliases the filter is stretched where the rate falls.
        let stretch = f64::from(from.max(RATE)) / f64::from(RATE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let half = (REACH as f64 * stretch).ceil() as usize;
        let taps = 2 * half;
        let mut filters = Vec::with_capacity(up * taps);
        for phase in 0..up {
            let middle = (half - 1) as f64 + phase as f64 / up as f64;
            let filter: Vec<f64> = (0..taps)
                .map(|tap| {
                    let x = tap as f64 - middle;
                    sinc(x * CUTOFF / stretch) * kaiser(x / half as f64)
                })
                .collect();
            let sum: f64 = filter.iter().sum();
            #[expect(clippy::cast_possible_truncation)]
            filters.extend(filter.iter().map(|tap| (tap / sum) as f32));
        }
        Some(Self {
            up,
            down,
            filters,
            taps,
            // As if silence had gone before: the first output stands on the first input.
            history: vec![vec![0.0; half - 1]; channels],
            phase: 0,
        })
    }

    /// Samples per channel of input behind an output sample that are needed for it.
    pub(super) const fn reach(&self) -> usize {
        self.taps / 2
    }

    /// Takes interleaved input, appends interleaved output.
    pub(super) fn process(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let channels = self.history.len();
        for (channel, history) in self.history.iter_mut().enumerate() {
            history.extend(input.iter().skip(channel).step_by(channels));
        }
        let held = self.history.first().map_or(0, Vec::len);
        let mut at = 0;
        while at + self.taps <= held {
            let filter = &self.filters[self.phase * self.taps..][..self.taps];
            for history in &self.history {
                output.push(dot(filter, &history[at..at + self.taps]));
            }
            self.phase += self.down;
            at += self.phase / self.up;
            self.phase %= self.up;
        }
        // Where the rate falls, `at` may lie beyond what is held by less than a step; never is it beyond
        // the end, since a step is shorter than the filter.
        for history in &mut self.history {
            history.drain(..at.min(held));
        }
    }
}

/// In eight sums at once, which the compiler can keep in one register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest = a.chunks_exact(8).remainder().iter();
    let rest = rest.zip(b.chunks_exact(8).remainder());
    sums.iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window from -1 to 1, up to a factor.
fn kaiser(x: f64) -> f64 {
    bessel(KAISER * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (n as f64 * hertz * 2.0 * PI / f64::from(rate)).sin() as f32)
            .collect()
    }

    #[test]
    fn a_tone_stays_where_it_is_at_every_rate() {
        for from in RATES.into_iter().filter(|&rate| rate != RATE) {
            let hertz = f64::from(from) / 10.0;
            let hertz = hertz.min(9_000.0);
            let mut resampler = Resampler::new(from, 1).unwrap();
            let mut out = Vec::new();
            for chunk in tone(from, hertz, from as usize).chunks(1_000) {
                resampler.process(chunk, &mut out);
            }
            let expected = tone(RATE, hertz, out.len());
            assert!(
                out.len().abs_diff(RATE as usize) < 1_000,
                "{from}: {}",
                out.len()
            );
            let middle = 2_000..out.len() - 2_000;
            let error = middle
                .clone()
                .map(|n| (out[n] - expected[n]).abs())
                .fold(0.0, f32::max);
            assert!(error < 0.002, "{from} Hz: off by {error}");
        }
    }

    #[test]
    fn what_48_khz_cannot_hold_is_filtered_out() {
        let mut resampler = Resampler::new(96_000, 1).unwrap();
        let mut out = Vec::new();
        resampler.process(&tone(96_000, 30_000.0, 96_000), &mut out);
        let loudest = out[1_000..]
            .iter()
            .fold(0.0, |max: f32, x| max.max(x.abs()));
        assert!(loudest < 0.001, "{loudest}");
    }

    #[test]
    fn channels_stay_apart() {
        let mut resampler = Resampler::new(44_100, 2).unwrap();
        let left_only: Vec<f32> = tone(44_100, 1_000.0, 4_410)
            .into_iter()
            .flat_map(|sample| [sample, 0.0])
            .collect();
        let mut out = Vec::new();
        resampler.process(&left_only, &mut out);
        assert!(out.iter().skip(1).step_by(2).all(|&right| right == 0.0));
        assert!(out.iter().step_by(2).any(|&left| left > 0.9));
    }

    #[test]
    fn what_is_held_does_not_grow() {
        for from in [96_000, 44_100, 7_350] {
            let mut resampler = Resampler::new(from, 2).unwrap();
            let mut out = Vec::new();
            for _ in 0..1_000 {
                out.clear();
                resampler.process(&[0.0; 2 * 31], &mut out);
                assert!(resampler.history[0].len() < resampler.taps + 31);
            }
        }
    }

    #[test]
    fn rates_that_aac_does_not_have_are_left_alone() {
        assert!(Resampler::new(48_000, 2).is_none());
        assert!(Resampler::new(47_999, 2).is_none());
    }
}
