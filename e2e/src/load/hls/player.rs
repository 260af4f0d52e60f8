//! Players that load parts as they come.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::Connection;
use crate::load::statistics::Delays;

/// A rendition that is played.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// Who serves it.
    pub host: SocketAddr,
    /// The folder of its presentation.
    pub folder: String,
    /// "video" or "audio".
    pub kind: &'static str,
}

/// What all players together have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// From the moment a part is announced, which is when the waiting playlist comes, to its last byte.
    pub parts: Delays,
    /// Between parts that came after each other.
    pub longest_gap: Duration,
}

/// Running players.
#[derive(Debug, Default)]
pub struct Players {
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<Result<()>>,
}

impl Players {
    /// Lets so many begin, spread over a while.
    pub async fn join(&mut self, rendition: &Rendition, count: usize, each: Duration) {
        for _ in 0..count {
            let play = play(rendition.clone(), Arc::clone(&self.seen));
            self.tasks.spawn(play);
            sleep(each).await;
        }
    }

    /// What was seen since this was called last.
    #[must_use]
    pub fn take(&self) -> Seen {
        std::mem::take(&mut self.seen.lock())
    }

    /// Ends them.
    ///
    /// # Errors
    /// One ended by itself.
    pub async fn stop(mut self) -> Result<()> {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(result) => result?,
                Err(error) => ensure!(error.is_cancelled(), "a player panicked"),
            }
        }
        Ok(())
    }
}

async fn play(rendition: Rendition, seen: Arc<Mutex<Seen>>) -> Result<()> {
    let Rendition { host, folder, kind } = rendition;
    let mut connection = Connection::open(host).await?;
    let playlist = connection.get(&format!("{folder}/{kind}.m3u8")).await?;
    let mut hint = Hint::of(&playlist.body).context("the playlist hints at nothing")?;
    let mut before: Option<Instant> = None;
    loop {
        let playlist = format!(
            "{folder}/{kind}.m3u8?_HLS_msn={}&_HLS_part={}",
            hint.segment, hint.part
        );
        let playlist = connection.get(&playlist).await?;
        ensure!(playlist.status == 200, "a playlist: {}", playlist.status);
        let announced = Instant::now();
        let part = format!("{folder}/{kind}-{}.{}.m4s", hint.segment, hint.part);
        let part = connection.get(&part).await?;
        ensure!(part.status == 200, "a part: {}", part.status);
        hint = Hint::of(&playlist.body).context("the broadcast is over")?;
        let gap = before.map_or(Duration::ZERO, |before| before.elapsed());
        before = Some(Instant::now());
        let mut seen = seen.lock();
        seen.requests += 2;
        seen.bytes += (playlist.body.len() + part.body.len()) as u64;
        seen.parts.add(announced.elapsed());
        seen.longest_gap = seen.longest_gap.max(gap);
    }
}

/// The part that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hint {
    segment: u64,
    part: u64,
}

impl Hint {
    /// The last line of a playlist that goes on.
    fn of(playlist: &[u8]) -> Option<Self> {
        let playlist = std::str::from_utf8(playlist).ok()?;
        let hint = playlist.lines().last()?.strip_suffix(".m4s\"")?;
        let (_, numbers) = hint.rsplit_once('-')?;
        let (segment, part) = numbers.split_once('.')?;
        Some(Self {
            segment: segment.parse().ok()?,
            part: part.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_says_what_comes_next() {
        let playlist = b"#EXTM3U\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"video-12.3.m4s\"\n";
        let hint = Hint {
            segment: 12,
            part: 3,
        };
        assert_eq!(Hint::of(playlist), Some(hint));
        assert_eq!(Hint::of(b"#EXTM3U\n#EXT-X-ENDLIST\n"), None);
    }
}
