//! The virtual UDP socket of one peer connection.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::routes::Known;
use super::{BATCH, FIRST, MAX_JOINED, Mux};

/// Datagrams a peer connection may be behind before new ones are dropped, as a socket's buffer would.
const INBOX: usize = 512;

/// Reads one socket of the shared port.
pub(super) async fn receive(mux: Arc<Mux>, socket: usize) {
    let mut known = Known::default();
    let mut buffers = vec![[0; MAX_JOINED]; BATCH];
    loop {
        if let Err(error) = mux.receive(socket, &mut known, &mut buffers).await {
            // ICMP errors of former peers show up here; they concern nobody else.
            tracing::debug!(%error, "receiving on the WebRTC port");
        }
    }
}

/// What has arrived for one peer and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    datagrams: Mutex<VecDeque<(Vec<u8>, SocketAddr)>>,
    waker: AtomicWaker,
}

impl Inbox {
    pub(super) fn push(&self, datagram: &[u8], from: SocketAddr) {
        let mut datagrams = self.datagrams.lock();
        if datagrams.len() < INBOX {
            datagrams.push_back((datagram.to_vec(), from));
            drop(datagrams);
            self.waker.wake();
        }
    }

    fn pop(&self) -> Option<(Vec<u8>, SocketAddr)> {
        self.datagrams.lock().pop_front()
    }
}

/// Looks like a bound socket to the peer connection; its address is only a name.
#[derive(Debug)]
pub(super) struct VirtualSocket {
    pub(super) mux: Arc<Mux>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) address: SocketAddr,
}

impl AsyncUdpSocket for VirtualSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn max_gso_segments(&self) -> usize {
        self.mux.max_segments(FIRST)
    }

    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(
            self.mux
                .send(FIRST, transmit)
                .map(|()| transmit.contents.len()),
        )
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let next = self.inbox.pop().or_else(|| {
            self.inbox.waker.register(cx.waker());
            self.inbox.pop()
        });
        let (Some((datagram, from)), Some(buffer), Some(meta)) =
            (next, buffers.first_mut(), meta.first_mut())
        else {
            return Poll::Pending;
        };
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        *meta = RecvMeta::default();
        meta.len = length;
        meta.stride = length.max(1);
        meta.addr = from;
        Poll::Ready(Ok(1))
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use tokio::runtime::Handle;
    use tokio::time::{sleep, timeout};
    use webrtc::runtime::{UdpSockRef, UdpSocketState};

    use super::super::stun::tests::request;
    use super::super::{Port, tcp};
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

    #[tokio::test]
    async fn datagrams_that_the_kernel_has_joined_arrive_one_by_one() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _tasks) = Mux::bind(listen, crypto, &[Handle::current()]).unwrap();
        let inbox = Arc::<Inbox>::default();
        let port = Port::Connection {
            udp: Arc::clone(&inbox),
            tcp: tcp::backlog().0,
        };
        let _registration = mux.enter("ann", "secret", port);
        let publisher = UdpSocket::bind(listen).unwrap();
        publisher
            .send_to(&request("ann", "secret"), mux.local())
            .unwrap();
        let picture = vec![0x80; 40 * PACKET + 7];
        send_run(&publisher, &picture, mux.local());
        let all_there = async {
            while inbox.datagrams.lock().len() < 42 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(Duration::from_secs(5), all_there).await;
        let lengths: Vec<_> = std::iter::from_fn(|| inbox.pop())
            .skip(1)
            .map(|(datagram, _)| datagram.len())
            .collect();
        assert_eq!(lengths, [vec![PACKET; 40], vec![7]].concat());
    }
}
