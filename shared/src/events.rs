//! Socket.IO events: their names, their payloads, their acknowledgements.
//!
//! Names and shapes of the 2016 app's events (`create_room`, `join_room`, `upvote`, `comment`, `gift`,
//! `close_room`) are kept as they were, so that it works unchanged; what came later are optional
//! members and events of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::UnixMillis;
use crate::room::{Room, RoomKey};

/// Names of the events a client sends.
pub mod to_server {
    /// [`super::CreateRoom`]: make an *open* room, as the 2016 app does.
    pub const CREATE_ROOM: &str = "create_room";
    /// [`super::JoinRoom`]: receive the room's events; acknowledged with [`super::Joined`].
    pub const JOIN_ROOM: &str = "join_room";
    /// A [`super::RoomKey`]: stop receiving the room's events.
    pub const LEAVE_ROOM: &str = "leave_room";
    /// A [`super::RoomKey`]: end an open room. Only its creator's socket may.
    pub const CLOSE_ROOM: &str = "close_room";
    /// [`super::Upvote`]: like.
    pub const UPVOTE: &str = "upvote";
    /// [`super::SendComment`].
    pub const COMMENT: &str = "comment";
    /// [`super::SendGift`].
    pub const GIFT: &str = "gift";
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
}

/// Members of a payload that are not ours: whatever the sender put there travels along.
pub type Extra = BTreeMap<String, Value>;

/// `create_room`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateRoom {
    /// The key that the client chose.
    pub key: RoomKey,
    /// What the room is to be called; the key, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// `join_room`: a bare key (2016) or an object.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JoinRoom {
    /// Just the key.
    Key(RoomKey),
    /// The key and who is coming.
    Named {
        /// The room.
        key: RoomKey,
        /// Name for this socket's comments and gifts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Marks this socket's comments as the host's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_token: Option<String>,
    },
}

/// `upvote`: a bare key is one like (2016); a page batches quick taps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Upvote {
    /// One like.
    One(RoomKey),
    /// Several taps at once.
    Many {
        /// The room.
        #[serde(rename = "roomKey")]
        room_key: RoomKey,
        /// 1 to [`crate::limits::LIKES_PER_UPVOTE`].
        count: u32,
    },
}

/// `comment` from a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendComment {
    /// The room.
    pub room_key: RoomKey,
    /// What is said; see [`crate::text`].
    pub text: String,
    /// Who says it; else the name given with `join_room`, else a made-up one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whatever else the sender put there.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `comment` to everybody in the room, its sender included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Unique in its room, rising with time.
    pub id: u64,
    /// The room.
    pub room_key: RoomKey,
    /// Who said it.
    pub name: String,
    /// What was said. Text, never markup.
    pub text: String,
    /// When.
    pub at: UnixMillis,
    /// Whether the room's host said it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host: bool,
    /// Whatever else the sender put there.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `gift` from a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendGift {
    /// The room.
    pub room_key: RoomKey,
    /// Whom the 2016 app takes combos by; else the socket's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<u64>,
    /// Which gift; see [`crate::gift`].
    pub gift_id: u32,
    /// How many, 1 to [`crate::limits::GIFTS_PER_EVENT`].
    pub gift_count: u32,
    /// Who gives; else as for comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whatever else the sender put there.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `gift` to everybody in the room, its sender included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gift {
    /// The room.
    pub room_key: RoomKey,
    /// Who gives, as a number (2016).
    pub sender_id: u64,
    /// Which gift.
    pub gift_id: u32,
    /// How many in this event.
    pub gift_count: u32,
    /// Who gives.
    pub name: String,
    /// How many of this gift from this sender in an unbroken row, this event's included.
    pub combo: u32,
    /// When.
    pub at: UnixMillis,
    /// Whatever else the sender put there.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `likes`: at most one event per [`crate::limits::LIKES_INTERVAL_MS`] and room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Likes {
    /// The room.
    pub room_key: RoomKey,
    /// Likes in all.
    pub total: u64,
    /// Likes since the event before this one.
    pub delta: u64,
}

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

/// Ack of `create_room`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The new room.
    pub room: Room,
}

