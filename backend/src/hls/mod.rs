//! Low-latency HLS (draft-pantos-hls-rfc8216bis) with CMAF (ISO/IEC 23000-19), without HTTP.
//!
//! A [`channel::Channel`] is a room's: while somebody asks for it, or an encoder pushes, it reads the stage and
//! has a [`packager::Packager`] make parts and segments, once for all viewers. [`playlist`]s are pure functions of
//! what was packaged. Nothing here knows requests: they ask a channel, and wait for it where they have to.

pub mod channel;
pub mod channels;
pub mod fmp4;
pub mod packager;
pub mod playlist;
pub mod presentation;
pub mod rendered;
pub mod segment;
mod silence;
mod sound;
#[cfg(test)]
mod testing;
pub mod track;
