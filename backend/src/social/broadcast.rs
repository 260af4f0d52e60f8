//! Sending to everybody in a room, or in the lobby.

use futures::FutureExt;
use serde::Serialize;
use shared::room::RoomKey;
use socketioxide::SocketIo;

use super::encoding::to_ascii_json;

/// The group of sockets that watch the list of rooms.
pub(super) const LOBBY: &str = "lobby";

/// The group of sockets that are in a room.
pub(super) fn members(key: &RoomKey) -> String {
    format!("room {key}")
}

/// The 2016 clients among them.
pub(super) fn members_of_2016(key: &RoomKey) -> String {
    format!("2016 {key}")
}

/// Sends events to groups of sockets. An event is encoded once, whatever the size of the group; a
/// socket whose queue is full misses it.
#[derive(Clone, Debug)]
pub struct Broadcast {
    io: SocketIo,
}

impl Broadcast {
    pub(super) const fn new(io: SocketIo) -> Self {
        Self { io }
    }

    /// To everybody in a room.
    pub fn room<T: Serialize>(&self, key: &RoomKey, event: &'static str, payload: &T) {
        self.send_payload(members(key), event, payload);
    }

    /// How many sockets are in a room.
    #[must_use]
    pub fn members(&self, key: &RoomKey) -> usize {
        let namespace = self.io.of("/");
        namespace.map_or(0, |namespace| {
            namespace.within(members(key)).sockets().len()
        })
    }

    /// To the 2016 clients in a room, with no payload, `times` times.
    pub fn room_of_2016(&self, key: &RoomKey, event: &'static str, times: u64) {
        for _ in 0..times {
            self.send(members_of_2016(key), event, &[(); 0]);
        }
    }

    /// To everybody there is.
    pub fn everybody<T: Serialize>(&self, event: &'static str, payload: &T) {
        let Some(namespace) = self.io.of("/") else {
            return;
        };
        match to_ascii_json(payload) {
            // As for groups.
            Ok(payload) => drop(namespace.emit(event, &payload).now_or_never()),
            Err(error) => tracing::error!("{event} could not be written: {error}"),
        }
    }

    /// To everybody who watches the list of rooms.
    pub fn lobby<T: Serialize>(&self, event: &'static str, payload: &T) {
        self.send_payload(LOBBY.to_owned(), event, payload);
    }

    fn send_payload<T: Serialize>(&self, group: String, event: &'static str, payload: &T) {
        match to_ascii_json(payload) {
            Ok(payload) => self.send(group, event, &payload),
            Err(error) => tracing::error!("{event} could not be written: {error}"),
        }
    }

    /// Sends an event with one argument, or with those of a tuple or array.
    fn send<T: Serialize>(&self, group: String, event: &'static str, arguments: &T) {
        // There is no namespace any more once the server is shutting down.
        let Some(namespace) = self.io.of("/") else {
            return;
        };
        // With the local adapter the future is ready at once. Its errors are those of sockets that are
        // gone or whose queue is full: there is nobody to tell.
        let _ = namespace
            .within(group)
            .emit(event, arguments)
            .now_or_never();
    }
}
