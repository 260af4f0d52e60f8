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

    /// Asks a viewer that has come to leave.
    pub(super) async fn close(&self) {
        if let (Some(&(number, guest)), Some(workers)) =
            (self.0.home.get(), self.0.workers.upgrade())
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
