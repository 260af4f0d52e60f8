//! The virtual UDP socket of one peer connection.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::{FIRST, Mux};

/// Datagrams a peer connection may be behind before new ones are dropped, as a socket's buffer would.
const INBOX: usize = 512;
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

    pub(super) fn pop(&self) -> Option<(Vec<u8>, SocketAddr)> {
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
