//! The social side of rooms over Socket.IO: presence, likes, comments, gifts.
//!
//! [`server`] accepts the sockets, [`dispatch`] reads what they send and hands it to [`commands`] and
//! [`reactions`], [`announce`] tells rooms and lobby what changed. [`buckets`], [`comments`],
//! [`gifts`] and [`pace`] are pure.

pub mod announce;
pub mod broadcast;
pub mod buckets;
pub mod chat;
mod client;
mod commands;
pub mod comments;
mod dispatch;
mod encoding;
pub mod gifts;
pub mod pace;
mod reactions;
mod refusal;
pub mod server;

use std::sync::Arc;

use crate::limits::Strangers;
use crate::rooms::registry::Registry;
use broadcast::Broadcast;

/// What every socket's handlers share.
#[derive(Debug)]
struct Social {
    rooms: Arc<Registry>,
    strangers: Arc<Strangers>,
    out: Broadcast,
    /// Whether 2016 clients may make rooms.
    legacy: bool,
}
