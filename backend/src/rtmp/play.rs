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
    let mut out = BytesMut::new();
    put_message(&mut out, header, &body.parts(), CHUNK_SIZE);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::chunk::reader::ChunkReader;

    fn picture(size: usize) -> Body {
        Body::picture(true, 0, Bytes::from(vec![7; size]))
    }

    /// Reads as a client that was told our chunk size.
    fn read(bytes: &[u8]) -> Vec<(u8, u32, u32, Bytes)> {
        let size = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0xea, 0x60];
        let bytes = [&size, bytes].concat();
        let mut reader = ChunkReader::default();
        reader.allow_media();
        let mut rest = &bytes[..];
        std::iter::from_fn(|| reader.next(&mut rest).unwrap())
            .map(|m| (m.message_type, m.stream_id, m.timestamp, m.body))
            .collect()
    }

    #[test]
    fn a_message_is_read_again_whatever_its_time_and_size() {
        for timestamp in [0, 0xff_fffe, 0xff_ffff, 0x100_0000, u32::MAX] {
            for size in [0, CHUNK_SIZE - 5, CHUNK_SIZE - 4, 200_000] {
                let body = picture(size);
                let expected = Bytes::from(body.parts().concat());
                assert_eq!(
                    read(&message(timestamp, &body)),
                    [(9, 1, timestamp, expected)]
                );
            }
        }
    }

    #[test]
    fn time_may_step_back_from_message_to_message() {
        let bytes = [message(40, &picture(1)), message(20, &picture(1))].concat();
        let times: Vec<_> = read(&bytes).into_iter().map(|message| message.2).collect();
        assert_eq!(times, [40, 20]);
    }

    #[test]
    fn the_data_is_copied_once() {
        let body = picture(1 << 20);
        let used = allocation_counter::measure(|| {
            assert!(message(0, &body).len() > 1 << 20);
        });
        assert!(
            used.bytes_total < (1 << 20) + 4_096,
            "{} bytes",
            used.bytes_total
        );
    }
}
