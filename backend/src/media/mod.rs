//! The media core: every broadcast becomes access units on a stage, every viewer reads them from there.
//!
//! It knows no protocol. What arrives is made into [`access_unit::AccessUnit`]s and written to a
//! [`stage::Stage`]; what leaves subscribes to one. A form of a unit that all viewers of a protocol share
//! (its RTP packets, say) is made by one task and handed on through a [`fanout::Fanout`] of its own.

pub mod aac;
pub mod access_unit;
pub mod audio;
pub mod avc;
pub mod fanout;
pub mod feed;
pub mod formats;
pub mod h264;
pub mod health;
pub mod keyframes;
pub mod opus;
pub mod rendition;
pub mod ring;
pub mod stage;
pub mod thumbnail;
pub mod time;
pub mod timeline;
