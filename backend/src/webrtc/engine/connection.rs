//! The way to one viewer through a connection of its own (RFC 6544).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream as Socket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::batch::Parcel;
use crate::metrics::METRICS;
use crate::webrtc::mux::{MAX_DATAGRAM, TcpStream};

/// Batches that a connection may be behind; one that is further behind has to start anew.
const BACKLOG: usize = 64;
/// Time a client has to take what it is sent; then its connection is given up.
const WRITE: Duration = Duration::from_secs(5);

/// A connection that is being served. It ends when this is dropped, once what was said last has left.
pub(super) struct Connection {
    pub(super) remote: SocketAddr,
    out: Rc<Out>,
}

/// The way out.
struct Out {
    writer: OwnedWriteHalf,
    /// What the kernel had no room for.
    backlog: RefCell<VecDeque<Bytes>>,
    is_over: Cell<bool>,
    /// There is a backlog, or it is over.
    changed: Notify,
}

impl Connection {
    /// Serves a connection on this thread: hands each frame that arrives to `take`, which says whether there
    /// is still somebody to take it.
    ///
    /// # Errors
    /// When the runtime of this thread cannot watch it.
    pub(super) fn open(
        stream: TcpStream,
        take: impl FnMut(&[u8]) -> bool + 'static,
        gone: impl FnOnce() + 'static,
    ) -> io::Result<Self> {
        let (remote, read) = (stream.peer, stream.read.into_inner());
        // It was accepted on another runtime, which would have to wake this one for whatever arrives.
        let (reader, writer) = Socket::from_std(stream.socket.into_std()?)?.into_split();
        let out = Rc::new(Out {
            writer,
            backlog: RefCell::default(),
            is_over: Cell::new(false),
            changed: Notify::new(),
        });
        let served = Rc::clone(&out);
        spawn_local(async move {
            let ended = tokio::select! {
                ended = receive(reader, &read, take) => ended,
                ended = served.drain() => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, %remote, "a viewer's ICE-TCP connection");
            }
            gone();
        });
        Ok(Self { remote, out })
    }

    /// Sends the packets; `false` when the client is too far behind to take them.
    pub(super) fn send(&self, parcel: Parcel<'_>) -> bool {
        let (packets, bytes) = parcel.size();
        let mut frames = BytesMut::with_capacity(bytes + 2 * packets);
        for packet in parcel.packets() {
            frame(packet, &mut frames);
        }
        self.out.send(frames.freeze())
    }

    /// Sends one datagram, if the client takes it.
    pub(super) fn send_one(&self, datagram: &[u8]) {
        let mut frames = BytesMut::with_capacity(2 + datagram.len());
        frame(datagram, &mut frames);
        self.out.send(frames.freeze());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.out.is_over.set(true);
        self.out.changed.notify_one();
    }
}

/// RFC 4571 section 2.
fn frame(packet: &[u8], out: &mut BytesMut) {
    if let Ok(length) = u16::try_from(packet.len()) {
        out.put_u16(length);
        out.put_slice(packet);
    }
}

impl Out {
    /// Sends at once what the kernel has room for, and the rest when it has; `false` when too much waits.
    fn send(&self, mut frames: Bytes) -> bool {
        let mut backlog = self.backlog.borrow_mut();
        if backlog.len() >= BACKLOG {
            return false;
        }
        if backlog.is_empty() {
            // What fails here fails there again.
            let sent = self.writer.try_write(&frames).unwrap_or_default();
            METRICS.webrtc.sent.inc_by(sent as u64);
            frames.advance(sent);
        }
        if !frames.is_empty() {
            backlog.push_back(frames);
            self.changed.notify_one();
        }
        true
    }

    /// Sends what waits, until it is over and nothing does.
    async fn drain(&self) -> io::Result<()> {
        loop {
            while !self.backlog.borrow().is_empty() {
                timeout(WRITE, self.send_first())
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            }
            if self.is_over.get() {
                return Ok(());
            }
            self.changed.notified().await;
        }
    }

    /// Sends what waits longest.
    async fn send_first(&self) -> io::Result<()> {
        loop {
            self.writer.writable().await?;
            let mut backlog = self.backlog.borrow_mut();
            let Some(frames) = backlog.front_mut() else {
                return Ok(());
            };
            match self.writer.try_write(frames) {
                Ok(sent) => {
                    METRICS.webrtc.sent.inc_by(sent as u64);
                    frames.advance(sent);
                    if frames.is_empty() {
                        backlog.pop_front();
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn receive(
    mut reader: OwnedReadHalf,
    read: &[u8],
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut buffer = BytesMut::from(read);
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
            if !take(&buffer.split_to(2 + length)[2..]) {
                return Ok(());
            }
        }
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream as Client;

    use tokio::net::TcpListener;
    use tokio::task::LocalSet;

    use super::*;

    /// A test that takes longer has failed.
    const LONG: Duration = Duration::from_secs(5);

    async fn pair() -> (Connection, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        let stream = TcpStream::new(socket, peer, Vec::new());
        (Connection::open(stream, |_| true, || ()).unwrap(), client)
    }

    #[tokio::test]
    async fn what_was_said_last_arrives_before_the_connection_ends() {
        let told = async {
            let (connection, mut client) = pair().await;
            // More than the kernel takes while nobody reads.
            connection.out.writer.writable().await.unwrap();
            let datagram = [7; 1_000];
            let mut sent = 0;
            while connection.out.backlog.borrow().len() < 2 {
                connection.send_one(&datagram);
                sent += 1;
            }
            connection.send_one(b"goodbye");
            drop(connection);
            let reader = tokio::task::spawn_blocking(move || {
                let mut all = Vec::new();
                client.read_to_end(&mut all).map(|_| all)
            });
            (sent, reader.await.unwrap().unwrap())
        };
        let (sent, all) = LocalSet::new().run_until(told).await;
        assert_eq!(all.len(), sent * 1_002 + 9);
        assert!(all.ends_with(b"\0\x07goodbye"));
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_behind() {
        let behind = async {
            let (connection, _client) = pair().await;
            let is_taken = || {
                let frames = Bytes::from_static(&[0; 60_000]);
                connection.out.send(frames)
            };
            let taken = (0..1_000).take_while(|_| is_taken()).count();
            (taken, connection.out.backlog.borrow().len())
        };
        let (taken, waiting) = LocalSet::new().run_until(behind).await;
        assert!((BACKLOG..1_000).contains(&taken), "{taken}");
        assert_eq!(waiting, BACKLOG);
    }
}
