//! How much a worker has to do, and whether it takes more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// New viewers are refused while sending is this far behind: those who are there come first.
const TOO_LATE: Duration = Duration::from_millis(200);
/// And for so long after.
const RECOVERY: Duration = Duration::from_millis(200);
/// Where sending is so far behind on average, others should take whoever comes.
const UNEASY: Duration = Duration::from_millis(15);
/// What one unit counts for in that average.
const WEIGHT: u32 = 8;

/// How much a worker has to do.
pub(super) struct Load {
    viewers: AtomicUsize,
    made: Instant,
    /// Until when no more viewers are taken, in microseconds since `made`.
    late_until: AtomicU64,
    /// How late units are on average, in microseconds.
    lateness: AtomicU64,
}

impl Load {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            viewers: AtomicUsize::new(0),
            made: now,
            late_until: AtomicU64::new(0),
            lateness: AtomicU64::new(0),
        }
    }

    /// Viewers there are now.
    pub(super) fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// A unit was sent to all, so long after it was there.
    pub(super) fn sent(&self, now: Instant, late: Duration) {
        if late > TOO_LATE {
            let until = self.micros(now + RECOVERY);
            self.late_until.store(until, Ordering::Relaxed);
        }
        let before = Duration::from_micros(self.lateness.load(Ordering::Relaxed));
        let average = (before * (WEIGHT - 1) + late) / WEIGHT;
        self.lateness.store(micros(average), Ordering::Relaxed);
    }

    /// Whether this is more than one worker should do.
    pub(super) fn is_uneasy(&self) -> bool {
        self.lateness.load(Ordering::Relaxed) > micros(UNEASY)
    }

    /// Whether more viewers are refused.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.micros(now) < self.late_until.load(Ordering::Relaxed)
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.made))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A viewer's part of a worker's load.
pub(super) struct Share(Arc<Load>);

impl Share {
    pub(super) fn new(load: &Arc<Load>) -> Self {
        load.viewers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT: Duration = Duration::from_micros(1);

    #[test]
    fn a_worker_that_keeps_up_takes_viewers() {
        let now = Instant::now();
        let load = Load::new(now);
        load.sent(now, TOO_LATE);
        assert!(!load.is_late(now));
    }

    #[test]
    fn a_worker_that_is_behind_takes_none_for_a_while() {
        let now = Instant::now();
        let load = Load::new(now);
        load.sent(now, TOO_LATE + INSTANT);
        assert!(load.is_late(now));
        load.sent(now, Duration::ZERO);
        assert!(
            load.is_late(now + RECOVERY - INSTANT),
            "one unit in time is no recovery"
        );
        assert!(!load.is_late(now + RECOVERY));
    }

    #[test]
    fn a_worker_is_uneasy_when_most_units_are_late_and_not_after_one() {
        let now = Instant::now();
        let load = Load::new(now);
        load.sent(now, 4 * UNEASY);
        assert!(!load.is_uneasy());
        for _ in 0..2 * WEIGHT {
            load.sent(now, 2 * UNEASY);
        }
        assert!(load.is_uneasy());
        for _ in 0..2 * WEIGHT {
            load.sent(now, UNEASY / 2);
        }
        assert!(!load.is_uneasy());
    }

    #[test]
    fn viewers_are_counted_as_long_as_they_are_there() {
        let load = Arc::new(Load::new(Instant::now()));
        let (first, _second) = (Share::new(&load), Share::new(&load));
        assert_eq!(load.viewers(), 2);
        drop(first);
        assert_eq!(load.viewers(), 1);
    }
}
