//! What only a room's host may do, and what others see of it.

use serde::{Deserialize, Serialize};

use super::Comment;
use crate::UnixMillis;
use crate::person::AuthorId;
use crate::room::RoomKey;

/// `moderate`: acknowledged with [`super::Nothing`]. Only a socket that joined with the room's host
/// token may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moderate {
    /// The room.
    pub room_key: RoomKey,
    /// What is to be done.
    #[serde(flatten)]
    pub action: Action,
}

/// What a host may do: the member `action`, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Deletes one comment.
    Delete {
        /// Its number.
        id: u64,
    },
    /// Silences a person for a while, and deletes what they said.
    Timeout {
        /// Who.
        author: AuthorId,
        /// 1 to [`crate::limits::TIMEOUT_SECONDS`].
        seconds: u32,
    },
    /// Silences a person for good, and deletes what they said. They may still watch.
    Ban {
        /// Who.
        author: AuthorId,
    },
    /// Lets a person speak again who was timed out or banned.
    Unban {
        /// Who.
        author: AuthorId,
    },
    /// Shows one comment on top of the chat, instead of the one before it.
    Pin {
        /// Its number.
        id: u64,
    },
    /// Shows no comment on top of the chat.
    Unpin,
    /// Sets how long a person has to wait between two comments.
    SlowMode {
        /// 0 (off) to [`crate::limits::SLOW_MODE_SECONDS`].
        seconds: u32,
    },
    /// Sets which words nobody may say, instead of those before.
    Words {
        /// At most [`crate::limits::WORDS`], each of at most [`crate::limits::WORD_CHARS`].
        words: Vec<String>,
    },
}

/// `removed`: comments are gone, and shown no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The room.
    pub room_key: RoomKey,
    /// Which.
    #[serde(flatten)]
    pub comments: RemovedComments,
}

/// Which comments are gone: a member `ids`, or a member `author`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RemovedComments {
    /// Those with these numbers.
    Ids(Vec<u64>),
    /// All of one person's.
    Author(AuthorId),
}

/// `pinned`: what is on top of the chat now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// The room.
    pub room_key: RoomKey,
    /// The comment; none, if it was taken down.
    pub comment: Option<Comment>,
}

/// `slow_mode`: how long a person has to wait between two comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlowMode {
    /// The room.
    pub room_key: RoomKey,
    /// 0 while slow mode is off.
    pub seconds: u32,
}

/// `silenced`: tells a person that they may no longer speak, or may again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silenced {
    /// The room.
    pub room_key: RoomKey,
    /// Why, and until when; none, if they may speak again.
    pub silence: Option<Silence>,
}

/// Why a person may not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// A sentence.
    pub reason: String,
    /// The end of it; none, if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMillis>,
}

/// `moderation`: what a room's hosts, and nobody else, may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moderation {
    /// The room.
    pub room_key: RoomKey,
    /// Words that nobody may say.
    pub words: Vec<String>,
    /// Who may not speak, the newest last.
    pub bans: Vec<Ban>,
}

/// A person who may not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ban {
    /// Who.
    pub author: AuthorId,
    /// What they called themselves.
    pub name: String,
    /// Since when.
    pub since: UnixMillis,
    /// The end of a time-out; none for a ban.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMillis>,
    /// Whether it is for everybody at the person's address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers_address: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{key, same};
    use super::*;
    use crate::events::Extra;

    fn author() -> AuthorId {
        "abc".parse().unwrap()
    }

    #[test]
    fn a_host_moderates_like_this() {
        let actions = [
            (
                Action::Delete { id: 3 },
                json!({"action": "delete", "id": 3}),
            ),
            (
                Action::Timeout {
                    author: author(),
                    seconds: 600,
                },
                json!({"action": "timeout", "author": "abc", "seconds": 600}),
            ),
            (
                Action::Ban { author: author() },
                json!({"action": "ban", "author": "abc"}),
            ),
            (
                Action::Unban { author: author() },
                json!({"action": "unban", "author": "abc"}),
            ),
            (Action::Pin { id: 3 }, json!({"action": "pin", "id": 3})),
            (Action::Unpin, json!({"action": "unpin"})),
            (
                Action::SlowMode { seconds: 30 },
                json!({"action": "slow_mode", "seconds": 30}),
            ),
            (
                Action::Words {
                    words: vec!["spam".into()],
                },
                json!({"action": "words", "words": ["spam"]}),
            ),
        ];
        for (action, mut wire) in actions {
            wire["roomKey"] = json!("r1");
            let room_key = key();
            same(&Moderate { room_key, action }, wire);
        }
    }

    #[test]
    fn comments_are_removed_by_number_or_by_author() {
        let removed = |comments| Removed {
            room_key: key(),
            comments,
        };
        same(
            &removed(RemovedComments::Ids(vec![3, 4])),
            json!({"roomKey": "r1", "ids": [3, 4]}),
        );
        same(
            &removed(RemovedComments::Author(author())),
            json!({"roomKey": "r1", "author": "abc"}),
        );
    }

    #[test]
    fn a_pin_carries_its_comment_and_the_end_of_it_none() {
        let comment = Comment {
            id: 3,
            room_key: key(),
            name: "Ann".into(),
            text: "hi".into(),
            at: 9,
            host: false,
            author: None,
            extra: Extra::new(),
        };
        let pinned = |comment| Pinned {
            room_key: key(),
            comment,
        };
        let wire = json!({"id": 3, "roomKey": "r1", "name": "Ann", "text": "hi", "at": 9});
        same(
            &pinned(Some(comment)),
            json!({"roomKey": "r1", "comment": wire}),
        );
        same(
            &pinned(None),
            json!({"roomKey": "r1", "comment": Value::Null}),
        );
    }

    #[test]
    fn slow_mode_is_told_in_seconds() {
        let slow_mode = SlowMode {
            room_key: key(),
            seconds: 30,
        };
        same(&slow_mode, json!({"roomKey": "r1", "seconds": 30}));
    }

    #[test]
    fn a_person_learns_why_and_until_when_they_are_silenced() {
        let silenced = |silence| Silenced {
            room_key: key(),
            silence,
        };
        let silence = Silence {
            reason: "No.".into(),
            until: Some(99),
        };
        same(
            &silenced(Some(silence)),
            json!({"roomKey": "r1", "silence": {"reason": "No.", "until": 99}}),
        );
        same(
            &silenced(None),
            json!({"roomKey": "r1", "silence": Value::Null}),
        );
    }

    #[test]
    fn hosts_see_words_and_bans() {
        let moderation = Moderation {
            room_key: key(),
            words: vec!["spam".into()],
            bans: vec![Ban {
                author: author(),
                name: "Ann".into(),
                since: 9,
                until: None,
                covers_address: true,
            }],
        };
        same(
            &moderation,
            json!({
                "roomKey": "r1", "words": ["spam"],
                "bans": [{"author": "abc", "name": "Ann", "since": 9, "coversAddress": true}],
            }),
        );
    }
}
