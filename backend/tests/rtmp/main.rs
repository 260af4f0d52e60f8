//! RTMP and HTTP-FLV against the whole server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad_input;
mod bridge;
mod client;
mod flv;
mod hls;
mod open_rooms;
mod play;
mod publish;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "shared with the tests of everything else")]
mod support;
mod take_over;
mod thumbnail;
mod viewers;
#[path = "../webrtc/client.rs"]
#[allow(dead_code, reason = "shared with the tests of WebRTC")]
mod webrtc_client;

use shared::api::CreatedRoom;

/// OBS's field "Stream Key" of a room.
fn stream_key(made: &CreatedRoom) -> &str {
    made.links.rtmp_stream_key.as_deref().unwrap()
}
