//! From a publisher's messages to units for the stage.

use bytes::Bytes;

use crate::flv::TagError;
use crate::flv::avc::AvcConfigError;
use crate::flv::metadata::Metadata;
use crate::media::aac::AacError;
use crate::media::stage::{NewUnit, Tracks};
use crate::media::time::MediaTime;

/// What comes out.
#[derive(Debug)]
pub enum Output {
    /// The broadcast begins, or begins anew, with these tracks; times count from here.
    Start(Tracks),
    /// The next unit.
    Unit(NewUnit),
}

/// The broadcast cannot be carried. `Display` names the codec and what to choose; it is meant for
/// [`refuse_publish`](super::session::Session::refuse_publish).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Another codec than H.264 or AAC.
    #[error(transparent)]
    Codec(#[from] TagError),
    /// Parameter sets that cannot be used.
    #[error(transparent)]
    Video(#[from] AvcConfigError),
    /// A form of AAC that cannot be used.
    #[error(transparent)]
    Audio(#[from] AacError),
}

/// A publisher's media, without sockets and clocks: messages go in, units come out of
/// [`poll`](Self::poll). `now` is when a message arrived, on any clock that does not step back.
#[derive(Debug, Default)]
pub struct Intake {}

impl Intake {
    /// Takes in the body of a video message; `timestamp` is in ms and wraps around.
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn video(&mut self, _ts: u32, _body: &Bytes, _now: MediaTime) -> Result<(), Unsupported> {
        Ok(())
    }

    /// Takes in the body of an audio message; `timestamp` is in ms and wraps around.
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn audio(&mut self, _ts: u32, _body: &Bytes, _now: MediaTime) -> Result<(), Unsupported> {
        Ok(())
    }

    /// Takes in what the publisher says its stream is like.
    pub fn metadata(&mut self, _metadata: &Metadata) {}

    /// What there is to do; to be called until it says `None`.
    pub fn poll(&mut self) -> Option<Output> {
        None
    }
}
