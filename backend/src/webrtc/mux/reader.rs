//! Who reads the sockets of the shared UDP port.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout_at};
use webrtc::runtime::{RecvMeta, UdpSockRef, UdpSocketState};

use super::alarm::Alarm;
use super::attention::Attention;
use super::moderation::Reading;
use super::routes::Known;
use super::udp::Inbox;
use super::{Doorway, MAX_DATAGRAM, Mux, Port, watched};
use crate::metrics::METRICS;
use crate::tcp::canonical;

/// What is received in one piece: of datagrams that came from one address at once the kernel joins as many
/// as this takes (`UDP_GRO`), and what does not fit is lost.
const MAX_JOINED: usize = 65_536;
/// Pieces that are received in one call. Each is prepared for, whether it is there or not.
const BATCH: usize = 16;
/// Between two attempts to watch the socket, for which the system may have no room.
const RETRY: Duration = Duration::from_millis(20);

/// Reads one socket of the shared port.
pub(in super::super) struct Reader {
    mux: Arc<Mux>,
    number: usize,
    socket: Arc<Socket>,
    /// While the runtime watches the socket.
    watch: Option<AsyncFd<Arc<Socket>>>,
    attention: Rc<Attention>,
    alarm: Alarm,
    known: Known<Port>,
    buffers: Vec<[u8; MAX_JOINED]>,
    /// Where something waits, and until when; the first to be due is in front. No more than arrives while one
    /// waits.
    waiting: VecDeque<(Instant, Arc<Inbox>)>,
    /// When it was read last.
    read: Instant,
}

impl Reader {
    /// Of the socket of this number, on the runtime of this thread.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket, which it does for one reader at a time, or has no timer.
    pub(in super::super) fn new(
        mux: &Arc<Mux>,
        number: usize,
        attention: &Rc<Attention>,
    ) -> io::Result<Self> {
        let socket = Arc::clone(&mux.socket(number).socket);
        Ok(Self {
            mux: Arc::clone(mux),
            number,
            watch: Some(watched(Arc::clone(&socket), Interest::READABLE)?),
            socket,
            attention: Rc::clone(attention),
            alarm: Alarm::new()?,
            known: Known::default(),
            buffers: vec![[0; MAX_JOINED]; BATCH],
            waiting: VecDeque::new(),
            read: Instant::now(),
        })
    }

    /// Hands each datagram to whom it is for, those for viewers by `take`.
    pub(in super::super) async fn run(mut self, take: impl Fn(&Doorway, &[u8], SocketAddr)) {
        loop {
            let due = self.release();
            let received = match self.attention.reading() {
                Reading::Watched => match self.watch() {
                    Ok(()) => self.receive_until(due, &take).await,
                    Err(error) => {
                        tracing::warn!(%error, "the WebRTC port cannot be watched");
                        sleep(RETRY).await;
                        self.look(&take)
                    }
                },
                Reading::At(at) => self.look_at(at, due, &take).await,
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

    fn watch(&mut self) -> io::Result<()> {
        if self.watch.is_none() {
            let socket = Arc::clone(&self.socket);
            self.watch = Some(watched(socket, Interest::READABLE)?);
        }
        Ok(())
    }

    /// Waits for datagrams, until something is due or the socket is read otherwise; says how many pieces
    /// came.
    async fn receive_until(
        &mut self,
        due: Option<Instant>,
        take: &impl Fn(&Doorway, &[u8], SocketAddr),
    ) -> io::Result<usize> {
        let attention = Rc::clone(&self.attention);
        let received = async {
            tokio::select! {
                biased;
                received = self.receive(take) => received,
                () = attention.bursts() => Ok(0),
            }
        };
        match due {
            Some(due) => timeout_at(due.into(), received).await.unwrap_or(Ok(0)),
            None => received.await,
        }
    }

    /// Waits for datagrams; says how many pieces came. Cancel safe.
    async fn receive(&mut self, take: &impl Fn(&Doorway, &[u8], SocketAddr)) -> io::Result<usize> {
        let Some(watch) = &self.watch else {
            return Ok(0);
        };
        let mut ready = watch.readable().await?;
        let mut meta = [RecvMeta::default(); BATCH];
        let state = &self.mux.socket(self.number).state;
        let received = ready.try_io(|_| read(state, &self.socket, &mut self.buffers, &mut meta));
        let Ok(received) = received else {
            return Ok(0);
        };
        let count = received?;
        if count < BATCH {
            // That was all: what comes later is told anew.
            ready.clear_ready();
        }
        drop(ready);
        self.read = Instant::now();
        self.hand_over(&meta[..count], take);
        Ok(count)
    }

    /// Reads what is there at this moment, or after the next burst, and leaves the socket alone until then.
    async fn look_at(
        &mut self,
        at: Instant,
        due: Option<Instant>,
        take: &impl Fn(&Doorway, &[u8], SocketAddr),
    ) -> io::Result<usize> {
        self.watch = None;
        let until = due.map_or(at, |due| due.min(at));
        let is_over = tokio::select! {
            biased;
            () = self.attention.bursts() => false,
            () = self.alarm.at(until) => true,
        };
        let now = Instant::now();
        let is_due = is_over && now >= at;
        if !self.attention.takes_a_look(now, is_due) {
            return Ok(0);
        }
        let mut count = self.look(take)?;
        while count == BATCH {
            yield_now().await;
            count = self.look(take)?;
        }
        Ok(count)
    }

    /// Reads what is there; says how many pieces that were.
    fn look(&mut self, take: &impl Fn(&Doorway, &[u8], SocketAddr)) -> io::Result<usize> {
        let mut meta = [RecvMeta::default(); BATCH];
        let state = &self.mux.socket(self.number).state;
        let count = match read(state, &self.socket, &mut self.buffers, &mut meta) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            received => received?,
        };
        let now = Instant::now();
        self.attention
            .came_within(now.saturating_duration_since(self.read));
        self.read = now;
        self.hand_over(&meta[..count], take);
        self.attention.came_within(Duration::ZERO);
        Ok(count)
    }

    fn hand_over(&mut self, meta: &[RecvMeta], take: &impl Fn(&Doorway, &[u8], SocketAddr)) {
        let mut is_fed = false;
        for (buffer, meta) in self.buffers.iter().zip(meta) {
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
                        is_fed = true;
                        if let Some(due) = udp.push(datagram, from) {
                            self.waiting.push_back((due, Arc::clone(udp)));
                        }
                    }
                    Some(Port::Viewer(doorway)) => take(doorway, datagram, from),
                    None => {}
                }
            }
        }
        if is_fed {
            self.attention.feed(self.read);
        }
    }
}

