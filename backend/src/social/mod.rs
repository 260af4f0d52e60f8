//! The social side of rooms over Socket.IO: presence, likes, comments, gifts, moderation.
//!
//! [`server`] accepts the sockets, [`dispatch`] reads what they send and hands it to [`commands`],
//! [`reactions`] and [`moderate`], [`announce`] tells rooms and lobby what changed. [`author`], [`bans`],
//! [`buckets`], [`comments`], [`gifts`], [`moderation`], [`pace`], [`slow_mode`] and [`words`] are pure.

pub mod announce;
mod author;
pub mod bans;
pub mod broadcast;
pub mod buckets;
pub mod chat;
mod client;
mod commands;
pub mod comments;
mod dispatch;
mod encoding;
pub mod gifts;
mod moderate;
pub mod moderation;
pub mod pace;
mod reactions;
mod refusal;
pub mod server;
pub mod slow_mode;
pub mod words;

use std::sync::Arc;

use crate::limits::{People, Strangers};
use crate::rooms::registry::Registry;
use broadcast::Broadcast;

/// What every socket's handlers share.
#[derive(Debug)]
struct Social {
    rooms: Arc<Registry>,
    strangers: Arc<Strangers>,
    people: People,
    out: Broadcast,
    /// Whether 2016 clients may make rooms.
    legacy: bool,
}
