//! The virtual UDP socket of one peer connection.
//!
//! What a connection does for a packet costs less than to be woken for it. So sound that nobody needs at once
//! may wait here for the picture that comes next, and both are taken in one go.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::{FIRST, Mux};

/// Datagrams a peer connection may be behind before new ones are dropped, as a socket's buffer would.
const INBOX: usize = 512;
/// How long something may wait for what comes next: for longer than from one picture to another, of 25 in a
/// second.
const PATIENCE: Duration = Duration::from_millis(45);
/// No payload type: they have 7 bits.
const NOTHING: u16 = 1 << 7;

/// What has arrived for one peer and was not read yet.
#[derive(Debug)]
pub(in super::super) struct Inbox {
    arrived: Mutex<Arrived>,
    waker: AtomicWaker,
    /// The payload type that may wait.
    patient: AtomicU16,
}

#[derive(Debug, Default)]
struct Arrived {
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    /// When the peer has to be woken for those that wait, if nothing comes before.
    due: Option<Instant>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            arrived: Mutex::default(),
            waker: AtomicWaker::new(),
            patient: AtomicU16::new(NOTHING),
        }
    }
}

impl Inbox {
    /// From now on RTP of this payload type waits for whatever else comes, if any does.
    pub(in super::super) fn let_wait(&self, payload_type: Option<u8>) {
        let patient = payload_type.map_or(NOTHING, u16::from);
        self.patient.store(patient, Ordering::Relaxed);
    }

    /// Takes a datagram in. When it is the first that waits, answers when to [`Inbox::release`] it.
    pub(super) fn push(&self, datagram: &[u8], from: SocketAddr) -> Option<Instant> {
        let may_wait = self.may_wait(datagram);
        let mut arrived = self.arrived.lock();
        if arrived.datagrams.len() >= INBOX {
            return None;
        }
        arrived.datagrams.push_back((datagram.to_vec(), from));
        if may_wait {
            if arrived.due.is_some() {
                return None;
            }
            arrived.due = Some(Instant::now() + PATIENCE);
            return arrived.due;
        }
        arrived.due = None;
        drop(arrived);
        self.waker.wake();
        None
    }

    /// Whether something waits until this moment.
    pub(super) fn waits_until(&self, due: Instant) -> bool {
        self.arrived.lock().due == Some(due)
    }

    /// Wakes the peer for what waits.
    pub(super) fn release(&self) {
        self.arrived.lock().due = None;
        self.waker.wake();
    }

    pub(super) fn pop(&self) -> Option<(Vec<u8>, SocketAddr)> {
        self.arrived.lock().datagrams.pop_front()
    }

    fn may_wait(&self, datagram: &[u8]) -> bool {
        let patient = self.patient.load(Ordering::Relaxed);
        // RTP of this type and without a marker: RTCP looks like RTP with one (RFC 5761 section 4), and a
        // sound that has one is the first after silence (RFC 7587 section 4.2).
        matches!(*datagram, [first, second, ..] if first >> 6 == 2 && u16::from(second) == patient)
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
    use futures::task::{ArcWake, waker_ref};
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const SOUND: u8 = 111;

    /// Counts how often the peer is woken.
    #[derive(Default)]
    struct Peer(AtomicUsize);

    impl ArcWake for Peer {
        fn wake_by_ref(peer: &Arc<Self>) {
            peer.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Peer {
        /// How often it was woken since it was last asked; it sleeps again.
        fn woken(self: &Arc<Self>, inbox: &Inbox) -> usize {
            inbox.waker.register(&waker_ref(self));
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    fn inbox() -> (Inbox, Arc<Peer>) {
        let (inbox, peer) = (Inbox::default(), Arc::<Peer>::default());
        peer.woken(&inbox);
        (inbox, peer)
    }

    fn push(inbox: &Inbox, datagram: [u8; 3]) -> Option<Instant> {
        inbox.push(&datagram, ([192, 0, 2, 1], 9).into())
    }

    fn taken(inbox: &Inbox) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| inbox.pop())
            .map(|(datagram, _)| datagram)
            .collect()
    }

    #[test]
    fn nothing_waits_unless_it_may() {
        let (inbox, peer) = inbox();
        assert_eq!(push(&inbox, [0x80, SOUND, 1]), None);
        assert_eq!(peer.woken(&inbox), 1);
    }

    #[test]
    fn sound_waits_for_the_picture_and_is_taken_before_it() {
        let (inbox, peer) = inbox();
        inbox.let_wait(Some(SOUND));
        let due = push(&inbox, [0x80, SOUND, 1]).unwrap();
        assert_eq!(
            push(&inbox, [0x80, SOUND, 2]),
            None,
            "it waits with the first"
        );
        assert!(inbox.waits_until(due));
        assert_eq!(peer.woken(&inbox), 0);
        push(&inbox, [0x80, 102, 3]);
        assert_eq!(peer.woken(&inbox), 1);
        assert!(!inbox.waits_until(due));
        let numbers: Vec<_> = taken(&inbox).iter().map(|datagram| datagram[2]).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }

    #[test]
    fn what_has_waited_long_enough_is_let_go() {
        let (inbox, peer) = inbox();
        inbox.let_wait(Some(SOUND));
        push(&inbox, [0x80, SOUND, 1]).unwrap();
        inbox.release();
        assert_eq!(peer.woken(&inbox), 1);
        assert!(push(&inbox, [0x80, SOUND, 2]).is_some(), "a new wait");
    }

    #[test]
    fn checks_handshakes_reports_and_the_first_sound_after_silence_do_not_wait() {
        let (inbox, peer) = inbox();
        inbox.let_wait(Some(SOUND));
        for datagram in [
            [0, 1, 0],
            [22, 254, 253],
            [0x80, 200, 0],
            [0x80, 0x80 | SOUND, 1],
        ] {
            assert_eq!(push(&inbox, datagram), None);
            assert_eq!(peer.woken(&inbox), 1, "{datagram:?}");
        }
    }

    #[test]
    fn what_nobody_reads_is_lost_beyond_a_bound() {
        let (inbox, _) = inbox();
        for _ in 0..2 * INBOX {
            push(&inbox, [0x80, SOUND, 1]);
        }
        assert_eq!(taken(&inbox).len(), INBOX);
    }
}
