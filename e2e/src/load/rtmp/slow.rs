//! Players who do not keep up.

use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::player::Source;

/// What a slow one reads at once, and how often: 320 kbit/s, a sixth of the stream.
const SIP: usize = 4 << 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Players of whom every other one reads nothing at all, and the rest a sixth of what is sent. They go when
/// this is dropped.
#[derive(Debug, Default)]
pub struct SlowPlayers {
    silent: Vec<TcpStream>,
    sipping: JoinSet<()>,
}

impl SlowPlayers {
    /// `count` of them ask for the stream.
    ///
    /// # Errors
    /// The server refuses one.
    pub async fn begin(source: &Source, count: usize) -> Result<Self> {
        let mut players = Self::default();
        for index in 0..count {
            let socket = source.open().await?;
            if index % 2 == 0 {
                players.silent.push(socket);
            } else {
                players.sipping.spawn(sip(socket));
            }
        }
        Ok(players)
    }

    /// How many the server has given up, as far as that can be seen.
    #[must_use]
    pub fn given_up(&mut self) -> usize {
        let mut given_up = self.silent.iter().filter(|socket| is_over(socket)).count();
        while self.sipping.try_join_next().is_some() {
            given_up += 1;
        }
        given_up
    }
}

async fn sip(mut socket: TcpStream) {
    let mut buffer = [0; SIP];
    while socket
        .read(&mut buffer)
        .await
        .is_ok_and(|length| length > 0)
    {
        sleep(PAUSE).await;
    }
}

/// Reads what has piled up, and whether the connection ends behind it.
fn is_over(socket: &TcpStream) -> bool {
    let mut buffer = [0; 64 << 10];
    loop {
        match socket.try_read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}
