//! How well the paths to viewers carry, as the viewers report it.

use std::ops::Add;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What is told is the mean of so many seconds, the present one among them.
const SECONDS: usize = 5;

/// What one viewer reports (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    /// Share of the packets since its last report that did not arrive, from 0 to 1.
    pub(super) lost: f32,
    /// Time to the viewer and back.
    pub(super) round_trip: Option<Duration>,
}

impl Report {
    /// The same when it had arrived for so long before it was read.
    #[must_use]
    pub(super) fn waited(self, time: Duration) -> Self {
        Self {
            round_trip: self.round_trip.map(|way| way.saturating_sub(time)),
            ..self
        }
    }
}

/// The paths of several viewers, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paths {
    /// Share of packets that did not arrive at first, from 0 to 1.
    pub lost: f64,
    /// Time to a viewer and back.
    pub round_trip: Option<Duration>,
}

/// What some viewers reported.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    reports: u32,
    lost: f64,
    round_trips: u32,
    round_trip: Duration,
}

impl Tally {
    /// With one more report.
    #[must_use]
    pub(super) fn with(self, report: Report) -> Self {
        self + Self {
            reports: 1,
            lost: report.lost.into(),
            round_trips: report.round_trip.is_some().into(),
            round_trip: report.round_trip.unwrap_or_default(),
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            reports: self.reports + other.reports,
            lost: self.lost + other.lost,
            round_trips: self.round_trips + other.round_trips,
            round_trip: self.round_trip + other.round_trip,
        }
    }
}

/// Follows the reports of several viewers.
#[derive(Debug)]
pub(super) struct PathMeter {
    made: Instant,
    seconds: Mutex<[Second; SECONDS]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    tally: Tally,
}

impl Default for PathMeter {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl PathMeter {
    fn new(now: Instant) -> Self {
        Self {
            made: now,
            seconds: Mutex::default(),
        }
    }

    /// Takes what was reported of late.
    pub(super) fn report(&self, now: Instant, reported: Tally) {
        if reported.reports == 0 {
            return;
        }
        let number = self.number(now);
        let mut seconds = self.seconds.lock();
        let place = usize::try_from(number).unwrap_or_default() % SECONDS;
        let second = &mut seconds[place];
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second.tally = second.tally + reported;
    }

    /// What was reported lately; `None` if nothing was.
    pub(super) fn recent(&self, now: Instant) -> Option<Paths> {
        let number = self.number(now);
        let seconds = self.seconds.lock();
        let recent = seconds
            .iter()
            .filter(|second| second.number + SECONDS as u64 > number);
        let sum = recent.fold(Tally::default(), |sum, second| sum + second.tally);
        (sum.reports > 0).then(|| Paths {
            lost: sum.lost / f64::from(sum.reports),
            round_trip: (sum.round_trips > 0).then(|| sum.round_trip / sum.round_trips),
        })
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.made).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn report(lost: f32, round_trip: u64) -> Tally {
        Tally::default().with(Report {
            lost,
            round_trip: (round_trip > 0).then(|| Duration::from_millis(round_trip)),
        })
    }

    #[test]
    fn nothing_is_known_of_nobody() {
        let now = Instant::now();
        assert_eq!(PathMeter::new(now).recent(now), None);
    }

    #[test]
    fn what_viewers_report_is_averaged() {
        let now = Instant::now();
        let meter = PathMeter::new(now);
        meter.report(now, report(0.0, 0));
        meter.report(now + SECOND, report(0.5, 20));
        meter.report(now + 2 * SECOND, report(0.25, 40));
        let paths = meter.recent(now + 2 * SECOND).unwrap();
        assert!((paths.lost - 0.25).abs() < 1e-9, "{paths:?}");
        assert_eq!(paths.round_trip, Some(Duration::from_millis(30)));
    }

    #[test]
    fn the_time_that_a_report_was_not_read_is_not_on_the_way() {
        let report = Report {
            lost: 0.0,
            round_trip: Some(Duration::from_millis(30)),
        };
        let way = |waited| report.waited(Duration::from_millis(waited)).round_trip;
        assert_eq!(way(16), Some(Duration::from_millis(14)));
        assert_eq!(way(40), Some(Duration::ZERO), "not less than none");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let now = Instant::now();
        let meter = PathMeter::new(now);
        meter.report(now, report(1.0, 20));
        assert!(meter.recent(now + 4 * SECOND).is_some());
        assert_eq!(meter.recent(now + 5 * SECOND), None);
        meter.report(now + 5 * SECOND, report(0.0, 0));
        let paths = meter.recent(now + 5 * SECOND).unwrap();
        assert_eq!((paths.lost, paths.round_trip), (0.0, None));
    }
}
