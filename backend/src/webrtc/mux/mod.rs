//! One UDP port and one ICE-TCP port for all peer connections.
//!
//! The `webrtc` crate wants sockets of its own for every connection. [`Runtime`] gives it virtual ones:
//! what they send leaves through the shared port, and what arrives there is handed to the one it is for
//! ([`routes`]).

#[cfg(target_os = "linux")]
mod alarm;
#[cfg(not(target_os = "linux"))]
#[path = "alarm/elsewhere.rs"]
mod alarm;
mod attention;
mod beat;
#[cfg(target_os = "linux")]
mod bulk;
#[cfg(not(target_os = "linux"))]
#[path = "bulk/elsewhere.rs"]
mod bulk;
mod moderation;
mod reader;
mod routes;
mod runtime;
mod sockets;
mod steering;
mod stun;
mod tcp;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtc::crypto::RTCCryptoProvider;
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;
use webrtc::runtime::{Transmit, UdpSockRef, UdpSocketState};

pub(super) use self::attention::Attention;
pub(super) use self::bulk::Bulk;
pub(super) use self::reader::Reader;
use self::routes::{Routes, Shared};
use self::runtime::MuxRuntime;
use self::sockets::{bind_beside, bind_pair, tell_less};
use self::steering::Steering;
pub(super) use self::stun::addressee;
pub(super) use self::tcp::Stream as TcpStream;
pub(super) use self::udp::Inbox;
use super::engine::Doorway;
use crate::metrics::METRICS;

/// Largest datagram that is looked at; more than any path's MTU that WebRTC uses.
pub(super) const MAX_DATAGRAM: usize = 2_048;

/// Number of a socket that is always there.
const FIRST: usize = 0;

/// The shared ports and who is behind them.
pub(super) struct Mux {
    /// All on the same port; never empty.
    sockets: Vec<PortSocket>,
    steering: Steering,
    local: SocketAddr,
    routes: Shared<Port>,
    /// Datagrams that the kernel had no room for.
    dropped: AtomicU64,
    /// Peers there have been.
    entered: AtomicU64,
}

/// One of the sockets on the shared UDP port.
struct PortSocket {
    socket: Arc<Socket>,
    state: UdpSocketState,
    /// Bytes sent since [`Mux::count`].
    sent: AtomicU64,
}

/// Where a peer's traffic goes.
enum Port {
    /// To a peer connection: its virtual UDP socket and its virtual TCP listener.
    Connection { udp: Arc<Inbox>, tcp: tcp::Incoming },
    /// To the engine.
    Viewer(Doorway),
}

impl Port {
    fn connect(&self, stream: TcpStream) -> io::Result<()> {
        match self {
            Self::Connection { tcp, .. } => tcp
                .try_send(stream)
                .map_err(|_| io::Error::other("too many connections of one peer")),
            Self::Viewer(doorway) => doorway.connect(stream),
        }
    }
}

impl std::fmt::Debug for Mux {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mux({})", self.local)
    }
}

