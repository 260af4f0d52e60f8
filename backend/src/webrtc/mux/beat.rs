//! When a publisher's pictures arrive.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::media::time::MediaTime;

/// Least and most time between pictures whose arrival is worth to be foreseen, in seconds.
const INTERVALS: Range<f64> = 0.012..0.045;
/// How much later pictures are expected after one that was late, and how much earlier after one that was not,
/// in seconds: nine in ten are there by then.
const LATER: f64 = 0.002;
const EARLIER: f64 = 0.000_2;
/// A picture's part in the mean of what lies between them.
const SHARE: f64 = 0.125;

/// Foresees when the next picture will have arrived, from the pictures' own times.
#[derive(Debug, Default)]
pub(super) struct Beat {
    /// When one of them had arrived, and its time.
    anchor: Option<(Instant, MediaTime)>,
    /// The newest one's.
    newest: MediaTime,
    /// From one to the next, in seconds, on average; 0 while unknown.
    interval: f64,
    /// How much later than the anchor's pictures are expected, in seconds.
    offset: f64,
}

impl Beat {
    /// A picture of this time is there. `is_arrival` where it was waited for, so that it has just come.
    pub(super) fn picture(&mut self, now: Instant, at: MediaTime, is_arrival: bool) {
        let Some((anchor, first)) = self.anchor else {
            (self.anchor, self.newest) = (Some((now, at)), at);
            return;
        };
        let interval = seconds(at - self.newest);
        self.newest = at;
        if !INTERVALS.contains(&interval) {
            *self = Self::default();
            return;
        }
        if self.interval == 0.0 {
            self.interval = interval;
        }
        self.interval += (interval - self.interval) * SHARE;
        let after = now.saturating_duration_since(anchor).as_secs_f64();
        let early = self.offset - (after - seconds(at - first));
        self.offset += match is_arrival {
            true if early < 0.0 => LATER,
            true => -EARLIER.max(early * SHARE),
            false => -EARLIER,
        };
    }

    /// When the next one should be there.
    pub(super) fn next(&self) -> Option<Instant> {
        let (anchor, first) = self.anchor.filter(|_| self.interval > 0.0)?;
        let after = seconds(self.newest - first) + self.interval + self.offset;
        Some(anchor + Duration::try_from_secs_f64(after).ok()?)
    }
}

fn seconds(time: MediaTime) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
    let micros = time.as_micros() as f64;
    micros / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_micros(33_333);

    /// Takes in pictures that come `late` after their time, each when it is looked for or, if it comes after
    /// that, when it comes; says how many were there when they were looked for, and how long they waited.
    fn play(pictures: u32, late: impl Fn(u32) -> Duration) -> (u32, Duration) {
        let (start, mut beat) = (Instant::now(), Beat::default());
        let (mut hits, mut waited) = (0, Duration::ZERO);
        for number in 0..pictures {
            let comes = start + INTERVAL * number + late(number);
            let at = MediaTime::from(INTERVAL * number);
            match beat.next() {
                Some(looks) if looks >= comes => {
                    hits += 1;
                    waited = waited.max(looks - comes);
                    beat.picture(looks, at, false);
                }
                _ => beat.picture(comes, at, true),
            }
        }
        (hits, waited)
    }

    #[test]
    fn nine_in_ten_pictures_are_there_when_they_are_looked_for() {
        let (hits, waited) = play(1_000, |_| Duration::ZERO);
        assert!(hits > 880, "{hits}");
        assert!(waited <= Duration::from_millis(2), "{waited:?}");
    }

    #[test]
    fn pictures_that_come_unevenly_are_looked_for_a_little_later() {
        let uneven = |number: u32| Duration::from_micros(u64::from(number * 7_919 % 4_000));
        let (hits, waited) = play(1_000, uneven);
        assert!(hits > 850, "{hits}");
        assert!(waited < Duration::from_millis(8), "{waited:?}");
    }

    #[test]
    fn a_way_that_becomes_longer_is_followed() {
        let longer = |number| Duration::from_millis(if number < 100 { 0 } else { 20 });
        let (hits, _) = play(1_000, longer);
        assert!(hits > 860, "{hits}");
    }

    #[test]
    fn a_way_that_becomes_shorter_is_followed_within_seconds() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        for number in 0..200 {
            let early = Duration::from_millis(if number < 30 { 20 } else { 0 });
            let comes = start + INTERVAL * number + early;
            let is_arrival = beat.next().is_none_or(|looks| looks < comes);
            let seen = beat.next().unwrap_or(comes).max(comes);
            beat.picture(seen, MediaTime::from(INTERVAL * number), is_arrival);
        }
        let after = beat.next().unwrap() - start;
        assert!(
            after < INTERVAL * 200 + Duration::from_millis(3),
            "{after:?}"
        );
    }

    #[test]
    fn nothing_is_foreseen_of_pictures_that_seldom_come() {
        let (start, mut beat) = (Instant::now(), Beat::default());
        for number in 0..10 {
            let time = Duration::from_millis(100) * number;
            beat.picture(start + time, time.into(), true);
            assert_eq!(beat.next(), None);
        }
    }
}
