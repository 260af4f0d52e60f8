//! Puts RTP packets back into their order.
//!
//! Browsers probe the path by sending media again, and what was lost comes again after a NACK: packets
//! arrive late, twice and out of order. A gap is waited for, but only so long.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::media::time::MediaTime;

/// How long a missing packet is waited for: a few round trips of a NACK.
const PATIENCE: Duration = Duration::from_millis(400);
/// Packets kept behind a gap; more means that the gap is not going to be filled.
const CAPACITY: usize = 512;
/// A step in the sequence numbers beyond this is a sender that started anew, not loss
/// (RFC 3550 appendix A.1).
const MAX_STEP: i64 = 3_000;

/// What comes out of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ordered<T> {
    /// The next packet.
    Packet(T),
    /// Packets are missing here for good.
    Gap,
}

/// Orders by 16-bit sequence number (RFC 3550 section 5.1), drops what comes twice or too late.
#[derive(Debug)]
pub(super) struct ReorderBuffer<T> {
    /// Extended sequence number of the packet that is due.
    due: Option<i64>,
    waiting: BTreeMap<i64, T>,
    /// Since when the packet that is due is missing.
    missing_since: Option<MediaTime>,
}

impl<T> Default for ReorderBuffer<T> {
    fn default() -> Self {
        Self {
            due: None,
            waiting: BTreeMap::new(),
            missing_since: None,
        }
    }
}

impl<T> ReorderBuffer<T> {
    /// Takes in a packet.
    pub(super) fn push(&mut self, sequence: u16, packet: T) {
        let due = *self.due.get_or_insert_with(|| i64::from(sequence));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let step = i64::from(sequence.wrapping_sub(due as u16).cast_signed());
        if step.abs() > MAX_STEP {
            self.waiting.clear();
            self.due = Some(due + step);
        }
        if step >= 0 || step.abs() > MAX_STEP {
            self.waiting.entry(due + step).or_insert(packet);
        }
    }

    /// The next packet or gap, as of `now`; `None` when there is nothing to do but wait.
    pub(super) fn pop(&mut self, now: MediaTime) -> Option<Ordered<T>> {
        let due = self.due?;
        if let Some(packet) = self.waiting.remove(&due) {
            self.due = Some(due + 1);
            self.missing_since = None;
            return Some(Ordered::Packet(packet));
        }
        let (&next, _) = self.waiting.first_key_value()?;
        let since = *self.missing_since.get_or_insert(now);
        if now.since(since) < PATIENCE && self.waiting.len() < CAPACITY {
            return None;
        }
        self.due = Some(next);
        self.missing_since = None;
        Some(Ordered::Gap)
    }

    /// When to [`pop`](Self::pop) again even if nothing arrives.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.missing_since.map(|since| since + PATIENCE.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> MediaTime {
        MediaTime::from_micros(ms * 1_000)
    }

    /// Everything that comes out at `now`; gaps as `None`.
    fn drain(buffer: &mut ReorderBuffer<u16>, now: MediaTime) -> Vec<Option<u16>> {
        std::iter::from_fn(|| buffer.pop(now))
            .map(|ordered| match ordered {
                Ordered::Packet(packet) => Some(packet),
                Ordered::Gap => None,
            })
            .collect()
    }

    fn push(buffer: &mut ReorderBuffer<u16>, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            buffer.push(sequence, sequence);
        }
    }

    #[test]
    fn packets_in_order_pass_at_once() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [7, 8, 9]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(7), Some(8), Some(9)]);
        assert_eq!(buffer.deadline(), None);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [65_534, 65_535, 0, 1]);
        assert_eq!(drain(&mut buffer, ms(0)), [65_534, 65_535, 0, 1].map(Some));
    }

    #[test]
    fn a_late_packet_is_put_where_it_belongs() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [1, 3, 4]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(1)]);
        push(&mut buffer, [2]);
        assert_eq!(drain(&mut buffer, ms(50)), [Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn duplicates_are_dropped() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [1, 2, 2, 1]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(1), Some(2)]);
        push(&mut buffer, [1, 2, 3]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(3)]);
    }

    #[test]
    fn a_gap_is_waited_for_and_then_given_up() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [1, 3]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(1)]);
        assert_eq!(buffer.deadline(), Some(ms(400)));
        assert_eq!(drain(&mut buffer, ms(399)), []);
        assert_eq!(drain(&mut buffer, ms(400)), [None, Some(3)]);
        push(&mut buffer, [2]);
        assert_eq!(drain(&mut buffer, ms(401)), []);
    }

    #[test]
    fn memory_is_bounded_behind_a_gap() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [0]);
        drain(&mut buffer, ms(0));
        for sequence in 2..10_000 {
            push(&mut buffer, [sequence]);
            drain(&mut buffer, ms(0));
            assert!(buffer.waiting.len() < CAPACITY);
        }
    }

    #[test]
    fn a_sender_that_starts_anew_is_followed() {
        let mut buffer = ReorderBuffer::default();
        push(&mut buffer, [100, 101]);
        drain(&mut buffer, ms(0));
        push(&mut buffer, [40_000, 40_001]);
        assert_eq!(drain(&mut buffer, ms(0)), [Some(40_000), Some(40_001)]);
    }
}
