//! The way from the shared port to one viewer.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::halls::{Guest, Halls};
use super::load::Share;
use super::member::Join;
use super::transport::Path;
use super::worker::Order;
use super::workers::Workers;
use crate::media::stage::Stage;
use crate::webrtc::mux::TcpStream;

/// Where the mux hands over what is for one viewer.
#[derive(Clone)]
pub(in crate::webrtc) struct Doorway(Arc<Place>);

/// A viewer belongs to no worker until its first check has come: it is served where the kernel hands over
/// what it sends (SO_REUSEPORT), so that nothing of it crosses threads.
struct Place {
    workers: Weak<Workers>,
    waiting: Mutex<Option<Waiting>>,
    /// The worker it belongs to, and who it is there.
    home: OnceLock<(usize, Guest)>,
}

/// Somebody whose offer was answered, and who has not come yet.
pub(super) struct Waiting {
    pub(super) join: Box<Join>,
    pub(super) stage: Arc<Stage>,
}

impl Doorway {
    /// For a viewer who may [wait](Doorway::wait) to come.
    pub(super) fn new(workers: &Arc<Workers>) -> Self {
        Self(Arc::new(Place {
            workers: Arc::downgrade(workers),
            waiting: Mutex::default(),
            home: OnceLock::new(),
        }))
    }

    /// From now on the viewer may come.
    pub(super) fn wait(&self, waiting: Waiting) {
        *self.0.waiting.lock() = Some(waiting);
    }

    /// The viewer, if it has not come; it cannot come any more.
    pub(super) fn give_up(&self) -> Option<Waiting> {
        self.0.waiting.lock().take()
    }

    /// Asks a viewer that has come to one of these workers to leave.
    pub(super) async fn close(&self, workers: &Workers) {
        if let Some(&(number, guest)) = self.0.home.get()
            && let Some(worker) = workers.get(number)
        {
            let _ = worker.orders.send(Order::Close(guest)).await;
        }
    }

    /// Takes what came to the socket of the worker that has these halls. What is for another worker is
    /// dropped when that one is too far behind, as a socket's buffer would.
    pub(super) fn push(&self, datagram: &[u8], from: SocketAddr, halls: &Rc<Halls>) {
        let Some((number, guest)) = self.0.home(Some(halls)) else {
            return;
        };
        let path = Path::Udp(from);
        if number == halls.number {
            halls.handle(guest, path, datagram);
        } else if let Some(workers) = self.0.workers.upgrade() {
            let datagram = Bytes::copy_from_slice(datagram);
            workers.order(number, Order::Datagram(guest, path, datagram));
        }
    }

    /// Fails when the worker is too far behind.
    pub(in crate::webrtc) fn connect(&self, stream: TcpStream) -> io::Result<()> {
        let gone = || io::Error::other("the viewer has gone");
        let (number, guest) = self.0.home(None).ok_or_else(gone)?;
        let workers = self.0.workers.upgrade().ok_or_else(gone)?;
        let taken = workers.order(number, Order::Connected(guest, stream));
        let busy = || io::Error::other("too many connections at a time");
        taken.then_some(()).ok_or_else(busy)
    }
}

impl Place {
    /// Where the viewer belongs, which is found when something comes for the first time: to the worker with
    /// these halls, or anywhere else.
    fn home(&self, here: Option<&Rc<Halls>>) -> Option<(usize, Guest)> {
        if let Some(&home) = self.home.get() {
            return Some(home);
        }
        // Held until the home is known: it may come to two sockets at a time.
        let mut waiting = self.waiting.lock();
        if let Some(Waiting { join, stage }) = waiting.take() {
            let workers = self.workers.upgrade()?;
            let number = workers.choose(here.map(|halls| halls.number))?;
            let guest = Guest::of(&join, &stage);
            let share = Share::new(&workers.get(number)?.load);
            match here.filter(|halls| halls.number == number) {
                Some(halls) => halls.enter(*join, stage, share),
                None if workers.order(number, Order::Join(join, stage, share)) => {}
                None => return None,
            }
            let _ = self.home.set((number, guest));
        }
        self.home.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    use rtc::crypto::default_provider;
    use rtc::dtls::crypto::Certificate;
    use rtc::stun::attributes::ATTR_ICE_CONTROLLING;
    use tokio_util::sync::CancellationToken;

    use super::super::dtls::{Fingerprint, Identity};
    use super::super::probe::credentials;
    use super::super::testing::{Client, GCM};
    use super::super::{Engine, View};
    use super::*;
    use crate::media::stage::Tracks;
    use crate::webrtc::codecs::ViewerCodecs;
    use crate::webrtc::mux::Mux;
    use crate::webrtc::session::{self, End, Session};

    /// A test that takes longer has failed.
    const LONG: Duration = Duration::from_secs(5);

    /// An engine, its port, and somebody who may come with this check.
    fn invite(alive: &CancellationToken) -> (Engine, SocketAddr, Session, Vec<u8>) {
        let crypto = default_provider().unwrap();
        let certificate =
            || Certificate::generate_self_signed(vec!["x".into()], crypto.crypto()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let (mux, _) = Mux::bind(listen, Arc::clone(&crypto), Engine::sockets()).unwrap();
        let port = mux.local();
        let identity = Identity {
            certificate: certificate(),
            crypto: Arc::clone(&crypto),
        };
        let engine = Engine::start(mux, identity, alive).unwrap();
        let (session, reporter) = session::new(alive);
        let view = View {
            stage: Arc::default(),
            codecs: ViewerCodecs {
                h264: None,
                opus: None,
            },
            missing: Tracks {
                video: false,
                audio: false,
            },
            credentials: credentials(),
            client: Fingerprint([0; 32]),
        };
        engine.join(view, reporter).unwrap();
        let client = Client::new(Arc::clone(&crypto), certificate(), GCM, Instant::now());
        let check = client.check("secret", &[ATTR_ICE_CONTROLLING]);
        (engine, port, session, check)
    }

    /// Sends a check from an address of its own; answers from where the answer came.
    fn ask(port: SocketAddr, check: &[u8]) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(LONG))?;
        socket.send_to(check, port)?;
        Ok(socket.recv_from(&mut [0; 200])?.1)
    }

    #[tokio::test]
    async fn a_viewer_is_heard_whichever_socket_its_checks_come_to() {
        let alive = CancellationToken::new();
        let _ends = alive.clone().drop_guard();
        let (engine, port, _session, check) = invite(&alive);
        engine.workers.mux.share_out();
        // The kernel shares them out among the sockets, and the viewer belongs to the first one's worker.
        for _ in 0..12 {
            assert_eq!(ask(port, &check).unwrap(), port);
        }
    }

    #[tokio::test]
    async fn viewers_are_told_when_the_server_stops() {
        let alive = CancellationToken::new();
        let (engine, port, mut session, check) = invite(&alive);
        ask(port, &check).unwrap();
        alive.cancel();
        drop(engine);
        assert_eq!(session.ended().await, End::Closed);
    }
}
