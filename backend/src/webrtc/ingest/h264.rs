//! From RTP packets to H.264 access units (RFC 6184).

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::h264::{NalType, ParameterSets, put_nal};

/// Largest access unit that is put together. More is no picture of any camera but an attack.
const MAX_ACCESS_UNIT: usize = 8 << 20;
/// Buffers are used again up to this size: a picture that is larger is the exception.
const MAX_KEPT: usize = 1 << 20;
/// NAL unit types that RFC 6184 section 5.2 adds for RTP.
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Bytes of the length before each NAL unit of a picture.
const LENGTH: usize = 4;
/// NAL header bits that a fragment's indicator carries: F and NRI.
const F_NRI: u8 = 0xe0;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

/// A whole picture as it was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    /// Its RTP timestamp.
    pub(super) timestamp: u32,
    /// Its NAL units with their lengths, without parameter sets, delimiters and filler.
    pub(super) data: Bytes,
    /// Parameter sets that came with it.
    pub(super) sets: ParameterSets,
    /// Whether it is an IDR picture.
    pub(super) idr: bool,
}

/// Puts pictures together from packets in their order. A picture of which anything is missing is
/// dropped as a whole.
#[derive(Debug, Default)]
pub(super) struct Depacketizer {
    picture: Building,
    /// Where the NAL unit that is arriving in fragments begins in the picture, with its length.
    fragment: Option<usize>,
    /// Something of the picture that is arriving was lost or made no sense.
    damaged: bool,
    timestamp: Option<u32>,
}

#[derive(Debug, Default)]
struct Building {
    data: BytesMut,
    sets: ParameterSets,
    idr: bool,
}

impl Building {
    /// Takes in a whole NAL unit; `None` when it makes no sense.
    fn take(&mut self, nal: &[u8]) -> Option<()> {
        match NalType::of(nal) {
            NalType(0) => return None,
            NalType::SPS | NalType::PPS => _ = self.sets.take(&Bytes::copy_from_slice(nal)),
            NalType::DELIMITER | NalType::FILLER => {}
            kind => {
                if self.data.len() + nal.len() > MAX_ACCESS_UNIT {
                    return None;
                }
                self.idr |= kind == NalType::IDR;
                put_nal(&mut self.data, nal);
            }
        }
        Some(())
    }

    /// Takes in the NAL unit whose fragments are in the picture's data, behind room for its length from
    /// `start` on; `None` when it makes no sense.
    fn take_joined(&mut self, start: usize) -> Option<()> {
        let (length, nal) = self.data.get_mut(start..)?.split_first_chunk_mut()?;
        let kind = NalType::of(nal);
        if kind.is_slice() {
            *length = u32::try_from(nal.len()).ok()?.to_be_bytes();
            self.idr |= kind == NalType::IDR;
            return Some(());
        }
        let nal = self.data.split_off(start);
        self.take(&nal[LENGTH..])
    }
}

