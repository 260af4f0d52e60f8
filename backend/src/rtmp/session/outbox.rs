//! What a session says, in chunks.

use bytes::{BufMut, Bytes, BytesMut};

use crate::flv::amf0::{self, Value};
use crate::rtmp::chunk::writer::{Header, put_message};
use crate::rtmp::message_type;
use crate::rtmp::play::{CHUNK_SIZE, STREAM};

/// Chunk streams.
const CONTROL: u8 = 2;
const COMMANDS: u8 = 3;
/// What the chunk size is until it is set (section 5.4.1).
const DEFAULT_CHUNK_SIZE: usize = 128;

/// Kinds of user control messages (section 7.1.7).
#[derive(Clone, Copy)]
pub(super) enum UserControl {
    StreamBegin = 0,
    StreamEof = 1,
    PingRequest = 6,
    PingResponse = 7,
}

/// Bytes for the client.
pub(super) struct Outbox {
    bytes: BytesMut,
    chunk_size: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            chunk_size: DEFAULT_CHUNK_SIZE,
        }
    }
}

impl Outbox {
    pub(super) fn take(&mut self) -> Bytes {
        // Players are asked before every write, and hardly ever have anything to say.
        if self.bytes.is_empty() {
            return Bytes::new();
        }
        self.bytes.split().freeze()
    }

    /// Bytes that are not chunks: the handshake.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    /// From now on chunks have [`CHUNK_SIZE`].
    pub(super) fn set_chunk_size(&mut self) {
        self.control(message_type::SET_CHUNK_SIZE, CHUNK_SIZE as u32);
        self.chunk_size = CHUNK_SIZE;
    }

    /// A protocol control message of one number (section 5.4).
    pub(super) fn control(&mut self, message_type: u8, value: u32) {
        self.put(CONTROL, message_type, 0, &value.to_be_bytes());
    }

    pub(super) fn set_peer_bandwidth(&mut self, window: u32) {
        const DYNAMIC: u8 = 2;
        let [a, b, c, d] = window.to_be_bytes();
        self.put(
            CONTROL,
            message_type::SET_PEER_BANDWIDTH,
            0,
            &[a, b, c, d, DYNAMIC],
        );
    }

    pub(super) fn user_control(&mut self, kind: UserControl, value: u32) {
        let [a, b, c, d] = value.to_be_bytes();
        self.put(
            CONTROL,
            message_type::USER_CONTROL,
            0,
            &[0, kind as u8, a, b, c, d],
        );
    }

    /// A command on the connection.
    pub(super) fn command(&mut self, values: &[Value]) {
        self.put(COMMANDS, message_type::COMMAND, 0, &written(values));
    }

    /// Answers a call, if the caller wants an answer.
    pub(super) fn result(&mut self, transaction: f64, value: Value) {
        if transaction != 0.0 {
            self.command(&["_result".into(), transaction.into(), Value::Null, value]);
        }
    }

    /// Says how the stream is (section 7.2.2): `onStatus` with `level` "status" or "error".
    pub(super) fn status(&mut self, level: &str, code: &str, description: &str) {
        let information = amf0::object([
            ("level", level.into()),
            ("code", code.into()),
            ("description", description.into()),
        ]);
        let values = ["onStatus".into(), 0.0.into(), Value::Null, information];
        self.put(COMMANDS, message_type::COMMAND, STREAM, &written(&values));
    }

    /// Script data on the stream.
    pub(super) fn data(&mut self, values: &[Value]) {
        self.put(COMMANDS, message_type::DATA, STREAM, &written(values));
    }

    fn put(&mut self, chunk_stream: u8, message_type: u8, stream_id: u32, body: &[u8]) {
        let header = Header {
            chunk_stream,
            timestamp: 0,
            message_type,
            stream_id,
        };
        put_message(&mut self.bytes, header, &[body], self.chunk_size);
    }
}

fn written(values: &[Value]) -> BytesMut {
    let mut out = BytesMut::new();
    for value in values {
        value.put(&mut out);
    }
    out
}
