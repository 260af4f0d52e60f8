//! One who plays, by RTMP or HTTP-FLV.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::client::{Client, Place};
use super::stamp::Scanner;
use super::window::{Window, now};
use crate::load::statistics::Delays;

/// Read at once, at most.
const BUFFER: usize = 256 << 10;
/// From the end of a connection to the next one.
const RETRY: Duration = Duration::from_millis(500);

thread_local! {
    /// No player keeps what it has read, so one buffer does for all players of a thread.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// How a stream is to be had.
#[derive(Clone, Debug)]
pub enum Source {
    /// By RTMP.
    Rtmp(Place),
    /// By HTTP-FLV.
    Flv {
        /// Host and port.
        server: SocketAddr,
        /// `/live/KEY.flv`.
        path: String,
    },
}

/// What a player has received.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    /// From asking for the stream to the first picture.
    pub first_from_play: Option<Duration>,
    /// The same, from the beginning of the connection.
    pub first_from_connect: Option<Duration>,
    /// Pictures that were sent within the window.
    pub pictures: u64,
    /// Their delays.
    pub delays: Delays,
    /// Times that the stream ended and was asked for again.
    pub restarts: u64,
    /// Why it ended, the last time.
    pub ended: Option<String>,
}

/// When a player did what.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    connected: Instant,
    asked: Instant,
}

impl Source {
    /// Asks for the stream. Media comes from the socket now, behind a few bytes that say so.
    ///
    /// # Errors
    /// The server refused, or is gone.
    pub async fn open(&self) -> Result<TcpStream> {
        Ok(self.begin().await?.0)
    }

    async fn begin(&self) -> Result<(TcpStream, Beginning)> {
        let connected = Instant::now();
        match self {
            Self::Rtmp(place) => {
                let client = Client::connect(place).await?;
                let asked = Instant::now();
                let socket = client.play(&place.name).await?;
                Ok((socket, Beginning { connected, asked }))
            }
            Self::Flv { server, path } => {
                let mut socket = TcpStream::connect(server).await?;
                let asked = Instant::now();
                let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n");
                socket.write_all(request.as_bytes()).await?;
                Ok((socket, Beginning { connected, asked }))
            }
        }
    }
}

/// Plays for ever; begins again when the stream ends.
pub async fn play(source: Source, window: Arc<Window>, reception: Arc<Mutex<Reception>>) {
    loop {
        let ended = match source.begin().await {
            Ok((socket, beginning)) => {
                watch(&source, &socket, beginning, &window, &reception).await
            }
            Err(error) => Err(error),
        };
        {
            let mut reception = reception.lock();
            reception.restarts += 1;
            reception.ended = ended.err().map(|error| format!("{error:#}"));
        }
        sleep(RETRY).await;
    }
}

/// Reads until the connection ends, which is an error.
async fn watch(
    source: &Source,
    socket: &TcpStream,
    beginning: Beginning,
    window: &Window,
    reception: &Mutex<Reception>,
) -> Result<()> {
    let mut scanner = Scanner::default();
    let mut accepted = matches!(source, Source::Rtmp(_));
    loop {
        socket.readable().await?;
        READ.with_borrow_mut(|buffer| -> Result<()> {
            let piece = match socket.try_read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(length) => buffer
                    .get(..length)
                    .context("more was read than asked for")?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if !accepted {
                let line = piece
                    .split(|&byte| byte == b'\r')
                    .next()
                    .unwrap_or_default();
                let line = String::from_utf8_lossy(line);
                ensure!(line.starts_with("HTTP/1.1 200"), "the server said {line}");
                accepted = true;
            }
            receive(
                &mut reception.lock(),
                piece,
                &mut scanner,
                beginning,
                window,
            );
            Ok(())
        })?;
    }
}

fn receive(
    reception: &mut Reception,
    piece: &[u8],
    scanner: &mut Scanner,
    beginning: Beginning,
    window: &Window,
) {
    let arrived = now();
    scanner.scan(piece, |stamp| {
        let first = &mut reception.first_from_play;
        first.get_or_insert_with(|| beginning.asked.elapsed());
        let first = &mut reception.first_from_connect;
        first.get_or_insert_with(|| beginning.connected.elapsed());
        if window.contains(stamp.sent) {
            reception.pictures += 1;
            let delay = arrived.saturating_sub(stamp.sent);
            reception.delays.add(Duration::from_nanos(delay));
        }
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::load::rtmp::stamp::Stamp;
    use crate::{SOON, eventually};

    /// Answers one request with `answer`.
    async fn server(answer: Vec<u8>) -> Source {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let length = socket.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /live/a.flv HTTP/1.1\r\n"));
            socket.write_all(&answer).await.unwrap();
            std::future::pending::<()>().await;
        });
        let path = "/live/a.flv".to_owned();
        Source::Flv { server, path }
    }

    #[tokio::test]
    async fn pictures_within_the_window_are_counted_by_http_flv() {
        let window = Arc::<Window>::default();
        let before = Stamp {
            number: 0,
            sent: now(),
        };
        window.open();
        let during = Stamp {
            number: 1,
            sent: now(),
        };
        let head = b"HTTP/1.1 200 OK\r\n\r\nFLV".to_vec();
        let source = server([head, before.encode(), during.encode()].concat()).await;
        let reception = Arc::<Mutex<Reception>>::default();
        let playing = tokio::spawn(play(source, window, Arc::clone(&reception)));
        eventually("a picture is counted", SOON, async || {
            let reception = reception.lock();
            ensure!(reception.pictures == 1 && reception.first_from_play.is_some());
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(reception.lock().delays.ended(), 1);
        playing.abort();
    }

    #[tokio::test]
    async fn a_refusal_is_told_and_counts_as_a_restart() {
        let source = server(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()).await;
        let reception = Arc::<Mutex<Reception>>::default();
        let playing = tokio::spawn(play(source, Arc::default(), Arc::clone(&reception)));
        eventually("the refusal is told", SOON, async || {
            let reception = reception.lock();
            let ended = reception.ended.as_deref().unwrap_or_default();
            ensure!(ended.contains("404 Not Found") && reception.restarts > 0);
            Ok(())
        })
        .await
        .unwrap();
        playing.abort();
    }
}
