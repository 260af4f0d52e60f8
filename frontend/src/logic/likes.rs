//! Counting likes: one's own show at once, are sent in batches and never show twice.

use shared::limits::LIKES_PER_UPVOTE;

/// The number of likes as this page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LikeCounter {
    /// What the server counted.
    total: u64,
    /// Own taps that are not sent yet.
    waiting: u32,
    /// Own taps that are sent and not in `total` yet.
    in_flight: u32,
}

impl LikeCounter {
    /// Time over which taps are gathered into one event, in milliseconds.
    pub const BATCH_MS: u32 = 200;
    /// Taps that may wait; beyond it they are not counted.
    const MOST_WAITING: u32 = 5 * LIKES_PER_UPVOTE;

    /// The number to show: the server's, and the own likes it will count next.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.total + u64::from(self.waiting) + u64::from(self.in_flight)
    }

    /// The person tapped. `false` when so many taps wait that this one is dropped.
    pub fn tap(&mut self) -> bool {
        let counted = self.waiting < Self::MOST_WAITING;
        if counted {
            self.waiting += 1;
        }
        counted
    }

    /// Whether taps wait to be sent.
    #[must_use]
    pub const fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// The next batch to send, if taps wait.
    pub fn take_batch(&mut self) -> Option<u32> {
        let batch = self.waiting.min(LIKES_PER_UPVOTE);
        self.waiting -= batch;
        self.in_flight += batch;
        (batch > 0).then_some(batch)
    }

    /// The server refused a batch of `count`, or never heard of it.
    pub fn refused(&mut self, count: u32) {
        self.in_flight = self.in_flight.saturating_sub(count);
    }

    /// `likes` came: returns how many of `delta` are other people's, whose hearts are still to be
    /// shown.
    pub fn counted(&mut self, total: u64, delta: u64) -> u64 {
        let own = u32::try_from(delta).unwrap_or(u32::MAX).min(self.in_flight);
        self.in_flight -= own;
        self.total = total;
        delta - u64::from(own)
    }

    /// The page joined (again): `total` is the truth, whatever was in flight.
    pub fn joined(&mut self, total: u64) {
        self.total = total;
        self.in_flight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_likes_show_at_once_and_only_once() {
        let mut likes = LikeCounter::default();
        likes.joined(10);
        assert!(likes.tap());
        assert!(likes.tap());
        assert_eq!(likes.shown(), 12);
        assert_eq!(likes.take_batch(), Some(2));
        assert_eq!(likes.shown(), 12);
        assert_eq!(
            likes.counted(15, 5),
            3,
            "three of the five are other people's"
        );
        assert_eq!(likes.shown(), 15);
    }

    #[test]
    fn a_batch_holds_no_more_than_the_server_takes() {
        let mut likes = LikeCounter::default();
        for _ in 0..LIKES_PER_UPVOTE + 3 {
            likes.tap();
        }
        assert_eq!(likes.take_batch(), Some(LIKES_PER_UPVOTE));
        assert_eq!(likes.take_batch(), Some(3));
        assert_eq!(likes.take_batch(), None);
    }

    #[test]
    fn refused_likes_are_taken_back() {
        let mut likes = LikeCounter::default();
        likes.tap();
        likes.take_batch();
        likes.refused(1);
        assert_eq!(likes.shown(), 0);
        assert_eq!(likes.counted(4, 4), 4);
    }

    #[test]
    fn joining_again_forgets_what_was_in_flight() {
        let mut likes = LikeCounter::default();
        likes.tap();
        likes.take_batch();
        likes.joined(7);
        assert_eq!(likes.shown(), 7);
        assert_eq!(likes.counted(8, 1), 1);
    }

    #[test]
    fn taps_that_wait_are_bounded() {
        let mut likes = LikeCounter::default();
        assert!((0..100).all(|_| likes.tap()));
        assert!(!likes.tap());
        assert_eq!(likes.shown(), 100);
    }
}
