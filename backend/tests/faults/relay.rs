//! A path on which datagrams are lost and late.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Passes datagrams between clients and a server, for as long as it is kept.
pub(crate) struct Relay {
    /// Where clients send to.
    pub(crate) address: SocketAddr,
    _task: JoinSet<()>,
}

/// What the path does.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// Of a hundred datagrams, in each direction.
    pub(crate) lost: u32,
    /// Each is late by anything up to this, so they overtake each other.
    pub(crate) jitter: Duration,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr, path: Path) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(relay(socket, server, path));
        Self {
            address,
            _task: task,
        }
    }
}

async fn relay(socket: Arc<UdpSocket>, server: SocketAddr, path: Path) {
    let mut upstream = HashMap::<SocketAddr, Arc<UdpSocket>>::new();
    let (mut tasks, mut dice) = (JoinSet::new(), Dice(1));
    let mut buffer = [0; 2_048];
    loop {
        let (count, client) = socket.recv_from(&mut buffer).await.unwrap();
        let up = match upstream.entry(client) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let up = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                up.connect(server).await.unwrap();
                tasks.spawn(back(Arc::clone(&up), Arc::clone(&socket), client, path));
                Arc::clone(new.insert(up))
            }
        };
        let bytes = buffer[..count].to_vec();
        dice.pass(path, &mut tasks, async move {
            up.send(&bytes).await.unwrap();
        });
    }
}

/// The way from the server to a client.
async fn back(up: Arc<UdpSocket>, down: Arc<UdpSocket>, client: SocketAddr, path: Path) {
    let (mut sending, mut dice) = (JoinSet::new(), Dice(2));
    let mut buffer = [0; 2_048];
    loop {
        let count = up.recv(&mut buffer).await.unwrap();
        let (bytes, down) = (buffer[..count].to_vec(), Arc::clone(&down));
        dice.pass(path, &mut sending, async move {
            down.send_to(&bytes, client).await.unwrap();
        });
    }
}

/// The same each time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        let (a, c) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(a).wrapping_add(c);
        (self.0 >> 33) % most
    }

    /// Has it sent some time later, or not at all.
    fn pass(
        &mut self,
        path: Path,
        tasks: &mut JoinSet<()>,
        send: impl Future<Output = ()> + Send + 'static,
    ) {
        if self.below(100) < path.lost.into() {
            return;
        }
        let late = self.below(path.jitter.as_millis() as u64 + 1);
        tasks.spawn(async move {
            sleep(Duration::from_millis(late)).await;
            send.await;
        });
    }
}
