//! Entering and leaving rooms and the lobby; the open rooms of 2016 clients.

use std::time::Instant;

use shared::events::{CreateRoom, Created, JoinRoom, Joined, Lobby, Nothing};
use shared::limits::ROOMS_PER_SOCKET;
use shared::room::RoomKey;
use shared::text::{self, Field};
use socketioxide::extract::SocketRef;
use tracing::field::display;

use super::Social;
use super::broadcast::{LOBBY, members, members_of_2016};
use super::client::{Client, Membership};
use super::dispatch::Payload;
use super::refusal::Refused;

const CREATE_ROOM: &str = "create_room takes {key, title}";
const JOIN_ROOM: &str = "join_room takes a room key, or {key, name}";
const ROOM_KEY: &str = "a room key is expected";

impl Social {
    pub(super) fn create_room(
        &self,
        client: &Client,
        socket: &SocketRef,
        payload: Payload,
    ) -> Result<Created, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        if !self.legacy {
            return Err(Refused::LegacyOff);
        }
        let CreateRoom { key, title } = payload.read(CREATE_ROOM)?;
        let title = match title.as_deref().map(str::trim) {
            None | Some("") => key.as_str(),
            Some(title) => text::check(Field::Title, title)?,
        };
        if state.gone || state.created.len() >= ROOMS_PER_SOCKET {
            return Err(Refused::TooManyJoined);
        }
        let member = Membership {
            key: key.clone(),
            name: None,
            is_host: true,
        };
        let address = client.peer.map(|peer| peer.ip());
        if let Some(address) = address {
            let taken = self.strangers.rooms.take(address, Instant::now());
            taken.map_err(Refused::TooFast)?;
        }
        let room = self
            .rooms
            .create_open(key.clone(), title, client.number, address)?;
        if let Err(refused) = state.enter(member) {
            self.rooms.close_open(&room);
            return Err(refused);
        }
        enter_groups(client, socket, &key);
        state.created.push(key);
        let peer = client.peer.map(display);
        tracing::info!(room = %room.key(), peer, "open room created");
        Ok(Created { room: room.view() })
    }

    pub(super) fn close_room(&self, client: &Client, payload: Payload) -> Result<Nothing, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        if !self.legacy {
            return Err(Refused::LegacyOff);
        }
        let key: RoomKey = payload.read(ROOM_KEY)?;
        let room = self.rooms.find(&key).ok_or(Refused::NoSuchRoom)?;
        if !room.was_made_by(client.number) {
            return Err(Refused::NotCreator);
        }
        state.created.retain(|created| *created != key);
        self.rooms.close_open(&room);
        Ok(Nothing {})
    }

    pub(super) fn join_room(
        &self,
        client: &Client,
        socket: &SocketRef,
        payload: Payload,
    ) -> Result<Joined, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        let (key, name, host_token) = match payload.read(JOIN_ROOM)? {
            JoinRoom::Key(key) => (key, None, None),
            JoinRoom::Named {
                key,
                name,
                host_token,
            } => (key, name, host_token),
        };
        let room = self.rooms.find(&key).ok_or(Refused::NoSuchRoom)?;
        let name = name.map(|name| text::check(Field::Name, &name).map(str::to_owned));
        let is_host = match host_token {
            Some(token) if !room.is_host(&token) => return Err(Refused::NotHost),
            Some(_) => true,
            None => room.was_made_by(client.number),
        };
        state.enter(Membership {
            key: key.clone(),
            name: name.transpose()?,
            is_host,
        })?;
        enter_groups(client, socket, &key);
        // In the groups already: what is said from now on comes as events, what was said before is here.
        let comments = room.chat().lock().comments.page(None).comments;
        Ok(Joined {
            room: room.view(),
            comments,
            sender_id: client.sender_id.into(),
        })
    }

    pub(super) fn leave_room(
        &self,
        client: &Client,
        socket: &SocketRef,
        payload: Payload,
    ) -> Result<Nothing, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        let key: RoomKey = payload.read(ROOM_KEY)?;
        state.leave(&key);
        socket.leave([members(&key), members_of_2016(&key)]);
        Ok(Nothing {})
    }

    pub(super) fn join_lobby(&self, client: &Client, socket: &SocketRef) -> Result<Lobby, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        socket.join(LOBBY);
        Ok(Lobby {
            rooms: self.rooms.list(),
        })
    }

    pub(super) fn leave_lobby(
        &self,
        client: &Client,
        socket: &SocketRef,
    ) -> Result<Nothing, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        socket.leave(LOBBY);
        Ok(Nothing {})
    }

    /// The socket is gone, and its open rooms with it.
    pub(super) fn disconnected(&self, client: &Client) {
        let mut state = client.state.lock();
        state.gone = true;
        for key in state.created.drain(..) {
            if let Some(room) = self
                .rooms
                .find(&key)
                .filter(|room| room.was_made_by(client.number))
            {
                self.rooms.close_open(&room);
            }
        }
    }
}

fn enter_groups(client: &Client, socket: &SocketRef, key: &RoomKey) {
    socket.join(members(key));
    if client.is_from_2016 {
        socket.join(members_of_2016(key));
    }
}
