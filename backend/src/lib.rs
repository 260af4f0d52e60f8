//! Golive: a self-hosted live broadcast server.

pub mod media;
pub mod webrtc;
