//! The whole server over real sockets, in one process with its clients.

mod api;
mod page;
mod sessions;
mod social;
mod social_limits;
mod support;
#[path = "../webrtc/client.rs"]
#[allow(dead_code, reason = "shared with the tests of WebRTC")]
mod webrtc_client;
