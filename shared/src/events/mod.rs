//! Socket.IO events: their names, their payloads, their acknowledgements.
//!
//! Names and shapes of the 2016 app's events (`create_room`, `join_room`, `upvote`, `comment`, `gift`,
//! `close_room`) are kept as they were, so that it works unchanged; what came later are optional
//! members and events of their own.

mod chat;
mod moderation;
mod rooms;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use chat::{Comment, Commented, Gift, Likes, SendComment, SendGift, Upvote};
pub use moderation::{
    Action, Ban, Moderate, Moderation, Pinned, Removed, RemovedComments, Silence, Silenced,
    SlowMode,
};
pub use rooms::{CreateRoom, Created, JoinRoom, Joined, Lobby};

#[cfg(doc)]
use crate::room::{Room, RoomKey};

/// Names of the events a client sends.
pub mod to_server {
    /// [`super::CreateRoom`]: make an *open* room, as the 2016 app does.
    pub const CREATE_ROOM: &str = "create_room";
    /// [`super::JoinRoom`]: receive the room's events; acknowledged with [`super::Joined`].
    pub const JOIN_ROOM: &str = "join_room";
    /// A [`super::RoomKey`]: stop receiving the room's events.
    pub const LEAVE_ROOM: &str = "leave_room";
    /// A [`super::RoomKey`]: end a room. Only its host may; of an open room, its creator's socket.
    pub const CLOSE_ROOM: &str = "close_room";
    /// [`super::Upvote`]: like.
    pub const UPVOTE: &str = "upvote";
    /// [`super::SendComment`].
    pub const COMMENT: &str = "comment";
    /// [`super::SendGift`].
    pub const GIFT: &str = "gift";
    /// [`super::Moderate`]: what only the room's host may do.
    pub const MODERATE: &str = "moderate";
    /// No payload: receive a `room` event for every room that changes; acknowledged with
    /// [`super::Lobby`].
    pub const JOIN_LOBBY: &str = "join_lobby";
    /// No payload: stop receiving those.
    pub const LEAVE_LOBBY: &str = "leave_lobby";
}

/// Names of the events the server sends.
pub mod to_client {
    /// [`super::Comment`].
    pub const COMMENT: &str = "comment";
    /// [`super::Gift`].
    pub const GIFT: &str = "gift";
    /// No payload, one event a like: what 2016 clients understand. Only they receive it.
    pub const UPVOTE: &str = "upvote";
    /// [`super::Likes`].
    pub const LIKES: &str = "likes";
    /// [`super::Room`]: its state, viewers or title changed.
    pub const ROOM: &str = "room";
    /// [`super::Notice`].
    pub const NOTICE: &str = "notice";
    /// [`super::Restarting`]: the server stops and is expected back; whoever hears of it reconnects.
    pub const RESTARTING: &str = "restarting";
    /// [`super::Removed`]: comments are gone.
    pub const REMOVED: &str = "removed";
    /// [`super::Pinned`]: another comment is pinned, or none.
    pub const PINNED: &str = "pinned";
    /// [`super::SlowMode`]: how long people have to wait between two comments.
    pub const SLOW_MODE: &str = "slow_mode";
    /// [`super::Silenced`]: to a person who may no longer speak, or may again.
    pub const SILENCED: &str = "silenced";
    /// [`super::Moderation`]: to the room's hosts alone.
    pub const MODERATION: &str = "moderation";
}

/// Members of a payload that are not ours: whatever the sender put there travels along.
pub type Extra = BTreeMap<String, Value>;

/// `notice`: the server tells this client something, most often why it refused an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The refused event's name, if the notice is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// A sentence that says what to do.
    pub error: String,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// `restarting`: rooms stay as they are, and this connection is about to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarting {
    /// A sentence for the person.
    pub notice: String,
}

/// Why an event was refused: the ack `{error, retry_after_ms?}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A sentence that says what to do.
    pub error: String,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The acknowledgement of every event: `{ok: true, ...T}` or a [`Refusal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ack<T> {
    /// Done.
    Done {
        /// Always `true`.
        ok: bool,
        /// What the client asked for.
        #[serde(flatten)]
        value: T,
    },
    /// Not done.
    Refused(Refusal),
}

impl<T> Ack<T> {
    /// `{ok: true, ...value}`.
    pub const fn done(value: T) -> Self {
        Self::Done { ok: true, value }
    }

    /// The value, or why there is none.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn into_result(self) -> Result<T, Refusal> {
        match self {
            Self::Done { value, .. } => Ok(value),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// What an ack carries when there is nothing to say but `ok`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// What the tests of events have in common.
#[cfg(test)]
pub(crate) mod testing {
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, from_value, to_value};

    use crate::room::RoomKey;

    pub(crate) fn key() -> RoomKey {
        "r1".parse().unwrap()
    }

    /// `value` and `wire` are the same thing, in both directions.
    #[track_caller]
    pub(crate) fn same<T: Serialize + DeserializeOwned + PartialEq>(value: &T, wire: Value) {
        assert_eq!(to_value(value).unwrap(), wire);
        assert!(from_value::<T>(wire).unwrap() == *value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::testing::same;
    use super::*;

    #[test]
    fn acks_are_flat() {
        same(&Ack::done(Nothing {}), json!({"ok": true}));
        same(
            &Ack::done(Commented { id: 3 }),
            json!({"ok": true, "id": 3}),
        );
        let refusal = Refusal {
            error: "Too fast.".into(),
            retry_after_ms: Some(250),
        };
        let refused = Ack::<Commented>::Refused(refusal);
        same(
            &refused,
            json!({"error": "Too fast.", "retry_after_ms": 250}),
        );
    }

    #[test]
    fn an_empty_ack_still_tells_a_refusal_apart() {
        let ack: Ack<Nothing> = from_value(json!({"error": "No."})).unwrap();
        assert_eq!(ack.into_result().unwrap_err().error, "No.");
    }

    #[test]
    fn a_notice_names_the_refused_event() {
        let notice = Notice {
            event: Some("gift".into()),
            error: "No.".into(),
            retry_after_ms: None,
        };
        same(&notice, json!({"event": "gift", "error": "No."}));
    }

    #[test]
    fn events_have_these_names() {
        assert_eq!(
            [
                to_server::CREATE_ROOM,
                to_server::JOIN_ROOM,
                to_server::LEAVE_ROOM,
                to_server::CLOSE_ROOM,
                to_server::UPVOTE,
                to_server::COMMENT,
                to_server::GIFT,
                to_server::MODERATE,
            ],
            [
                "create_room",
                "join_room",
                "leave_room",
                "close_room",
                "upvote",
                "comment",
                "gift",
                "moderate"
            ]
        );
        assert_eq!(
            [
                to_client::COMMENT,
                to_client::GIFT,
                to_client::UPVOTE,
                to_client::LIKES,
                to_client::ROOM,
                to_client::NOTICE,
                to_client::RESTARTING,
                to_client::REMOVED,
                to_client::PINNED,
                to_client::SLOW_MODE,
                to_client::SILENCED,
                to_client::MODERATION,
            ],
            [
                "comment",
                "gift",
                "upvote",
                "likes",
                "room",
                "notice",
                "restarting",
                "removed",
                "pinned",
                "slow_mode",
                "silenced",
                "moderation"
            ]
        );
    }
}
