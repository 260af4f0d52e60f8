//! A room as everybody sees it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{UnixMillis, limits};

/// The public name of a room in every URL and event: 1 to 64 of `A-Z a-z 0-9 _ -`.
///
/// It is no secret: whoever has it may watch. Publishing and hosting need secrets of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomKey(String);

/// Not a room key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A room key is 1 to 64 letters, digits, '-' or '_': please check the link.")]
pub struct InvalidRoomKey;

impl RoomKey {
    /// Length of the keys that the server makes.
    pub const GENERATED_LEN: usize = 10;

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoomKey {
    type Error = InvalidRoomKey;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let valid = (1..=limits::ROOM_KEY_BYTES).contains(&key.len()) && key.bytes().all(allowed);
        if valid {
            Ok(Self(key))
        } else {
            Err(InvalidRoomKey)
        }
    }
}

impl FromStr for RoomKey {
    type Err = InvalidRoomKey;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        Self::try_from(key.to_owned())
    }
}

impl From<RoomKey> for String {
    fn from(key: RoomKey) -> Self {
        key.0
    }
}

impl fmt::Display for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a room is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomState {
    /// Nobody is publishing; somebody with the stream key may start at any time.
    Offline,
    /// Media is arriving.
    Live,
    /// The publisher was lost and may resume within the grace time.
    Reconnecting,
    /// Over: the host ended it, or the grace time ran out.
    Ended,
}

/// How the media of a room arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ingest {
    /// WebRTC from a browser or an encoder that speaks WHIP (RFC 9725).
    Whip,
    /// RTMP from an encoder such as OBS.
    Rtmp,
}

/// What anybody may know about a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its public name.
    pub key: RoomKey,
    /// What the host called it.
    pub title: String,
    /// Where it is in its life.
    pub state: RoomState,
    /// Watching sessions now, over all protocols.
    pub viewers: u32,
    /// The most watching sessions there ever were at once.
    pub peak_viewers: u32,
    /// Likes in all.
    pub likes: u64,
    /// When the room was made.
    pub created_at: UnixMillis,
    /// When the present (or last) broadcast began.
    pub started_at: Option<UnixMillis>,
    /// How its media arrives now.
    pub ingest: Option<Ingest>,
    /// Whether WebRTC can carry what it broadcasts to browsers. Where it cannot, HLS may.
    #[serde(default = "usually")]
    pub webrtc: bool,
}

const fn usually() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_room_has_this_shape_on_the_wire() {
        let room = Room {
            key: "abc".parse().unwrap(),
            title: "Cooking".into(),
            state: RoomState::Live,
            viewers: 3,
            peak_viewers: 7,
            likes: 41,
            created_at: 1_700_000_000_000,
            started_at: Some(1_700_000_001_000),
            ingest: Some(Ingest::Whip),
            webrtc: true,
        };
        let wire = json!({
            "key": "abc", "title": "Cooking", "state": "live",
            "viewers": 3, "peak_viewers": 7, "likes": 41,
            "created_at": 1_700_000_000_000_u64, "started_at": 1_700_000_001_000_u64,
            "ingest": "whip", "webrtc": true,
        });
        assert_eq!(serde_json::to_value(&room).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Room>(wire).unwrap(), room);
    }

    #[test]
    fn states_have_these_names() {
        let states = [
            RoomState::Offline,
            RoomState::Live,
            RoomState::Reconnecting,
            RoomState::Ended,
        ];
        let names = serde_json::to_value(states).unwrap();
        assert_eq!(names, json!(["offline", "live", "reconnecting", "ended"]));
        assert_eq!(serde_json::to_value(Ingest::Rtmp).unwrap(), json!("rtmp"));
    }

    #[test]
    fn keys_are_checked_when_they_arrive() {
        for bad in ["", "a b", "../x", "ü", "a/b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<RoomKey>(), Err(InvalidRoomKey), "{bad:?}");
        }
        assert!("Ab9_-".parse::<RoomKey>().is_ok());
        assert!(serde_json::from_value::<RoomKey>(json!("a/b")).is_err());
    }
}
