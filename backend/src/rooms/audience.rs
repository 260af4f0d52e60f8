//! Who watches without a connection of their own: viewers over HLS, known by their requests.
//!
//! Clients at one address with one name of a program are one viewer, unless their players say that they
//! are several.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::viewers::{Full, Protocol, Viewer, Viewers};

/// Whoever has not asked for so long does not watch any more.
const WATCHES: Duration = Duration::from_secs(12);

/// Where requests come from.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// The header `User-Agent`.
    pub agent: &'a [u8],
}

/// The viewers of one room who are known by their requests. As many as the room's viewers may be, so
/// memory is bounded.
#[derive(Debug, Default)]
pub struct Audience {
    clients: HashMap<(IpAddr, u64), Watching>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Watching {
    /// When the client last asked for a playlist.
    asked: Option<Instant>,
    /// When each of its players last said that it plays.
    players: HashMap<u64, Instant>,
    places: Vec<Viewer>,
}

impl Audience {
    /// A client asked for a playlist.
    ///
    /// # Errors
    /// [`Full`], for whoever does not watch already.
    pub fn asked(
        &mut self,
        viewers: &Viewers,
        client: Client<'_>,
        now: Instant,
    ) -> Result<(), Full> {
        let watching = self.watching(client);
        watching.asked = Some(now);
        let settled = watching.settle(viewers);
        self.sweep(now);
        settled
    }

    /// A player says that it plays. `id` is its own choice.
    ///
    /// # Errors
    /// As [`asked`](Self::asked).
    pub fn beat(
        &mut self,
        viewers: &Viewers,
        client: Client<'_>,
        id: &str,
        now: Instant,
    ) -> Result<(), Full> {
        let id = self.hasher.hash_one(id);
        let watching = self.watching(client);
        watching.players.insert(id, now);
        let settled = watching.settle(viewers);
        if settled.is_err() {
            watching.players.remove(&id);
        }
        self.sweep(now);
        settled
    }

    /// Time passes: who has not been heard of has left.
    pub fn sweep(&mut self, now: Instant) {
        let watches = |since: Instant| now.saturating_duration_since(since) < WATCHES;
        self.clients.retain(|_, watching| {
            watching.asked = watching.asked.filter(|&since| watches(since));
            watching.players.retain(|_, since| watches(*since));
            watching.places.truncate(watching.count());
            !watching.places.is_empty()
        });
    }

    fn watching(&mut self, client: Client<'_>) -> &mut Watching {
        let agent = self.hasher.hash_one(client.agent);
        self.clients.entry((client.address, agent)).or_default()
    }
}

impl Watching {
    /// Players that named themselves also ask for playlists.
    fn count(&self) -> usize {
        self.players.len().max(usize::from(self.asked.is_some()))
    }

    fn settle(&mut self, viewers: &Viewers) -> Result<(), Full> {
        while self.places.len() < self.count() {
            self.places
                .push(viewers.admit()?.by(Protocol::Hls).watching());
        }
        Ok(())
    }
}
