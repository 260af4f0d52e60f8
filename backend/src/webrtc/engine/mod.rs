//! The fan-out: WHEP viewers without a general peer connection (draft-ietf-wish-whep).
//!
//! A viewer receives nothing but checks and reports, and what it is sent is packetised already. So all it
//! takes is ICE-lite ([`ice`]), DTLS ([`dtls`]) and SRTP ([`srtp`]), composed to a [`transport`] and, with
//! the tracks, to a [`viewer`], none of which knows a socket. One task per room and worker, its [`hall`],
//! owns the viewers and does for each burst and viewer what cannot be shared: copy, encrypt, send.

mod batch;
mod connection;
mod doorway;
mod dtls;
mod hall;
mod halls;
mod hello;
mod ice;
mod load;
mod loss;
mod member;
mod metrics;
mod numbering;
mod outlet;
pub(super) mod probe;
mod quality;
mod rtcp;
mod srtp;
mod starting;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transport;
mod viewer;
mod volley;
mod worker;
mod workers;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(super) use self::doorway::Doorway;
use self::doorway::Waiting;
pub(super) use self::dtls::{Fingerprint, Identity};
pub(super) use self::ice::Credentials;
use self::member::Join;
pub use self::metrics::{Counts, Metrics};
#[doc(hidden)]
pub use self::probe::{Ear, Lane};
use self::rtcp::NtpClock;
use self::transport::{CONNECT, Transport};
use self::viewer::Viewer;
pub(super) use self::viewer::{AUDIO_SSRC, CNAME, RTX_SSRC, VIDEO_SSRC};
use self::workers::Workers;
use super::codecs::ViewerCodecs;
use super::feed::Feeds;
use super::mux::Mux;
use super::paths::Paths;
use super::peer::internal;
use super::sdp::OfferError;
use super::session::{End, Reporter};
use crate::media::stage::{Stage, Tracks};

/// Connections that one viewer may have at a time.
const MAX_CONNECTIONS: usize = 4;

/// What a viewer watches, and with what.
pub(super) struct View {
    pub(super) stage: Arc<Stage>,
    pub(super) codecs: ViewerCodecs,
    /// Tracks that the viewer would take but the room did not have when it came.
    pub(super) missing: Tracks,
    pub(super) credentials: Credentials,
    pub(super) client: Fingerprint,
}

/// Serves all viewers.
pub(super) struct Engine {
    workers: Arc<Workers>,
    identity: Identity,
    clock: NtpClock,
    next: AtomicU64,
}

impl Engine {
    /// Sockets that it wants on the port, to have one for each worker.
    pub(super) fn sockets() -> usize {
        Workers::count()
    }

    /// Reads the mux and serves viewers until soon after `alive` has ended.
    ///
    /// # Errors
    /// When there are no threads.
    pub(super) fn start(
        mux: Arc<Mux>,
        identity: Identity,
        alive: &CancellationToken,
    ) -> io::Result<Self> {
        Ok(Self {
            workers: Arc::new(Workers::start(mux, alive)?),
            identity,
            clock: NtpClock::new(),
            next: AtomicU64::new(0),
        })
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.workers.metrics
    }

    /// What viewers are sent, room by room.
    pub(super) fn feeds(&self) -> Arc<Feeds> {
        Arc::clone(&self.workers.feeds)
    }

    /// What the viewers of this stage reported in the last seconds.
    pub(super) fn paths(&self, stage: &Arc<Stage>) -> Option<Paths> {
        self.workers.paths(stage)
    }

    /// Serves a viewer as soon as it comes.
    ///
    /// # Errors
    /// [`OfferError::Busy`] when those who are there would suffer.
    pub(super) fn join(&self, view: View, reporter: Reporter) -> Result<(), OfferError> {
        let now = Instant::now();
        if self.workers.are_late(now) {
            return Err(OfferError::Busy);
        }
        let (ufrag, password) = (
            view.credentials.ufrag.clone(),
            view.credentials.password.clone(),
        );
        let transport = Transport::new(view.credentials, &self.identity, view.client, now)
            .map_err(|error| internal(&error))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let doorway = Doorway::new(&self.workers);
        let mux = &self.workers.mux;
        let registration = mux.register_viewer(&ufrag, &password, doorway.clone());
        let closed = reporter.close.clone();
        let join = Box::new(Join {
            id,
            viewer: Viewer::new(transport, &view.codecs, self.clock, now),
            missing: view.missing,
            reporter,
            registration,
            span: tracing::Span::current(),
        });
        let stage = view.stage;
        doorway.wait(Waiting { join, stage });
        // Held for those who are to be told that the server stops, when the engine is gone already.
        let workers = Arc::clone(&self.workers);
        tokio::spawn(async move {
            let asked = timeout(CONNECT, closed.cancelled()).await.is_ok();
            if let Some(Waiting { join, .. }) = doorway.give_up() {
                let end = if asked { End::Closed } else { End::Lost };
                return join.reporter.ended(end);
            }
            closed.cancelled().await;
            doorway.close(&workers).await;
        });
        Ok(())
    }
}
