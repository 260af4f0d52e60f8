//! Bodies of the HTTP API.

use serde::{Deserialize, Serialize};

use crate::UnixMillis;
use crate::events::Comment;
use crate::room::Room;

/// `POST /api/rooms` and `PATCH /api/rooms/{key}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTitle {
    /// What the room is to be called; see [`crate::text`].
    pub title: String,
}

/// 201 of `POST /api/rooms`: the only answer that ever carries both secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedRoom {
    /// The new room.
    pub room: Room,
    /// Proves who owns the room: `Authorization: Bearer <host_token>` on the API.
    pub host_token: String,
    /// Lets an encoder publish: `Authorization: Bearer <stream_key>` on WHIP.
    pub stream_key: String,
    /// Where the room is to be found.
    pub links: Links,
}

/// Absolute addresses of a room. An address is absent while the server does not serve that protocol.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The page to share.
    pub watch: String,
    /// Publish by WHIP here.
    pub whip: String,
    /// Watch by WHEP here.
    pub whep: String,
    /// LL-HLS playlist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls: Option<String>,
    /// HTTP-FLV stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flv: Option<String>,
    /// OBS's field "Server".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmp_server: Option<String>,
    /// OBS's field "Stream Key"; holds the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmp_stream_key: Option<String>,
    /// Watch by RTMP here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmp_play: Option<String>,
}

/// 200 of `POST /api/rooms/{key}/stream-key`: the old key is void from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedStreamKey {
    /// The new secret.
    pub stream_key: String,
    /// OBS's field "Stream Key" with the new secret in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmp_stream_key: Option<String>,
}

/// 200 of `POST /api/rooms/{key}/host-link`: makes another device a host, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLink {
    /// The studio's address, with a secret in its fragment, which browsers send to nobody.
    pub url: String,
    /// Until when it is good.
    pub expires_at: UnixMillis,
}

/// `POST /api/rooms/{key}/host-link/redeem`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemHostLink {
    /// What is behind `#host=` in the link.
    pub secret: String,
}

/// 200 of it: the link is void from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewHost {
    /// The room.
    pub room: Room,
    /// Proves that this device is a host of the room, on the API and on WHIP. No other device has it.
    pub host_token: String,
    /// Where the room is to be found; the stream key is not among it.
    pub links: Links,
}

/// 200 of `GET /api/rooms/{key}/comments`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommentPage {
    /// Oldest first, at most [`crate::limits::COMMENT_PAGE`].
    pub comments: Vec<Comment>,
    /// Pass it as `?before=` for the page before this one; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// The body of every refusal: `application/problem+json` (RFC 9457 section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status, again.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// A sentence that says what to do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_that_are_not_served_are_absent() {
        let links = Links {
            watch: "https://h/room/a".into(),
            whip: "https://h/whip/a".into(),
            whep: "https://h/whep/a".into(),
            hls: None,
            flv: None,
            rtmp_server: Some("rtmp://h:1935/live".into()),
            rtmp_stream_key: Some("a?key=s".into()),
            rtmp_play: None,
        };
        assert_eq!(
            serde_json::to_value(&links).unwrap(),
            json!({
                "watch": "https://h/room/a", "whip": "https://h/whip/a", "whep": "https://h/whep/a",
                "rtmp_server": "rtmp://h:1935/live", "rtmp_stream_key": "a?key=s",
            })
        );
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem {
            status: 404,
            title: "Not Found".into(),
            detail: "No such room.".into(),
        };
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            json!({"status": 404, "title": "Not Found", "detail": "No such room."})
        );
    }
}
