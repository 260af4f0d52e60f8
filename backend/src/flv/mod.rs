//! The FLV container (Adobe's FLV specification 10.1 Annex E, Enhanced RTMP v2), without files and sockets.
//!
//! RTMP carries the bodies of FLV tags as its messages, so everything here serves RTMP and HTTP-FLV alike:
//! [`video`] and [`audio`] read the bodies that publishers send, [`body`] makes those that players get, and
//! [`file`](mod@file) puts them into tags.

pub mod amf0;
pub mod audio;
pub mod body;
pub mod file;
pub mod metadata;
pub mod mux;
pub mod sequence;
pub mod video;

/// What a tag carries, as it is written in its header (section E.4.1). RTMP's message types are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TagType {
    /// Sound.
    Audio = 8,
    /// The picture.
    Video = 9,
    /// Script data: AMF0.
    Script = 18,
}

/// The body of a media tag that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// It ends before it says what it carries.
    #[error("a tag ends early")]
    Truncated,
    /// A codec that no room carries. `Display` names it and says what to choose.
    #[error("the {kind} is {codec}, please choose {instead} in your encoder")]
    Codec {
        /// "picture" or "sound".
        kind: &'static str,
        /// The codec's common name.
        codec: String,
        /// A codec that works.
        instead: &'static str,
    },
}

/// A name for a FourCC nobody told us of, safe to show.
fn unknown_four_cc(four_cc: [u8; 4]) -> String {
    let code: String = four_cc
        .iter()
        .map(|&byte| {
            if byte.is_ascii_graphic() {
                char::from(byte)
            } else {
                '?'
            }
        })
        .collect();
    format!("an unknown codec ({code})")
}

/// Takes the first `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], TagError> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(TagError::Truncated)?;
    *rest = after;
    Ok(*taken)
}
