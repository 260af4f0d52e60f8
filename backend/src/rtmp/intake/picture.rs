//! A picture as a publisher sends it, and what of it goes to the stage.

use bytes::{Bytes, BytesMut};

use crate::media::avc::{BrokenLength, nal_units};
use crate::media::h264::{NalType, ParameterSets, put_nal};

/// A picture, its parameter sets aside.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) sets: ParameterSets,
    pub(super) idr: bool,
    /// As [`AccessUnit::data`](crate::media::access_unit::AccessUnit::data) wants it; empty when there is
    /// no picture data in it.
    pub(super) data: Bytes,
}

impl Picture {
    /// Takes apart what comes behind lengths of `length_size` bytes. Where nothing has to be left out,
    /// nothing is copied.
    pub(super) fn new(data: &Bytes, length_size: u8) -> Result<Self, BrokenLength> {
        let mut picture = Self {
            sets: ParameterSets::default(),
            idr: false,
            data: Bytes::new(),
        };
        let (mut has_slice, mut dropped, mut size) = (false, false, 0);
        for nal in nal_units(data.clone(), length_size) {
            let nal = nal?;
            let nal_type = NalType::of(&nal);
            if is_kept(&nal) {
                size += 4 + nal.len();
            } else {
                dropped = true;
            }
            has_slice |= nal_type.is_slice();
            picture.idr |= nal_type == NalType::IDR;
            picture.sets.take(&nal);
        }
        if has_slice {
            picture.data = if length_size == 4 && !dropped {
                data.clone()
            } else {
                let mut kept = BytesMut::with_capacity(size);
                let nals = nal_units(data.clone(), length_size).flatten();
                nals.filter(is_kept)
                    .for_each(|nal| put_nal(&mut kept, &nal));
                kept.freeze()
            };
        }
        Ok(picture)
    }
}

fn is_kept(nal: &Bytes) -> bool {
    let left_out = [
        NalType::SPS,
        NalType::PPS,
        NalType::DELIMITER,
        NalType::FILLER,
    ];
    !nal.is_empty() && !left_out.contains(&NalType::of(nal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_delimiters_and_filler_are_left_out() {
        let data =
            b"\0\0\0\x02\x09\xf0\0\0\0\x02\x67a\0\0\0\x02\x68b\0\0\0\x02\x65c\0\0\0\x02\x0cd";
        let picture = Picture::new(&Bytes::from_static(data), 4).unwrap();
        assert_eq!(&picture.data[..], b"\0\0\0\x02\x65c");
        assert_eq!(picture.sets.sps.as_deref(), Some(&b"\x67a"[..]));
        assert_eq!(picture.sets.pps, [&b"\x68b"[..]]);
        assert!(picture.idr);
    }

    #[test]
    fn a_picture_of_which_all_is_kept_is_not_copied() {
        let data = Bytes::from_static(b"\0\0\0\x02\x06s\0\0\0\x02\x41c");
        let picture = Picture::new(&data, 4).unwrap();
        assert_eq!(picture.data.as_ptr(), data.as_ptr());
        assert!(!picture.idr);
    }

    #[test]
    fn short_lengths_become_four_bytes() {
        let data = Bytes::from_static(b"\0\x02\x06s\0\x02\x41c");
        let picture = Picture::new(&data, 2).unwrap();
        assert_eq!(&picture.data[..], b"\0\0\0\x02\x06s\0\0\0\x02\x41c");
    }

    #[test]
    fn without_picture_data_there_is_no_data() {
        let picture = Picture::new(&Bytes::from_static(b"\0\0\0\x02\x06s"), 4).unwrap();
        assert!(picture.data.is_empty());
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        let data = Bytes::from_static(b"\0\0\0\x02\x65c\0\0\0\x09\x41");
        assert_eq!(Picture::new(&data, 4), Err(BrokenLength));
    }
}
