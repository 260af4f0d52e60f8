//! The server's side of one connection.

mod event;

use bytes::Bytes;

pub use self::event::{Event, PlayRequest, Presented, ProtocolError, PublishRequest};

/// A session. Hand it what arrives, then take its events and its output, in this order, until both are
/// empty. After an error, write out its output and close.
pub struct Session {}

impl Session {
    /// For a connection that nothing was read from yet.
    #[must_use]
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {}
    }

    /// Takes in what arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]; the session is over then.
    pub fn receive(&mut self, _bytes: &[u8]) -> Result<(), ProtocolError> {
        Ok(())
    }

    /// The next thing the client wants or sent.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// What is to be sent to the client; empty when there is nothing.
    pub fn take_output(&mut self) -> Bytes {
        Bytes::new()
    }

    /// Lets the client publish, and reads on in what arrived meanwhile.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn accept_publish(&mut self) -> Result<(), ProtocolError> {
        Ok(())
    }

    /// Tells the client why it may not publish, or not any longer. To be closed soon after.
    pub fn refuse_publish(&mut self, _description: &str) {}

    /// Lets the client play: what [`play`](super::play) makes may be sent to it from now on, behind what
    /// [`take_output`](Self::take_output) gives. Reads on in what arrived meanwhile.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn accept_play(&mut self) -> Result<(), ProtocolError> {
        Ok(())
    }

    /// Tells the client that there is nothing to play. To be closed soon after.
    pub fn refuse_play(&mut self, _description: &str) {}

    /// Tells the player that the broadcast is over.
    pub fn end_play(&mut self) {}

    /// Asks the client for a [`Event::Pong`].
    pub fn ping(&mut self, _now_ms: u32) {}
}
