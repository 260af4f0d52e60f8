//! What time does to rooms, and the end of the server.

use std::time::Duration;

use shared::room::RoomState;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::registry::Registry;

/// How long a room that is over can still be looked at.
const ENDED_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long a room waits for its next broadcast.
const OFFLINE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How exactly grace times are kept.
const TICK: Duration = Duration::from_millis(250);

impl Registry {
    /// The server is about to stop: rooms are kept as they are, for the next start, and their publishers
    /// cut off; open rooms end.
    pub fn suspend(&self) {
        for room in self.all() {
            if room.is_open() {
                self.close_open(&room);
            } else {
                room.keep_changes();
                room.suspend();
            }
        }
    }

    /// Ends what has run out of grace time and forgets what is over or was never used.
    fn sweep(&self, now: Instant) {
        let rooms = self.all();
        for room in &rooms {
            room.tick(now);
            room.keep_changes();
        }
        let surplus: Vec<_> = rooms
            .into_iter()
            .filter(|room| {
                let unchanged = room.unchanged_for(now);
                match room.state() {
                    RoomState::Ended => unchanged >= ENDED_KEPT,
                    RoomState::Offline => !room.is_open() && unchanged >= OFFLINE_KEPT,
                    RoomState::Live | RoomState::Reconnecting => false,
                }
            })
            .collect();
        for room in surplus {
            tracing::debug!(room = %room.key(), "forgotten");
            self.close_open(&room);
        }
    }

    /// Keeps the rooms tidy for as long as it is polled.
    pub async fn tend(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.sweep(ticks.tick().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::room::Ingest;

    use super::super::registry::Limits;
    use super::*;
    use crate::store::error::WriteError;
    use crate::store::journal::Writer;
    use crate::store::{Change, Store};

    const GRACE: Duration = Duration::from_secs(15);

    fn registry() -> Registry {
        let limits = Limits {
            rooms: 3,
            viewers: 10,
            viewers_per_room: 10,
            publishers: 10,
            bitrate: None,
            grace: GRACE,
        };
        Registry::new(limits, |_| ())
    }

    #[test]
    fn a_lost_publisher_ends_the_room_after_the_grace_time() {
        let registry = registry();
        let room = registry.create("r").unwrap().0;
        drop(room.go_live(Ingest::Whip).unwrap());
        assert_eq!(room.state(), RoomState::Reconnecting);
        registry.sweep(Instant::now() + GRACE);
        assert_eq!(room.state(), RoomState::Ended);
        assert_eq!(room.view().ingest, None);
    }

    #[test]
    fn an_ended_room_is_forgotten_after_an_hour_and_an_unused_one_after_a_day() {
        let registry = registry();
        let (unused, _) = registry.create("unused").unwrap();
        let (ended, _) = registry.create("ended").unwrap();
        ended.close();
        let soon = Instant::now() + Duration::from_secs(1);
        registry.sweep(soon + ENDED_KEPT);
        assert!(registry.find(ended.key()).is_none() && registry.find(unused.key()).is_some());
        registry.sweep(soon + OFFLINE_KEPT);
        assert!(registry.find(unused.key()).is_none());
    }

    /// Remembers what it was told.
    struct Diary(Arc<parking_lot::Mutex<Vec<Change>>>);

    impl Store for Diary {
        fn apply(&mut self, changes: &[Change]) -> Result<(), WriteError> {
            self.0.lock().extend_from_slice(changes);
            Ok(())
        }

        fn close(self) -> Result<(), WriteError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_forgotten_here_is_forgotten_by_the_store() {
        let told = Arc::default();
        let (writer, journal) = Writer::start(Diary(Arc::clone(&told))).unwrap();
        let registry = registry().kept_by(journal, Vec::new());
        let (room, _) = registry.create("r").unwrap();
        registry
            .create_open("open".parse().unwrap(), "r", 1, None)
            .unwrap();
        assert_eq!(room.keep().kept().await, Ok(()));
        // Nothing has changed: there is nothing to write.
        registry.sweep(Instant::now());
        room.like(3);
        registry.sweep(Instant::now());
        registry.sweep(Instant::now() + OFFLINE_KEPT + Duration::from_secs(1));
        writer.close().await;
        let told = told.lock();
        let likes = |change: &Change| match change {
            Change::Room(record) => Some(record.likes),
            _ => None,
        };
        assert_eq!(told.iter().filter_map(likes).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(told.last(), Some(&Change::Forget(room.key().clone())));
    }
}
