//! What a session tells its shell, and why it ends.

use std::fmt;

use bytes::Bytes;

use crate::flv::amf0::AmfError;
use crate::flv::metadata::Metadata;
use crate::rtmp::chunk::reader::ChunkError;

/// What a client wants, or sent. After [`Publish`](Self::Publish) and [`Play`](Self::Play) the session reads
/// nothing more until it has been answered.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// Wants to publish. To be answered with [`accept_publish`](super::Session::accept_publish) or
    /// [`refuse_publish`](super::Session::refuse_publish).
    Publish(PublishRequest),
    /// Wants to play. To be answered with [`accept_play`](super::Session::accept_play) or
    /// [`refuse_play`](super::Session::refuse_play).
    Play(PlayRequest),
    /// The body of a video tag.
    Video {
        /// In ms, wraps around.
        timestamp: u32,
        /// See [`crate::flv::video`].
        body: Bytes,
    },
    /// The body of an audio tag.
    Audio {
        /// In ms, wraps around.
        timestamp: u32,
        /// See [`crate::flv::audio`].
        body: Bytes,
    },
    /// What the publisher says its stream is like.
    Metadata(Metadata),
    /// The publisher is done.
    Unpublish,
    /// The player is done.
    StopPlay,
    /// The client answered a ping.
    Pong {
        /// What the ping said: when it was sent.
        sent_ms: u32,
    },
}

/// Who wants to publish, where, and with which secret.
#[derive(Debug, PartialEq)]
pub struct PublishRequest {
    /// The application, without its query: `live`.
    pub app: String,
    /// The room: the stream's name, without its query.
    pub key: String,
    /// The stream key, if one was given: as `?key=…` behind the name, the application or in the URL.
    pub secret: Option<Presented>,
    /// The URL that was connected to, without its query; empty when the client did not say.
    pub tc_url: String,
}

/// Who wants to play what.
#[derive(Debug, PartialEq, Eq)]
pub struct PlayRequest {
    /// The application, without its query: `live`.
    pub app: String,
    /// The room: the stream's name, without its query.
    pub key: String,
}

/// A secret as a client presented it, right or wrong. `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented(String);

impl Presented {
    /// The secret, to be compared.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Presented {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented([redacted])")
    }
}

/// The client broke the protocol: flush what the session has to say, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// It did not begin as RTMP does (section 5.2).
    #[error("the handshake is not RTMP's")]
    Handshake,
    /// Its chunks cannot be read.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command cannot be read.
    #[error(transparent)]
    Command(#[from] AmfError),
    /// It asked for a stream before it was connected.
    #[error("a command came before the connection was made")]
    NotConnected,
    /// Sound or a picture came from a client that does not publish.
    #[error("media came before a stream was published")]
    MediaBeforePublish,
    /// It sent on while an answer was owed to it.
    #[error("too much was sent before an answer came")]
    Impatient,
    /// The session ended with an error before.
    #[error("the session has ended")]
    Ended,
}
