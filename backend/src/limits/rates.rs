//! How often one address may ask for something.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared::limits::Rate;

use super::Neighbour;
use crate::social::buckets::Bucket;

/// Addresses that are remembered. When there are more, those that have not asked for long are forgotten; if
/// that makes no room, all share what is left.
const REMEMBERED: usize = 16_384;

/// Token buckets, one for each address.
#[derive(Debug)]
pub struct Rates {
    /// None means that there is no limit.
    rate: Option<Rate>,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    by: HashMap<Neighbour, (Bucket, Instant)>,
    /// Of those who are not remembered.
    others: Bucket,
}

impl Rates {
    /// So many a minute, and as many at once. 0 means any number.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        let rate = Rate {
            burst: count,
            per_second: f64::from(count) / 60.0,
        };
        Self {
            rate: (count > 0).then_some(rate),
            buckets: Mutex::new(Buckets {
                by: HashMap::new(),
                others: Bucket::new(rate, Instant::now()),
            }),
        }
    }

    /// Counts one more from `ip`.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn take(&self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock();
        let Buckets { by, others } = &mut *buckets;
        let neighbour = ip.into();
        if by.len() >= REMEMBERED && !by.contains_key(&neighbour) {
            // Whoever has been quiet for as long as a bucket takes to fill begins anew anyway.
            let full = Duration::from_secs_f64(f64::from(rate.burst) / rate.per_second);
            by.retain(|_, (_, last)| now.saturating_duration_since(*last) < full);
            if by.len() >= REMEMBERED {
                return others.take(1, now);
            }
        }
        let (bucket, last) = by
            .entry(neighbour)
            .or_insert_with(|| (Bucket::new(rate, now), now));
        *last = now;
        bucket.take(1, now)
    }

    /// Has `check` look at a secret that came from `ip`. `None` says that it is a wrong one, which is counted.
    ///
    /// # Errors
    /// How long to wait, if there were too many wrong ones: then nobody is told whether this one is right.
    pub fn present<T>(
        &self,
        ip: IpAddr,
        now: Instant,
        check: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, Duration> {
        self.peek(ip, now)?;
        let checked = check();
        if checked.is_none() {
            // This one is refused either way.
            let _ = self.take(ip, now);
        }
        Ok(checked)
    }

    /// Whether one more from `ip` would be too many, without counting it.
    ///
    /// # Errors
    /// As [`Rates::take`].
    pub fn peek(&self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let buckets = self.buckets.lock();
        let known = buckets.by.get(&ip.into()).map(|(bucket, _)| *bucket);
        known.unwrap_or_else(|| Bucket::new(rate, now)).take(1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn after_too_many_wrong_secrets_no_right_one_is_looked_at() {
        let (rates, now) = (Rates::per_minute(2), Instant::now());
        assert_eq!(
            rates.present(ip(1), now, || Some("right")),
            Ok(Some("right"))
        );
        for _ in 0..2 {
            assert_eq!(rates.present(ip(1), now, || None::<()>), Ok(None));
        }
        assert!(rates.present(ip(1), now, || Some("right")).is_err());
        assert_eq!(
            rates.present(ip(2), now, || Some("right")),
            Ok(Some("right"))
        );
    }

    #[test]
    fn one_address_has_to_wait_and_another_has_not() {
        let (rates, now) = (Rates::per_minute(2), Instant::now());
        assert_eq!(rates.take(ip(1), now), Ok(()));
        assert_eq!(rates.take(ip(1), now), Ok(()));
        assert_eq!(rates.take(ip(1), now), Err(Duration::from_secs(30)));
        assert_eq!(rates.take(ip(2), now), Ok(()));
    }

    #[test]
    fn looking_costs_nothing() {
        let (rates, now) = (Rates::per_minute(1), Instant::now());
        assert_eq!(rates.peek(ip(1), now), Ok(()));
        assert_eq!(rates.take(ip(1), now), Ok(()));
        assert!(rates.peek(ip(1), now).is_err());
        assert_eq!(rates.peek(ip(2), now), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let (rates, now) = (Rates::per_minute(0), Instant::now());
        assert!((0..1_000).all(|_| rates.take(ip(1), now).is_ok()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (rates, now) = (Rates::per_minute(1), Instant::now());
        for number in 0..REMEMBERED as u32 + 10 {
            let _ = rates.take(ip(number), now);
        }
        assert_eq!(rates.buckets.lock().by.len(), REMEMBERED);
        let later = now + Duration::from_secs(61);
        assert_eq!(rates.take(ip(u32::MAX), later), Ok(()));
        assert_eq!(rates.buckets.lock().by.len(), 1);
    }
}
