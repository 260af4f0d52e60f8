//! The one vocabulary of the page and the server.
//!
//! Everything that crosses the wire between them is defined here once: the HTTP API's bodies
//! ([`api`]), the Socket.IO events ([`events`]), the room as everybody sees it ([`room`]), the people in
//! it ([`person`]), how a broadcast does ([`health`]), the gifts there are ([`gift`]), what text may look
//! like ([`text`]), how much of anything is allowed ([`limits`]) and what viewers add to their offer ([`sdp`]).
//! No I/O, no clocks: both sides compile it, one of them to WebAssembly.
//!
//! Moments are whole milliseconds since the Unix epoch ([`UnixMillis`]) throughout.

pub mod api;
pub mod events;
pub mod gift;
pub mod health;
pub mod limits;
pub mod person;
pub mod room;
pub mod sdp;
pub mod text;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMillis = u64;
