//! Reads messages out of chunks, within bounds.
//!
//! Bytes are copied once, from what was read into the message they belong to. Memory grows with what has
//! arrived, never with what was claimed.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::writer::EXTENDED;
use crate::rtmp::message_type;

/// Most bytes of a message that is not media, and of any message until media is allowed.
pub const MAX_COMMAND: usize = 64 << 10;
/// Most bytes of a picture.
pub const MAX_MEDIA: usize = 4 << 20;
/// Most chunk streams in one connection; encoders use five.
pub const MAX_STREAMS: usize = 64;
/// What the chunk size is until it is set (section 5.4.1).
const DEFAULT_CHUNK_SIZE: usize = 128;
/// Basic header, message header and extended timestamp at their longest.
const MAX_HEADER: usize = 3 + 11 + 4;

/// Chunks that cannot be read, or claim too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A message is longer than its kind may be.
    #[error("a message of {length} bytes is longer than the {limit} that are allowed")]
    TooLong {
        /// What it claimed.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Too many chunk streams.
    #[error("more than {MAX_STREAMS} chunk streams are in use")]
    TooManyStreams,
    /// Too many bytes in messages that were begun and not ended.
    #[error("more than {limit} bytes lie in unfinished messages")]
    TooMuchUnfinished {
        /// What is allowed.
        limit: usize,
    },
    /// A chunk refers to a header that never came.
    #[error("a chunk stream begins without a header")]
    NoHeader,
    /// A chunk size outside 1 to 2^31 - 1.
    #[error("the chunk size {0} is not allowed")]
    ChunkSize(u32),
}

/// A whole message. `Debug` does not tell its body: commands carry secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// See [`message_type`].
    pub message_type: u8,
    /// The message stream it belongs to.
    pub stream_id: u32,
    /// In ms, wraps around.
    pub timestamp: u32,
    /// What it carries.
    pub body: Bytes,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_type", &self.message_type)
            .field("stream_id", &self.stream_id)
            .field("timestamp", &self.timestamp)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The reading side of a chunk stream.
pub struct ChunkReader {
    chunk_size: usize,
    max_media: usize,
    streams: Vec<ChunkStream>,
    head: Head,
    /// The chunk that is being read.
    open: Option<OpenChunk>,
    unfinished: usize,
    /// Whether chunks of type 3 repeat the extended timestamp, as far as was seen. They have to, but old
    /// versions of librtmp do not.
    repeats_extended: bool,
}

#[derive(Clone, Copy)]
struct OpenChunk {
    /// Index of its chunk stream.
    stream: usize,
    /// Bytes to come.
    left: usize,
}

#[derive(Default)]
struct ChunkStream {
    id: u32,
    timestamp: u32,
    /// Added when the next message has a header of type 3.
    delta: u32,
    extended: Option<u32>,
    length: usize,
    message_type: u8,
    stream_id: u32,
    /// The message that was begun.
    partial: Option<BytesMut>,
}

/// The header of a chunk, as far as it has arrived.
#[derive(Default)]
struct Head {
    bytes: [u8; MAX_HEADER],
    length: usize,
}

impl Head {
    /// Whether the first `length` bytes are there, taken from `input` where they are not.
    fn fill(&mut self, length: usize, input: &mut &[u8]) -> bool {
        while self.length < length {
            let (Some(place), false) = (self.bytes.get_mut(self.length), input.is_empty()) else {
                return false;
            };
            *place = input.get_u8();
            self.length += 1;
        }
        true
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// A big-endian number of `N` bytes, at most 4.
    fn number<const N: usize>(&self, at: usize) -> u32 {
        (at..at + N).fold(0, |number, at| number << 8 | u32::from(self.byte(at)))
    }
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            max_media: MAX_COMMAND,
            streams: Vec::new(),
            head: Head::default(),
            open: None,
            unfinished: 0,
            repeats_extended: true,
        }
    }
}

impl ChunkReader {
    /// From now on pictures and sound may be as long as [`MAX_MEDIA`].
    pub fn allow_media(&mut self) {
        self.max_media = MAX_MEDIA;
    }

