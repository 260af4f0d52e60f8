//! Slow mode: how long a person has to wait between two comments.

use std::collections::HashMap;
use std::time::Duration;

use shared::UnixMillis;
use shared::person::AuthorId;

/// Who spoke last when, while slow mode is on.
#[derive(Debug)]
pub struct SlowMode {
    seconds: u32,
    last: HashMap<AuthorId, UnixMillis>,
    /// Those who may speak again are forgotten when there are this many in all.
    sweep_at: usize,
}

impl Default for SlowMode {
    fn default() -> Self {
        Self {
            seconds: 0,
            last: HashMap::new(),
            sweep_at: Self::SWEEP_MIN,
        }
    }
}

impl SlowMode {
    const SWEEP_MIN: usize = 64;

    /// Seconds between two comments of a person; 0 while it is off.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Sets them.
    pub fn set(&mut self, seconds: u32) {
        self.seconds = seconds;
        if seconds == 0 {
            self.last = HashMap::new();
        }
    }

    /// How long `author` still has to wait, if at all.
    #[must_use]
    pub fn wait(&self, author: &AuthorId, now: UnixMillis) -> Option<Duration> {
        let last = *self.last.get(author)?;
        // A clock that was put back lets nobody wait for longer than anew.
        let waited = now.saturating_sub(last);
        let left = self.interval().checked_sub(waited)?;
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// `author` has spoken.
    pub fn spoken(&mut self, author: &AuthorId, now: UnixMillis) {
        if self.seconds == 0 {
            return;
        }
        if self.last.len() >= self.sweep_at {
            let interval = self.interval();
            self.last
                .retain(|_, last| now.saturating_sub(*last) < interval);
            self.sweep_at = (self.last.len() * 2).max(Self::SWEEP_MIN);
        }
        self.last.insert(author.clone(), now);
    }

    fn interval(&self) -> UnixMillis {
        UnixMillis::from(self.seconds) * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(name: &str) -> AuthorId {
        name.parse().unwrap()
    }

    fn slow() -> SlowMode {
        let mut slow = SlowMode::default();
        slow.set(30);
        slow
    }

    #[test]
    fn each_person_waits_from_their_own_last_comment() {
        let mut slow = slow();
        assert_eq!(slow.wait(&author("ann"), 0), None);
        slow.spoken(&author("ann"), 1_000);
        assert_eq!(slow.wait(&author("ben"), 1_000), None);
        let wait = slow.wait(&author("ann"), 11_000);
        assert_eq!(wait, Some(Duration::from_secs(20)));
        assert_eq!(slow.wait(&author("ann"), 31_000), None);
    }

    #[test]
    fn switched_off_it_holds_nobody_back() {
        let mut slow = slow();
        slow.spoken(&author("ann"), 0);
        slow.set(0);
        assert_eq!(slow.wait(&author("ann"), 1), None);
        slow.spoken(&author("ann"), 1);
        slow.set(30);
        assert_eq!(slow.wait(&author("ann"), 2), None);
    }

    #[test]
    fn a_new_length_counts_for_those_who_wait() {
        let mut slow = slow();
        slow.spoken(&author("ann"), 0);
        slow.set(5);
        assert_eq!(slow.wait(&author("ann"), 5_000), None);
        slow.set(300);
        assert!(slow.wait(&author("ann"), 5_000).is_some());
    }

    #[test]
    fn those_who_may_speak_again_are_forgotten() {
        let mut slow = slow();
        for number in 0..10_000 {
            slow.spoken(&author(&number.to_string()), number * 1_000);
        }
        assert!(
            slow.last.len() <= 2 * SlowMode::SWEEP_MIN,
            "{}",
            slow.last.len()
        );
    }
}
