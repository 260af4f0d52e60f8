//! Which packets of a stream are missing (RFC 3550 appendix A.1).

use std::collections::BTreeSet;

/// A step in the sequence numbers beyond this is a sender that started anew, not loss.
const MAX_STEP: i64 = 3_000;
/// Gaps that may still be filled; the oldest are given up first.
const CAPACITY: usize = 4_096;

/// Follows the sequence numbers of one stream. What comes late, because it was reordered or sent again,
/// fills its gap.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    highest: Option<i64>,
    open: BTreeSet<i64>,
    given_up: u64,
}

impl Gaps {
    /// A packet with this sequence number is here. Answers whether it is new.
    pub fn receive(&mut self, sequence: u16) -> bool {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence.into());
            return true;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the lower 16 bits are meant"
        )]
        let step = i64::from(sequence.wrapping_sub(highest as u16).cast_signed());
        let extended = highest + step;
        if step.abs() > MAX_STEP {
            self.highest = Some(extended);
            return true;
        }
        if step <= 0 {
            return self.open.remove(&extended);
        }
        self.open.extend(highest + 1..extended);
        while self.open.len() > CAPACITY {
            self.open.pop_first();
            self.given_up += 1;
        }
        self.highest = Some(extended);
        true
    }

    /// Packets that are missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.given_up + self.open.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(sequences: impl IntoIterator<Item = u16>) -> u64 {
        let mut gaps = Gaps::default();
        for sequence in sequences {
            gaps.receive(sequence);
        }
        gaps.missing()
    }

    #[test]
    fn a_stream_in_order_has_no_gaps() {
        assert_eq!(missing(65_530..=65_535), 0);
        assert_eq!(missing([65_534, 65_535, 0, 1]), 0);
    }

    #[test]
    fn every_number_that_is_left_out_is_missing() {
        assert_eq!(missing([1, 2, 5, 7]), 3);
        assert_eq!(missing([65_535, 2]), 2);
    }

    #[test]
    fn a_late_packet_fills_its_gap() {
        assert_eq!(missing([1, 4, 2, 3]), 0);
        assert_eq!(missing([65_534, 1, 65_535, 0]), 0);
    }

    #[test]
    fn what_comes_twice_is_not_new() {
        let mut gaps = Gaps::default();
        assert!(gaps.receive(1));
        assert!(gaps.receive(3));
        assert!(gaps.receive(2));
        assert!(!gaps.receive(2));
        assert!(!gaps.receive(3));
    }

    #[test]
    fn a_sender_that_starts_anew_has_lost_nothing() {
        assert_eq!(missing([100, 40_000, 40_001]), 0);
    }

    #[test]
    fn memory_is_bounded_and_no_loss_is_forgotten() {
        let mut gaps = Gaps::default();
        let sent_every = 10;
        for number in 0..10_000_u32 {
            #[expect(clippy::cast_possible_truncation)]
            gaps.receive((number * sent_every) as u16);
        }
        assert!(gaps.open.len() <= CAPACITY);
        assert_eq!(gaps.missing(), 9_999 * 9);
    }
}
