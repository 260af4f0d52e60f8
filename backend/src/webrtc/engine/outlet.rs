//! The ways out to viewers: datagrams through the shared port, frames through their own connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc::runtime::Transmit;

use super::batch::Batch;
use super::metrics::Metrics;
use crate::metrics::METRICS;
use crate::webrtc::mux::{MAX_DATAGRAM, Mux, TcpStream};

/// How long a full socket buffer is waited for; then the packets are lost, as they would be further on.
const PATIENCE: Duration = Duration::from_millis(20);
/// Batches that a connection may be behind; one that is further behind has to start anew.
const BACKLOG: usize = 64;
/// Time a client has to take what it is sent; then its connection is given up.
const WRITE: Duration = Duration::from_secs(5);

/// Sends datagrams.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) mux: Arc<Mux>,
    /// Number of the socket that datagrams leave through.
    pub(super) socket: usize,
    pub(super) metrics: Arc<Metrics>,
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
            if self.send_run(run, segments, to).await.is_ok() {
                continue;
            }
            // The kernel or the network card cannot cut after all: from now on we do.
            for packet in run.chunks(segment) {
                let _ = self.send_run(packet, None, to).await;
            }
        }
    }

    /// Sends one datagram.
    pub(super) async fn send_one(&self, datagram: &[u8], to: SocketAddr) {
        let _ = self.send_run(datagram, None, to).await;
    }

    /// Fails only where the run may go in pieces.
    async fn send_run(&self, run: &[u8], segment: Option<usize>, to: SocketAddr) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: run,
            segment_size: segment,
            src_ip: None,
        };
        let mut patient = true;
        loop {
            match self.mux.try_send(self.socket, &transmit) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patient => {
                    let room = timeout(PATIENCE, self.mux.writable(self.socket)).await;
                    patient = matches!(room, Ok(Ok(())));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let lost = segment.map_or(1, |segment| run.len().div_ceil(segment));
                    Metrics::add(&self.metrics.unsent, lost as u64);
                    return Ok(());
                }
                Err(error) if segment.is_some() => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, %to, "sending to a viewer");
                    return Ok(());
                }
            }
        }
    }
}

/// The way out through a connection of the viewer's; its task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) remote: SocketAddr,
    frames: mpsc::Sender<Bytes>,
}

impl Connection {
    /// Hands the packets to the connection; `false` when it is too far behind to take them.
    pub(super) fn send(&self, batch: &Batch) -> bool {
        let (packets, bytes) = batch.size();
        let mut frames = BytesMut::with_capacity(bytes + 2 * packets);
        for packet in batch.packets() {
            frame(packet, &mut frames);
        }
        self.frames.try_send(frames.freeze()).is_ok()
    }

    /// Hands one datagram to the connection, if it takes it.
    pub(super) fn send_one(&self, datagram: &[u8]) {
        let mut frames = BytesMut::with_capacity(2 + datagram.len());
        frame(datagram, &mut frames);
        let _ = self.frames.try_send(frames.freeze());
    }
}

/// RFC 4571 section 2.
fn frame(packet: &[u8], out: &mut BytesMut) {
    if let Ok(length) = u16::try_from(packet.len()) {
        out.put_u16(length);
        out.put_slice(packet);
    }
}

/// Serves a connection until it ends or the [`Connection`] is dropped: hands each frame that arrives to
/// `take`, which says whether there is still somebody to take it.
pub(super) fn serve<F>(
    stream: TcpStream,
    take: impl Fn(Bytes) -> F + Send + Sync + 'static,
    gone: impl Future<Output = ()> + Send + 'static,
) -> Connection
where
    F: Future<Output = bool> + Send,
{
    let (remote, read) = (stream.peer, stream.read.into_inner());
    let (reader, writer) = stream.socket.into_split();
    let (frames, waiting) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = receive(reader, read, take) => ended,
            ended = transmit(writer, waiting) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %remote, "a viewer's ICE-TCP connection");
        }
        gone.await;
    });
    Connection { remote, frames }
}

async fn receive<F: Future<Output = bool>>(
    mut reader: OwnedReadHalf,
    read: Vec<u8>,
    take: impl Fn(Bytes) -> F,
) -> io::Result<()> {
    let mut buffer = BytesMut::from(&read[..]);
    loop {
        while let Some(length) = buffer.first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length > MAX_DATAGRAM {
                return Err(io::Error::other("a frame is too long"));
            }
            if buffer.len() < 2 + length {
                break;
            }
            METRICS.webrtc.received.inc_by(2 + length as u64);
            let frame = buffer.split_to(2 + length).freeze().slice(2..);
            if !take(frame).await {
                return Ok(());
            }
        }
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

async fn transmit(
    mut writer: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    while let Some(frames) = waiting.recv().await {
        METRICS.webrtc.sent.inc_by(frames.len() as u64);
        timeout(WRITE, writer.write_all(&frames))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    }
    // What was said last, a goodbye, has arrived before the connection closes.
    writer.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use tokio::runtime::Handle;

    use super::*;

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
        let (mux, _tasks) = Mux::bind(listen, crypto, &[Handle::current()]).unwrap();
        for _ in 0..2 {
            timeout(WRITE, mux.writable(0)).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn packets_that_the_kernel_does_not_cut_are_sent_one_by_one() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _tasks) = Mux::bind(listen, crypto, &[Handle::current()]).unwrap();
        let metrics = Arc::<Metrics>::default();
        let outlet = Outlet {
            mux: Arc::clone(&mux),
            socket: 0,
            metrics: Arc::clone(&metrics),
        };
        let viewer = UdpSocket::bind(listen).unwrap();
        viewer.set_read_timeout(Some(WRITE)).unwrap();
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
