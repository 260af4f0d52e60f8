//! Many players of one broadcast.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::player::{Reception, Source, play};
use super::window::Window;
use crate::load::statistics::Delays;
use crate::{LONG, eventually};

/// Players who came about at the same time. They go when this is dropped.
#[derive(Debug)]
pub struct Players {
    receptions: Vec<Arc<Mutex<Reception>>>,
    _tasks: JoinSet<()>,
}

/// What all players together have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// From asking for the stream to the first picture.
    pub first_from_play: Delays,
    /// The same, from the beginning of the connection.
    pub first_from_connect: Delays,
    /// Pictures that were sent within the window.
    pub pictures: u64,
    /// Their delays.
    pub delays: Delays,
    /// Streams that ended and were asked for again.
    pub restarts: u64,
    /// Why one of them ended.
    pub ended: Option<String>,
}

impl Players {
    /// `count` players begin, `per_second` of them each second, and each has seen a picture.
    ///
    /// # Errors
    /// One of them sees nothing.
    pub async fn begin(
        source: &Source,
        count: usize,
        per_second: u32,
        window: &Arc<Window>,
    ) -> Result<Self> {
        let mut arrivals = interval(Duration::from_secs(1) / per_second);
        let (mut tasks, mut receptions) = (JoinSet::new(), Vec::new());
        for _ in 0..count {
            arrivals.tick().await;
            let reception = Arc::<Mutex<Reception>>::default();
            receptions.push(Arc::clone(&reception));
            tasks.spawn(play(source.clone(), Arc::clone(window), reception));
        }
        let players = Self {
            receptions,
            _tasks: tasks,
        };
        eventually("every player sees a picture", LONG, async || {
            let Seen {
                first_from_play,
                ended,
                ..
            } = players.seen();
            let sees = first_from_play.ended();
            if let Some(ended) = ended {
                bail!("{sees} of {count} do; one was ended: {ended}");
            }
            ensure!(sees == count, "{sees} of {count} do");
            Ok(())
        })
        .await?;
        Ok(players)
    }

    /// What they have seen up to now.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for reception in &self.receptions {
            let reception = reception.lock().clone();
            seen.pictures += reception.pictures;
            seen.restarts += reception.restarts;
            seen.delays.append(reception.delays);
            seen.ended = seen.ended.or(reception.ended);
            if let Some(first) = reception.first_from_play {
                seen.first_from_play.add(first);
            }
            if let Some(first) = reception.first_from_connect {
                seen.first_from_connect.add(first);
            }
        }
        seen
    }
}
