//! How long to wait before the next attempt.

/// Exponential back-off with jitter, so that a room full of pages does not come back in one instant.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    attempt: u32,
}

impl Backoff {
    /// Upper bound of the first wait, in milliseconds.
    pub const FIRST_MS: u32 = 600;
    /// Upper bound of every wait, in milliseconds.
    pub const LONGEST_MS: u32 = 8_000;

    /// The next wait in milliseconds: half of it is fixed, half is `random` (`0.0..1.0`).
    pub fn next_ms(&mut self, random: f64) -> u32 {
        let bound = Self::FIRST_MS
            .saturating_mul(1 << self.attempt.min(16))
            .min(Self::LONGEST_MS);
        self.attempt = self.attempt.saturating_add(1);
        jittered(bound, random)
    }

    /// The attempt succeeded: start over.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// Between half of `ms` and all of it.
#[must_use]
pub fn jittered(ms: u32, random: f64) -> u32 {
    let half = f64::from(ms) / 2.0;
    (half + half * random.clamp(0.0, 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..6).map(|_| backoff.next_ms(1.0)).collect();
        assert_eq!(waits, [600, 1_200, 2_400, 4_800, 8_000, 8_000]);
    }

    #[test]
    fn jitter_never_takes_more_than_half() {
        assert_eq!(Backoff::default().next_ms(0.0), 300);
        assert_eq!(jittered(1_000, 7.0), 1_000);
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.next_ms(0.5);
        }
        backoff.reset();
        assert_eq!(backoff.next_ms(1.0), 600);
    }
}
