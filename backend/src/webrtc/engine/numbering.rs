//! How a viewer's sequence numbers follow from its room's.

/// The numbers of a track's first packet for a viewer lie below this: its receiver takes the first it gets
/// for the first round (RFC 3711 section 3.3.1), so the number must not wrap while packets may be lost.
const FIRST_BELOW: u64 = 1 << 15;

/// A room numbers the packets of a track once for all its viewers. A viewer's own number is the room's less
/// an offset, which grows by what the viewer was not sent: to its receiver nothing is missing that was
/// never meant for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbering {
    /// `None` before the first packet.
    offset: Option<u64>,
    /// The room's number of the packet after the last.
    next: u64,
    /// The room's number from which on nothing was left out.
    since: u64,
}

impl Numbering {
    /// The viewer's number of the room's packet `first`, which is sent with the `count - 1` behind it. The
    /// lower 16 bits are the sequence number, the rest is the rollover counter.
    pub(super) fn place(&mut self, first: u64, count: u64) -> u64 {
        let offset = match self.offset {
            Some(offset) if first == self.next => offset,
            Some(offset) => {
                self.since = first;
                offset + first.saturating_sub(self.next)
            }
            None => {
                self.since = first;
                first - first % FIRST_BELOW
            }
        };
        self.offset = Some(offset);
        self.next = first + count;
        first - offset
    }

    /// The room's number of the packet that was sent to the viewer with this sequence number, and the
    /// viewer's; `None` for one that was not sent or lies behind a jump.
    pub(super) fn find(&self, sequence: u16) -> Option<(u64, u64)> {
        let offset = self.offset?;
        let next = self.next - offset;
        #[expect(clippy::cast_possible_truncation, reason = "modulo 2^16")]
        let back = (next as u16).wrapping_sub(sequence);
        let index = next.checked_sub(u64::from(back)).filter(|_| back != 0)?;
        let number = index + offset;
        (number >= self.since).then_some((number, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_begins_in_its_first_round_wherever_the_room_is() {
        let first = Numbering::default().place(1_000_000, 3);
        assert_eq!(first, 1_000_000 % FIRST_BELOW);
        assert_eq!(Numbering::default().place(65_535, 1), 32_767);
        assert_eq!(Numbering::default().place(5, 1), 5);
    }

    #[test]
    fn numbers_run_on_over_what_a_viewer_was_not_sent() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.place(10, 5), 10);
        assert_eq!(numbering.place(15, 1), 15);
        assert_eq!(numbering.place(100, 2), 16);
        assert_eq!(numbering.place(102, 2), 18);
    }

    #[test]
    fn what_was_sent_is_found_again() {
        let mut numbering = Numbering::default();
        numbering.place(100_000, 10);
        let first = 100_000 % FIRST_BELOW;
        let sequence = u16::try_from(first).unwrap();
        assert_eq!(numbering.find(sequence + 3), Some((100_003, first + 3)));
        assert_eq!(numbering.find(sequence + 10), None, "not sent yet");
        assert_eq!(numbering.find(sequence - 1), None, "before the first");
    }

    #[test]
    fn what_lies_behind_a_jump_is_not_found() {
        let mut numbering = Numbering::default();
        numbering.place(10, 5);
        numbering.place(100, 5);
        assert_eq!(numbering.find(14), None);
        assert_eq!(numbering.find(15), Some((100, 15)));
    }

    #[test]
    fn packets_are_found_across_a_rollover() {
        let mut numbering = Numbering::default();
        numbering.place(0, 70_000);
        assert_eq!(numbering.find(65_535), Some((65_535, 65_535)));
        assert_eq!(numbering.find(0), Some((65_536, 65_536)));
    }
}
