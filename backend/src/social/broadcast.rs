//! Sending to everybody in a room, or in the lobby.

use std::sync::Arc;

use futures::FutureExt;
use serde::Serialize;
use shared::room::RoomKey;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;

use super::client::Client;
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

/// Those of its host among them.
pub(super) fn hosts(key: &RoomKey) -> String {
    format!("hosts {key}")
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

    /// To the sockets of a room's host.
    pub fn hosts<T: Serialize>(&self, key: &RoomKey, event: &'static str, payload: &T) {
        self.send_payload(hosts(key), event, payload);
    }

    /// The sockets in a room, one by one: for what happens seldom.
    pub(super) fn clients(&self, key: &RoomKey) -> Vec<Member> {
        let namespace = self.io.of("/");
        let sockets = namespace.map(|namespace| namespace.within(members(key)).sockets());
        let sockets = sockets.into_iter().flatten();
        sockets
            .filter_map(|socket| {
                let client = socket.extensions.get::<Arc<Client>>()?;
                Some(Member { client, socket })
            })
            .collect()
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

/// One socket of a room.
pub(super) struct Member {
    /// What the server knows about it.
    pub(super) client: Arc<Client>,
    socket: SocketRef,
}

impl Member {
    /// Sends it an event; if its queue is full, it misses that.
    pub(super) fn emit<T: Serialize>(&self, event: &'static str, payload: &T) {
        let _ = to_ascii_json(payload).map(|payload| self.socket.emit(event, &payload));
    }
}
