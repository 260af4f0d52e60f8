//! What the end-to-end tests are made of: the real server as a process, real Chromium and Firefox
//! with a fake camera, real Socket.IO clients.
//!
//! The tests are in `tests/`, one file a subject. Each starts a [`Server`] of its own and ends with
//! [`Server::stop`]; one that is left behind by a failed test prints its log. Only one test of a test
//! program runs at a time, because browsers that encode and decode video want the whole machine.

pub mod accessibility;
pub mod app_2016;
pub mod browser;
pub mod clock;
pub mod eventually;
pub mod ffmpeg;
pub mod hls_parser;
pub mod lip_sync;
pub mod load;
pub mod nginx;
pub mod pages;
pub mod peers;
pub mod scenery;
pub mod server;
pub mod socket_io;

use std::path::{Path, PathBuf};

pub use crate::browser::Browser;
pub use crate::eventually::{LONG, SOON, eventually};
pub use crate::server::Server;

/// The top level of the repository.
#[must_use]
pub fn top_level() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where Cargo puts what it builds, and the tests their logs and pictures.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top_level().join("target"), PathBuf::from)
}
