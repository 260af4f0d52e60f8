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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use shared::room::{Room, RoomState};
    use tokio::sync::{Semaphore, watch};

    use super::*;

    const HOME: Client<'_> = Client {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: b"player",
    };

    struct Hall {
        audience: Audience,
        viewers: Viewers,
        view: Arc<watch::Sender<Room>>,
        begun: Instant,
    }

    impl Hall {
        fn new(places: usize) -> Self {
            let view = Arc::new(watch::Sender::new(Room {
                key: "r".parse().unwrap(),
                title: "r".into(),
                state: RoomState::Live,
                viewers: 0,
                peak_viewers: 0,
                likes: 0,
                created_at: 0,
                started_at: None,
                ingest: None,
                webrtc: true,
            }));
            let everywhere = Arc::new(Semaphore::new(100));
            Self {
                audience: Audience::default(),
                viewers: Viewers::new(Arc::clone(&view), everywhere, places),
                view,
                begun: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begun + Duration::from_secs(seconds)
        }

        fn asked(&mut self, client: Client<'_>, seconds: u64) -> Result<(), Full> {
            let now = self.at(seconds);
            self.audience.asked(&self.viewers, client, now)
        }

        fn beat(&mut self, id: &str, seconds: u64) -> Result<(), Full> {
            let now = self.at(seconds);
            self.audience.beat(&self.viewers, HOME, id, now)
        }

        fn count(&self) -> u32 {
            self.view.borrow().viewers
        }
    }

    #[test]
    fn a_client_watches_as_long_as_it_asks() {
        let mut hall = Hall::new(9);
        for seconds in 0..30 {
            hall.asked(HOME, seconds).unwrap();
            assert_eq!(hall.count(), 1);
        }
        let later = hall.at(60);
        hall.audience.sweep(later);
        assert_eq!(hall.count(), 0);
    }

    #[test]
    fn another_program_at_the_same_address_is_another_viewer() {
        let mut hall = Hall::new(9);
        let other = Client {
            agent: b"other",
            ..HOME
        };
        hall.asked(HOME, 0).unwrap();
        hall.asked(other, 0).unwrap();
        assert_eq!(hall.count(), 2);
    }

    #[test]
    fn players_that_name_themselves_are_counted_apart_and_not_twice() {
        let mut hall = Hall::new(9);
        hall.asked(HOME, 0).unwrap();
        hall.beat("a", 0).unwrap();
        hall.beat("a", 5).unwrap();
        assert_eq!(hall.count(), 1);
        hall.beat("b", 6).unwrap();
        assert_eq!(hall.count(), 2);
        hall.beat("b", 17).unwrap();
        let later = hall.at(18);
        hall.audience.sweep(later);
        assert_eq!(hall.count(), 1);
    }

    #[test]
    fn a_full_room_refuses_who_is_new_and_keeps_who_watches() {
        let mut hall = Hall::new(1);
        hall.beat("a", 0).unwrap();
        assert_eq!(hall.beat("b", 1), Err(Full::Room));
        let other = Client {
            agent: b"other",
            ..HOME
        };
        assert_eq!(hall.asked(other, 1), Err(Full::Room));
        hall.beat("a", 2).unwrap();
        assert_eq!((hall.count(), hall.audience.clients.len()), (1, 1));
    }
}
