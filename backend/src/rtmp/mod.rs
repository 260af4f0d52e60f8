//! RTMP (Adobe's specification 1.0, Enhanced RTMP v2), without sockets and clocks.
//!
//! A [`session::Session`] is the server's side of one connection: bytes go in, events and bytes come out.
//! What a publisher sends goes through an [`intake::Intake`] and comes out as units for the stage. What
//! players get is made once for all of them by [`play`].
//!
//! Of `rml_rtmp` only the handshake is used: its chunk reader and its AMF0 can be crashed from outside.

pub mod chunk;
pub mod intake;
pub mod play;
pub mod session;

/// The numbers of message types (section 5.4, 6.2 and 7.1).
pub mod message_type {
    /// The largest chunk the sender is going to send.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// The rest of a message will not come.
    pub const ABORT: u8 = 2;
    /// How many bytes have been received.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// Stream begin and end, pings.
    pub const USER_CONTROL: u8 = 4;
    /// After how many bytes the sender wants an acknowledgement.
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    /// The same, for the other direction.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// The body of an FLV audio tag.
    pub const AUDIO: u8 = 8;
    /// The body of an FLV video tag.
    pub const VIDEO: u8 = 9;
    /// Script data behind a byte that says AMF0.
    pub const DATA_AMF3: u8 = 15;
    /// A command behind a byte that says AMF0.
    pub const COMMAND_AMF3: u8 = 17;
    /// Script data.
    pub const DATA: u8 = 18;
    /// A command.
    pub const COMMAND: u8 = 20;
}
