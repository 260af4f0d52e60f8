//! Combos: gifts of one kind from one sender in an unbroken row.

use std::collections::HashMap;

use shared::UnixMillis;
use shared::limits::GIFT_COMBO_MS;

/// Whose gifts join into a combo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Giver {
    /// The socket, by its number.
    pub socket: u64,
    /// Who it says it is: a 2016 client may speak for several.
    pub sender_id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Combo {
    count: u32,
    last: UnixMillis,
}

/// The combos that are going on in a room.
#[derive(Debug)]
pub struct Combos {
    going: HashMap<(Giver, u32), Combo>,
    /// Broken combos are thrown away when there are this many in all.
    sweep_at: usize,
}

impl Default for Combos {
    fn default() -> Self {
        Self {
            going: HashMap::new(),
            sweep_at: Self::SWEEP_MIN,
        }
    }
}

impl Combos {
    const SWEEP_MIN: usize = 64;

    /// Counts `count` gifts of the kind `gift` and tells how many are in the row now.
    pub fn add(&mut self, giver: Giver, gift: u32, count: u32, now: UnixMillis) -> u32 {
        if self.going.len() >= self.sweep_at {
            self.going.retain(|_, combo| is_going(combo, now));
            self.sweep_at = (self.going.len() * 2).max(Self::SWEEP_MIN);
        }
        let combo = self.going.entry((giver, gift)).or_insert(Combo {
            count: 0,
            last: now,
        });
        if !is_going(combo, now) {
            combo.count = 0;
        }
        combo.count = combo.count.saturating_add(count);
        combo.last = now;
        combo.count
    }
}

const fn is_going(combo: &Combo, now: UnixMillis) -> bool {
    now.saturating_sub(combo.last) <= GIFT_COMBO_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Giver = Giver {
        socket: 1,
        sender_id: 7,
    };
    const BEN: Giver = Giver {
        socket: 2,
        sender_id: 7,
    };

    #[test]
    fn gifts_in_a_row_add_up() {
        let mut combos = Combos::default();
        assert_eq!(combos.add(ANN, 1, 1, 0), 1);
        assert_eq!(combos.add(ANN, 1, 3, GIFT_COMBO_MS), 4);
        assert_eq!(combos.add(ANN, 1, 1, 2 * GIFT_COMBO_MS), 5);
    }

    #[test]
    fn a_pause_begins_a_new_row() {
        let mut combos = Combos::default();
        combos.add(ANN, 1, 5, 0);
        assert_eq!(combos.add(ANN, 1, 2, GIFT_COMBO_MS + 1), 2);
    }

    #[test]
    fn kinds_and_senders_are_counted_apart() {
        let mut combos = Combos::default();
        combos.add(ANN, 1, 5, 0);
        assert_eq!(combos.add(ANN, 2, 1, 0), 1);
        assert_eq!(combos.add(BEN, 1, 1, 0), 1);
        assert_eq!(combos.add(ANN, 1, 1, 0), 6);
    }

    #[test]
    fn broken_combos_are_thrown_away() {
        let mut combos = Combos::default();
        for number in 0..10_000 {
            let giver = Giver {
                socket: number,
                sender_id: 0,
            };
            combos.add(giver, 1, 1, number * 1_000);
        }
        assert!(
            combos.going.len() <= 2 * Combos::SWEEP_MIN,
            "{}",
            combos.going.len()
        );
    }
}
