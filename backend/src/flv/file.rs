//! The file around the bodies (Adobe's FLV section E.2 and E.3): a header, then tags. Live, it never ends.

use bytes::{BufMut, Bytes, BytesMut};

use super::body::Body;
use crate::media::stage::Tracks;

const HEADER_LENGTH: u32 = 9;
const TAG_HEADER_LENGTH: usize = 11;
const SIZE_LENGTH: usize = 4;
/// Bytes of a tag beyond its body.
pub(super) const TAG_OVERHEAD: usize = TAG_HEADER_LENGTH + SIZE_LENGTH;

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

/// A tag and its size behind it, in one piece. `timestamp` is in ms.
#[must_use]
pub fn tag(timestamp: u32, body: &Body) -> Bytes {
    let mut out = BytesMut::with_capacity(TAG_OVERHEAD + body.size());
    put_tag_header(&mut out, timestamp, body);
    out.put_slice(body.data());
    put_tag_size(&mut out, body);
    out.freeze()
}

/// Appends what comes before the [data](Body::data) of a tag. Its bodies are smaller than 16 MiB: no
/// ingest lets a larger one through.
pub fn put_tag_header(out: &mut BytesMut, timestamp: u32, body: &Body) {
    out.put_u8(body.tag_type as u8);
    out.put_uint(body.size() as u64, 3);
    // The time's upper byte comes last (section E.4.1).
    let [upper, lower @ ..] = timestamp.to_be_bytes();
    out.put_slice(&lower);
    out.put_u8(upper);
    out.put_uint(0, 3);
    let [head, _] = body.parts();
    out.put_slice(head);
}

/// Appends what comes behind the data of a tag: its size.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bodies are smaller than 16 MiB"
)]
pub fn put_tag_size(out: &mut BytesMut, body: &Body) {
    out.put_u32((TAG_HEADER_LENGTH + body.size()) as u32);
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
}
