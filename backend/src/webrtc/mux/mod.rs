//! One UDP port and one ICE-TCP port for all peer connections.
//!
//! The `webrtc` crate wants sockets of its own for every connection. [`Runtime`] gives it virtual ones:
//! what they send leaves through the shared port, and what arrives there is handed to the one it is for
//! ([`routes`]).

mod routes;
mod runtime;
mod stun;
mod tcp;
mod udp;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rtc::crypto::RTCCryptoProvider;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use webrtc::runtime::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

use self::routes::Routes;
use self::runtime::MuxRuntime;
pub(super) use self::stun::addressee;
pub(super) use self::tcp::Stream as TcpStream;
use super::engine::Doorway;
use crate::metrics::METRICS;
use crate::tcp::{canonical, listen as listen_tcp};

/// What the kernel may hold for us; a burst of keyframes to many viewers has to fit.
const SOCKET_BUFFER: usize = 8 << 20;
/// Largest datagram that is looked at; more than any path's MTU that WebRTC uses.
pub(super) const MAX_DATAGRAM: usize = 2_048;

/// The shared ports and who is behind them.
pub(super) struct Mux {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    routes: Mutex<Routes<Port>>,
    /// Datagrams that the kernel had no room for.
    dropped: AtomicU64,
}

/// Where a peer's traffic goes.
#[derive(Clone)]
enum Port {
    /// To a peer connection: its virtual UDP socket and its virtual TCP listener.
    Connection {
        udp: Arc<udp::Inbox>,
        tcp: tcp::Incoming,
    },
    /// To the engine.
    Viewer(Doorway),
}

impl Port {
    fn push(&self, datagram: &[u8], from: SocketAddr) {
        match self {
            Self::Connection { udp, .. } => udp.push(datagram, from),
            Self::Viewer(doorway) => doorway.push(datagram, from),
        }
    }

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
    /// Binds both ports, with the same number. They are served as long as the tasks are kept.
    pub(super) async fn bind(
        listen: SocketAddr,
        crypto: Arc<dyn RTCCryptoProvider>,
    ) -> io::Result<(Arc<Self>, JoinSet<()>)> {
        let (socket, tcp) = bind_pair(listen)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        let routes = Mutex::new(Routes::new(crypto));
        let mux = Arc::new(Self {
            socket,
            state,
            local,
            routes,
            dropped: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(udp::receive(Arc::clone(&mux)));
        tasks.spawn(tcp::accept(Arc::clone(&mux), tcp));
        Ok((mux, tasks))
    }

    /// Enters a peer: from now on checks for `ufrag` that are signed with `password` reach the
    /// connection that runs on the runtime, until the registration is dropped.
    pub(super) fn register(
        self: &Arc<Self>,
        ufrag: &str,
        password: &str,
    ) -> (Registration, MuxRuntime) {
        let inbox = Arc::new(udp::Inbox::default());
        let (tcp, incoming) = tcp::backlog();
        let port = Port::Connection {
            udp: Arc::clone(&inbox),
            tcp,
        };
        (
            self.enter(ufrag, password, port),
            MuxRuntime::new(Arc::clone(self), inbox, incoming),
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
        self.routes
            .lock()
            .insert(ufrag.to_owned(), password.to_owned(), port);
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
        self.routes.lock().len().0
    }

    /// Packets that the kernel cuts from one send.
    pub(super) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Waits until the socket takes more.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Sends at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket's buffer is full.
    pub(super) fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut transmit = Transmit { ..*transmit };
        if let (IpAddr::V4(ip), true) = (transmit.destination.ip(), self.local.is_ipv6()) {
            // What a socket for both takes (RFC 4291 section 2.5.5.2).
            transmit.destination.set_ip(ip.to_ipv6_mapped().into());
        }
        self.socket.try_io(Interest::WRITABLE, || {
            self.state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
        })?;
        METRICS.webrtc.sent.inc_by(transmit.contents.len() as u64);
        Ok(())
    }

    /// Sends at once or not at all: a full socket buffer means loss, as it would further on.
    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.try_send(transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            other => other,
        }
    }

    /// Waits for datagrams and hands each to whom it is for.
    async fn receive(&self, buffers: &mut [[u8; MAX_DATAGRAM]]) -> io::Result<()> {
        self.socket.readable().await?;
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let received = self.socket.try_io(Interest::READABLE, || {
            let mut slices: Vec<_> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            self.state
                .recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)
        });
        let count = match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        for (buffer, meta) in buffers.iter().zip(&meta).take(count) {
            let from = canonical(meta.addr);
            // The kernel may have joined several datagrams of one sender (GRO).
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                self.dispatch(datagram, from);
            }
        }
        Ok(())
    }

    fn dispatch(&self, datagram: &[u8], from: SocketAddr) {
        METRICS.webrtc.received.inc_by(datagram.len() as u64);
        let mut routes = self.routes.lock();
        if let Some(port) = routes.route(datagram, from) {
            port.push(datagram, from);
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
        self.mux.routes.lock().remove(&self.ufrag);
    }
}

/// A UDP socket and a TCP listener on the same port. With port 0 the kernel picks one for UDP that may be
/// taken for TCP: then it picks again.
fn bind_pair(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = if listen.port() == 0 { 16 } else { 1 };
    loop {
        attempts -= 1;
        let socket = Socket::new(
            Domain::for_address(listen),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if listen.is_ipv6() {
            // `[::]` takes IPv4 too, whatever the system's default is.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        size_buffers(&socket);
        socket.bind(&listen.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        match listen_tcp(socket.local_addr()?) {
            Ok(listener) => return Ok((socket, listener)),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// The kernel grants what its limits allow; less is no reason not to start, but to say so.
fn size_buffers(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    for (granted, sysctl) in [
        (socket.recv_buffer_size(), "net.core.rmem_max"),
        (socket.send_buffer_size(), "net.core.wmem_max"),
    ] {
        // Linux tells twice what is usable.
        let granted = granted.unwrap_or_default() / 2;
        if granted < SOCKET_BUFFER {
            tracing::warn!(
                granted,
                wanted = SOCKET_BUFFER,
                "small buffers for WebRTC: with many viewers raise {sysctl} to {SOCKET_BUFFER}"
            );
        }
    }
}
