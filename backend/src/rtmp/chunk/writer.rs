//! Writes messages as chunks.

use bytes::{BufMut, BytesMut};

/// Times from here on stand behind the header (section 5.3.1.3).
pub(super) const EXTENDED: u32 = 0xff_ffff;

/// What a message's first chunk says of it.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// 2 to 63, so that one byte says it.
    pub chunk_stream: u8,
    /// In ms.
    pub timestamp: u32,
    /// See [`message_type`](crate::rtmp::message_type).
    pub message_type: u8,
    /// The message stream it belongs to.
    pub stream_id: u32,
}

/// Appends a message that consists of `parts`, with a full header (type 0) in front and type 3 between its
/// chunks, none of them longer than `chunk_size` bytes.
///
/// A message of 16 MiB or more has no header and is left out; nothing makes one.
pub fn put_message(out: &mut BytesMut, header: Header, parts: &[&[u8]], chunk_size: usize) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let Some(claimed) = u32::try_from(length)
        .ok()
        .filter(|&length| length < 1 << 24)
    else {
        return;
    };
    let extended = header.timestamp >= EXTENDED;
    let chunk_size = chunk_size.max(1);
    out.reserve(16 + length + length / chunk_size * 5);
    out.put_u8(header.chunk_stream & 0x3f);
    out.put_uint(header.timestamp.min(EXTENDED).into(), 3);
    out.put_uint(claimed.into(), 3);
    out.put_u8(header.message_type);
    out.put_u32_le(header.stream_id);
    if extended {
        out.put_u32(header.timestamp);
    }
    let mut room = chunk_size;
    for mut part in parts.iter().copied() {
        while !part.is_empty() {
            if room == 0 {
                out.put_u8(3 << 6 | header.chunk_stream & 0x3f);
                if extended {
                    out.put_u32(header.timestamp);
                }
                room = chunk_size;
            }
            let (now, later) = part.split_at(room.min(part.len()));
            out.put_slice(now);
            room -= now.len();
            part = later;
        }
    }
}