/// Ack of `join_room`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The room as it is now.
    pub room: Room,
    /// The newest [`crate::limits::COMMENT_PAGE`], oldest first.
    pub comments: Vec<Comment>,
    /// The number this socket's gifts carry.
    pub sender_id: u64,
}

/// Ack of `comment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commented {
    /// Its number in the room.
    pub id: u64,
}

/// Ack of `join_lobby`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lobby {
    /// What `GET /api/rooms` answers.
    pub rooms: Vec<Room>,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn key() -> RoomKey {
        "r1".parse().unwrap()
    }

    /// `value` and `wire` are the same thing, in both directions.
    #[track_caller]
    fn same<T: Serialize + DeserializeOwned + PartialEq>(value: &T, wire: Value) {
        assert_eq!(to_value(value).unwrap(), wire);
        assert!(from_value::<T>(wire).unwrap() == *value);
    }

    #[test]
    fn the_2016_app_creates_a_room_like_this() {
        let wire = json!({"key": "r1", "title": "Hello"});
        same(
            &CreateRoom {
                key: key(),
                title: Some("Hello".into()),
            },
            wire,
        );
    }

    #[test]
    fn the_2016_app_joins_with_a_bare_key() {
        same(&JoinRoom::Key(key()), json!("r1"));
    }

    #[test]
    fn a_page_joins_with_a_name() {
        let join = JoinRoom::Named {
            key: key(),
            name: Some("Ann".into()),
            host_token: None,
        };
        same(&join, json!({"key": "r1", "name": "Ann"}));
    }

    #[test]
    fn the_2016_app_likes_with_a_bare_key() {
        same(&Upvote::One(key()), json!("r1"));
    }

    #[test]
    fn a_page_likes_in_batches() {
        same(
            &Upvote::Many {
                room_key: key(),
                count: 3,
            },
            json!({"roomKey": "r1", "count": 3}),
        );
    }

    #[test]
    fn the_2016_app_comments_like_this() {
        let comment = SendComment {
            room_key: key(),
            text: "hi".into(),
            name: None,
            extra: Extra::new(),
        };
        same(&comment, json!({"roomKey": "r1", "text": "hi"}));
    }

    #[test]
    fn what_a_sender_adds_to_a_comment_travels_along() {
        let wire = json!({"roomKey": "r1", "text": "hi", "colour": "red"});
        let sent: SendComment = from_value(wire).unwrap();
        let comment = Comment {
            id: 4,
            room_key: sent.room_key,
            name: "Ann".into(),
            text: sent.text,
            at: 9,
            host: false,
            extra: sent.extra,
        };
        same(
            &comment,
            json!({"id": 4, "roomKey": "r1", "name": "Ann", "text": "hi", "at": 9, "colour": "red"}),
        );
    }

    #[test]
    fn the_2016_app_gives_like_this() {
        let gift = SendGift {
            room_key: key(),
            sender_id: Some(4_294_967_295),
            gift_id: 2,
            gift_count: 1,
            name: None,
            extra: Extra::new(),
        };
        same(
            &gift,
            json!({"roomKey": "r1", "senderId": 4_294_967_295_u64, "giftId": 2, "giftCount": 1}),
        );
    }

    #[test]
    fn the_2016_app_finds_its_members_in_a_gift() {
        let gift = Gift {
            room_key: key(),
            sender_id: 7,
            gift_id: 1,
            gift_count: 2,
            name: "Ann".into(),
            combo: 5,
            at: 9,
            extra: Extra::new(),
        };
        same(
            &gift,
            json!({
                "roomKey": "r1", "senderId": 7, "giftId": 1, "giftCount": 2,
                "name": "Ann", "combo": 5, "at": 9,
            }),
        );
    }

    #[test]
    fn likes_carry_total_and_delta() {
        let likes = Likes {
            room_key: key(),
            total: 10,
            delta: 3,
        };
        same(&likes, json!({"roomKey": "r1", "total": 10, "delta": 3}));
    }

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
            ],
            [
                "create_room",
                "join_room",
                "leave_room",
                "close_room",
                "upvote",
                "comment",
                "gift"
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
            ],
            [
                "comment",
                "gift",
                "upvote",
                "likes",
                "room",
                "notice",
                "restarting"
            ]
        );
    }
}
