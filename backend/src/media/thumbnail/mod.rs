//! Live pictures of rooms: a keyframe, decoded, made small, and written as JPEG.
//!
//! The one place where the server decodes pictures, and it does so on its own time: never where media
//! flows, one keyframe at a time, and only when somebody looks. The decoder is written in safe Rust,
//! because what it reads comes from strangers.

mod colour;
mod decoder;
mod jpeg;
mod scaling;
mod slot;

use bytes::Bytes;

use super::access_unit::{AccessUnit, Format};
use super::h264::InvalidSps;
use colour::Colours;
use decoder::Header;
pub(in crate::media) use slot::Slot;
pub use slot::{Drawing, LIFETIME, Thumbnail};

/// Most pixels in each direction of a picture that is decoded.
pub const MAX_SIDE: u32 = 4_096;
/// What a picture has to fit in, in pixels. The height leaves a phone that is held upright its full width.
pub const MAX_SIZE: (u32, u32) = (480, 960);
/// What a picture's file should not exceed, in bytes.
pub const MAX_BYTES: usize = 60_000;

/// Why there is no picture of a unit.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// It is sound, or a picture that others are needed for.
    #[error("the unit is not a keyframe")]
    NotAKeyframe,
    /// See [`InvalidSps`].
    #[error(transparent)]
    InvalidSps(#[from] InvalidSps),
    /// The picture is larger than [`MAX_SIDE`].
    #[error(
        "a picture of {width}x{height} pixels is too large: {MAX_SIDE}x{MAX_SIDE} are the most"
    )]
    TooLarge {
        /// Coded width in pixels.
        width: u64,
        /// Coded height in pixels.
        height: u64,
    },
    /// A NAL unit has something in it that begins another one (ITU-T H.264 section 7.4.1).
    #[error("a NAL unit has a start code in it")]
    StartCode,
    /// The keyframe is broken, or uses what the decoder does not know: fields, other samples than 4:2:0 in
    /// 8 bits.
    #[error("the keyframe cannot be decoded: {0}")]
    Undecodable(String),
    /// The picture cannot be written.
    #[error("the picture cannot be written as JPEG: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
}

/// The picture of a keyframe as a JPEG file (ITU-T T.81, JFIF) that fits in [`MAX_SIZE`] and is hardly ever
/// larger than [`MAX_BYTES`]. Takes tens of milliseconds: nothing for a thread that others wait for.
///
/// # Errors
/// [`ThumbnailError`], whatever the unit consists of.
pub fn thumbnail(unit: &AccessUnit) -> Result<Bytes, ThumbnailError> {
    let Format::Video(format) = &unit.format else {
        return Err(ThumbnailError::NotAKeyframe);
    };
    if !unit.random_access {
        return Err(ThumbnailError::NotAKeyframe);
    }
    let header = Header::parse(&format.sps)?;
    let picture = decoder::decode(format, &unit.data)?;
    let (width, height) = (picture.width, picture.height);
    let size = scaling::fit((width, height), header.sample_aspect);
    let luma = scaling::shrink(&picture.y, (width, height), size);
    let half = (width / 2, height / 2);
    let [cb, cr] = [&picture.u, &picture.v].map(|plane| scaling::shrink(plane, half, size));
    let colours = Colours::new(header.signal.as_ref(), height);
    jpeg::encode(&colours.rgb(&luma, &cb, &cr), size)
}

#[cfg(test)]
mod tests;
