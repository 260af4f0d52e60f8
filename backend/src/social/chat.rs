//! What is said and given in one room.

use super::comments::History;
use super::gifts::Combos;
use super::moderation::Moderation;
use crate::store::StoredRoom;

/// The memory of a room's chat.
#[derive(Debug, Default)]
pub struct Chat {
    /// Comments.
    pub comments: History,
    /// Gifts.
    pub combos: Combos,
    /// What the host has decided.
    pub moderation: Moderation,
}

impl Chat {
    /// What was said before the server was stopped.
    pub(crate) fn restored(stored: StoredRoom) -> Self {
        Self {
            comments: History::restored(stored.comments, stored.last_comment),
            ..Self::default()
        }
    }
}
