//! Silence, where a broadcast has sound but none comes.

use bytes::Bytes;

use crate::media::access_unit::{AudioFormat, Format};

/// A silent frame of AAC-LC: one channel element, whose one section has no spectrum, and the end (ISO/IEC
/// 14496-3 section 4.4.2.1).
const MONO: &[u8] = &[0x00, 0xc8, 0x00, 0x80, 0x23, 0x80];
/// The same for a pair of channels.
const STEREO: &[u8] = &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80];

/// A silent frame for a track of this format.
#[must_use]
pub(super) fn frame(format: &Format) -> Bytes {
    let channels = match format {
        Format::Audio(audio) => AudioFormat::channels(audio),
        Format::Video(_) => 0,
    };
    Bytes::from_static(if channels == 1 { MONO } else { STEREO })
}
