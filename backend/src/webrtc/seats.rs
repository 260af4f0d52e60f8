//! How many watch a room by WebRTC, and what follows for its sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::burst::Sounds;

/// About so many viewers cost as much as the broadcast itself: with fewer there is nothing to be saved.
const MANY: usize = 24;
/// Below this they are few again.
const FEW: usize = 16;

/// Set in the number of those who watch from when they are many until they are few.
const CROWD: usize = 1 << (usize::BITS - 1);

/// Those who watch.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// How many, and [`CROWD`].
    taken: AtomicUsize,
    /// By viewers who do not take two sounds in one packet.
    without_pairs: AtomicUsize,
}

impl Seats {
    /// A viewer's seat.
    pub(super) fn take(self: &Arc<Self>, takes_pairs: bool) -> Seat {
        self.count(|taken| taken + 1);
        if !takes_pairs {
            self.without_pairs.fetch_add(1, Ordering::Relaxed);
        }
        Seat {
            seats: Arc::clone(self),
            takes_pairs,
        }
    }

    /// How sound is sent now. That does not change with each viewer who comes or goes.
    pub(super) fn sounds(&self) -> Sounds {
        if self.taken.load(Ordering::Relaxed) & CROWD == 0 {
            Sounds::AtOnce
        } else if self.without_pairs.load(Ordering::Relaxed) > 0 {
            Sounds::WithPictures
        } else {
            Sounds::InPairs
        }
    }

    fn count(&self, change: impl Fn(usize) -> usize) {
        let changed = |before| {
            let taken = change(before & !CROWD);
            let crowd = match taken {
                MANY.. => CROWD,
                FEW.. => before & CROWD,
                _ => 0,
            };
            Some(taken | crowd)
        };
        // It always changes, so this is no error.
        let _ = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}

/// Somebody watches while this is held.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    takes_pairs: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.count(|taken| taken - 1);
        if !self.takes_pairs {
            self.seats.without_pairs.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(seats: &Arc<Seats>, count: usize) -> Vec<Seat> {
        (0..count).map(|_| seats.take(true)).collect()
    }

    #[test]
    fn sound_does_not_wait_while_few_watch() {
        let seats = Arc::<Seats>::default();
        let mut crowd = crowd(&seats, MANY - 1);
        assert_eq!(seats.sounds(), Sounds::AtOnce);
        crowd.push(seats.take(true));
        assert_eq!(seats.sounds(), Sounds::InPairs);
    }

    #[test]
    fn it_goes_on_as_it_was_while_some_come_and_go() {
        let seats = Arc::<Seats>::default();
        let mut crowd = crowd(&seats, MANY);
        crowd.truncate(FEW);
        assert_eq!(seats.sounds(), Sounds::InPairs);
        crowd.pop();
        assert_eq!(seats.sounds(), Sounds::AtOnce);
        crowd.push(seats.take(true));
        assert_eq!(seats.sounds(), Sounds::AtOnce);
    }

    #[test]
    fn there_are_no_pairs_while_a_viewer_does_not_take_them() {
        let seats = Arc::<Seats>::default();
        let _crowd = crowd(&seats, MANY);
        let other = seats.take(false);
        assert_eq!(seats.sounds(), Sounds::WithPictures);
        drop(other);
        assert_eq!(seats.sounds(), Sounds::InPairs);
    }
}
