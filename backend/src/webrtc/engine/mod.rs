//! The fan-out: WHEP viewers without a general peer connection (draft-ietf-wish-whep).
//!
//! A viewer receives nothing but checks and reports, and what it is sent is packetised already. So all it
//! takes is ICE-lite ([`ice`]), DTLS ([`dtls`]) and SRTP ([`srtp`]), composed to a [`transport`] and, with
//! the tracks, to a [`viewer`], none of which knows a socket. One task per room and worker, its [`hall`],
//! owns the viewers and does for each frame and viewer what cannot be shared: copy, encrypt, send.

mod batch;
mod dtls;
mod hall;
mod hello;
mod ice;
mod load;
mod metrics;
mod numbering;
mod outlet;
mod probe;
mod quality;
mod rtcp;
mod srtp;
mod starting;
#[cfg(test)]
mod tests;
mod transport;
mod viewer;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) use self::dtls::{Fingerprint, Identity};
use self::hall::{Hall, INBOX, Inbound, Join};
pub(super) use self::ice::Credentials;
use self::load::{Load, Share};
pub use self::metrics::{Counts, Metrics};
use self::outlet::Outlet;
#[doc(hidden)]
pub use self::probe::{Ear, Lane};
use self::rtcp::NtpClock;
use self::transport::{Path, Transport};
use self::viewer::Viewer;
pub(super) use self::viewer::{AUDIO_SSRC, CNAME, RTX_SSRC, VIDEO_SSRC};
use super::codecs::ViewerCodecs;
use super::feed::Feeds;
use super::mux::{Mux, TcpStream};
use super::peer::internal;
use super::sdp::OfferError;
use super::session::Reporter;
use crate::media::stage::{Stage, Tracks};

/// Connections that one viewer may have at a time.
const MAX_CONNECTIONS: usize = 4;
/// Time the viewers have to be told when the server stops.
const FAREWELL: Duration = Duration::from_millis(200);

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
    workers: Vec<Worker>,
    identity: Identity,
    outlet: Outlet,
    feeds: Feeds,
    /// By the addresses of stage and worker; an address is not used again while a hall holds its stage.
    halls: Mutex<HashMap<(usize, usize), mpsc::WeakSender<Inbound>>>,
    clock: NtpClock,
    next: AtomicU64,
}

/// A thread that serves halls.
struct Worker {
    runtime: runtime::Handle,
    load: Arc<Load>,
}

impl Engine {
    /// Starts a worker for each core. They end after `alive` does.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(
        mux: Arc<Mux>,
        identity: Identity,
        alive: &CancellationToken,
    ) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let workers = (0..cores).map(|number| Worker::start(number, alive.clone()));
        Ok(Self {
            workers: workers.collect::<io::Result<_>>()?,
            identity,
            outlet: Outlet {
                mux,
                metrics: Arc::default(),
            },
            feeds: Feeds::default(),
            halls: Mutex::default(),
            clock: NtpClock::new(),
            next: AtomicU64::new(0),
        })
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.outlet.metrics
    }

    /// Serves a viewer from now on, wherever there is least to do.
    ///
    /// # Errors
    /// [`OfferError::Busy`] when those who are there would suffer.
    pub(super) fn join(&self, view: View, reporter: Reporter) -> Result<(), OfferError> {
        let workers = self.workers.iter().enumerate();
        let (index, worker) = workers
            .min_by_key(|(_, worker)| worker.load.viewers())
            .ok_or(OfferError::Busy)?;
        let now = Instant::now();
        if worker.load.is_late(now) {
            return Err(OfferError::Busy);
        }
        let (ufrag, password) = (
            view.credentials.ufrag.clone(),
            view.credentials.password.clone(),
        );
        let transport = Transport::new(view.credentials, &self.identity, view.client, now)
            .map_err(|error| internal(&error))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let door = self.door(index, worker, view.stage);
        let doorway = Doorway {
            viewer: id,
            door: door.clone(),
        };
        let registration = self.outlet.mux.register_viewer(&ufrag, &password, doorway);
        let closed = reporter.close.clone();
        let join = Join {
            id,
            viewer: Viewer::new(transport, &view.codecs, self.clock, now),
            missing: view.missing,
            reporter,
            registration,
            share: Share::new(&worker.load),
            span: tracing::Span::current(),
        };
        door.try_send(Inbound::Join(Box::new(join)))
            .map_err(|_| OfferError::Busy)?;
        tokio::spawn(async move {
            closed.cancelled().await;
            let _ = door.send(Inbound::Close(id)).await;
        });
        Ok(())
    }

    /// The way into the hall of this room on this worker.
    fn door(&self, index: usize, worker: &Worker, stage: Arc<Stage>) -> mpsc::Sender<Inbound> {
        let key = (Arc::as_ptr(&stage) as usize, index);
        let mut halls = self.halls.lock();
        if let Some(door) = halls.get(&key).and_then(mpsc::WeakSender::upgrade) {
            return door;
        }
        halls.retain(|_, door| door.strong_count() > 0);
        let (door, inbox) = mpsc::channel(INBOX);
        halls.insert(key, door.downgrade());
        let feed = self.feeds.of(&stage);
        let (outlet, load) = (self.outlet.clone(), Arc::clone(&worker.load));
        let hall = Hall::new((door.downgrade(), inbox), stage, feed, outlet, load);
        worker.runtime.spawn(hall.run());
        door
    }
}

impl Worker {
    fn start(number: usize, alive: CancellationToken) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name(format!("viewers-{number}"))
            .spawn(move || {
                runtime.block_on(async move {
                    alive.cancelled().await;
                    tokio::time::sleep(FAREWELL).await;
                });
            })?;
        Ok(Self {
            runtime: handle,
            load: Arc::new(Load::new(Instant::now())),
        })
    }
}

/// Where the mux hands over what is for one viewer.
#[derive(Clone)]
pub(super) struct Doorway {
    viewer: u64,
    door: mpsc::Sender<Inbound>,
}

impl Doorway {
    /// Drops the datagram when the hall is too far behind, as a socket's buffer would.
    pub(super) fn push(&self, datagram: &[u8], from: SocketAddr) {
        let datagram = Bytes::copy_from_slice(datagram);
        let inbound = Inbound::Datagram(self.viewer, Path::Udp(from), datagram);
        let _ = self.door.try_send(inbound);
    }

    /// Fails when the hall is too far behind.
    pub(super) fn connect(&self, stream: TcpStream) -> io::Result<()> {
        self.door
            .try_send(Inbound::Connected(self.viewer, stream))
            .map_err(|_| io::Error::other("too many connections at a time"))
    }
}
