//! Entering and leaving rooms and the lobby; the open rooms of 2016 clients.

use std::time::Instant;

use shared::events::{CreateRoom, Created, JoinRoom, Joined, Lobby, Nothing};
use shared::limits::ROOMS_PER_SOCKET;
use shared::room::RoomKey;
use shared::text::{self, Field};
use socketioxide::extract::SocketRef;

use super::Social;
use super::broadcast::{LOBBY, hosts, members, members_of_2016};
use super::client::{Client, Membership};
use super::dispatch::Payload;
use super::refusal::Refused;
use crate::clock::unix_millis;
use crate::rooms::room::Room;

const CREATE_ROOM: &str = "create_room takes {key, title}";
const JOIN_ROOM: &str = "join_room takes a room key, or {key, name, host_token, session}";
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
            author: client.author(&key, None),
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
        enter_groups(client, socket, &key, true);
        state.created.push(key);
        tracing::info!(room = %room.key(), "open room created");
        Ok(Created { room: room.view() })
    }

    pub(super) fn close_room(&self, client: &Client, payload: Payload) -> Result<Nothing, Refused> {
        let mut state = client.state.lock();
        state
            .commands
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        let key: RoomKey = payload.read(ROOM_KEY)?;
        let room = self.rooms.find(&key).ok_or(Refused::NoSuchRoom)?;
        if room.was_made_by(client.number) {
            state.created.retain(|created| *created != key);
            self.rooms.close_open(&room);
            return Ok(Nothing {});
        }
        let is_host = state.membership(&key).is_ok_and(|here| here.is_host);
        if room.is_open() || !is_host {
            return Err(Refused::HostOnly);
        }
        room.close();
        tracing::info!(room = %room.key(), "room ended by its host");
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
        let (key, name, host_token, session) = match payload.read(JOIN_ROOM)? {
            JoinRoom::Key(key) => (key, None, None, None),
            JoinRoom::Named {
                key,
                name,
                host_token,
                session,
            } => (key, name, host_token, session),
        };
        let room = self.rooms.find(&key).ok_or(Refused::NoSuchRoom)?;
        let name = name.map(|name| text::check(Field::Name, &name).map(str::to_owned));
        let is_host = match host_token {
            Some(token) => self.check_host_token(client, &room, &token)?,
            None => room.was_made_by(client.number),
        };
        let membership = Membership {
            author: client.author(&key, session.as_ref()),
            key: key.clone(),
            name: name.transpose()?,
            is_host,
        };
        state.enter(membership.clone())?;
        enter_groups(client, socket, &key, is_host);
        // In the groups already: what happens from now on comes as events, what was before is here.
        let chat = room.chat().lock();
        let (moderation, now) = (&chat.moderation, unix_millis());
        Ok(Joined {
            room: room.view(),
            comments: chat.comments.page(None).comments,
            sender_id: client.sender_id.into(),
            pinned: moderation.pinned.clone(),
            slow_mode: moderation.slow_mode.seconds(),
            silence: moderation.told_silence(client.speaker(&membership), now),
            moderation: is_host.then(|| moderation.told_to_hosts(&key, now)),
        })
    }

    /// Counts wrong tokens as the wrong secrets over HTTP are counted: whoever has presented too many from
    /// one address is not told any more whether one is right.
    fn check_host_token(&self, client: &Client, room: &Room, token: &str) -> Result<bool, Refused> {
        let check = || room.is_host(token).then_some(true);
        let checked = match client.peer {
            Some(peer) => {
                let wrong = &self.strangers.wrong_secrets;
                let checked = wrong.present(peer.ip(), Instant::now(), check);
                checked.map_err(Refused::WrongSecrets)?
            }
            None => check(),
        };
        checked.ok_or(Refused::NotHost)
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
        socket.leave([members(&key), members_of_2016(&key), hosts(&key)]);
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
        *client.place.lock() = None;
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

fn enter_groups(client: &Client, socket: &SocketRef, key: &RoomKey, is_host: bool) {
    socket.join(members(key));
    if is_host {
        socket.join(hosts(key));
    } else {
        // It may have been the host's before.
        socket.leave(hosts(key));
    }
    if client.is_from_2016 {
        socket.join(members_of_2016(key));
    }
}
