//! The way out to viewers through the shared port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use webrtc::runtime::Transmit;

use super::batch::Parcel;
use super::metrics::Metrics;
use super::volley::Volley;
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
    /// Sends all viewers' packets, in as few calls as the kernel allows.
    pub(super) async fn send_all(&self, volley: &mut Volley) {
        let most = self.mux.max_segments(self.socket);
        let (letters, bulk) = volley.letters();
        let mut rest = &letters[..];
        while let [(parcel, to), behind @ ..] = rest {
            let (runs, segment) = alike(rest, most);
            let sent = match u16::try_from(segment) {
                Ok(segment) if runs.len() > 1 => {
                    let sent = self.mux.try_send_bulk(self.socket, bulk, segment, &runs);
                    sent.unwrap_or(0)
                }
                _ => 0,
            };
            rest = match rest.get(sent..) {
                Some(unsent) if sent > 0 => unsent,
                _ => {
                    // It may be to blame, and knows what to do then.
                    self.send(*parcel, *to).await;
                    behind
                }
            };
        }
    }

    /// Sends the packets, in as few calls as the kernel allows.
    pub(super) async fn send(&self, parcel: Parcel<'_>, to: SocketAddr) {
        let most = self.mux.max_segments(self.socket);
        self.send_in_runs(parcel, most, to).await;
    }

    /// Sends the packets, up to `most` of them in one call.
    async fn send_in_runs(&self, parcel: Parcel<'_>, most: usize, to: SocketAddr) {
        for (run, segment) in parcel.runs(most) {
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
    pub(super) fn send_now(&self, parcel: Parcel<'_>, to: SocketAddr) {
        let most = self.mux.max_segments(self.socket);
        for (run, segment) in parcel.runs(most) {
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

/// The first letters that the kernel can cut alike: the run of packets that each is, and how long the packets
/// are. Fewer than two where the first is none.
fn alike<'a>(
    letters: &[(Parcel<'a>, SocketAddr)],
    most: usize,
) -> (Vec<(&'a [u8], SocketAddr)>, usize) {
    let mut common = None;
    let run = |&(parcel, to): &(Parcel<'a>, SocketAddr)| {
        let mut runs = parcel.runs(most);
        let (run, segment) = runs.next()?;
        let is_one = runs.next().is_none() && run.len() > segment;
        (is_one && *common.get_or_insert(segment) == segment).then_some((run, to))
    };
    let runs = letters.iter().map_while(run).collect();
    (runs, common.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::batch::Batch;
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

    /// A way out through a port of its own.
    fn outlet() -> (Outlet, SocketAddr) {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _) = Mux::bind(listen, crypto, 1).unwrap();
        let metrics = Arc::default();
        let socket = 0;
        (
            Outlet {
                mux,
                socket,
                metrics,
            },
            listen,
        )
    }

    fn viewer(listen: SocketAddr) -> UdpSocket {
        let viewer = UdpSocket::bind(listen).unwrap();
        viewer.set_read_timeout(Some(LONG)).unwrap();
        viewer
    }

    /// Length and first byte of the packets that come.
    fn received(viewer: &UdpSocket, count: usize) -> Vec<(usize, u8)> {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut receive = || (viewer.recv(&mut buffer).unwrap(), buffer[0]);
        (0..count).map(|_| receive()).collect()
    }

    /// Writes packets of these lengths for somebody; their first byte is their number.
    fn add(volley: &mut Volley, lengths: &[usize], to: SocketAddr) {
        let added: Result<(), ()> = volley.add(|batch, _| {
            for (number, &length) in (0..).zip(lengths) {
                batch.push(|bytes, start| {
                    bytes.resize(start + length, number);
                    Ok(())
                })?;
            }
            Ok(Some(to))
        });
        added.unwrap();
    }

    #[tokio::test]
    async fn each_viewer_gets_its_packets_be_they_like_the_others_or_not() {
        let (outlet, listen) = outlet();
        let all = [
            &[20, 20, 7][..],
            &[20, 20, 20],
            &[30, 30],
            &[20, 30, 7],
            &[20, 20],
            &[20],
        ];
        let viewers = all.map(|_| viewer(listen));
        let mut volley = Volley::new();
        for (lengths, viewer) in all.iter().zip(&viewers) {
            add(&mut volley, lengths, viewer.local_addr().unwrap());
        }
        outlet.send_all(&mut volley).await;
        for (lengths, viewer) in all.iter().zip(&viewers) {
            let sent: Vec<_> = lengths.iter().copied().zip(0..).collect();
            assert_eq!(received(viewer, lengths.len()), sent);
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_sent_to_is_no_hindrance_to_the_others() {
        let (outlet, listen) = outlet();
        let viewers = [(); 4].map(|()| viewer(listen));
        let mut volley = Volley::new();
        for (place, viewer) in viewers.iter().enumerate() {
            if place % 2 == 0 {
                add(&mut volley, &[20, 20], "127.0.0.1:0".parse().unwrap());
            }
            add(
                &mut volley,
                &[20, 20, place + 1],
                viewer.local_addr().unwrap(),
            );
        }
        outlet.send_all(&mut volley).await;
        for (place, viewer) in viewers.iter().enumerate() {
            assert_eq!(received(viewer, 3), [(20, 0), (20, 1), (place + 1, 2)]);
        }
    }

    #[test]
    fn only_what_the_kernel_can_cut_alike_goes_together() {
        let to = "192.0.2.1:9".parse().unwrap();
        let (two, shorter, longer, single) = (
            batch(&[20, 20]),
            batch(&[20, 7]),
            batch(&[30, 30]),
            batch(&[20]),
        );
        let together = |letters: &[&Batch]| {
            let letters: Vec<_> = letters.iter().map(|batch| (batch.all(), to)).collect();
            alike(&letters, 64).0.len()
        };
        assert_eq!(together(&[&two, &shorter, &two, &longer, &two]), 3);
        assert_eq!(together(&[&longer, &two]), 1);
        assert_eq!(together(&[&single, &two]), 0);
    }

    #[tokio::test]
    async fn packets_that_the_kernel_does_not_cut_are_sent_one_by_one() {
        let (outlet, listen) = outlet();
        let viewer = viewer(listen);
        // More than any kernel cuts from one send: it refuses, as one without GSO does.
        let lengths = [vec![20; 200], vec![7]].concat();
        let to = viewer.local_addr().unwrap();
        outlet.send_in_runs(batch(&lengths).all(), 1_000, to).await;
        let sent: Vec<_> = lengths.iter().copied().zip(0..).collect();
        assert_eq!(received(&viewer, lengths.len()), sent);
        assert_eq!(outlet.metrics.snapshot().unsent, 0);
    }
}
