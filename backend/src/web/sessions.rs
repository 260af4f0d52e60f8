//! The table of WHIP and WHEP sessions, under names that nobody guesses.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use shared::room::RoomKey;

use crate::random;
use crate::webrtc::Closer;

/// Which way the media of a session flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// From a publisher: WHIP.
    Publisher,
    /// To a viewer: WHEP.
    Viewer,
}

/// What the table knows about a session.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) role: Role,
    pub(super) room: RoomKey,
    /// Names the ICE session of our side (RFC 9725 section 4.3.1).
    pub(super) etag: String,
    /// Names the ICE session of the client's side.
    pub(super) client_ufrag: Option<String>,
    pub(super) closer: Closer,
}

/// Sessions that are remembered as [unfit](Place::mark_unfit); the oldest is forgotten first.
const UNFIT: usize = 1_024;

/// All sessions. Each stays for as long as the task that tends it has its [`Place`].
#[derive(Debug, Default)]
pub struct Sessions {
    entries: Mutex<HashMap<String, Entry>>,
    unfit: Mutex<VecDeque<String>>,
}

/// A session's place in the table, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    id: String,
}

impl Sessions {
    /// Enters a session under a new name.
    pub(super) fn enter(self: &Arc<Self>, entry: Entry) -> Place {
        let id = random::text::<32>();
        self.entries.lock().insert(id.clone(), entry);
        Place {
            sessions: Arc::clone(self),
            id,
        }
    }

    /// Ends the sessions of all viewers, who come back if there is something to come back to.
    pub(crate) fn end_viewers(&self) {
        let entries = self.entries.lock();
        let viewers = entries.values().filter(|entry| entry.role == Role::Viewer);
        viewers.for_each(|entry| entry.closer.close());
    }

    /// The session with this name, if it is of this kind and in this room.
    pub(super) fn find(&self, role: Role, room: &RoomKey, id: &str) -> Option<Entry> {
        let entries = self.entries.lock();
        entries
            .get(id)
            .filter(|entry| entry.role == role && entry.room == *room)
            .cloned()
    }

    /// Whether the session with this name ended as its path did not carry the stream.
    pub(super) fn was_unfit(&self, id: &str) -> bool {
        self.unfit.lock().iter().any(|unfit| unfit == id)
    }
}

impl Place {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The session ends as its path does not carry the stream. The client, which only sees its connection
    /// go, may ask why.
    pub(super) fn mark_unfit(&self) {
        let mut unfit = self.sessions.unfit.lock();
        if unfit.len() >= UNFIT {
            unfit.pop_front();
        }
        unfit.push_back(self.id.clone());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.entries.lock().remove(&self.id);
    }
}
