//! What is said and given in one room.

use super::comments::History;
use super::gifts::Combos;
use crate::store::StoredRoom;

/// The memory of a room's chat.
#[derive(Debug, Default)]
pub struct Chat {
    /// Comments.
    pub comments: History,
    /// Gifts.
    pub combos: Combos,
}

impl Chat {
    /// What was said before the server was stopped.
    pub(crate) fn restored(stored: StoredRoom) -> Self {
        let comments = stored.comments.into_iter().map(|record| record.comment);
        Self {
            comments: History::restored(comments, stored.last_comment),
            combos: Combos::default(),
        }
    }
}
