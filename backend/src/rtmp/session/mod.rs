//! The server's side of one connection.

mod commands;
mod event;
mod names;
mod outbox;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

pub use self::event::{Event, PlayRequest, Presented, ProtocolError, PublishRequest};
use self::names::Connection;
use self::outbox::{Outbox, UserControl};
use super::chunk::reader::{ChunkReader, Message};
use super::message_type;
use super::play::STREAM;
use crate::flv::amf0;
use crate::flv::metadata::Metadata;

/// After how many bytes either side wants an acknowledgement.
const WINDOW: u32 = 2_500_000;
/// Most bytes that are kept while an answer is owed to the client.
const MAX_HELD: usize = 128 << 10;

/// A session. Hand it what arrives, then take its events and its output, until both are empty.
///
/// After an error or a refusal, send what [`take_output`](Self::take_output) gives, shut down the sending
/// side, and read on for a moment before closing: a socket that is closed with unread bytes is reset, and
/// the client never learns why.
pub struct Session {
    /// Until it is over.
    handshake: Option<Box<Handshake>>,
    reader: ChunkReader,
    outbox: Outbox,
    events: VecDeque<Event>,
    acknowledgements: Acknowledgements,
    connection: Option<Connection>,
    role: Role,
    /// What arrived while an answer was owed.
    held: BytesMut,
    ended: bool,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Idle,
    AskedToPublish,
    Publishing,
    AskedToPlay,
    Playing,
    /// It was used, and may be used again.
    Done,
}

/// Counts what is received (section 5.4.3); all of it wraps around.
struct Acknowledgements {
    window: u32,
    received: u32,
    acknowledged: u32,
}

