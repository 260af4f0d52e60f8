//! What survives a restart: rooms, their comments, what their hosts decided.
//!
//! A [`Store`] keeps it: [`sqlite`] in a folder, and another database could take its place. It is read
//! once, when the server starts, and written from then on. The [`journal`] gathers [`Change`]s and has
//! one thread write them, in batches; a [`shelf::Shelf`] is a room's own way to it. Rooms of 2016 clients
//! end with their sockets and are not kept.
//!
//! What a room's host decided about its chat is one JSON document per room, whatever its shape:
//! [`shelf::Shelf::moderation`] writes it, [`StoredRoom::moderation`] is what was written last.
//! Comments are rows of their own; a deleted one leaves its number and nothing else.

pub mod data;
pub mod error;
pub mod journal;
pub mod shelf;
pub mod sqlite;

use shared::UnixMillis;
use shared::events::Comment;
use shared::room::{RoomKey, RoomState};

use crate::rooms::secret::{Host, SecretHash, Stream};
use error::WriteError;

/// Keeps rooms. Calls block; the journal's thread makes them.
pub trait Store: Send + 'static {
    /// Makes all of these changes or none of them, in their order. They are on the disk when this
    /// returns. A comment of a room that is not there is left out.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed, and the same batch may be tried again.
    fn apply(&mut self, changes: &[Change]) -> Result<(), WriteError>;

    /// Puts everything in order for the next start.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is lost, the next start does it.
    fn close(self) -> Result<(), WriteError>;
}

/// Something that has to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A room is new, or something about it changed.
    Room(RoomRecord),
    /// A room is over and forgotten, with everything that belongs to it.
    Forget(RoomKey),
    /// Something was said. The store keeps the newest
    /// [`COMMENT_HISTORY`](shared::limits::COMMENT_HISTORY) of a room.
    Comment(CommentRecord),
    /// Comments were deleted; those that are not there are no error.
    Delete {
        /// In this room.
        room: RoomKey,
        /// Their numbers.
        ids: Vec<u64>,
    },
    /// What the host decided, in place of what was decided before.
    Moderation {
        /// In this room.
        room: RoomKey,
        /// JSON.
        document: String,
    },
}

impl Change {
    /// Whether `older` need not be written where `self` is.
    fn supersedes(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Room(new), Self::Room(old)) => new.key == old.key,
            (Self::Moderation { room: new, .. }, Self::Moderation { room: old, .. }) => new == old,
            _ => false,
        }
    }
}

/// What is kept about a room itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// Its public name.
    pub key: RoomKey,
    /// What the host called it.
    pub title: String,
    /// Of the secrets of its host's devices.
    pub host_tokens: Vec<SecretHash<Host>>,
    /// Of the secret that publishes.
    pub stream_key: SecretHash<Stream>,
    /// Where it is in its life.
    pub state: RoomState,
    /// Whether its host ended it for good.
    pub closed: bool,
    /// Since when it is in this state.
    pub since: UnixMillis,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When the present (or last) broadcast began.
    pub started_at: Option<UnixMillis>,
    /// Likes in all.
    pub likes: u64,
    /// The most viewers there ever were at once.
    pub peak_viewers: u32,
}

/// A comment, and where it was said from.
#[derive(Clone, Debug, PartialEq)]
pub struct CommentRecord {
    /// The comment, with its room and its number.
    pub comment: Comment,
    /// Where it was said from, in a form that the store need not understand. Nobody is told.
    pub origin: Option<String>,
}

/// A room as it comes back.
#[derive(Debug)]
pub struct StoredRoom {
    /// The room itself.
    pub record: RoomRecord,
    /// What was said and not deleted, oldest first.
    pub comments: Vec<CommentRecord>,
    /// The highest number that a comment ever had; 0 where there was none.
    pub last_comment: u64,
    /// The document of [`Change::Moderation`], if there was one.
    pub moderation: Option<String>,
}
