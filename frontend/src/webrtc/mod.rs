//! Picture and sound: publishing by WHIP (RFC 9725), watching by WHEP (draft-ietf-wish-whep).
//!
//! Pages use [`Broadcast`], which drives the state machine in [`crate::logic::publisher`] with one
//! connection after another, and [`crate::playback`] for watching.

mod broadcast;
mod peer;
mod publisher;
mod signaling;
mod viewer;

pub use broadcast::{Broadcast, HostedRoom};
pub(crate) use peer::LinkState;
pub(crate) use viewer::Viewer;
