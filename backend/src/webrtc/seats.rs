//! How many watch a room by WebRTC, and what follows for its sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::burst::Sounds;

/// About so many viewers cost as much as the broadcast itself: with fewer there is nothing to be saved.
const MANY: usize = 24;
/// Below this they are few again.
const FEW: usize = 16;

/// Those who watch.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: AtomicUsize,
    /// By viewers who do not take two sounds in one packet.
    without_pairs: AtomicUsize,
}

impl Seats {
    /// A viewer's seat.
    pub(super) fn take(self: &Arc<Self>, takes_pairs: bool) -> Seat {
        let seat = Seat {
            seats: Arc::clone(self),
            takes_pairs,
        };
        for count in seat.counts() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        seat
    }

    /// How sound is sent now. `before`: how it was until now, so that it does not change with each viewer.
    pub(super) fn sounds(&self, before: Sounds) -> Sounds {
        let most = if before == Sounds::AtOnce { MANY } else { FEW };
        if self.taken.load(Ordering::Relaxed) < most {
            Sounds::AtOnce
        } else if self.without_pairs.load(Ordering::Relaxed) > 0 {
            Sounds::WithPictures
        } else {
            Sounds::InPairs
        }
    }
}

/// Somebody watches while this is held.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    takes_pairs: bool,
}

impl Seat {
    fn counts(&self) -> impl Iterator<Item = &AtomicUsize> {
        let without_pairs = (!self.takes_pairs).then_some(&self.seats.without_pairs);
        [&self.seats.taken].into_iter().chain(without_pairs)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        for count in self.counts() {
            count.fetch_sub(1, Ordering::Relaxed);
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
        assert_eq!(seats.sounds(Sounds::AtOnce), Sounds::AtOnce);
        crowd.push(seats.take(true));
        assert_eq!(seats.sounds(Sounds::AtOnce), Sounds::InPairs);
    }

    #[test]
    fn it_goes_on_as_it_was_while_some_come_and_go() {
        let seats = Arc::<Seats>::default();
        let mut crowd = crowd(&seats, FEW);
        assert_eq!(seats.sounds(Sounds::AtOnce), Sounds::AtOnce);
        assert_eq!(seats.sounds(Sounds::InPairs), Sounds::InPairs);
        crowd.pop();
        assert_eq!(seats.sounds(Sounds::InPairs), Sounds::AtOnce);
    }

    #[test]
    fn there_are_no_pairs_while_a_viewer_does_not_take_them() {
        let seats = Arc::<Seats>::default();
        let _crowd = crowd(&seats, MANY);
        let other = seats.take(false);
        assert_eq!(seats.sounds(Sounds::InPairs), Sounds::WithPictures);
        drop(other);
        assert_eq!(seats.sounds(Sounds::WithPictures), Sounds::InPairs);
    }
}