    /// The next whole message, if it has arrived; what was used is taken off `input`. Messages that set the
    /// chunk size or abort others are obeyed here and do not come out.
    ///
    /// # Errors
    /// [`ChunkError`]; nothing that follows can be read then.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let open = match self.open {
                Some(open) => open,
                None => match self.begin_chunk(input)? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            if let Some(message) = self.fill_chunk(open, input)? {
                match message.message_type {
                    message_type::SET_CHUNK_SIZE => self.set_chunk_size(&message.body)?,
                    message_type::ABORT => self.abort(&message.body),
                    _ => return Ok(Some(message)),
                }
            } else if input.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Reads a chunk's header (section 5.3.1). `None` while it is not all there: it may be called again.
    fn begin_chunk(&mut self, input: &mut &[u8]) -> Result<Option<OpenChunk>, ChunkError> {
        if !self.head.fill(1, input) {
            return Ok(None);
        }
        let (format, short_id) = (self.head.byte(0) >> 6, self.head.byte(0) & 0x3f);
        let basic = match short_id {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        let fields = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        if !self.head.fill(basic + fields, input) {
            return Ok(None);
        }
        let id = match short_id {
            0 => 64 + self.head.number::<1>(1),
            1 => 64 + self.head.number::<1>(1) + (self.head.number::<1>(2) << 8),
            id => id.into(),
        };
        let index = self.stream(id, format)?;
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(None);
        };
        // The part of the message that this chunk holds, as far as the header before tells.
        let begun = stream.partial.as_ref().map_or(0, BytesMut::len);
        let due = (stream.length - begun).min(self.chunk_size);
        let field = self.head.number::<3>(basic);
        let (extended, may_be_missing) = match format {
            3 => (stream.extended.is_some(), true),
            _ => (field == EXTENDED, false),
        };
        // Bytes that turned out to be the message's, not an extended timestamp.
        let mut not_extended = None;
        let mut time = field;
        if extended && (!may_be_missing || due >= 4 || self.repeats_extended) {
            if !self.head.fill(basic + fields + 4, input) {
                return Ok(None);
            }
            time = self.head.number::<4>(basic + fields);
            if may_be_missing {
                self.repeats_extended = stream.extended == Some(time);
                if !self.repeats_extended && due >= 4 {
                    not_extended = Some(time.to_be_bytes());
                }
            }
        }
        if format < 3 {
            // A new header means a new message, even if the one before was cut off.
            self.unfinished -= stream.partial.take().map_or(0, |partial| partial.len());
            stream.delta = time;
            stream.extended = extended.then_some(time);
        }
        if format < 2 {
            stream.length = self.head.number::<3>(basic + 3) as usize;
            stream.message_type = self.head.byte(basic + 6);
        }
        if format == 0 {
            let id = self.head.number::<4>(basic + 7);
            stream.stream_id = id.swap_bytes();
        }
        self.head.length = 0;
        if stream.partial.is_none() {
            stream.timestamp = match format {
                0 => time,
                _ => stream.timestamp.wrapping_add(stream.delta),
            };
            let limit = match stream.message_type {
                message_type::AUDIO | message_type::VIDEO => self.max_media,
                _ => MAX_COMMAND,
            };
            let length = stream.length;
            if length > limit {
                return Err(ChunkError::TooLong { length, limit });
            }
            stream.partial = Some(BytesMut::new());
        }
        let begun = stream.partial.as_ref().map_or(0, BytesMut::len);
        let left = (stream.length - begun).min(self.chunk_size);
        let mut open = OpenChunk {
            stream: index,
            left,
        };
        if let (Some(bytes), Some(partial)) = (not_extended, &mut stream.partial) {
            // `due` was at least 4, so they fit.
            partial.extend_from_slice(&bytes);
            self.unfinished += bytes.len();
            open.left = left.saturating_sub(bytes.len());
        }
        self.open = Some(open);
        Ok(Some(open))
    }

    /// The index of a chunk stream, which is made if it is new.
    fn stream(&mut self, id: u32, format: u8) -> Result<usize, ChunkError> {
        if let Some(index) = self.streams.iter().position(|stream| stream.id == id) {
            return Ok(index);
        }
        // Type 1 lacks only the message stream; librtmp begins so where that is 0.
        if format > 1 {
            return Err(ChunkError::NoHeader);
        }
        if self.streams.len() == MAX_STREAMS {
            return Err(ChunkError::TooManyStreams);
        }
        self.streams.push(ChunkStream {
            id,
            ..ChunkStream::default()
        });
        Ok(self.streams.len() - 1)
    }

    /// Moves bytes from `input` to the message of the open chunk.
    fn fill_chunk(
        &mut self,
        open: OpenChunk,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        let (now, later) = input.split_at(open.left.min(input.len()));
        let limit = 2 * self.max_media;
        self.unfinished += now.len();
        if self.unfinished > limit {
            return Err(ChunkError::TooMuchUnfinished { limit });
        }
        let Some(stream) = self.streams.get_mut(open.stream) else {
            return Ok(None);
        };
        let Some(partial) = &mut stream.partial else {
            return Ok(None);
        };
        if partial.capacity() - partial.len() < now.len() {
            let missing = stream.length - partial.len();
            // More of this message may lie behind the next header. Only who may publish is trusted so far.
            let hint = if self.max_media > MAX_COMMAND {
                input.len()
            } else {
                0
            };
            partial.reserve(now.len().max(partial.len()).max(hint).min(missing));
        }
        partial.extend_from_slice(now);
        *input = later;
        let left = open.left - now.len();
        self.open = (left > 0).then_some(OpenChunk { left, ..open });
        if partial.len() < stream.length {
            return Ok(None);
        }
        self.unfinished -= partial.len();
        let body = stream.partial.take().unwrap_or_default().freeze();
        Ok(Some(Message {
            message_type: stream.message_type,
            stream_id: stream.stream_id,
            timestamp: stream.timestamp,
            body,
        }))
    }

    fn set_chunk_size(&mut self, mut body: &[u8]) -> Result<(), ChunkError> {
        let size = body.try_get_u32().unwrap_or(0);
        if size == 0 || size > i32::MAX as u32 {
            return Err(ChunkError::ChunkSize(size));
        }
        self.chunk_size = size as usize;
        Ok(())
    }

    fn abort(&mut self, mut body: &[u8]) {
        let id = body.try_get_u32().ok();
        let stream = self.streams.iter_mut().find(|stream| Some(stream.id) == id);
        let partial = stream.and_then(|stream| stream.partial.take());
        self.unfinished -= partial.map_or(0, |partial| partial.len());
    }
}
