//! The RTMP port: connections, their time-outs, and what rooms have to do with them.

mod admission;
mod connection;
mod play;
mod publish;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::connection::Connection;
use super::mux::ChunkMuxer;
use crate::limits::{Places, Strangers};
use crate::media::feed::Feeds;
use crate::rooms::registry::Registry;
use crate::session_span::session;
use crate::tcp;

/// Connections that have not said yet what they want. The port is open to all the world.
const UNSETTLED: usize = 1_024;
/// How long to wait when the system has no more files for connections.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Serves publishers and players by RTMP.
#[derive(Debug)]
pub struct Server {
    rooms: Arc<Registry>,
    feeds: Feeds<ChunkMuxer>,
    /// Whether 2016 clients may publish without a secret.
    legacy: bool,
    unsettled: Arc<Semaphore>,
    places: Arc<Places>,
    strangers: Arc<Strangers>,
    /// How long a publisher may send nothing.
    silence: Duration,
}

impl Server {
    /// A server of these rooms, for as many connections as there are places. A publisher that sends nothing for
    /// the time of `silence` is lost.
    #[must_use]
    pub fn new(
        rooms: Arc<Registry>,
        legacy: bool,
        places: Arc<Places>,
        strangers: Arc<Strangers>,
        silence: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            rooms,
            feeds: Feeds::default(),
            legacy,
            unsettled: Arc::new(Semaphore::new(UNSETTLED)),
            places,
            strangers,
            silence,
        })
    }

    /// Serves a port until `stopping`, then ends every connection.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stopping: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, tcp::canonical(peer), &mut connections),
                    Err(error) => {
                        tracing::warn!(%error, "an RTMP connection could not be accepted");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let place = match self.places.take(Some(peer.ip())) {
            Ok(place) => place,
            Err(error) => {
                tracing::warn!(%peer, "RTMP connection refused: {error}");
                return;
            }
        };
        let Ok(unsettled) = Arc::clone(&self.unsettled).try_acquire_owned() else {
            tracing::warn!(%peer, "refused: too many RTMP connections that say nothing");
            return;
        };
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%peer, %error, "preparing an RTMP connection");
        }
        let server = Arc::clone(self);
        let serving = async move {
            Connection::new(stream, peer)
                .serve(&server, unsettled)
                .await;
            drop(place);
        };
        connections.spawn(serving.instrument(session("rtmp", Some(peer))));
    }
}

/// Batches are whole: nothing is gained by waiting for more.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    tcp::give_up_on_stuck_peers(stream)
}
