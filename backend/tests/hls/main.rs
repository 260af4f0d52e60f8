//! LL-HLS against the whole server, with real ffmpeg as broadcaster and as player.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad_input;
mod ffmpeg;
mod pictures;
mod playlist;
mod playlists;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "shared with the tests of everything else")]
mod support;
mod viewers;
