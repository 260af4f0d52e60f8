//! All rooms.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use shared::room::{Room as View, RoomKey, RoomState};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::hosts::Hosts;
use super::room::{NewRoom, Owner, Room, Secrets};
use super::secret::{HostToken, SecretHash, Stream, StreamKey};
use crate::random;
use crate::store::StoredRoom;
use crate::store::journal::Journal;
use crate::store::shelf::Shelf;

/// Most rooms in one answer to "which rooms are there?".
pub const LISTED: usize = 200;

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rooms.
    pub rooms: usize,
    /// Viewers of all rooms.
    pub viewers: usize,
    /// Viewers of one room.
    pub viewers_per_room: usize,
    /// Publishers of all rooms.
    pub publishers: usize,
    /// What one publisher may send, in bits a second.
    pub bitrate: Option<u64>,
    /// How long a room waits for a lost publisher.
    pub grace: Duration,
}

/// Why there is no new room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// There are as many as there may be.
    #[error("This server has as many rooms as it can hold: please try again later.")]
    TooMany,
    /// Somebody else has this key.
    #[error("There is a room with this key already: please choose another one.")]
    Taken,
}

/// Told of every new room.
type Opened = Box<dyn Fn(&Arc<Room>) + Send + Sync>;

/// All rooms, by their keys.
pub struct Registry {
    limits: Limits,
    rooms: RwLock<HashMap<RoomKey, Arc<Room>>>,
    viewers: Arc<Semaphore>,
    publishers: Arc<Semaphore>,
    opened: Opened,
    journal: Journal,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// No rooms. `opened` is told of every one that is made.
    #[must_use]
    pub fn new(limits: Limits, opened: impl Fn(&Arc<Room>) + Send + Sync + 'static) -> Self {
        Self {
            limits,
            rooms: RwLock::default(),
            viewers: Arc::new(Semaphore::new(limits.viewers.min(Semaphore::MAX_PERMITS))),
            publishers: Arc::new(Semaphore::new(
                limits.publishers.min(Semaphore::MAX_PERMITS),
            )),
            opened: Box::new(opened),
            journal: Journal::nowhere(),
        }
    }

    /// Has the rooms kept by `journal`, and brings back those that were kept before.
    #[must_use]
    pub fn kept_by(mut self, journal: Journal, stored: Vec<StoredRoom>) -> Self {
        self.journal = journal;
        let now = Instant::now();
        for stored in stored {
            let record = &stored.record;
            let (key, title) = (record.key.clone(), record.title.clone());
            let owner = Owner::Host(Hosts::new(record.host_tokens.clone()));
            let room = self.room(key, &title, owner, Some(record.stream_key.clone()));
            room.restore(stored, self.limits.grace, now);
            self.rooms
                .get_mut()
                .insert(room.key().clone(), Arc::clone(&room));
            (self.opened)(&room);
        }
        self
    }

