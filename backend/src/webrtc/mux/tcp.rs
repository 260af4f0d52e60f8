//! ICE over TCP (RFC 6544), for viewers whose network lets no UDP through.
//!
//! Packets are framed by their length in two bytes (RFC 4571). The first one on a connection has to be a
//! signed connectivity check: it tells which peer connection the stream belongs to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use webrtc::runtime::{AsyncTcpListener, AsyncTcpStream};

use super::{MAX_DATAGRAM, Mux};
use crate::tcp::canonical;

/// Time a connection has to send its first check.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);
/// Time a peer has to take what it is sent; then its connection is given up.
const WRITE: Duration = Duration::from_secs(5);
/// Connections that have not said yet whose they are.
const MAX_STRANGERS: usize = 1_024;
/// Connections a peer may open before it is asked to read one.
const BACKLOG: usize = 4;

pub(super) type Incoming = mpsc::Sender<Stream>;

/// Accepts on the shared port.
pub(super) async fn accept(mux: Arc<Mux>, listener: TcpListener) {
    let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok((socket, peer)) => (socket, canonical(peer)),
            Err(error) => {
                // Most likely out of file descriptors: that passes.
                tracing::warn!(%error, "accepting on the WebRTC TCP port");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else {
            tracing::warn!(%peer, "too many unidentified ICE-TCP connections: refused");
            continue;
        };
        let mux = Arc::clone(&mux);
        tokio::spawn(async move {
            match timeout(FIRST_MESSAGE, introduce(&mux, socket, peer)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%peer, %error, "ICE-TCP connection refused"),
                Err(_) => tracing::debug!(%peer, "ICE-TCP connection said nothing: closed"),
            }
            drop(permit);
        });
    }
}

/// Reads the first message and hands the stream to the peer connection it is for.
async fn introduce(mux: &Mux, socket: TcpStream, peer: SocketAddr) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut read = Vec::new();
    let message = loop {
        if let Some(message) = first_message(&read)? {
            break message;
        }
        socket.readable().await?;
        let mut buffer = [0; MAX_DATAGRAM];
        match socket.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => read.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    };
    let port = mux
        .routes
        .with(|routes| routes.authenticate(message).cloned());
    let port = port.ok_or_else(|| io::Error::other("the first message is no valid check"))?;
    port.connect(Stream::new(socket, peer, read))
}

/// The first framed message in `read`, if it is complete.
fn first_message(read: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = read.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_DATAGRAM {
        return Err(io::Error::other(
            "the first message is too long for a check",
        ));
    }
    Ok(rest.get(..length))
}

/// A TCP connection of one peer, with what was read from it to find out whose it is.
#[derive(Debug)]
pub(in super::super) struct Stream {
    pub(in super::super) socket: TcpStream,
    pub(in super::super) peer: SocketAddr,
    local: SocketAddr,
    pub(in super::super) read: Mutex<Vec<u8>>,
}

impl Stream {
    pub(in super::super) const fn new(socket: TcpStream, peer: SocketAddr, read: Vec<u8>) -> Self {
        Self {
            socket,
            peer,
            local: peer,
            read: Mutex::new(read),
        }
    }
}

type Pinned<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

impl AsyncTcpStream for Stream {
    fn read<'a, 'b>(&'a self, buffer: &'b mut [u8]) -> Pinned<'b, usize>
    where
        'a: 'b,
    {
        Box::pin(async move {
            {
                let mut read = self.read.lock();
                if !read.is_empty() {
                    let count = read.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&read[..count]);
                    read.drain(..count);
                    return Ok(count);
                }
            }
            loop {
                self.socket.readable().await?;
                match self.socket.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
        })
    }

    fn write_all<'a, 'b>(&'a self, buffer: &'b [u8]) -> Pinned<'b, ()>
    where
        'a: 'b,
    {
        Box::pin(async move {
            let written = timeout(WRITE, async {
                let mut rest = buffer;
                while !rest.is_empty() {
                    self.socket.writable().await?;
                    match self.socket.try_write(rest) {
                        Ok(count) => rest = &rest[count..],
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            });
            written
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// Looks like a bound listener to the peer connection; its address is only a name.
#[derive(Debug)]
pub(super) struct VirtualListener {
    address: SocketAddr,
    incoming: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
}

impl VirtualListener {
    pub(super) fn new(address: SocketAddr, incoming: mpsc::Receiver<Stream>) -> Self {
        Self {
            address,
            incoming: tokio::sync::Mutex::new(incoming),
        }
    }
}

/// The way streams get to a [`VirtualListener`].
pub(super) fn backlog() -> (Incoming, mpsc::Receiver<Stream>) {
    mpsc::channel(BACKLOG)
}

impl AsyncTcpListener for VirtualListener {
    fn accept<'a>(&'a self) -> Pinned<'a, (Arc<dyn AsyncTcpStream>, SocketAddr)> {
        Box::pin(async move {
            let mut stream = match self.incoming.lock().await.recv().await {
                Some(stream) => stream,
                None => std::future::pending().await,
            };
            stream.local = self.address;
            let peer = stream.peer;
            Ok((Arc::new(stream) as Arc<dyn AsyncTcpStream>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_taken_when_it_is_complete() {
        assert_eq!(first_message(&[]).unwrap(), None);
        assert_eq!(first_message(&[0]).unwrap(), None);
        assert_eq!(first_message(&[0, 3, 1, 2]).unwrap(), None);
        assert_eq!(
            first_message(&[0, 3, 1, 2, 3, 9]).unwrap(),
            Some(&[1, 2, 3][..])
        );
    }

    #[test]
    fn a_first_message_beyond_any_check_is_refused() {
        assert!(first_message(&[0xff, 0xff, 0]).is_err());
    }
}
