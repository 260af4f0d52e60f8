//! Token buckets: how much a socket may send.

use std::time::{Duration, Instant};

use shared::limits::Rate;

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: f64::from(rate.burst),
            at: now,
        }
    }

    /// Takes `count` tokens, or none.
    ///
    /// # Errors
    /// How long to wait until there are enough, if there are too few. More than fit into the bucket
    /// are never there: the wait is then the time until it is full.
    pub fn take(&mut self, count: u32, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        let full = f64::from(self.rate.burst);
        self.tokens = (self.tokens + elapsed * self.rate.per_second).min(full);
        self.at = self.at.max(now);
        let missing = f64::from(count) - self.tokens;
        if missing <= 0.0 {
            self.tokens -= f64::from(count);
            return Ok(());
        }
        let wait = missing.min(full - self.tokens) / self.rate.per_second;
        Err(Duration::from_secs_f64(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 5,
        per_second: 2.0,
    };

    #[test]
    fn a_burst_passes_and_the_next_has_to_wait() {
        let now = Instant::now();
        let mut bucket = Bucket::new(RATE, now);
        for _ in 0..5 {
            assert_eq!(bucket.take(1, now), Ok(()));
        }
        assert_eq!(bucket.take(1, now), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(1, now + Duration::from_millis(500)), Ok(()));
    }

    #[test]
    fn tokens_flow_back_up_to_the_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(RATE, now);
        bucket.take(5, now).unwrap();
        let later = now + Duration::from_secs(3_600);
        assert_eq!(bucket.take(5, later), Ok(()));
        assert!(bucket.take(1, later).is_err());
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::new(RATE, now);
        bucket.take(3, now).unwrap();
        assert!(bucket.take(3, now).is_err());
        assert_eq!(bucket.take(2, now), Ok(()));
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_tokens() {
        let now = Instant::now();
        let mut bucket = Bucket::new(RATE, now + Duration::from_secs(10));
        bucket.take(5, now).unwrap();
        assert!(bucket.take(1, now).is_err());
    }
}
