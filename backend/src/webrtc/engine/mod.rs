//! The fan-out: WHEP viewers without a general peer connection (draft-ietf-wish-whep).
//!
//! A viewer receives nothing but checks and reports, and what it is sent is packetised already. So all it
//! takes is ICE-lite ([`ice`]), DTLS ([`dtls`]) and SRTP ([`srtp`]), composed to a [`transport`] and, with
//! the tracks, to a [`viewer`], none of which knows a socket. One task per room and worker, its [`hall`],
//! owns the viewers and does for each burst and viewer what cannot be shared: copy, encrypt, send.

mod batch;
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
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::time::timeout;

pub(super) use self::doorway::Doorway;
use self::doorway::Waiting;
pub(super) use self::dtls::{Fingerprint, Identity};
use self::hall::Join;
use self::halls::Halls;
pub(super) use self::ice::Credentials;
pub use self::metrics::{Counts, Metrics};
use self::outlet::Outlet;
#[doc(hidden)]
pub use self::probe::{Ear, Lane};
use self::rtcp::NtpClock;
use self::transport::{CONNECT, Transport};
use self::viewer::Viewer;
pub(super) use self::viewer::{AUDIO_SSRC, CNAME, RTX_SSRC, VIDEO_SSRC};
pub(super) use self::worker::{Worker, start as start_workers};
use super::codecs::ViewerCodecs;
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
    halls: Arc<Halls>,
    identity: Identity,
    clock: NtpClock,
    next: AtomicU64,
}

impl Engine {
    /// Serves viewers on these workers, each with the socket of its number.
    pub(super) fn new(mux: Arc<Mux>, workers: Vec<Worker>, identity: Identity) -> Self {
        let outlet = Outlet {
            mux,
            socket: 0,
            metrics: Arc::default(),
        };
        Self {
            halls: Arc::new(Halls::new(workers, outlet)),
            identity,
            clock: NtpClock::new(),
            next: AtomicU64::new(0),
        }
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.halls.outlet.metrics
    }

    /// What the viewers of this stage reported in the last seconds.
    pub(super) fn paths(&self, stage: &Arc<Stage>) -> Option<Paths> {
        self.halls.paths(stage)
    }

    /// Serves a viewer as soon as it comes.
    ///
    /// # Errors
    /// [`OfferError::Busy`] when those who are there would suffer.
    pub(super) fn join(&self, view: View, reporter: Reporter) -> Result<(), OfferError> {
        let now = Instant::now();
        if self.halls.are_late(now) {
            return Err(OfferError::Busy);
        }
        let (ufrag, password) = (
            view.credentials.ufrag.clone(),
            view.credentials.password.clone(),
        );
        let transport = Transport::new(view.credentials, &self.identity, view.client, now)
            .map_err(|error| internal(&error))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let doorway = Doorway::new(id, &self.halls);
        let mux = &self.halls.outlet.mux;
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
        tokio::spawn(async move {
            let asked = timeout(CONNECT, closed.cancelled()).await.is_ok();
            if let Some(Waiting { join, .. }) = doorway.give_up() {
                let end = if asked { End::Closed } else { End::Lost };
                return join.reporter.ended(end);
            }
            closed.cancelled().await;
            doorway.close().await;
        });
        Ok(())
    }
}
