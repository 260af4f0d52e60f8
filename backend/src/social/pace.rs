//! How often one kind of news is told.

use std::time::Duration;

use tokio::time::Instant;

/// Joins news that come faster than they may be told.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    last: Option<Instant>,
    waiting: bool,
}

impl Pace {
    /// Nothing to tell yet; later at most once in `interval`.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            waiting: false,
        }
    }

    /// From now on at most once in `interval`.
    pub const fn keep_to(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// There is something to tell.
    pub const fn want(&mut self) {
        self.waiting = true;
    }

    /// There is something to tell that cannot wait.
    pub const fn want_now(&mut self) {
        self.waiting = true;
        self.last = None;
    }

    /// When it is to be told, if there is something.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.waiting
            .then(|| self.last.map_or(now, |last| last + self.interval))
    }

    /// Whether it is to be told now; if so, it counts as told.
    pub fn take(&mut self, now: Instant) -> bool {
        let due = self.due(now).is_some_and(|due| due <= now);
        if due {
            self.last = Some(now);
            self.waiting = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    #[test]
    fn the_first_news_is_told_at_once() {
        let (mut pace, now) = (Pace::new(INTERVAL), Instant::now());
        assert!(!pace.take(now));
        pace.want();
        assert!(pace.take(now));
        assert_eq!(pace.due(now), None);
    }

    #[test]
    fn news_within_the_interval_are_told_together_at_its_end() {
        let (mut pace, now) = (Pace::new(INTERVAL), Instant::now());
        pace.want();
        pace.take(now);
        for _ in 0..9 {
            pace.want();
            assert!(!pace.take(now + INTERVAL / 2));
        }
        assert_eq!(pace.due(now + INTERVAL / 2), Some(now + INTERVAL));
        assert!(pace.take(now + INTERVAL));
        assert!(!pace.take(now + INTERVAL * 2));
    }

    #[test]
    fn urgent_news_do_not_wait() {
        let (mut pace, now) = (Pace::new(INTERVAL), Instant::now());
        pace.want();
        pace.take(now);
        pace.want_now();
        assert!(pace.take(now));
    }
}