/// A picture was lost: nothing that refers to it can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl Depacketizer {
    /// Takes in a packet's payload. Answers with the picture that it completes, if it does.
    ///
    /// # Errors
    /// [`Damaged`] when the picture that ends here cannot be used.
    pub(super) fn push(
        &mut self,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Result<Option<Picture>, Damaged> {
        let mut lost_before = false;
        if self.timestamp.is_some_and(|current| current != timestamp) {
            // The marker that should have ended the last picture never came.
            lost_before = self.has_begun();
            self.reset();
        }
        self.timestamp = Some(timestamp);
        if self.take(payload).is_none() {
            self.damaged = true;
        }
        if !marker {
            return if lost_before { Err(Damaged) } else { Ok(None) };
        }
        let complete = !self.damaged && self.fragment.is_none();
        let picture = self.finish(timestamp);
        match (complete, lost_before) {
            (true, false) => Ok((!picture.data.is_empty()).then_some(picture)),
            // A fresh start makes up for what was lost before it.
            (true, true) if picture.idr => Ok(Some(picture)),
            _ => Err(Damaged),
        }
    }

    /// Packets are missing before the next one.
    pub(super) fn gap(&mut self) {
        self.damaged = true;
    }

    /// Takes in one payload (section 5.2); `None` when it makes no sense.
    fn take(&mut self, payload: &[u8]) -> Option<()> {
        let (&first, rest) = payload.split_first()?;
        let kind = first & 0x1f;
        if kind == FU_A {
            return self.take_fragment(first, rest);
        }
        // Nothing comes between the fragments of a NAL unit (section 5.8): its end was lost.
        self.give_up_fragment();
        match kind {
            1..=23 => self.picture.take(payload),
            STAP_A => self.take_aggregate(rest),
            _ => None,
        }
    }

    /// STAP-A (section 5.7.1): NAL units, each behind its length in two bytes.
    fn take_aggregate(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((length, body)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            self.picture.take(body.get(..length)?)?;
            rest = &body[length..];
        }
        rest.is_empty().then_some(())
    }

    /// FU-A (section 5.8): a piece of a NAL unit behind an indicator and a header.
    fn take_fragment(&mut self, indicator: u8, rest: &[u8]) -> Option<()> {
        let (&header, piece) = rest.split_first()?;
        if header & FU_START != 0 {
            self.give_up_fragment();
            let data = &mut self.picture.data;
            self.fragment = Some(data.len());
            data.put_bytes(0, LENGTH);
            data.put_u8((indicator & F_NRI) | (header & 0x1f));
        }
        let start = self.fragment?;
        if self.picture.data.len() + piece.len() > MAX_ACCESS_UNIT {
            self.give_up_fragment();
            return None;
        }
        self.picture.data.put_slice(piece);
        if header & FU_END == 0 {
            return Some(());
        }
        self.fragment = None;
        self.picture.take_joined(start)
    }

    /// Of a NAL unit whose end does not come nothing is left.
    fn give_up_fragment(&mut self) {
        if let Some(start) = self.fragment.take() {
            self.picture.data.truncate(start);
            self.damaged = true;
        }
    }

    fn has_begun(&self) -> bool {
        self.damaged || !self.picture.data.is_empty()
    }

    fn reset(&mut self) {
        self.picture = Building {
            data: emptied(std::mem::take(&mut self.picture.data)),
            ..Building::default()
        };
        self.fragment = None;
        self.damaged = false;
        self.timestamp = None;
    }

    fn finish(&mut self, timestamp: u32) -> Picture {
        let picture = Picture {
            timestamp,
            // No more memory than it needs: rooms keep pictures for seconds.
            data: Bytes::copy_from_slice(&self.picture.data),
            sets: std::mem::take(&mut self.picture.sets),
            idr: self.picture.idr,
        };
        self.reset();
        picture
    }
}

