//! Tells a room's members and the lobby what changed in it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use shared::events::{Likes, Notice, to_client};
use shared::limits::LIKES_INTERVAL_MS;
use shared::room::{Room as View, RoomKey};
use tokio::time::{Instant, sleep_until};

use super::broadcast::Broadcast;
use super::pace::Pace;
use crate::rooms::room::Room;

/// Shortest time between two `likes` events of a room.
const LIKES_INTERVAL: Duration = Duration::from_millis(LIKES_INTERVAL_MS);
/// The same in a crowd: each event is a send to each of its members.
const CROWD_LIKES_INTERVAL: Duration = Duration::from_millis(300);
/// Members that make a crowd.
const CROWD: usize = 100;
/// Shortest time between two `room` events to its members while only numbers change.
const ROOM_INTERVAL: Duration = Duration::from_millis(500);
/// Shortest time between two `room` events of one room to the lobby.
const LOBBY_INTERVAL: Duration = Duration::from_secs(1);
/// Most `upvote` events that a 2016 client is sent at once; it draws a heart for each.
const UPVOTES_AT_ONCE: u64 = 10;

/// Announces the changes of `room` until it is gone.
pub fn announce(room: &Arc<Room>, out: Broadcast) -> impl Future<Output = ()> + Send + use<> {
    let mut announcer = Announcer::new(room, out);
    let (mut changes, mut likes) = (room.changes(), room.likes());
    let mut notices = room.notices();
    // It must not keep the room, which tells by its going that there is no more to announce.
    let room = Arc::downgrade(room);
    async move {
        loop {
            let due = announcer.due(Instant::now());
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    announcer.changed(&changes.borrow_and_update());
                }
                Ok(()) = likes.changed() => {
                    likes.borrow_and_update();
                    announcer.likes.want();
                }
                Ok(()) = notices.changed() => announcer.notice(&notices.borrow_and_update()),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            if announcer.tell(&room).is_none() {
                announcer.tell_last(&changes.borrow());
                return;
            }
        }
    }
}

struct Announcer {
    key: RoomKey,
    out: Broadcast,
    told: View,
    told_likes: u64,
    likes: Pace,
    room: Pace,
    lobby: Pace,
}

impl Announcer {
    fn new(room: &Room, out: Broadcast) -> Self {
        let mut lobby = Pace::new(LOBBY_INTERVAL);
        // The room itself is news.
        lobby.want();
        Self {
            key: room.key().clone(),
            out,
            told: room.view(),
            told_likes: *room.likes().borrow(),
            likes: Pace::new(LIKES_INTERVAL),
            room: Pace::new(ROOM_INTERVAL),
            lobby,
        }
    }

    fn changed(&mut self, view: &View) {
        self.lobby.want();
        if view.state == self.told.state && view.title == self.told.title {
            self.room.want();
        } else {
            self.room.want_now();
        }
    }

    fn notice(&self, sentence: &str) {
        let notice = Notice {
            event: None,
            error: sentence.to_owned(),
            retry_after_ms: None,
        };
        self.out.hosts(&self.key, to_client::NOTICE, &notice);
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let paces = [&self.likes, &self.room, &self.lobby];
        paces.into_iter().filter_map(|pace| pace.due(now)).min()
    }

    /// Tells what is due; `None` when the room is gone.
    fn tell(&mut self, room: &Weak<Room>) -> Option<()> {
        let room = room.upgrade()?;
        let now = Instant::now();
        if self.likes.take(now) {
            self.tell_likes(*room.likes().borrow());
        }
        let (to_room, to_lobby) = (self.room.take(now), self.lobby.take(now));
        if to_room || to_lobby {
            let view = room.view();
            if to_room {
                self.out.room(&self.key, to_client::ROOM, &view);
                self.told.clone_from(&view);
            }
            if to_lobby {
                self.out.lobby(to_client::ROOM, &view);
            }
        }
        Some(())
    }

    /// The room went before its last change was told.
    fn tell_last(&self, view: &View) {
        let view = View {
            likes: self.told_likes,
            ..view.clone()
        };
        self.out.room(&self.key, to_client::ROOM, &view);
        self.out.lobby(to_client::ROOM, &view);
    }

    fn tell_likes(&mut self, total: u64) {
        let delta = total - self.told_likes;
        self.told_likes = total;
        let likes = Likes {
            room_key: self.key.clone(),
            total,
            delta,
        };
        self.out.room(&self.key, to_client::LIKES, &likes);
        self.out
            .room_of_2016(&self.key, to_client::UPVOTE, delta.min(UPVOTES_AT_ONCE));
        let crowded = self.out.members(&self.key) > CROWD;
        let interval = if crowded {
            CROWD_LIKES_INTERVAL
        } else {
            LIKES_INTERVAL
        };
        self.likes.keep_to(interval);
    }
}
