//! Who reads the sockets of the shared UDP port.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::timeout_at;
use webrtc::runtime::{RecvMeta, UdpSockRef};

use super::routes::Known;
use super::udp::Inbox;
use super::{Doorway, MAX_DATAGRAM, Mux, Port, watched};
use crate::metrics::METRICS;
use crate::tcp::canonical;

/// What is received in one piece: of datagrams that came from one address at once the kernel joins as many
/// as this takes (`UDP_GRO`), and what does not fit is lost.
const MAX_JOINED: usize = 65_536;
/// Pieces that are received in one call. Each is prepared for, whether it is there or not.
const BATCH: usize = 8;

/// Reads one socket of the shared port.
pub(in super::super) struct Reader {
    mux: Arc<Mux>,
    number: usize,
    socket: AsyncFd<Arc<Socket>>,
    known: Known<Port>,
    buffers: Vec<[u8; MAX_JOINED]>,
    /// Where something waits, and until when; the first to be due is in front. No more than arrives while one
    /// waits.
    waiting: VecDeque<(Instant, Arc<Inbox>)>,
}

impl Reader {
    /// Of the socket of this number, on the runtime of this thread.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket, which it does for one reader at a time.
    pub(in super::super) fn new(mux: &Arc<Mux>, number: usize) -> io::Result<Self> {
        let socket = Arc::clone(&mux.socket(number).socket);
        Ok(Self {
            mux: Arc::clone(mux),
            number,
            socket: watched(socket, Interest::READABLE)?,
            known: Known::default(),
            buffers: vec![[0; MAX_JOINED]; BATCH],
            waiting: VecDeque::new(),
        })
    }

    /// Hands each datagram to whom it is for, those for viewers by `take`.
    pub(in super::super) async fn run(mut self, take: impl Fn(&Doorway, &[u8], SocketAddr)) {
        loop {
            let received = match self.release() {
                Some(due) => match timeout_at(due.into(), self.receive(&take)).await {
                    Ok(received) => received,
                    Err(_) => continue,
                },
                None => self.receive(&take).await,
            };
            match received {
                // More is waiting, but so are others.
                Ok(BATCH) => yield_now().await,
                Ok(_) => {}
                // ICMP errors of former peers show up here; they concern nobody else.
                Err(error) => tracing::debug!(%error, "receiving on the WebRTC port"),
            }
        }
    }

    /// Lets go what has waited long enough; says when to do so next.
    fn release(&mut self) -> Option<Instant> {
        while let Some((due, inbox)) = self.waiting.front() {
            // Most do not wait any more: what they waited for has come.
            if inbox.waits_until(*due) {
                if Instant::now() < *due {
                    return Some(*due);
                }
                inbox.release();
            }
            self.waiting.pop_front();
        }
        None
    }

    /// Waits for datagrams; says how many pieces came. Cancel safe.
    async fn receive(&mut self, take: &impl Fn(&Doorway, &[u8], SocketAddr)) -> io::Result<usize> {
        let state = &self.mux.socket(self.number).state;
        let mut ready = self.socket.readable().await?;
        let mut meta = [RecvMeta::default(); BATCH];
        let received = ready.try_io(|socket| {
            let buffers = self.buffers.iter_mut();
            let mut slices: Vec<_> = buffers.map(|b| IoSliceMut::new(b)).collect();
            state.recv(
                UdpSockRef::from(&**socket.get_ref()),
                &mut slices,
                &mut meta,
            )
        });
        let Ok(received) = received else {
            return Ok(0);
        };
        let count = received?;
        if count < BATCH {
            // That was all: what comes later is told anew.
            ready.clear_ready();
        }
        for (buffer, meta) in self.buffers.iter().zip(&meta).take(count) {
            let from = canonical(meta.addr);
            METRICS.webrtc.received.inc_by(meta.len as u64);
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                if datagram.len() > MAX_DATAGRAM {
                    tracing::debug!(%from, length = datagram.len(), "a datagram is too long");
                    continue;
                }
                match self
                    .mux
                    .routes
                    .route(&mut self.known, datagram, from)
                    .as_deref()
                {
                    Some(Port::Connection { udp, .. }) => {
                        if let Some(due) = udp.push(datagram, from) {
                            self.waiting.push_back((due, Arc::clone(udp)));
                        }
                    }
                    Some(Port::Viewer(doorway)) => take(doorway, datagram, from),
                    None => {}
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::UdpSocket;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};
    use webrtc::runtime::{AsyncUdpSocket, Transmit, UdpSocketState};

    use super::super::stun::tests::request;
    use super::super::udp::VirtualSocket;
    use super::super::{Registration, tcp};
    use super::*;

    const PACKET: usize = 1_200;

    /// Sends what the kernel cuts into packets, or keeps in one piece on its way over loopback.
    fn send_run(socket: &UdpSocket, run: &[u8], to: SocketAddr) {
        let state = UdpSocketState::new(UdpSockRef::from(socket)).unwrap();
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: run,
            segment_size: Some(PACKET),
            src_ip: None,
        };
        state.try_send(UdpSockRef::from(socket), &transmit).unwrap();
    }

    /// A port, and what arrives there for somebody who is registered.
    fn port() -> (Arc<Mux>, Arc<Inbox>, Registration) {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _) = Mux::bind(listen, crypto, 1).unwrap();
        let inbox = Arc::<Inbox>::default();
        let port = Port::Connection {
            udp: Arc::clone(&inbox),
            tcp: tcp::backlog().0,
        };
        let registration = mux.enter("ann", "secret", port);
        (mux, inbox, registration)
    }

