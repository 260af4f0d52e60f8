//! The channels there are, by their rooms.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use shared::room::RoomKey;

use super::channel::{Channel, is_pushed};
use crate::rooms::room::Room;

/// The channels of all rooms that are pushed, or were watched over HLS.
#[derive(Debug, Default)]
pub struct Channels {
    by_room: Mutex<HashMap<RoomKey, Entry>>,
}

#[derive(Debug)]
struct Entry {
    room: Weak<Room>,
    channel: Arc<Channel>,
}

impl Channels {
    /// The channel of a room, for somebody who asks.
    pub fn of(&self, room: &Arc<Room>) -> Arc<Channel> {
        let mut by_room = self.by_room.lock();
        let found = by_room.get(room.key());
        let found = found.filter(|entry| entry.room.as_ptr() == Arc::as_ptr(room));
        let channel = found.map(|entry| Arc::clone(&entry.channel));
        let channel = channel.unwrap_or_else(|| {
            by_room.retain(|_, entry| entry.room.strong_count() > 0);
            let channel = Arc::new(Channel::new(room));
            let entry = Entry {
                room: Arc::downgrade(room),
                channel: Arc::clone(&channel),
            };
            by_room.insert(room.key().clone(), entry);
            channel
        });
        channel.ask(room);
        channel
    }

    /// Packages what encoders push into `room` from its beginning on, until the room is gone. Their
    /// keyframes come in their own time, so who begins to watch would wait for one, and for a segment.
    pub fn follow(self: Arc<Self>, room: &Arc<Room>) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = room.changes();
        // It must not keep the room.
        let room = Arc::downgrade(room);
        async move {
            let mut was_pushed = false;
            loop {
                let is_pushed = is_pushed(&changes.borrow_and_update());
                if is_pushed && !was_pushed {
                    let Some(room) = room.upgrade() else { return };
                    self.of(&room);
                }
                was_pushed = is_pushed;
                if changes.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
