//! Time on a stage.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on a stage's timeline, in microseconds since the stage was made.
///
/// Microseconds are finer than a tick of either RTP clock (90 kHz video, 48 kHz audio), so ticks survive
/// the way there and back exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The stage's beginning.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From ticks of a clock of `rate` Hz, rounded to the nearest microsecond.
    #[must_use]
    pub fn from_ticks(ticks: i64, rate: u32) -> Self {
        let (scaled, rate) = (i128::from(ticks) * 1_000_000, i128::from(rate));
        Self(saturate((scaled + rate / 2).div_euclid(rate)))
    }

    /// In ticks of a clock of `rate` Hz, rounded to the nearest tick.
    #[must_use]
    pub fn to_ticks(self, rate: u32) -> i64 {
        saturate((i128::from(self.0) * i128::from(rate) + 500_000).div_euclid(1_000_000))
    }

    /// How much later this is than `earlier`; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn saturate(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

impl Add for MediaTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for MediaTime {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:06}s",
            self.0.div_euclid(1_000_000),
            self.0.rem_euclid(1_000_000)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_ticks_survive_the_way_there_and_back() {
        for rate in [48_000, 90_000] {
            for ticks in (-5_000..5_000).chain(4_294_960_000..4_294_970_000) {
                assert_eq!(MediaTime::from_ticks(ticks, rate).to_ticks(rate), ticks);
            }
        }
    }

    #[test]
    fn time_since_something_later_is_zero() {
        assert_eq!(
            MediaTime::ZERO.since(MediaTime::from_micros(5)),
            Duration::ZERO
        );
    }
}