impl fmt::Debug for Session {
    /// Tells nothing that was received: secrets are among it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Session");
        debug.field("role", &self.role).finish_non_exhaustive()
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// For a connection that nothing was read from yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handshake: Some(Box::new(Handshake::new(PeerType::Server))),
            reader: ChunkReader::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            acknowledgements: Acknowledgements {
                window: WINDOW,
                received: 0,
                acknowledged: 0,
            },
            connection: None,
            role: Role::Idle,
            held: BytesMut::new(),
            ended: false,
        }
    }

    /// Takes in what arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]; the session is over then, and the client is told why.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        if self.ended {
            return Err(ProtocolError::Ended);
        }
        let counted = &mut self.acknowledgements;
        counted.received = counted.received.wrapping_add(bytes.len() as u32);
        let read = self.read(bytes);
        self.finish(read)?;
        let counted = &mut self.acknowledgements;
        let due = counted.received.wrapping_sub(counted.acknowledged) >= counted.window;
        if due && self.handshake.is_none() {
            counted.acknowledged = counted.received;
            let received = counted.received;
            self.outbox.control(message_type::ACKNOWLEDGEMENT, received);
        }
        Ok(())
    }

    /// The next thing the client wants or sent.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be sent to the client; empty when there is nothing.
    pub fn take_output(&mut self) -> Bytes {
        self.outbox.take()
    }

    /// Lets the client publish, and reads on in what arrived meanwhile. Does nothing if it did not ask.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn accept_publish(&mut self) -> Result<(), ProtocolError> {
        if self.role != Role::AskedToPublish {
            return Ok(());
        }
        self.role = Role::Publishing;
        self.reader.allow_media();
        self.on_fc("onFCPublish", "NetStream.Publish.Start");
        self.outbox.user_control(UserControl::StreamBegin, STREAM);
        self.outbox
            .status("status", "NetStream.Publish.Start", "The stream is live.");
        self.read_held()
    }

    /// Tells the client why it may not publish, or not any longer, and ends the session: encoders show the
    /// description to the person.
    pub fn refuse_publish(&mut self, description: &str) {
        self.refuse("NetStream.Publish.BadName", description);
    }

    /// Lets the client play: what [`play`](super::play) makes may be sent to it from now on, behind what
    /// [`take_output`](Self::take_output) gives. Reads on in what arrived meanwhile. Does nothing if it did
    /// not ask.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn accept_play(&mut self) -> Result<(), ProtocolError> {
        if self.role != Role::AskedToPlay {
            return Ok(());
        }
        self.role = Role::Playing;
        self.outbox.user_control(UserControl::StreamBegin, STREAM);
        self.outbox.status(
            "status",
            "NetStream.Play.Reset",
            "Playing from the newest keyframe.",
        );
        self.outbox
            .status("status", "NetStream.Play.Start", "The stream is live.");
        // Lets players of Flash look at the samples; others expect it all the same.
        self.outbox
            .data(&["|RtmpSampleAccess".into(), true.into(), true.into()]);
        self.read_held()
    }

    /// Tells the client why there is nothing to play, and ends the session.
    pub fn refuse_play(&mut self, description: &str) {
        self.refuse("NetStream.Play.StreamNotFound", description);
    }

    /// Tells a player that the broadcast is over. Does nothing if the client does not play.
    pub fn end_play(&mut self) {
        if self.role == Role::Playing {
            self.role = Role::Done;
            self.outbox.status(
                "status",
                "NetStream.Play.UnpublishNotify",
                "The stream has ended.",
            );
            self.outbox.user_control(UserControl::StreamEof, STREAM);
        }
    }

    /// Asks the client for an [`Event::Pong`].
    pub fn ping(&mut self, now_ms: u32) {
        self.outbox.user_control(UserControl::PingRequest, now_ms);
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        let Some(handshake) = &mut self.handshake else {
            return self.read_chunks(bytes);
        };
        let result = handshake
            .process_bytes(bytes)
            .map_err(|_| ProtocolError::Handshake)?;
        match result {
            HandshakeProcessResult::InProgress { response_bytes } => {
                self.outbox.raw(&response_bytes);
                Ok(())
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                self.outbox.raw(&response_bytes);
                self.handshake = None;
                self.read_chunks(&remaining_bytes)
            }
        }
    }

    fn read_chunks(&mut self, mut input: &[u8]) -> Result<(), ProtocolError> {
        while !matches!(self.role, Role::AskedToPublish | Role::AskedToPlay) {
            let Some(message) = self.reader.next(&mut input)? else {
                return Ok(());
            };
            self.message(message)?;
        }
        if self.held.len() + input.len() > MAX_HELD {
            return Err(ProtocolError::Impatient);
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    fn read_held(&mut self) -> Result<(), ProtocolError> {
        let held = std::mem::take(&mut self.held);
        let read = self.read_chunks(&held);
        self.finish(read)
    }

    /// Ends the session if it failed, and says why where there is somebody who understands.
    fn finish(&mut self, read: Result<(), ProtocolError>) -> Result<(), ProtocolError> {
        if let Err(error) = read {
            if self.connection.is_some() {
                let code = match self.role {
                    Role::AskedToPlay | Role::Playing => "NetStream.Play.Failed",
                    _ => "NetStream.Publish.BadName",
                };
                self.outbox.status("error", code, &error.to_string());
            }
            self.end();
        }
        read
    }

    fn refuse(&mut self, code: &str, description: &str) {
        if !self.ended {
            self.outbox.status("error", code, description);
            self.events.clear();
            self.end();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.role = Role::Done;
        self.held = BytesMut::new();
    }

    fn message(&mut self, message: Message) -> Result<(), ProtocolError> {
        let Message {
            message_type,
            timestamp,
            body,
            ..
        } = message;
        match message_type {
            message_type::VIDEO => self.media(Event::Video { timestamp, body }),
            message_type::AUDIO => self.media(Event::Audio { timestamp, body }),
            message_type::COMMAND => self.command(&body),
            message_type::COMMAND_AMF3 => self.command(body.strip_prefix(&[0]).unwrap_or(&body)),
            message_type::DATA => {
                self.data(&body);
                Ok(())
            }
            message_type::DATA_AMF3 => {
                self.data(body.strip_prefix(&[0]).unwrap_or(&body));
                Ok(())
            }
            message_type::USER_CONTROL => {
                self.user_control(&body);
                Ok(())
            }
            message_type::WINDOW_ACKNOWLEDGEMENT_SIZE => {
                if let Ok(window) = (&body[..]).try_get_u32() {
                    self.acknowledgements.window = window.max(1);
                }
                Ok(())
            }
            // Acknowledgements, bandwidth limits, shared objects, aggregates.
            _ => Ok(()),
        }
    }

    fn media(&mut self, event: Event) -> Result<(), ProtocolError> {
        match (self.role, &event) {
            (_, Event::Video { body, .. } | Event::Audio { body, .. }) if body.is_empty() => Ok(()),
            (Role::Publishing, _) => {
                self.events.push_back(event);
                Ok(())
            }
            // What was on its way when the stream ended.
            (Role::Done, _) => Ok(()),
            _ => Err(ProtocolError::MediaBeforePublish),
        }
    }

    fn data(&mut self, body: &[u8]) {
        if self.role != Role::Publishing {
            return;
        }
        match amf0::read(body) {
            Ok(values) => self
                .events
                .extend(Metadata::read(&values).map(Event::Metadata)),
            Err(error) => tracing::debug!(%error, "metadata of a publisher"),
        }
    }

    /// Section 7.1.7.
    fn user_control(&mut self, mut body: &[u8]) {
        let (Ok(kind), Ok(value)) = (body.try_get_u16(), body.try_get_u32()) else {
            return;
        };
        if kind == UserControl::PingRequest as u16 {
            self.outbox.user_control(UserControl::PingResponse, value);
        } else if kind == UserControl::PingResponse as u16 {
            self.events.push_back(Event::Pong { sent_ms: value });
        }
    }
}
