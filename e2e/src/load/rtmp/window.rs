//! The time in which pictures count.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Nanoseconds on the clock that publisher and players share.
#[must_use]
pub fn now() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let since = ORIGIN.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Pictures sent between its opening and its closing are counted, whenever they arrive.
#[derive(Debug)]
pub struct Window {
    from: AtomicU64,
    to: AtomicU64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            from: AtomicU64::new(u64::MAX),
            to: AtomicU64::new(u64::MAX),
        }
    }
}

impl Window {
    /// From now on pictures count.
    pub fn open(&self) {
        self.from.store(now(), Ordering::Relaxed);
    }

    /// What is sent from now on does not.
    pub fn close(&self) {
        self.to.store(now(), Ordering::Relaxed);
    }

    /// Whether a picture counts that was sent at this moment of [`now`].
    #[must_use]
    pub fn contains(&self, sent: u64) -> bool {
        (self.from.load(Ordering::Relaxed)..self.to.load(Ordering::Relaxed)).contains(&sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_while_it_was_open_counts() {
        let window = Window::default();
        let before = now();
        window.open();
        let during = now();
        assert!(!window.contains(before));
        assert!(window.contains(during));
        window.close();
        assert!(window.contains(during), "however late it is looked at");
        assert!(!window.contains(now()));
    }
}
