//! What survives: the server is stopped, killed and put on broken disks, and started again.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod crash;
mod disk_full;
mod folder;
mod process;
mod refusals;
mod restart;
mod secrets;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "shared with the tests of everything else")]
mod support;
#[path = "../webrtc/client.rs"]
#[allow(dead_code, reason = "shared with the tests of WebRTC")]
mod webrtc_client;
