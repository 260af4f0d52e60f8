//! RTMP and HTTP-FLV: one synthetic broadcast, many players, and nginx to compare with.
//!
//! The players are as light as they can be, because they share the machine with the server they load:
//! none of them takes chunks apart. The publisher writes a [`Stamp`](stamp::Stamp) near the beginning of
//! each picture, and a player looks for stamps in whatever bytes arrive, which works for chunks of RTMP
//! and for FLV over HTTP alike. The numbers in the stamps tell which pictures are missing and how long
//! each took.

pub mod amf;
pub mod client;
pub mod contestant;
pub mod media;
pub mod nginx;
pub mod player;
pub mod players;
pub mod publisher;
pub mod slow;
pub mod stamp;
pub mod window;
