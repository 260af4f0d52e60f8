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
    /// What was said and decided before the server was stopped.
    pub(crate) fn restored(stored: StoredRoom) -> Self {
        let decisions = stored.moderation.as_deref().map(serde_json::from_str);
        let decisions = decisions.transpose().unwrap_or_else(|error| {
            let room = stored.record.key;
            tracing::error!(%room, "what the host decided is not understood: {error}");
            None
        });
        Self {
            comments: History::restored(stored.comments, stored.last_comment),
            combos: Combos::default(),
            moderation: Moderation::restored(decisions.unwrap_or_default()),
        }
    }
}