    /// Makes a room that belongs to whoever gets its secrets. The title has been checked.
    ///
    /// # Errors
    /// [`NoRoom::TooMany`].
    pub fn create(&self, title: &str) -> Result<(Arc<Room>, Secrets), NoRoom> {
        let secrets = Secrets {
            host_token: HostToken::generate(),
            stream_key: StreamKey::generate(),
        };
        loop {
            let text = random::text::<{ RoomKey::GENERATED_LEN }>();
            let Ok(key) = RoomKey::try_from(text) else {
                continue;
            };
            let owner = Owner::Host(Hosts::new(vec![secrets.host_token.hash()]));
            match self.insert(key, title, owner, Some(secrets.stream_key.hash())) {
                Ok(room) => return Ok((room, secrets)),
                Err(NoRoom::Taken) => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Makes an open room of a 2016 client: the key is the client's choice, the socket with this `number` its owner, and its `address` where it may be
    /// published from.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn create_open(
        &self,
        key: RoomKey,
        title: &str,
        number: u64,
        address: Option<IpAddr>,
    ) -> Result<Arc<Room>, NoRoom> {
        let address = address.map(|address| address.to_canonical());
        self.insert(key, title, Owner::Socket { number, address }, None)
    }

    fn insert(
        &self,
        key: RoomKey,
        title: &str,
        owner: Owner,
        stream_key: Option<SecretHash<Stream>>,
    ) -> Result<Arc<Room>, NoRoom> {
        let room = {
            let mut rooms = self.rooms.write();
            if rooms.contains_key(&key) {
                return Err(NoRoom::Taken);
            }
            if rooms.len() >= self.limits.rooms {
                return Err(NoRoom::TooMany);
            }
            let room = self.room(key.clone(), title, owner, stream_key);
            rooms.insert(key, Arc::clone(&room));
            room
        };
        (self.opened)(&room);
        Ok(room)
    }

    fn room(
        &self,
        key: RoomKey,
        title: &str,
        owner: Owner,
        stream_key: Option<SecretHash<Stream>>,
    ) -> Arc<Room> {
        let journal = match owner {
            Owner::Host(_) => self.journal.clone(),
            Owner::Socket { .. } => Journal::nowhere(),
        };
        Arc::new(Room::new(NewRoom {
            shelf: Shelf::new(key.clone(), journal),
            key,
            title: title.to_owned(),
            owner,
            stream_key,
            grace: self.limits.grace,
            viewers: self.limits.viewers_per_room.min(Semaphore::MAX_PERMITS),
            viewers_everywhere: Arc::clone(&self.viewers),
            publishers_everywhere: Arc::clone(&self.publishers),
            bitrate: self.limits.bitrate,
        }))
    }

    /// The room with this key.
    #[must_use]
    pub fn find(&self, key: &RoomKey) -> Option<Arc<Room>> {
        self.rooms.read().get(key).cloned()
    }

    /// What everybody may know about each of the rooms, in no order.
    #[must_use]
    pub fn views(&self) -> Vec<View> {
        let rooms = self.rooms.read();
        rooms.values().map(|room| room.view()).collect()
    }

    /// Rooms that are not over: live ones first, the most watched of them first; then the newest. At
    /// most [`LISTED`].
    #[must_use]
    pub fn list(&self) -> Vec<View> {
        let rooms = self.rooms.read();
        let mut views: Vec<View> = rooms
            .values()
            .map(|room| room.view())
            .filter(|view| view.state != RoomState::Ended)
            .collect();
        drop(rooms);
        views.sort_by_key(|view| {
            let rank = match view.state {
                RoomState::Live => 0,
                RoomState::Reconnecting => 1,
                RoomState::Offline | RoomState::Ended => 2,
            };
            (rank, Reverse(view.viewers), Reverse(view.created_at))
        });
        views.truncate(LISTED);
        views
    }

    /// What a 2016 client calls the rooms: the open ones, and those that are live.
    #[must_use]
    pub fn list_for_2016(&self) -> Vec<View> {
        let open = |key: &RoomKey| self.find(key).is_some_and(|room| room.is_open());
        let mut views = self.list();
        views.retain(|view| view.state == RoomState::Live || open(&view.key));
        views
    }

    /// Ends a room, forgets it, and frees its key.
    pub fn close_open(&self, room: &Arc<Room>) {
        room.close();
        let mut rooms = self.rooms.write();
        if rooms
            .get(room.key())
            .is_some_and(|there| Arc::ptr_eq(there, room))
        {
            rooms.remove(room.key());
            drop(rooms);
            drop(room.shelf().forget());
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Room>> {
        self.rooms.read().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use shared::room::Ingest;

    use super::*;

    const LIMITS: Limits = Limits {
        rooms: 3,
        viewers: 10,
        viewers_per_room: 10,
        publishers: 10,
        bitrate: None,
        grace: Duration::from_secs(15),
    };

    fn registry() -> Registry {
        Registry::new(LIMITS, |_| ())
    }

    #[test]
    fn a_room_is_found_by_its_key_and_its_secrets_fit() {
        let registry = registry();
        let (room, secrets) = registry.create("Cooking").unwrap();
        let found = registry.find(room.key()).unwrap();
        assert!(Arc::ptr_eq(&room, &found));
        assert!(found.is_host(&secrets.host_token.reveal()));
        assert!(
            found
                .check_stream_key(&secrets.stream_key.reveal())
                .is_some()
        );
        assert!(!found.is_host("") && found.check_stream_key("").is_none());
    }

    #[test]
    fn a_rotated_stream_key_voids_the_old_one_and_tells_its_user() {
        let (room, secrets) = registry().create("r").unwrap();
        let old = secrets.stream_key.reveal();
        let version = room.check_stream_key(&old).unwrap();
        let new = room.rotate_stream_key().reveal();
        assert!(version.has_changed().unwrap());
        assert!(room.check_stream_key(&old).is_none());
        assert!(room.check_stream_key(&new).is_some());
    }

    #[test]
    fn no_more_rooms_are_made_than_there_may_be() {
        let registry = registry();
        let rooms = [(); LIMITS.rooms].map(|()| registry.create("r").unwrap().0);
        assert_eq!(registry.create("r").unwrap_err(), NoRoom::TooMany);
        registry.close_open(&rooms[0]);
        assert!(registry.create("r").is_ok());
    }

    #[test]
    fn a_taken_key_is_refused_and_free_again_after_closing() {
        let registry = registry();
        let key: RoomKey = "mine".parse().unwrap();
        let room = registry.create_open(key.clone(), "r", 1, None).unwrap();
        assert_eq!(
            registry.create_open(key.clone(), "r", 2, None).unwrap_err(),
            NoRoom::Taken
        );
        assert!(room.was_made_by(1) && !room.was_made_by(2));
        registry.close_open(&room);
        assert!(registry.create_open(key, "r", 2, None).is_ok());
    }

    #[test]
    fn closing_an_old_room_leaves_its_successor_alone() {
        let registry = registry();
        let key: RoomKey = "mine".parse().unwrap();
        let old = registry.create_open(key.clone(), "r", 1, None).unwrap();
        registry.close_open(&old);
        registry.create_open(key.clone(), "r", 2, None).unwrap();
        registry.close_open(&old);
        assert!(registry.find(&key).is_some());
    }

    #[test]
    fn live_rooms_come_first_and_ended_ones_not_at_all() {
        let registry = registry();
        let [a, b, c] = [(); 3].map(|()| registry.create("r").unwrap().0);
        let _on_air = b.go_live(Ingest::Whip).unwrap();
        c.close();
        let keys: Vec<_> = registry.list().into_iter().map(|view| view.key).collect();
        assert_eq!(keys, [b.key().clone(), a.key().clone()]);
    }

    #[test]
    fn a_2016_client_sees_open_and_live_rooms() {
        let registry = registry();
        let open = registry
            .create_open("open".parse().unwrap(), "r", 1, None)
            .unwrap();
        let live = registry.create("r").unwrap().0;
        registry.create("r").unwrap();
        let _on_air = live.go_live(Ingest::Whip).unwrap();
        let keys: Vec<_> = registry
            .list_for_2016()
            .into_iter()
            .map(|view| view.key)
            .collect();
        assert_eq!(keys, [live.key().clone(), open.key().clone()]);
    }

    #[test]
    fn a_publisher_that_is_taken_over_from_leaves_the_room_live() {
        let room = registry().create("r").unwrap().0;
        let changes = room.changes();
        let first = room.go_live(Ingest::Whip).unwrap();
        first.hand_over();
        assert_eq!(room.state(), RoomState::Live);
        let second = room.go_live(Ingest::Whip).unwrap();
        assert_eq!(changes.borrow().state, RoomState::Live);
        second.stop();
        assert_eq!(room.state(), RoomState::Offline);
    }

    #[test]
    fn resuming_keeps_the_start_of_the_broadcast() {
        let room = registry().create("r").unwrap().0;
        let first = room.go_live(Ingest::Whip).unwrap();
        let started = room.view().started_at;
        assert!(started.is_some());
        drop(first);
        let _second = room.go_live(Ingest::Whip).unwrap();
        assert_eq!(room.view().started_at, started);
        assert_eq!(room.state(), RoomState::Live);
    }
}