/// The buffer for the next time, unless it has become uncommonly large.
fn emptied(mut buffer: BytesMut) -> BytesMut {
    if buffer.capacity() > MAX_KEPT {
        return BytesMut::new();
    }
    buffer.clear();
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::h264::nals;

    const SPS: &[u8] = &[0x67, 1, 2];
    const PPS: &[u8] = &[0x68, 3];
    const IDR: &[u8] = &[0x65, 4, 5, 6, 7, 8];
    const SLICE: &[u8] = &[0x41, 9, 10];

    fn aggregate(nals: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x78];
        for nal in nals {
            payload.extend_from_slice(&u16::try_from(nal.len()).unwrap().to_be_bytes());
            payload.extend_from_slice(nal);
        }
        payload
    }

    /// `nal` in FU-A fragments of `size` bytes.
    fn fragments(nal: &[u8], size: usize) -> Vec<Vec<u8>> {
        let pieces: Vec<_> = nal[1..].chunks(size).collect();
        let last = pieces.len() - 1;
        let fragment = |(index, piece): (usize, &&[u8])| {
            let start = if index == 0 { FU_START } else { 0 };
            let end = if index == last { FU_END } else { 0 };
            [
                &[(nal[0] & F_NRI) | FU_A, start | end | (nal[0] & 0x1f)],
                *piece,
            ]
            .concat()
        };
        pieces.iter().enumerate().map(fragment).collect()
    }

    fn slices(picture: &Picture) -> Vec<Bytes> {
        nals(&picture.data).collect()
    }

    #[test]
    fn a_single_nal_unit_is_a_picture() {
        let picture = Depacketizer::default()
            .push(5, true, SLICE)
            .unwrap()
            .unwrap();
        assert_eq!((picture.timestamp, picture.idr), (5, false));
        assert_eq!(slices(&picture), [SLICE]);
    }

    #[test]
    fn parameter_sets_come_beside_the_picture() {
        let mut depacketizer = Depacketizer::default();
        assert_eq!(
            depacketizer.push(5, false, &aggregate(&[SPS, PPS])),
            Ok(None)
        );
        let picture = depacketizer.push(5, true, IDR).unwrap().unwrap();
        assert!(picture.idr);
        assert_eq!(picture.sets.sps.as_deref(), Some(SPS));
        assert_eq!(picture.sets.pps, [PPS]);
        assert_eq!(slices(&picture), [IDR]);
    }

    #[test]
    fn fragments_are_joined() {
        let mut depacketizer = Depacketizer::default();
        let mut fragments = fragments(IDR, 2).into_iter().peekable();
        let mut picture = None;
        while let Some(fragment) = fragments.next() {
            picture = depacketizer
                .push(5, fragments.peek().is_none(), &fragment)
                .unwrap();
        }
        assert_eq!(slices(&picture.unwrap()), [IDR]);
    }

    #[test]
    fn parameter_sets_may_come_in_fragments_too() {
        let mut depacketizer = Depacketizer::default();
        for fragment in fragments(SPS, 1) {
            depacketizer.push(5, false, &fragment).unwrap();
        }
        let picture = depacketizer.push(5, true, SLICE).unwrap().unwrap();
        assert_eq!(picture.sets.sps.as_deref(), Some(SPS));
        assert_eq!(slices(&picture), [SLICE]);
    }

    #[test]
    fn fragments_without_their_end_are_no_picture() {
        let mut depacketizer = Depacketizer::default();
        let fragments = fragments(IDR, 2);
        for next in [SLICE, &fragments[0][..]] {
            depacketizer.push(5, false, &fragments[0]).unwrap();
            assert_eq!(depacketizer.push(5, true, next), Err(Damaged));
        }
        assert!(depacketizer.push(6, true, SLICE).unwrap().is_some());
    }

    #[test]
    fn a_picture_with_a_hole_is_dropped_and_the_next_is_not() {
        let mut depacketizer = Depacketizer::default();
        let fragments = fragments(IDR, 2);
        depacketizer.push(5, false, &fragments[0]).unwrap();
        depacketizer.gap();
        assert_eq!(depacketizer.push(5, true, &fragments[2]), Err(Damaged));
        assert!(depacketizer.push(6, true, SLICE).unwrap().is_some());
    }

    #[test]
    fn a_lost_marker_is_noticed() {
        let mut depacketizer = Depacketizer::default();
        depacketizer.push(5, false, SLICE).unwrap();
        assert_eq!(depacketizer.push(6, true, SLICE), Err(Damaged));
        assert!(depacketizer.push(7, true, SLICE).unwrap().is_some());
    }

    #[test]
    fn a_keyframe_makes_up_for_a_lost_marker() {
        let mut depacketizer = Depacketizer::default();
        depacketizer.push(5, false, SLICE).unwrap();
        assert!(depacketizer.push(6, true, IDR).unwrap().unwrap().idr);
    }

    #[test]
    fn delimiters_and_filler_are_left_out() {
        let mut depacketizer = Depacketizer::default();
        let payload = aggregate(&[&[0x09, 0x10], SLICE, &[0x0c, 0xff, 0x80]]);
        let picture = depacketizer.push(5, true, &payload).unwrap().unwrap();
        assert_eq!(slices(&picture), [SLICE]);
    }

    #[test]
    fn nonsense_is_no_picture() {
        let bad: [&[u8]; 6] = [
            &[],
            &[0x78, 0],
            &[0x78, 0, 9, 1],
            &[FU_A],
            &[FU_A, 0x05, 1],
            &[0x1f, 1, 2],
        ];
        for payload in bad {
            let result = Depacketizer::default().push(5, true, payload);
            assert_eq!(result, Err(Damaged), "{payload:?}");
        }
    }

    #[test]
    fn buffers_are_used_again_unless_a_picture_was_uncommonly_large() {
        let mut depacketizer = Depacketizer::default();
        let mut push = |size: usize| {
            let nal = [&[0x41][..], &vec![1; size]].concat();
            let mut fragments = fragments(&nal, 60_000).into_iter().peekable();
            while let Some(fragment) = fragments.next() {
                let marker = fragments.peek().is_none();
                depacketizer.push(5, marker, &fragment).unwrap();
            }
            depacketizer.picture.data.capacity()
        };
        let large = push(100_000);
        assert!(large > 100_000);
        assert_eq!(push(50_000), large);
        assert_eq!(push(2 << 20), 0);
    }

    #[test]
    fn a_picture_takes_no_more_memory_than_it_needs() {
        let mut depacketizer = Depacketizer::default();
        let picture = depacketizer.push(5, true, SLICE).unwrap().unwrap();
        let data = BytesMut::from(picture.data);
        assert_eq!((data.len(), data.capacity()), (7, 7));
    }

    #[test]
    fn an_endless_picture_is_given_up() {
        let mut depacketizer = Depacketizer::default();
        let first = [&[FU_A, FU_START | 5][..], &[0; 1_000]].concat();
        let more = [&[FU_A, 5][..], &[0; 60_000]].concat();
        depacketizer.push(5, false, &first).unwrap();
        for _ in 0..200 {
            depacketizer.push(5, false, &more).unwrap();
            assert!(depacketizer.picture.data.len() <= MAX_ACCESS_UNIT);
        }
        assert_eq!(
            depacketizer.push(5, true, &[FU_A, FU_END | 5]),
            Err(Damaged)
        );
    }
}