    #[tokio::test]
    async fn datagrams_that_the_kernel_has_joined_arrive_one_by_one() {
        let (mux, inbox, _registration) = port();
        let publisher = UdpSocket::bind("127.0.0.1:0").unwrap();
        publisher
            .send_to(&request("ann", "secret"), mux.local())
            .unwrap();
        let picture = vec![0x80; 40 * PACKET + 7];
        send_run(&publisher, &picture, mux.local());
        let mut lengths = Vec::new();
        let all_there = async {
            while lengths.len() < 42 {
                sleep(Duration::from_millis(1)).await;
                lengths.extend(std::iter::from_fn(|| inbox.pop()).map(|it| it.0.len()));
            }
        };
        let reader = Reader::new(&mux, 0).unwrap();
        tokio::select! {
            () = reader.run(|_, _, _| ()) => {}
            _ = timeout(Duration::from_secs(5), all_there) => {}
        }
        assert_eq!(lengths[1..], [vec![PACKET; 40], vec![7]].concat());
    }

    #[tokio::test]
    async fn what_waits_is_let_go_even_if_nothing_else_comes() {
        let (mux, inbox, _registration) = port();
        let publisher = UdpSocket::bind("127.0.0.1:0").unwrap();
        let connection = VirtualSocket {
            mux: Arc::clone(&mux),
            inbox: Arc::clone(&inbox),
            address: mux.local(),
        };
        inbox.let_wait(Some(111));
        let (reader, to) = (Reader::new(&mux, 0).unwrap(), mux.local());
        // A task of its own: it runs when it is woken, not whenever the reader does.
        let one_after_the_other = tokio::spawn(async move {
            for datagram in [request("ann", "secret"), vec![0x80, 111, 1]] {
                publisher.send_to(&datagram, to).unwrap();
                let mut buffer = [0; MAX_DATAGRAM];
                let (mut slices, mut meta) =
                    ([IoSliceMut::new(&mut buffer)], [RecvMeta::default()]);
                poll_fn(|cx| connection.poll_recv(cx, &mut slices, &mut meta)).await?;
            }
            io::Result::Ok(())
        });
        let came = tokio::select! {
            () = reader.run(|_, _, _| ()) => None,
            came = timeout(Duration::from_secs(5), one_after_the_other) => came.ok(),
        };
        came.expect("the connection is woken").unwrap().unwrap();
    }

    #[tokio::test]
    async fn while_much_is_waiting_others_have_their_turn() {
        let (mux, inbox, _registration) = port();
        let publisher = UdpSocket::bind("127.0.0.1:0").unwrap();
        let check = request("ann", "secret");
        let all = 4 * BATCH;
        for _ in 0..all {
            publisher.send_to(&check, mux.local()).unwrap();
        }
        let mut turns = Vec::new();
        let others = async {
            while turns.iter().sum::<usize>() < all {
                turns.push(std::iter::from_fn(|| inbox.pop()).count());
                yield_now().await;
            }
        };
        let reader = Reader::new(&mux, 0).unwrap();
        tokio::select! {
            biased;
            () = reader.run(|_, _, _| ()) => {}
            _ = timeout(Duration::from_secs(5), others) => {}
        }
        assert_eq!(turns.iter().sum::<usize>(), all);
        assert!(turns.iter().all(|&turn| turn <= BATCH), "{turns:?}");
    }
}
