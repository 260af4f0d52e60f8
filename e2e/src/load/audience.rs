//! Many viewers of one room.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::peer::Identity;
use super::session::Endpoint;
use super::statistics::Delays;
use super::viewer::Viewer;

/// Viewers that came about at the same time.
pub struct Audience {
    viewers: Vec<Viewer>,
    /// Why the others could not join.
    pub failures: Vec<anyhow::Error>,
}

/// What all viewers together have received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Media packets.
    pub packets: u64,
    /// Pictures.
    pub pictures: u64,
    /// Packets that never came.
    pub lost: u64,
}

impl Audience {
    /// `count` viewers join, `per_second` of them each second. All but `thorough` of them only read the
    /// headers of what they are sent.
    ///
    /// # Errors
    /// A viewer's task panicked.
    pub async fn join(
        endpoint: &Endpoint,
        identity: &Identity,
        count: usize,
        per_second: u32,
        thorough: usize,
    ) -> Result<Self> {
        let mut arrivals = interval(Duration::from_secs(1) / per_second);
        let mut joining = JoinSet::new();
        for number in 0..count {
            arrivals.tick().await;
            let (endpoint, identity) = (endpoint.clone(), identity.clone());
            joining
                .spawn(async move { Viewer::join(&endpoint, &identity, number >= thorough).await });
        }
        let (mut viewers, mut failures) = (Vec::new(), Vec::new());
        while let Some(joined) = joining.join_next().await {
            match joined? {
                Ok(viewer) => viewers.push(viewer),
                Err(error) => failures.push(error),
            }
        }
        Ok(Self { viewers, failures })
    }

    /// How many have joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.viewers.len()
    }

    /// Whether nobody has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    /// How long joining took.
    #[must_use]
    pub fn join_times(&self) -> Delays {
        self.viewers.iter().map(|viewer| viewer.join_time).collect()
    }

    /// What they have received since they joined.
    #[must_use]
    pub fn received(&self) -> Received {
        let mut received = Received::default();
        for reception in self.viewers.iter().map(Viewer::reception) {
            received.packets += reception.packets;
            received.pictures += reception.pictures;
            received.lost += reception.lost();
        }
        received
    }

    /// All go, and say so. Answers how many of them the server had given up before.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn leave(self) -> Result<usize> {
        let leaving: JoinSet<_> = self.viewers.into_iter().map(Viewer::leave).collect();
        let known = leaving.join_all().await.into_iter();
        let known = known.collect::<Result<Vec<_>>>()?;
        Ok(known.into_iter().filter(|known| !known).count())
    }
}
