//! The way from the shared port to one viewer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::hall::{Inbound, Join};
use super::halls::Halls;
use super::transport::Path;
use crate::media::stage::Stage;
use crate::webrtc::mux::TcpStream;

/// Where the mux hands over what is for one viewer.
#[derive(Clone)]
pub(in crate::webrtc) struct Doorway(Arc<Place>);

/// A viewer belongs to no worker until its first check has come: it is served where the kernel hands over
/// what it sends (SO_REUSEPORT), so that nothing of it ever crosses threads.
struct Place {
    viewer: u64,
    halls: Weak<Halls>,
    waiting: Mutex<Option<Waiting>>,
    door: OnceLock<mpsc::Sender<Inbound>>,
}

/// Somebody whose offer was answered, and who has not come yet.
pub(super) struct Waiting {
    pub(super) join: Box<Join>,
    pub(super) stage: Arc<Stage>,
}

impl Doorway {
    /// For a viewer who may [wait](Doorway::wait) to come.
    pub(super) fn new(viewer: u64, halls: &Arc<Halls>) -> Self {
        Self(Arc::new(Place {
            viewer,
            halls: Arc::downgrade(halls),
            waiting: Mutex::default(),
            door: OnceLock::new(),
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
        if let Some(door) = self.0.door.get() {
            let _ = door.send(Inbound::Close(self.0.viewer)).await;
        }
    }

    /// Takes what came to the socket of this number. Drops the datagram when the hall is too far behind,
    /// as a socket's buffer would.
    pub(in crate::webrtc) fn push(&self, datagram: &[u8], from: SocketAddr, socket: usize) {
        if let Some(door) = self.0.door(Some(socket)) {
            let datagram = Bytes::copy_from_slice(datagram);
            let inbound = Inbound::Datagram(self.0.viewer, Path::Udp(from), datagram);
            let _ = door.try_send(inbound);
        }
    }

    /// Fails when the hall is too far behind.
    pub(in crate::webrtc) fn connect(&self, stream: TcpStream) -> io::Result<()> {
        let door = self.0.door(None);
        let door = door.ok_or_else(|| io::Error::other("the viewer has gone"))?;
        door.try_send(Inbound::Connected(self.0.viewer, stream))
            .map_err(|_| io::Error::other("too many connections at a time"))
    }
}

impl Place {
    /// The way into the viewer's hall, which is found when something comes for the first time.
    fn door(&self, socket: Option<usize>) -> Option<&mpsc::Sender<Inbound>> {
        if self.door.get().is_none() {
            let mut waiting = self.waiting.lock();
            if let Some(Waiting { join, stage }) = waiting.take() {
                let door = self.halls.upgrade()?.enter(join, stage, socket)?;
                let _ = self.door.set(door);
            }
        }
        self.door.get()
    }
}
