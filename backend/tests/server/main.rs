//! The whole server over real sockets, in one process with its clients.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod acme;
mod api;
mod bitrate;
mod dashboard;
mod health;
mod host_link;
mod ipv6;
mod limits;
mod metrics;
mod moderation;
mod moderation_limits;
mod page;
mod readiness;
mod security;
mod sessions;
mod social;
mod social_limits;
mod strangers;
#[allow(dead_code, reason = "shared with other tests")]
mod support;
mod tls;
#[path = "../webrtc/client.rs"]
#[allow(dead_code, reason = "shared with the tests of WebRTC")]
mod webrtc_client;
