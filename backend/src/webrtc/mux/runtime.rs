//! The runtime that a peer connection runs on: tokio, but with the mux's virtual sockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

use super::Mux;
use super::tcp::{self, VirtualListener};
use super::udp::{Inbox, VirtualSocket};
use crate::roaming::{self, Roaming};

/// How late a connection's timers may be. While media flows a packet comes in time, and what is due is done
/// with it: to be woken for that alone would cost more than what is done. With less than 64 ms and the time
/// between two pictures tokio would wake the thread now and then to look at its timers.
const SLACK: Duration = Duration::from_millis(100);

/// For one peer connection, which has exactly one UDP and one TCP address.
#[derive(Debug)]
pub(in super::super) struct MuxRuntime {
    mux: Arc<Mux>,
    inbox: Arc<Inbox>,
    incoming: Mutex<Option<mpsc::Receiver<tcp::Stream>>>,
}

impl MuxRuntime {
    pub(super) fn new(
        mux: Arc<Mux>,
        inbox: Arc<Inbox>,
        incoming: mpsc::Receiver<tcp::Stream>,
    ) -> Self {
        Self {
            mux,
            inbox,
            incoming: Mutex::new(Some(incoming)),
        }
    }
}

type Pinned<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for MuxRuntime {
    fn spawn(&self, future: Pinned<'static, ()>) -> Box<dyn JoinHandle> {
        Box::new(Owner(Mutex::new(Some(roaming::spawn(future)))))
    }

    /// The socket that was bound is let go at once: its address lives on as a name.
    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(VirtualSocket {
            mux: Arc::clone(&self.mux),
            inbox: Arc::clone(&self.inbox),
            address: socket.local_addr()?,
        }))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        let incoming = self.incoming.lock().take();
        let incoming = incoming.ok_or_else(|| io::Error::other("one TCP address is enough"))?;
        Ok(Arc::new(VirtualListener::new(
            listener.local_addr()?,
            incoming,
        )))
    }

    /// We are always the passive side (RFC 6544 section 4.5).
    fn connect_tcp<'a>(&'a self, _: SocketAddr) -> Pinned<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Pinned<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host(host).await?.collect()) })
    }

    fn sleep(&self, duration: Duration) -> Pinned<'static, ()> {
        TokioRuntime.sleep(duration.saturating_add(SLACK))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}

/// Of a task of the connection's, which goes on without it unless it was aborted.
struct Owner(Mutex<Option<Roaming>>);

impl JoinHandle for Owner {
    fn detach(&self) {
        if let Some(task) = self.0.lock().take() {
            task.detach();
        }
    }

    fn abort(&self) {
        drop(self.0.lock().take());
    }

    fn is_finished(&self) -> bool {
        self.0.lock().as_ref().is_none_or(Roaming::is_finished)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.detach();
    }
}
