//! One direction of the bridge.

use crate::media::access_unit::{AccessUnit, AudioCodec};

/// Turns the sound of a broadcast into another codec.
#[derive(Debug)]
pub struct Transcoder {}

impl Transcoder {
    /// A transcoder to this codec.
    #[must_use]
    pub fn new(_target: AudioCodec) -> Self {
        Self {}
    }

    /// Takes a unit of sound, gives those that are complete now.
    pub fn push(&mut self, _unit: &AccessUnit) -> Vec<AccessUnit> {
        Vec::new()
    }
}
