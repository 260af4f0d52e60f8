//! Where one room is kept.

use serde::Serialize;
use shared::events::Comment;
use shared::room::RoomKey;

use super::error::NotKept;
use super::journal::{Journal, Receipt};
use super::{Change, CommentRecord, RoomRecord};

/// A room's way to the store. Whoever need not know when something is on the disk drops the [`Receipt`].
///
/// All but comments is kept at last, however long the store fails: it is written as soon as it can be.
#[derive(Clone, Debug)]
pub struct Shelf {
    room: RoomKey,
    journal: Journal,
}

impl Shelf {
    /// The shelf of the room with this key.
    pub(crate) const fn new(room: RoomKey, journal: Journal) -> Self {
        Self { room, journal }
    }

    /// Whether anything said now can be kept; asked before a comment is told to anybody.
    ///
    /// # Errors
    /// [`NotKept`].
    pub fn takes_comments(&self) -> Result<(), NotKept> {
        self.journal.takes_comments()
    }

    /// Keeps a comment. `origin` is where it was said from, in whatever form; it is never told.
    pub fn comment(&self, comment: &Comment, origin: Option<String>) -> Receipt {
        self.write(|_| {
            Change::Comment(CommentRecord {
                comment: comment.clone(),
                origin,
            })
        })
    }

    /// Deletes comments.
    pub fn delete(&self, ids: Vec<u64>) -> Receipt {
        self.write(|room| Change::Delete { room, ids })
    }

    /// Keeps what the host decided, all of it, in place of what was kept before; comes back as
    /// [`StoredRoom::moderation`](super::StoredRoom::moderation).
    pub fn moderation(&self, decided: &impl Serialize) -> Receipt {
        match serde_json::to_string(decided) {
            Ok(document) => self.write(|room| Change::Moderation { room, document }),
            Err(error) => {
                tracing::error!(room = %self.room, "what the host decided cannot be kept: {error}");
                Receipt::known(Err(NotKept::Failing))
            }
        }
    }

    /// Keeps what is known about the room itself.
    pub(crate) fn record(&self, record: RoomRecord) -> Receipt {
        self.write(|_| Change::Room(record))
    }

    /// Forgets the room.
    pub(crate) fn forget(&self) -> Receipt {
        self.write(Change::Forget)
    }

    fn write(&self, change: impl FnOnce(RoomKey) -> Change) -> Receipt {
        if self.journal.is_kept() {
            self.journal.write(change(self.room.clone()))
        } else {
            Receipt::unneeded()
        }
    }
}
