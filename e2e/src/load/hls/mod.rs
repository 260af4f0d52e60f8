//! LL-HLS: players of parts, and requests for segments as fast as they are answered.

pub mod connection;
pub mod disk;
pub mod player;
