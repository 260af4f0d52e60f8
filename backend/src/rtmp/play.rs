//! What players get, made once for all of them.
//!
//! Every message begins with a full chunk header (type 0), goes to message stream 1 and is cut into chunks
//! of [`CHUNK_SIZE`] bytes, as every session announces. So it does not depend on what was sent before, and
//! the same bytes fit every player, whenever it came.

use bytes::{Bytes, BytesMut};

use super::chunk::writer::{Header, put_message};
use crate::flv::TagType;
use crate::flv::body::Body;

/// The message stream that media goes to: every session answers `createStream` with it.
pub(super) const STREAM: u32 = 1;
/// Chunk streams; those of sessions are 2 and 3.
const AUDIO: u8 = 4;
const DATA: u8 = 5;
const VIDEO: u8 = 6;

/// The chunk size that sessions announce, in bytes: large, so that most messages are one chunk.
pub const CHUNK_SIZE: usize = 60_000;

/// A media message as every player gets it. `timestamp` is in ms.
#[must_use]
pub fn message(timestamp: u32, body: &Body) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out, timestamp, body);
    out.freeze()
}

/// Appends a [`message`].
pub fn put(out: &mut BytesMut, timestamp: u32, body: &Body) {
    let chunk_stream = match body.tag_type {
        TagType::Audio => AUDIO,
        TagType::Video => VIDEO,
        TagType::Script => DATA,
    };
    let header = Header {
        chunk_stream,
        timestamp,
        message_type: body.tag_type as u8,
        stream_id: STREAM,
    };
    put_message(out, header, &body.parts(), CHUNK_SIZE);
}
