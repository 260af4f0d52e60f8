//! The HTTP port: connections, TLS on them, their time-outs, and whom a request is from.

mod connection;
mod idle;
mod proxies;
mod redirect;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use self::proxies::Proxies;
use crate::limits::Places;
use crate::tcp;

/// How long to wait when the system has no more files for connections.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Serves routes over HTTP.
pub struct Server {
    /// What is served.
    pub routes: Router,
    /// With it, https is spoken, and HTTP/2 with those who know it.
    pub tls: Option<TlsAcceptor>,
    /// For connections.
    pub places: Arc<Places>,
    /// Who is believed when it says whom a request is from.
    pub proxies: Proxies,
}

impl Server {
    /// Serves a port until `stopping`, then answers what is being asked. Dropping it ends all connections,
    /// but for those that have become WebSockets.
    pub async fn serve(self, listener: TcpListener, stopping: CancellationToken) {
        let server = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => server.admit(stream, peer, &stopping, &mut connections),
                    Err(error) => {
                        tracing::warn!(%error, "an HTTP connection could not be accepted");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: &CancellationToken,
        connections: &mut JoinSet<()>,
    ) {
        let peer = tcp::canonical(peer);
        // Behind a proxy are many.
        let counts = (!self.proxies.trusts(peer.ip())).then_some(peer.ip());
        let place = match self.places.take(counts) {
            Ok(place) => place,
            Err(error) => {
                tracing::warn!(%peer, "HTTP connection refused: {error}");
                return;
            }
        };
        // Events are small: they must not wait for each other in Nagle's buffer.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY: {error}");
        }
        if let Err(error) = tcp::give_up_on_stuck_peers(&stream) {
            tracing::debug!("TCP_USER_TIMEOUT: {error}");
        }
        let connection = connection::Connection {
            server: Arc::clone(self),
            peer,
            stopping: stopping.clone(),
        };
        connections.spawn(connection.serve(stream, place));
    }
}
