//! What people say, give and like.

use serde::{Deserialize, Serialize};

use super::Extra;
use crate::UnixMillis;
use crate::person::AuthorId;
use crate::room::RoomKey;

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
    /// The person, as the room knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<AuthorId>,
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
    /// The person, as the room knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<AuthorId>,
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

/// Ack of `comment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commented {
    /// Its number in the room.
    pub id: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::super::testing::{key, same};
    use super::*;

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
            author: Some("abc".parse().unwrap()),
            extra: sent.extra,
        };
        same(
            &comment,
            json!({
                "id": 4, "roomKey": "r1", "name": "Ann", "text": "hi", "at": 9, "author": "abc",
                "colour": "red",
            }),
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
            author: None,
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
}
