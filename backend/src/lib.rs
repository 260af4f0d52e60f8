//! Golive: a self-hosted live broadcast server.

pub mod app;
mod clock;
pub mod config;
pub mod flv;
pub mod greeting;
pub mod media;
mod random;
pub mod rooms;
pub mod rtmp;
pub mod social;
pub mod store;
mod tcp;
pub mod web;
pub mod webrtc;
