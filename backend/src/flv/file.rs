//! The file around the bodies (Adobe's FLV section E.2 and E.3): a header, then tags. Live, it never ends.

use bytes::{BufMut, Bytes, BytesMut};

use super::body::Body;
use crate::media::stage::Tracks;

const HEADER_LENGTH: u32 = 9;
const TAG_HEADER_LENGTH: u32 = 11;
const SIZE_LENGTH: usize = 4;

/// What a file begins with.
#[must_use]
pub fn header(tracks: Tracks) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_LENGTH as usize + SIZE_LENGTH);
    out.put_slice(b"FLV\x01");
    out.put_u8(u8::from(tracks.audio) << 2 | u8::from(tracks.video));
    out.put_u32(HEADER_LENGTH);
    // The size of the tag before the first.
    out.put_u32(0);
    out.freeze()
}

/// A tag and its size behind it, in one piece for all who watch. `timestamp` is in ms.
///
/// A body of 16 MiB or more does not fit a tag and gives nothing; no ingest lets one through.
#[must_use]
pub fn tag(timestamp: u32, body: &Body) -> Bytes {
    let Some(size) = u32::try_from(body.size())
        .ok()
        .filter(|size| *size < 1 << 24)
    else {
        return Bytes::new();
    };
    let mut out = BytesMut::with_capacity(TAG_HEADER_LENGTH as usize + body.size() + SIZE_LENGTH);
    out.put_u8(body.tag_type as u8);
    out.put_uint(size.into(), 3);
    // The time's upper byte comes last (section E.4.1).
    let [upper, lower @ ..] = timestamp.to_be_bytes();
    out.put_slice(&lower);
    out.put_u8(upper);
    out.put_uint(0, 3);
    for part in body.parts() {
        out.put_slice(part);
    }
    out.put_u32(TAG_HEADER_LENGTH + size);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_match_the_tracks() {
        let flags = |video, audio| header(Tracks { video, audio })[4];
        assert_eq!(flags(true, true), 5);
        assert_eq!(flags(true, false), 1);
        assert_eq!(flags(false, true), 4);
        let both = header(Tracks {
            video: true,
            audio: true,
        });
        assert_eq!(&both[..], b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    }

    #[test]
    fn a_tag_has_its_time_split_and_its_size_behind() {
        let tag = tag(0x0102_0304, &Body::aac(Bytes::from_static(b"raw")));
        let expected = b"\x08\0\0\x05\x02\x03\x04\x01\0\0\0\xaf\x01raw\0\0\0\x10";
        assert_eq!(&tag[..], expected);
    }

    #[test]
    fn a_tag_that_cannot_be_written_is_left_out() {
        let huge = Bytes::from(vec![0; 1 << 24]);
        assert!(tag(0, &Body::aac(huge)).is_empty());
    }
}
