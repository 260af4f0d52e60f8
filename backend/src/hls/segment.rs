//! Segments and their parts.

use std::time::Duration;

use bytes::Bytes;

use crate::media::time::MediaTime;

/// A part of a segment.
#[derive(Clone, Debug)]
pub struct Part {
    /// How long it lasts.
    pub duration: Duration,
    /// Whether a decoder can start with it.
    pub independent: bool,
    /// Pictures or frames of sound.
    pub samples: usize,
    /// What players get.
    pub data: Bytes,
}

/// A segment; the last of a track is still being written.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its media sequence number.
    pub number: u64,
    /// The number of the initialization segment that it needs.
    pub init: u32,
    /// Whether it does not continue the one before it.
    pub discontinuity: bool,
    /// Discontinuities so far, its own among them.
    pub discontinuities: u64,
    /// When its first sample is presented.
    pub start: MediaTime,
    /// Its parts, oldest first.
    pub parts: Vec<Part>,
    /// All of it, once it is complete.
    pub data: Bytes,
}

impl Segment {
    /// How long it lasts, so far.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.parts.iter().map(|part| part.duration).sum()
    }

    /// Bytes, so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.data.len()).sum()
    }

    /// Whether a decoder can start with it.
    #[must_use]
    pub fn independent(&self) -> bool {
        self.parts.first().is_some_and(|part| part.independent)
    }
}

/// Where a segment begins.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// When its first sample is presented.
    pub start: MediaTime,
    /// Whether it does not continue the one before it.
    pub discontinuity: bool,
}

/// How far a track is: the part that it is going to have next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next {
    /// The segment's number.
    pub segment: u64,
    /// The part's, in its segment.
    pub part: usize,
}
