//! What a worker tells the reader of its socket about how to read it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Mux;
use super::moderation::{Moderation, Reading};
use crate::media::time::MediaTime;

/// How the socket of a worker is read. It does not leave the worker's thread.
pub(in super::super) struct Attention {
    mux: Arc<Mux>,
    /// Peers that the mux had when it was looked at last.
    entered: Cell<u64>,
    moderation: RefCell<Moderation>,
    burst: Notify,
    waited: Cell<Duration>,
}

impl Attention {
    /// Of a worker that has done nothing yet.
    pub(in super::super) fn new(mux: &Arc<Mux>) -> Self {
        Self {
            mux: Arc::clone(mux),
            entered: Cell::new(mux.entered()),
            moderation: RefCell::new(Moderation::new(Instant::now())),
            burst: Notify::new(),
            waited: Cell::default(),
        }
    }

    /// Somebody waits for an answer, or soon will.
    pub(in super::super) fn attend(&self, now: Instant) {
        self.moderation.borrow_mut().attend(now);
    }

    /// A burst is sent to many; if a picture is in it, that is `at` this time of its broadcast.
    pub(in super::super) fn burst(&self, now: Instant, at: Option<MediaTime>) {
        let mut moderation = self.moderation.borrow_mut();
        let entered = self.mux.entered();
        if self.entered.replace(entered) != entered {
            // Whoever was let in will come.
            moderation.attend(now);
        }
        moderation.burst(now, at);
        self.burst.notify_one();
    }

    /// How long what is handed over now was there before it was read, on average.
    pub(in super::super) fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// What is handed over from now on came at some time within the last `span`.
    pub(super) fn came_within(&self, span: Duration) {
        self.waited.set(span / 2);
    }

    /// A publisher's packet was read.
    pub(super) fn feed(&self, now: Instant) {
        self.moderation.borrow_mut().feed(now);
    }

    /// How the socket is read now.
    pub(super) fn reading(&self) -> Reading {
        self.moderation.borrow().reading()
    }

    /// Waits for a burst.
    pub(super) async fn bursts(&self) {
        self.burst.notified().await;
    }

    /// Whether to read what came meanwhile; `is_due` at the moment that [`Attention::reading`] named.
    pub(super) fn takes_a_look(&self, now: Instant, is_due: bool) -> bool {
        let mut moderation = self.moderation.borrow_mut();
        if is_due {
            moderation.is_due(now);
        }
        moderation.takes_a_look()
    }
}
