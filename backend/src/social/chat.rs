//! What is said and given in one room.

use super::comments::History;
use super::gifts::Combos;
use super::moderation::Moderation;

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
