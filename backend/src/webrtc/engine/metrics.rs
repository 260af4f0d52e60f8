//! What the engine counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::batch::Appended;
use crate::webrtc::paths::{PathMeter, Paths};

/// Counters of all viewers since the start, unless a field says otherwise. Read them with
/// [`Metrics::snapshot`].
#[derive(Debug, Default)]
pub struct Metrics {
    pub(super) viewers: AtomicU64,
    pub(super) joined: AtomicU64,
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) retransmissions: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) jumps: AtomicU64,
    pub(super) keyframe_requests: AtomicU64,
    pub(super) hopeless: AtomicU64,
    pub(super) paths: PathMeter,
}

/// [`Metrics`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Viewers whose transport is connected now.
    pub viewers: u64,
    /// Viewers that connected.
    pub joined: u64,
    /// RTP packets sent, retransmissions among them.
    pub packets: u64,
    /// Bytes of them, with SRTP's overhead.
    pub bytes: u64,
    /// RTP packets that viewers missed and got again.
    pub retransmissions: u64,
    /// Datagrams the kernel had no room for.
    pub unsent: u64,
    /// Times a viewer that was behind was moved to a newer keyframe.
    pub jumps: u64,
    /// Viewers' wishes for a keyframe, before they are joined to one.
    pub keyframe_requests: u64,
    /// Viewers whose path could not carry the stream.
    pub hopeless: u64,
    /// What viewers reported in the last seconds.
    pub paths: Option<Paths>,
}

impl Metrics {
    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            viewers: read(&self.viewers),
            joined: read(&self.joined),
            packets: read(&self.packets),
            bytes: read(&self.bytes),
            retransmissions: read(&self.retransmissions),
            unsent: read(&self.unsent),
            jumps: read(&self.jumps),
            keyframe_requests: read(&self.keyframe_requests),
            hopeless: read(&self.hopeless),
            paths: self.paths.recent(Instant::now()),
        }
    }

    /// Counts packets that were on their way.
    pub(super) fn sent(&self, appended: Appended) {
        if appended != Appended::default() {
            Self::add(&self.packets, appended.packets);
            Self::add(&self.bytes, appended.bytes);
        }
    }

    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}
