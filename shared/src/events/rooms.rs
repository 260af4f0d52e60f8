//! Entering rooms, and the list of them.

use serde::{Deserialize, Serialize};

use super::{Comment, Moderation, Silence};
use crate::person::SessionId;
use crate::room::{Room, RoomKey};

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
        /// Makes this socket the host's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_token: Option<String>,
        /// Who is coming, the same each time; else the room knows the socket alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
}

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
    /// The comment that the host has pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Comment>,
    /// Seconds between two comments of a person; 0 while slow mode is off.
    #[serde(default)]
    pub slow_mode: u32,
    /// Why this person may not speak here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// For the room's host: what only they may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moderation: Option<Moderation>,
}

/// Ack of `join_lobby`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lobby {
    /// What `GET /api/rooms` answers.
    pub rooms: Vec<Room>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{key, same};
    use super::*;

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
            session: Some("0123456789abcdef".parse().unwrap()),
        };
        same(
            &join,
            json!({"key": "r1", "name": "Ann", "session": "0123456789abcdef"}),
        );
    }

    #[test]
    fn who_joins_learns_what_the_host_has_set() {
        let joined = json!({
            "room": {
                "key": "r1", "title": "r", "state": "live", "viewers": 0, "peak_viewers": 0,
                "likes": 0, "created_at": 1, "started_at": null, "ingest": null,
                "webrtc": true,
            },
            "comments": [],
            "senderId": 7,
            "pinned": {"id": 2, "roomKey": "r1", "name": "Ann", "text": "hi", "at": 9},
            "slowMode": 30,
            "silence": {"reason": "No.", "until": 99},
            "moderation": {"roomKey": "r1", "words": ["spam"], "bans": []},
        });
        let read: Joined = serde_json::from_value(joined.clone()).unwrap();
        assert_eq!(read.slow_mode, 30);
        same(&read, joined);
    }
}
