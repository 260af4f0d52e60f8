//! Golive: a self-hosted live broadcast server.

pub mod app;
mod clock;
pub mod config;
pub mod flv;
pub mod greeting;
pub mod hls;
pub mod limits;
pub mod log;
pub mod media;
mod metrics;
mod names;
mod random;
mod roaming;
pub mod rooms;
pub mod rtmp;
mod session_span;
pub mod social;
pub mod store;
mod tcp;
pub mod tls;
pub mod web;
pub mod webrtc;
