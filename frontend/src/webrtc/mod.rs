//! Picture and sound: publishing by WHIP (RFC 9725), watching by WHEP (draft-ietf-wish-whep).
//!
//! [`Broadcast`] and [`Playback`] are what pages use: each drives the state machine of the same side
//! in [`crate::logic`] with one connection after another.

mod broadcast;
mod peer;
mod playback;
mod publisher;
mod signaling;
mod viewer;

pub use broadcast::{Broadcast, HostedRoom};
pub use playback::Playback;
