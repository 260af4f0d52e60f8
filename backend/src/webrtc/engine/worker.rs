//! The threads that media passes through: those of publishers and viewers by WebRTC.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc as blocking};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio_util::sync::CancellationToken;

use super::halls::{Guest, Halls};
use super::load::{Load, Share};
use super::member::Join;
use super::outlet::Outlet;
use super::transport::Path;
use crate::media::stage::Stage;
use crate::webrtc::feed::Feeds;
use crate::webrtc::mux::{Attention, Mux, Reader, TcpStream};

/// Orders that may wait for a worker; datagrams are dropped beyond, and whoever comes is refused.
const ORDERS: usize = 4_096;
/// Time the viewers have to be told when the server stops.
const FAREWELL: Duration = Duration::from_millis(200);

/// What another thread has for a worker.
pub(super) enum Order {
    /// Somebody comes.
    Join(Box<Join>, Arc<Stage>, Share),
    /// A datagram came to another worker's socket: of a viewer whose address has changed since it came, or
    /// where sockets are fewer than workers.
    Datagram(Guest, Path, Bytes),
    /// A viewer opened a connection.
    Connected(Guest, TcpStream),
    /// A viewer is asked to leave.
    Close(Guest),
}

/// A thread with a runtime of its own: what belongs together there needs no lock, crosses no channel, and
/// wakes no other thread.
pub(super) struct Worker {
    pub(super) load: Arc<Load>,
    pub(super) orders: mpsc::Sender<Order>,
}

impl Worker {
    /// Starts the worker of this number. It ends soon after `alive` does.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be started.
    pub(super) fn start(
        number: usize,
        outlet: Outlet,
        feeds: Arc<Feeds>,
        alive: CancellationToken,
    ) -> io::Result<Self> {
        let load = Arc::new(Load::new(Instant::now()));
        let (orders, waiting) = mpsc::channel(ORDERS);
        let (tell, begun) = blocking::sync_channel(1);
        let shown = Arc::clone(&load);
        thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || {
                let attention = Rc::new(Attention::new(&outlet.mux));
                let (runtime, reader) = match begin(number, &outlet.mux, &attention) {
                    Ok(begun) => begun,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                drop(tell.send(Ok(())));
                let halls = Halls::new(number, outlet, feeds, shown, attention);
                let halls = Rc::new(halls);
                runtime.block_on(serve(halls, reader, waiting, alive));
            })?;
        begun.recv().map_err(io::Error::other)??;
        Ok(Self { load, orders })
    }
}

/// What is needed on the thread: its runtime, and the reader of its socket if it has one.
fn begin(
    number: usize,
    mux: &Arc<Mux>,
    attention: &Rc<Attention>,
) -> io::Result<(LocalRuntime, Option<Reader>)> {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default())?;
    let entered = runtime.enter();
    let reader = (number < mux.sockets()).then(|| Reader::new(mux, number, attention));
    let reader = reader.transpose()?;
    drop(entered);
    Ok((runtime, reader))
}

/// What is begun here ends with the thread's runtime.
async fn serve(
    halls: Rc<Halls>,
    reader: Option<Reader>,
    mut orders: mpsc::Receiver<Order>,
    alive: CancellationToken,
) {
    if let Some(reader) = reader {
        let halls = Rc::clone(&halls);
        spawn_local(reader.run(move |doorway, datagram, from| {
            doorway.push(datagram, from, &halls);
        }));
    }
    spawn_local(async move {
        while let Some(order) = orders.recv().await {
            halls.follow(order);
        }
    });
    alive.cancelled().await;
    tokio::time::sleep(FAREWELL).await;
}