impl Mux {
    /// Binds both ports, with the same number. The TCP port is served as long as the tasks are kept, and
    /// each UDP socket by its [`Reader`].
    ///
    /// Where the kernel can share a UDP port out among several sockets there are `sockets` of them: while few
    /// peers are there all comes to the first one, later what comes from one address always comes to the same
    /// one. Elsewhere there is one.
    pub(super) fn bind(
        listen: SocketAddr,
        crypto: Arc<dyn RTCCryptoProvider>,
        sockets: usize,
    ) -> io::Result<(Arc<Self>, JoinSet<()>)> {
        let (first, tcp) = bind_pair(listen)?;
        let local = tcp.local_addr()?;
        let mut bound = vec![first];
        bound.extend(bind_beside(&bound[FIRST], sockets)?);
        let sockets = bound.into_iter().map(|socket| {
            let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
            tell_less(&socket);
            Ok(PortSocket {
                state,
                socket: Arc::new(socket),
                sent: AtomicU64::new(0),
            })
        });
        let sockets: Vec<_> = sockets.collect::<io::Result<_>>()?;
        let steering = Steering::new(Arc::clone(&sockets[FIRST].socket));
        let routes = Shared::new(Routes::new(crypto));
        let mux = Arc::new(Self {
            sockets,
            steering,
            local,
            routes,
            dropped: AtomicU64::new(0),
            entered: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(tcp::accept(Arc::clone(&mux), tcp));
        Ok((mux, tasks))
    }

    /// Enters a peer: from now on checks for `ufrag` that are signed with `password` reach the
    /// connection that runs on the runtime, until the registration is dropped. What comes by UDP
    /// waits in the inbox.
    pub(super) fn register(
        self: &Arc<Self>,
        ufrag: &str,
        password: &str,
    ) -> (Registration, MuxRuntime, Arc<Inbox>) {
        let inbox = Arc::<Inbox>::default();
        let (tcp, incoming) = tcp::backlog();
        let port = Port::Connection {
            udp: Arc::clone(&inbox),
            tcp,
        };
        (
            self.enter(ufrag, password, port),
            MuxRuntime::new(Arc::clone(self), Arc::clone(&inbox), incoming),
            inbox,
        )
    }

    /// Enters a viewer of the engine's, until the registration is dropped.
    pub(super) fn register_viewer(
        self: &Arc<Self>,
        ufrag: &str,
        password: &str,
        doorway: Doorway,
    ) -> Registration {
        self.enter(ufrag, password, Port::Viewer(doorway))
    }

    fn enter(self: &Arc<Self>, ufrag: &str, password: &str, port: Port) -> Registration {
        let peers = self.routes.with(|routes| {
            routes.insert(ufrag.to_owned(), password.to_owned(), port);
            routes.len().0
        });
        self.steering.entered(peers);
        self.entered.fetch_add(1, Ordering::Relaxed);
        Registration {
            mux: Arc::clone(self),
            ufrag: ufrag.to_owned(),
        }
    }

    /// The port's address on this machine.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Peers there are now.
    pub(super) fn peers(&self) -> usize {
        self.routes.with(|routes| routes.len().0)
    }

    /// Peers there have been so far.
    fn entered(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }

    /// Sockets on the UDP port.
    pub(super) fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// From now on whoever comes may come to any socket: the first one's worker does not keep up.
    pub(super) fn share_out(&self) {
        self.steering.share_out();
    }

    /// Packets that the kernel cuts from one send.
    pub(super) fn max_segments(&self, socket: usize) -> usize {
        self.socket(socket).state.max_gso_segments()
    }

    /// Waits until the socket takes more.
    pub(super) async fn writable(&self, socket: usize) -> io::Result<()> {
        // Watched for this alone: room appears with each packet that leaves the machine, and whoever reads
        // would be woken each time.
        let socket = Arc::new(self.socket(socket).socket.try_clone()?);
        let socket = watched(socket, Interest::WRITABLE)?;
        socket.writable().await.map(drop)
    }

    /// Adds what was sent to the server's counters. Each socket counts for itself in the meantime, as a
    /// counter of them all would go to and fro between the workers.
    pub(super) fn count(&self) {
        for socket in &self.sockets {
            METRICS
                .webrtc
                .sent
                .inc_by(socket.sent.swap(0, Ordering::Relaxed));
        }
    }

    /// The socket of this number; where there are fewer, they are shared.
    fn socket(&self, number: usize) -> &PortSocket {
        &self.sockets[number % self.sockets.len()]
    }

    /// Sends at once, through the socket of this number.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket's buffer is full.
    pub(super) fn try_send(&self, socket: usize, transmit: &Transmit<'_>) -> io::Result<()> {
        let transmit = Transmit {
            destination: self.destination(transmit.destination),
            ..*transmit
        };
        let socket = self.socket(socket);
        let descriptor = UdpSockRef::from(&*socket.socket);
        socket.state.try_send(descriptor, &transmit)?;
        let bytes = transmit.contents.len() as u64;
        socket.sent.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Sends at once, through the socket of this number, to each peer its run of packets of `segment` bytes, of
    /// which the last may be shorter. Says how many peers' were taken: the first ones'.
    ///
    /// # Errors
    /// When not even the first one's were: what is wrong may be with that one alone.
    pub(super) fn try_send_bulk(
        &self,
        socket: usize,
        bulk: &mut Bulk,
        segment: u16,
        runs: &[(&[u8], SocketAddr)],
    ) -> io::Result<usize> {
        let runs: Vec<_> = runs
            .iter()
            .map(|&(run, to)| (run, self.destination(to)))
            .collect();
        let socket = self.socket(socket);
        let sent = bulk.send(&socket.socket, segment, &runs)?;
        let bytes: usize = runs.iter().take(sent).map(|(run, _)| run.len()).sum();
        socket.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(sent)
    }

    /// The address as the sockets take it.
    fn destination(&self, mut to: SocketAddr) -> SocketAddr {
        if let (IpAddr::V4(ip), true) = (to.ip(), self.local.is_ipv6()) {
            // What a socket for both takes (RFC 4291 section 2.5.5.2).
            to.set_ip(ip.to_ipv6_mapped().into());
        }
        to
    }

    /// Sends at once or not at all: a full socket buffer means loss, as it would further on.
    fn send(&self, socket: usize, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.try_send(socket, transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            other => other,
        }
    }
}

/// Keeps a peer in the routes.
#[derive(Debug)]
pub(super) struct Registration {
    mux: Arc<Mux>,
    ufrag: String,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let peers = self.mux.routes.with(|routes| {
            routes.remove(&self.ufrag);
            routes.len().0
        });
        self.mux.steering.left(peers);
    }
}

/// Has the runtime of this thread watch a socket or a timer, for nothing else than this.
#[expect(
    deprecated,
    reason = "what replaces it is unsafe, because of types that lie about their file: ours do not"
)]
fn watched<T: AsRawFd>(file: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(file, interest)
}