/// Reads what the socket has; says how many pieces that were.
fn read(
    state: &UdpSocketState,
    socket: &Socket,
    buffers: &mut [[u8; MAX_JOINED]],
    meta: &mut [RecvMeta; BATCH],
) -> io::Result<usize> {
    let mut slices: Vec<_> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
    state.recv(UdpSockRef::from(socket), &mut slices, meta)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::UdpSocket;

    use tokio::time::timeout;
    use webrtc::runtime::{AsyncUdpSocket, Transmit};

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

    fn reader(mux: &Arc<Mux>) -> Reader {
        Reader::new(mux, 0, &Rc::new(Attention::new(mux))).unwrap()
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
        let reader = reader(&mux);
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
        let (reader, to) = (reader(&mux), mux.local());
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
    async fn a_socket_that_is_left_alone_is_read_after_a_burst() {
        let (mux, inbox, _registration) = port();
        let attention = Rc::new(Attention::new(&mux));
        let mut reader = Reader::new(&mux, 0, &attention).unwrap();
        let publisher = UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = || publisher.send_to(&request("ann", "secret"), mux.local());
        send().unwrap();
        let (later, nobody) = (
            Instant::now() + Duration::from_secs(5),
            |_: &_, _: &_, _| (),
        );
        let looks = reader.look_at(later, None, &nobody);
        assert!(timeout(Duration::from_millis(50), looks).await.is_err());
        assert_eq!(inbox.pop(), None);
        attention.burst(Instant::now(), None);
        assert_eq!(reader.look_at(later, None, &nobody).await.unwrap(), 1);
        assert!(inbox.pop().is_some());
    }

    #[tokio::test]
    async fn a_socket_is_watched_again_when_no_burst_comes() {
        let (mux, inbox, _registration) = port();
        let publisher = UdpSocket::bind("127.0.0.1:0").unwrap();
        let attention = Rc::new(Attention::new(&mux));
        let reader = Reader::new(&mux, 0, &attention).unwrap();
        attention.burst(Instant::now(), None);
        let (check, to) = (request("ann", "secret"), mux.local());
        let comes = async {
            // Some while it is left alone, some after that.
            for _ in 0..100 {
                publisher.send_to(&check, to).unwrap();
                sleep(Duration::from_millis(4)).await;
            }
            let mut came = 0;
            while came < 100 {
                came += std::iter::from_fn(|| inbox.pop()).count();
                sleep(Duration::from_millis(4)).await;
            }
        };
        let all = tokio::select! {
            () = reader.run(|_, _, _| ()) => false,
            all = timeout(Duration::from_secs(5), comes) => all.is_ok(),
        };
        assert!(all);
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
        let reader = reader(&mux);
        tokio::select! {
            biased;
            () = reader.run(|_, _, _| ()) => {}
            _ = timeout(Duration::from_secs(5), others) => {}
        }
        assert_eq!(turns.iter().sum::<usize>(), all);
        assert!(turns.iter().all(|&turn| turn <= BATCH), "{turns:?}");
    }
}
