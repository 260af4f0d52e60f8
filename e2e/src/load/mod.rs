//! Load generators: many synthetic people for one real server.
//!
//! The programs `load-whep` (viewers of one broadcast), `load-rtmp` and `load-hls` (players of one broadcast) and
//! `load-social` (one busy chat) are made of these parts. Each starts a [`Server`](crate::Server) of its
//! own, loads it over the loopback interface and prints what it cost. Media is synthetic, but everything
//! on the wire is real: ICE, DTLS, SRTP, RTMP, Engine.IO.

pub mod audience;
pub mod crowd;
pub mod floor;
pub mod gaps;
pub mod hls;
pub mod media;
pub mod peer;
pub mod process;
pub mod publisher;
pub mod rtmp;
pub mod session;
pub mod socket;
pub mod statistics;
pub mod table;
pub mod viewer;

mod rtcp_tap;
