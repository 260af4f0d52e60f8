//! The live list of rooms.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::{Lobby, to_client, to_server};
use shared::room::Room;

use super::socket::Socket;
use crate::api::{self, ApiError};
use crate::logic::rooms;

/// The rooms on the front page, kept right by the server's events until the page is left.
#[derive(Clone, Copy)]
pub struct LobbyFeed {
    rooms: RwSignal<Option<Result<Vec<Room>, ApiError>>>,
}

impl LobbyFeed {
    /// Fetches the list at once and follows it from then on.
    #[must_use]
    pub fn open() -> Self {
        let feed = Self {
            rooms: RwSignal::new(None),
        };
        let socket = StoredValue::new_local(None::<Rc<Socket>>);

        spawn_local(async move {
            let listed = api::rooms().await.map(rooms::from_all);
            // What the socket told meanwhile is newer.
            feed.rooms.try_update(|known| {
                if !matches!(known, Some(Ok(_))) {
                    *known = Some(listed);
                }
            });
        });
        spawn_local(async move {
            let Ok(opened) = Socket::open().await else {
                return;
            };
            let opened = Rc::new(opened);
            opened.on(to_client::ROOM, move |room| feed.changed(room));
            let weak = Rc::downgrade(&opened);
            opened.on_connect(move || {
                let Some(socket) = weak.upgrade() else { return };
                let lobby = socket.ask::<(), Lobby>(to_server::JOIN_LOBBY, None);
                spawn_local(async move {
                    if let Ok(lobby) = lobby.await {
                        let rooms = rooms::from_all(lobby.rooms);
                        feed.rooms.try_set(Some(Ok(rooms)));
                    }
                });
            });
            // The page may have been left while the client loaded; then this drops the socket.
            socket.try_set_value(Some(opened));
        });
        feed
    }

    fn changed(self, room: Room) {
        self.rooms.try_update(|known| {
            if let Some(Ok(known)) = known {
                rooms::apply(known, room);
            }
        });
    }

    /// The rooms, newest first; `None` until something is known.
    #[must_use]
    pub fn rooms(self) -> Option<Result<Vec<Room>, ApiError>> {
        self.rooms.get()
    }
}
