//! One connection: bytes to its session and back.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use super::Server;
use super::admission::{admit_player, admit_publisher};
use crate::metrics::METRICS;
use crate::rtmp::session::{Event, ProtocolError, Session};

/// Time from the connection to the wish to publish or to play: handshakes and commands are short.
const SETTLE: Duration = Duration::from_secs(10);
/// Time to take what we say last.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes read at once from a publisher; most messages are smaller.
const READ: usize = 32 * 1024;
/// Bytes read at once before anybody is known, and from players, who say little.
const READ_LITTLE: usize = 2 * 1024;

/// Why a connection is over. The session has said what there was to say.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    #[error("the connection is closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("nothing was asked for in time")]
    Silent,
}

/// A connection and its session.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) session: Session,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            session: Session::new(),
            buffer: vec![0; READ_LITTLE],
        }
    }

    /// Serves it until it ends.
    pub(super) async fn serve(mut self, server: &Server, unsettled: OwnedSemaphorePermit) {
        let deadline = Instant::now() + SETTLE;
        let wish = timeout_at(deadline, self.answer_until_event())
            .await
            .unwrap_or(Err(Over::Silent));
        let over = match wish {
            Ok(Event::Publish(request)) => match admit_publisher(server, &request, self.peer).await
            {
                Ok(admission) => {
                    drop(unsettled);
                    self.buffer.resize(READ, 0);
                    self.publish(admission, server.silence).await
                }
                Err(refusal) => {
                    tracing::warn!(peer = %self.peer, room = ?request.key, "RTMP publish refused: {refusal}");
                    self.session.refuse_publish(&refusal.to_string());
                    Ok(())
                }
            },
            Ok(Event::Play(request)) => match admit_player(server, &request) {
                Ok(audience) => {
                    drop(unsettled);
                    self.play(server, audience).await
                }
                Err(refusal) => {
                    tracing::info!(peer = %self.peer, room = ?request.key, "RTMP play refused: {refusal}");
                    self.session.refuse_play(&refusal.to_string());
                    Ok(())
                }
            },
            // Media and the like come only from whom we let publish.
            Ok(_) => Ok(()),
            Err(over) => Err(over),
        };
        match over {
            Ok(()) | Err(Over::Closed) => {}
            Err(over @ (Over::Protocol(_) | Over::Silent)) => {
                tracing::warn!(peer = %self.peer, "RTMP connection cut: {over}");
            }
            Err(Over::Io(error)) => {
                tracing::debug!(peer = %self.peer, %error, "RTMP connection lost");
            }
        }
        self.say_goodbye().await;
    }

    /// Waits for what the client wants, answering what it says before.
    async fn answer_until_event(&mut self) -> Result<Event, Over> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Ok(event);
            }
            self.flush().await?;
            self.read().await?;
        }
    }

    /// Waits for what the client wants or sends next; `None` when there is something to
    /// [`flush`](Self::flush) first. Cancel safe.
    pub(super) async fn next_event(&mut self) -> Result<Option<Event>, Over> {
        if let Some(event) = self.session.poll_event() {
            return Ok(Some(event));
        }
        self.read().await?;
        Ok(self.session.poll_event())
    }

    /// Reads what is there, waiting for it, and hands it to the session. Cancel safe.
    async fn read(&mut self) -> Result<(), Over> {
        let count = self.stream.read(&mut self.buffer).await?;
        if count == 0 {
            return Err(Over::Closed);
        }
        METRICS.rtmp.received.inc_by(count as u64);
        let bytes = self.buffer.get(..count).unwrap_or_default();
        Ok(self.session.receive(bytes)?)
    }

    /// Sends what the session has to say.
    pub(super) async fn flush(&mut self) -> Result<(), Over> {
        let output = self.session.take_output();
        self.send(&output).await
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if !bytes.is_empty() {
            self.stream.write_all(bytes).await?;
            METRICS.rtmp.sent.inc_by(bytes.len() as u64);
        }
        Ok(())
    }

    /// What the session says last has to arrive, so nothing that is still unread may reset the connection.
    async fn say_goodbye(mut self) {
        let farewell = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            while self.stream.read(&mut self.buffer).await? > 0 {}
            Ok::<_, Over>(())
        };
        // Whoever does not listen is not waited for.
        let _ = timeout(FAREWELL, farewell).await;
    }
}
