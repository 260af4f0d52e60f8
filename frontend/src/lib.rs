//! The page: rooms, studio and player.
//!
//! [`pages`] are what a person opens, made of [`components`]. What they do is decided by the state
//! machines in [`logic`], which know neither browser nor clock and are tested on the host; what they
//! need from outside comes through [`api`] (HTTP), [`realtime`] (Socket.IO), [`webrtc`] (WHIP and
//! WHEP), [`playback`] (WHEP or LL-HLS), [`capture`] (camera and microphone) and [`storage`].

pub mod api;
pub mod app;
pub mod browser;
pub mod capture;
pub mod clock;
pub mod components;
mod hls;
pub mod logic;
pub mod pages;
pub mod playback;
pub mod realtime;
pub mod storage;
pub mod theme;
pub mod wake_lock;
pub mod webrtc;
