//! All workers, and what they share.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::outlet::Outlet;
use super::worker::{Order, Worker};
use crate::media::stage::Stage;
use crate::webrtc::feed::Feeds;
use crate::webrtc::mux::Mux;
use crate::webrtc::paths::Paths;

/// A worker for each core.
pub(super) struct Workers {
    workers: Vec<Worker>,
    pub(super) mux: Arc<Mux>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) feeds: Arc<Feeds>,
}

impl Workers {
    /// How many are started.
    pub(super) fn count() -> usize {
        thread::available_parallelism().map_or(1, NonZero::get)
    }

    /// Starts them, each with the mux's socket of its number if there are so many. They end soon after
    /// `alive` does.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(mux: Arc<Mux>, alive: &CancellationToken) -> io::Result<Self> {
        let (metrics, feeds) = (Arc::<Metrics>::default(), Arc::<Feeds>::default());
        let start = |number| {
            let outlet = Outlet {
                mux: Arc::clone(&mux),
                socket: number,
                metrics: Arc::clone(&metrics),
            };
            Worker::start(number, outlet, Arc::clone(&feeds), alive.clone())
        };
        let workers = (0..Self::count()).map(start).collect::<io::Result<_>>()?;
        Ok(Self {
            workers,
            mux,
            metrics,
            feeds,
        })
    }

    /// Whether those who are there would suffer from more: nobody knows yet which worker will have them.
    pub(super) fn are_late(&self, now: Instant) -> bool {
        self.workers.iter().any(|worker| worker.load.is_late(now))
    }

    /// What the viewers of this room reported in the last seconds.
    pub(super) fn paths(&self, stage: &Arc<Stage>) -> Option<Paths> {
        let feed = self.feeds.existing(stage)?;
        feed.paths().recent(Instant::now())
    }

    /// The worker that takes somebody in who came to the socket of this number: where each has a socket the
    /// one that reads it, else the one with the fewest viewers.
    pub(super) fn choose(&self, socket: Option<usize>) -> Option<usize> {
        let own = socket.filter(|_| self.mux.sockets() == self.workers.len());
        let numbers = 0..self.workers.len();
        own.or_else(|| numbers.min_by_key(|&number| self.workers[number].load.viewers()))
    }

    /// The worker of this number.
    pub(super) fn get(&self, number: usize) -> Option<&Worker> {
        self.workers.get(number)
    }

    /// Tells a worker what to do; `false` when it has too much to do.
    pub(super) fn order(&self, number: usize, order: Order) -> bool {
        let worker = self.workers.get(number);
        worker.is_some_and(|worker| worker.orders.try_send(order).is_ok())
    }
}
