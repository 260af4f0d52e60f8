//! Percentiles of delays.

use std::time::Duration;

/// Delays that were measured, and how many never ended.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    micros: Vec<u32>,
    missing: usize,
}

impl Delays {
    /// Adds a delay. More than an hour counts as an hour.
    pub fn add(&mut self, delay: Duration) {
        self.micros
            .push(u32::try_from(delay.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds `count` delays that never ended: each is longer than all that did.
    pub fn add_missing(&mut self, count: usize) {
        self.missing += count;
    }

    /// Takes over all delays of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.micros.append(&mut other.micros);
        self.missing += other.missing;
    }

    /// How many have ended.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.micros.len()
    }

    /// The delay that `percent` of all do not exceed, by the nearest-rank method. `None` where there are
    /// none, or where that one never ended.
    pub fn percentile(&mut self, percent: f64) -> Option<Duration> {
        let count = self.micros.len() + self.missing;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts and percentages are small and positive"
        )]
        let rank = (percent / 100.0 * count as f64).ceil() as usize;
        let index = rank.saturating_sub(1);
        if index >= self.micros.len() {
            return None;
        }
        let (_, &mut micros, _) = self.micros.select_nth_unstable(index);
        Some(Duration::from_micros(micros.into()))
    }
}

impl FromIterator<Duration> for Delays {
    fn from_iter<I: IntoIterator<Item = Duration>>(delays: I) -> Self {
        let mut all = Self::default();
        delays.into_iter().for_each(|delay| all.add(delay));
        all
    }
}

/// Milliseconds for a table; a dash for what never ended.
#[must_use]
pub fn millis(delay: Option<Duration>) -> String {
    delay.map_or_else(
        || "-".to_owned(),
        |delay| format!("{:.1}", delay.as_secs_f64() * 1e3),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut delays: Delays = (1..=100).rev().map(ms).collect();
        assert_eq!(delays.percentile(50.0), Some(ms(50)));
        assert_eq!(delays.percentile(99.0), Some(ms(99)));
        assert_eq!(delays.percentile(100.0), Some(ms(100)));
        assert_eq!(delays.percentile(0.0), Some(ms(1)));
    }

    #[test]
    fn one_delay_is_every_percentile() {
        let mut delays: Delays = [ms(7)].into_iter().collect();
        assert_eq!(delays.percentile(1.0), Some(ms(7)));
        assert_eq!(delays.percentile(99.0), Some(ms(7)));
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Delays::default().percentile(50.0), None);
    }

    #[test]
    fn what_never_ended_is_longer_than_the_rest() {
        let mut delays: Delays = (1..=98).map(ms).collect();
        delays.add_missing(2);
        assert_eq!(delays.percentile(98.0), Some(ms(98)));
        assert_eq!(delays.percentile(99.0), None);
    }

    #[test]
    fn delays_of_several_are_put_together() {
        let mut delays: Delays = [ms(1)].into_iter().collect();
        delays.append([ms(3), ms(2)].into_iter().collect());
        assert_eq!(delays.ended(), 3);
        assert_eq!(delays.percentile(50.0), Some(ms(2)));
    }
}
