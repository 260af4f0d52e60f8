//! The way out to viewers through the shared port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use webrtc::runtime::Transmit;

use super::batch::Batch;
use super::metrics::Metrics;
use crate::webrtc::mux::Mux;

/// How long a full socket buffer is waited for; then the packets are lost, as they would be further on.
const PATIENCE: Duration = Duration::from_millis(20);

/// Sends datagrams.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) mux: Arc<Mux>,
    /// Number of the socket that datagrams leave through.
    pub(super) socket: usize,
    pub(super) metrics: Arc<Metrics>,
}

/// What becomes of packets that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// They are gone, or nobody can help them.
    Done,
    /// The socket's buffer is full.
    Full,
    /// They may go one by one.
    Joined,
}

impl Outlet {
    /// Sends the packets, in as few calls as the kernel allows.
    pub(super) async fn send(&self, batch: &Batch, to: SocketAddr) {
        let most = self.mux.max_segments(self.socket);
        self.send_in_runs(batch, most, to).await;
    }

    /// Sends the packets, up to `most` of them in one call.
    async fn send_in_runs(&self, batch: &Batch, most: usize, to: SocketAddr) {
        for (run, segment) in batch.runs(most) {
            let segments = (run.len() > segment).then_some(segment);
            if self.send_run(run, segments, to).await == Sent::Done {
                continue;
            }
            // The kernel or the network card cannot cut after all: from now on we do.
            for packet in run.chunks(segment) {
                self.send_run(packet, None, to).await;
            }
        }
    }

    /// Sends as [`Outlet::send`] does, but what the kernel has no room for is lost at once: for what a viewer
    /// asks for again.
    pub(super) fn send_now(&self, batch: &Batch, to: SocketAddr) {
        let most = self.mux.max_segments(self.socket);
        for (run, segment) in batch.runs(most) {
            let segments = (run.len() > segment).then_some(segment);
            match self.try_send(run, segments, to) {
                Sent::Done => {}
                Sent::Full => self.lose(run, segments),
                Sent::Joined => run
                    .chunks(segment)
                    .for_each(|packet| self.send_one(packet, to)),
            }
        }
    }

    /// Sends one datagram, or loses it.
    pub(super) fn send_one(&self, datagram: &[u8], to: SocketAddr) {
        if self.try_send(datagram, None, to) == Sent::Full {
            self.lose(datagram, None);
        }
    }

    async fn send_run(&self, run: &[u8], segment: Option<usize>, to: SocketAddr) -> Sent {
        let mut patient = true;
        loop {
            match self.try_send(run, segment, to) {
                Sent::Full if patient => {
                    let room = timeout(PATIENCE, self.mux.writable(self.socket)).await;
                    patient = matches!(room, Ok(Ok(())));
                }
                Sent::Full => {
                    self.lose(run, segment);
                    return Sent::Done;
                }
                sent => return sent,
            }
        }
    }

    fn try_send(&self, run: &[u8], segment: Option<usize>, to: SocketAddr) -> Sent {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: run,
            segment_size: segment,
            src_ip: None,
        };
        match self.mux.try_send(self.socket, &transmit) {
            Ok(()) => Sent::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Full,
            Err(_) if segment.is_some() => Sent::Joined,
            Err(error) => {
                tracing::debug!(%error, %to, "sending to a viewer");
                Sent::Done
            }
        }
    }

    fn lose(&self, run: &[u8], segment: Option<usize>) {
        let lost = segment.map_or(1, |segment| run.len().div_ceil(segment));
        Metrics::add(&self.metrics.unsent, lost as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::webrtc::mux::MAX_DATAGRAM;

    /// A test that takes longer has failed.
    const LONG: Duration = Duration::from_secs(5);

    /// Packets of so many bytes each, whose first byte is their number.
    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for (number, &length) in (0..).zip(lengths) {
            let pushed: Result<(), ()> = batch.push(|bytes, start| {
                bytes.resize(start + length, number);
                Ok(())
            });
            pushed.unwrap();
        }
        batch
    }

    #[tokio::test]
    async fn a_socket_that_has_room_is_not_waited_for() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _tasks) = Mux::bind(listen, crypto, 1).unwrap();
        for _ in 0..2 {
            timeout(LONG, mux.writable(0)).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn packets_that_the_kernel_does_not_cut_are_sent_one_by_one() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _tasks) = Mux::bind(listen, crypto, 1).unwrap();
        let metrics = Arc::<Metrics>::default();
        let outlet = Outlet {
            mux: Arc::clone(&mux),
            socket: 0,
            metrics: Arc::clone(&metrics),
        };
        let viewer = UdpSocket::bind(listen).unwrap();
        viewer.set_read_timeout(Some(LONG)).unwrap();
        // More than any kernel cuts from one send: it refuses, as one without GSO does.
        let lengths = [vec![20; 200], vec![7]].concat();
        let to = viewer.local_addr().unwrap();
        outlet.send_in_runs(&batch(&lengths), 1_000, to).await;
        let mut buffer = [0; MAX_DATAGRAM];
        for (number, &length) in lengths.iter().enumerate() {
            let received = viewer.recv(&mut buffer).unwrap();
            assert_eq!((usize::from(buffer[0]), received), (number, length));
        }
        assert_eq!(metrics.snapshot().unsent, 0);
    }
}
