//! Where decoded sound belongs in time.
//!
//! Samples are the finer clock, timestamps the truer one. As long as the two agree the samples are simply
//! counted on; what is lost is filled, what overlaps is cut, and where the two clocks drift apart a sample
//! is doubled or left out now and then, which nobody hears.

use std::time::Duration;

use crate::media::access_unit::AudioCodec;
use crate::media::time::MediaTime;

/// A longer pause is not filled: sound goes on at its new place. Browsers that send nothing while nobody
/// speaks (DTX) send a packet every 400 ms.
const LONGEST_FILL: Duration = Duration::from_millis(500);
/// What is this far ahead of its time is cut. Timestamps of RTMP are whole milliseconds, and those of
/// phones follow their busy processors.
const OVERLAP: Duration = Duration::from_millis(30);
/// A lasting deviation of this much is corrected sample by sample.
const DRIFT: i64 = 2_000;
/// The deviation is averaged over about this many packets.
const AVERAGE: i64 = 32;

/// What to do with the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its sound follows what is there.
    Follow,
    /// This many samples are missing before it.
    Fill(u64),
    /// Its first samples, this many, are too many.
    Cut(u64),
    /// It lies before everything that was given so far: not worth decoding.
    Drop,
    /// It follows after a long pause: time is counted anew from it.
    Restart,
    /// One of its samples is to be doubled.
    Stretch,
    /// One of its samples is to be left out.
    Shrink,
}

/// Compares timestamps with the number of samples since a fixed moment.
#[derive(Debug)]
pub(super) struct Clock {
    began: MediaTime,
    rate: u32,
    /// Samples since then.
    samples: u64,
    /// Average deviation of the timestamps, in microseconds times [`AVERAGE`].
    deviation: i64,
    /// A later timestamp than this means that something was lost.
    gap: Duration,
}

impl Clock {
    /// Time is counted from `began`, in samples at `rate` Hz.
    pub(super) fn new(began: MediaTime, rate: u32, source: AudioCodec) -> Self {
        let gap = match source {
            // RTP loses packets, of 10 ms and more, and its timestamps are exact.
            AudioCodec::Opus => Duration::from_millis(8),
            AudioCodec::Aac => OVERLAP,
        };
        Self {
            began,
            rate,
            samples: 0,
            deviation: 0,
            gap,
        }
    }

    /// How the packet of this timestamp continues what was counted.
    pub(super) fn place(&mut self, at: MediaTime) -> Step {
        let elapsed = i64::try_from(self.samples).unwrap_or(i64::MAX);
        let expected = self.began + MediaTime::from_ticks(elapsed, self.rate);
        let (late, early) = (at.since(expected), expected.since(at));
        if late > LONGEST_FILL {
            return Step::Restart;
        }
        if early > LONGEST_FILL {
            return Step::Drop;
        }
        if late > self.gap {
            self.deviation = 0;
            return Step::Fill(self.in_samples(late));
        }
        if early > OVERLAP {
            self.deviation = 0;
            return Step::Cut(self.in_samples(early));
        }
        let deviation = (at - expected).as_micros();
        self.deviation += deviation - self.deviation / AVERAGE;
        match self.deviation / AVERAGE {
            DRIFT.. => Step::Stretch,
            ..=-2_000 => Step::Shrink,
            _ => Step::Follow,
        }
    }

    /// Counts samples that were given on.
    pub(super) fn count(&mut self, samples: usize) {
        self.samples += samples as u64;
    }

    fn in_samples(&self, duration: Duration) -> u64 {
        u64::try_from(MediaTime::from(duration).to_ticks(self.rate)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn at(micros: i64) -> MediaTime {
        MediaTime::from_micros(micros)
    }

    /// A clock that has counted a second.
    fn clock(source: AudioCodec) -> Clock {
        let mut clock = Clock::new(at(0), RATE, source);
        clock.count(RATE as usize);
        clock
    }

    #[test]
    fn timestamps_may_be_rounded() {
        let mut clock = Clock::new(at(0), 44_100, AudioCodec::Aac);
        for n in 0..10_000 {
            let exact = MediaTime::from_ticks(n * 1_024, 44_100).as_micros();
            assert_eq!(clock.place(at(exact / 1_000 * 1_000)), Step::Follow);
            clock.count(1_024);
        }
    }

    #[test]
    fn a_lost_packet_is_filled() {
        assert_eq!(
            clock(AudioCodec::Opus).place(at(1_020_000)),
            Step::Fill(960)
        );
        assert_eq!(clock(AudioCodec::Aac).place(at(1_020_000)), Step::Follow);
        assert_eq!(
            clock(AudioCodec::Aac).place(at(1_042_000)),
            Step::Fill(2_016)
        );
    }

    #[test]
    fn a_long_pause_is_not_filled() {
        assert_eq!(clock(AudioCodec::Aac).place(at(1_600_000)), Step::Restart);
    }

    #[test]
    fn a_step_back_is_cut_or_waited_for() {
        assert_eq!(clock(AudioCodec::Aac).place(at(950_000)), Step::Cut(2_400));
        assert_eq!(clock(AudioCodec::Aac).place(at(0)), Step::Drop);
    }

    /// Sends packets by a clock that runs `micros` too fast in each of them; the largest deviation.
    fn drift(micros: i64) -> i64 {
        let mut clock = Clock::new(at(0), RATE, AudioCodec::Opus);
        let mut largest = 0;
        for n in 0..50_000 {
            let time = at(n * (20_000 + micros));
            let count = match clock.place(time) {
                Step::Follow => 960,
                Step::Stretch => 961,
                Step::Shrink => 959,
                step => panic!("packet {n}: {step:?}"),
            };
            clock.count(count);
            let counted = MediaTime::from_ticks(clock.samples as i64 - 960, RATE);
            largest = largest.max((time - counted).as_micros().abs());
        }
        largest
    }

    #[test]
    fn drift_is_taken_up_sample_by_sample() {
        // 100 and 500 parts per million.
        for micros in [2, -2, 10, -10] {
            let largest = drift(micros);
            assert!(largest < 4_000, "{micros} a packet: {largest}");
        }
    }
}
