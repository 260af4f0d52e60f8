//! From a keyframe to samples.

use std::panic::catch_unwind;

use bytes::{BufMut, Bytes};
use h264_reader::nal::sps::{FrameMbsFlags, SeqParameterSet, VideoSignalType};
use rusty_h264_common::YuvFrame;
use rusty_h264_decoder::Decoder;

use super::{MAX_SIDE, ThumbnailError};
use crate::media::h264::{NalType, VideoFormat, nals, parse_sps};

/// Edge of a macroblock, in pixels.
const MACROBLOCK: u64 = 16;
const START_CODE: &[u8] = &[0, 0, 1];

/// What the sequence parameter set says beside the picture's size.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// Width and height of a pixel, in any unit.
    pub(super) sample_aspect: Option<(u16, u16)>,
    /// How samples stand for colours.
    pub(super) signal: Option<VideoSignalType>,
}

impl Header {
    /// Reads it.
    ///
    /// # Errors
    /// [`ThumbnailError::InvalidSps`]; [`ThumbnailError::TooLarge`] by what is coded, of which most may be cropped.
    pub(super) fn parse(sps: &Bytes) -> Result<Self, ThumbnailError> {
        let sps = parse_sps(sps)?;
        check_size(&sps)?;
        let Some(vui) = sps.vui_parameters else {
            return Ok(Self::default());
        };
        Ok(Self {
            sample_aspect: vui.aspect_ratio_info.and_then(|ratio| ratio.get()),
            signal: vui.video_signal_type,
        })
    }
}

fn check_size(sps: &SeqParameterSet) -> Result<(), ThumbnailError> {
    let fields = match sps.frame_mbs_flags {
        FrameMbsFlags::Frames => 1,
        FrameMbsFlags::Fields { .. } => 2,
    };
    let width = (u64::from(sps.pic_width_in_mbs_minus1) + 1) * MACROBLOCK;
    let height = (u64::from(sps.pic_height_in_map_units_minus1) + 1) * MACROBLOCK * fields;
    if width.max(height) > MAX_SIDE.into() {
        return Err(ThumbnailError::TooLarge { width, height });
    }
    Ok(())
}

/// The picture, cropped.
///
/// # Errors
/// [`ThumbnailError::StartCode`], [`ThumbnailError::Undecodable`].
pub(super) fn decode(format: &VideoFormat, data: &Bytes) -> Result<YuvFrame, ThumbnailError> {
    let sets = format.parameter_sets();
    let extra: usize = sets.map(Bytes::len).sum();
    let mut stream = Vec::with_capacity(data.len() + extra + 64);
    let slices = nals(data).filter(|nal| NalType::of(nal) == NalType::IDR);
    for nal in format.parameter_sets().cloned().chain(slices) {
        put_nal(&mut stream, &nal)?;
    }
    let undecodable = |why: &str| ThumbnailError::Undecodable(why.to_owned());
    // It promises not to panic. Should it break its promise, then on a thread that serves others, too.
    let decoded = catch_unwind(|| Decoder::new().decode(&stream))
        .map_err(|_| undecodable("the decoder has failed"))?
        .map_err(|error| undecodable(&error.to_string()))?;
    let picture = decoded.ok_or_else(|| undecodable("some of it is missing"))?;
    if picture.width < 2 || picture.height < 2 {
        return Err(undecodable("it has no pixels"));
    }
    Ok(picture)
}

/// Appends a NAL unit in the form of a byte stream (annex B). One with a start code in it would be read as
/// two, and the second one as parameters that nobody has checked.
fn put_nal(stream: &mut Vec<u8>, nal: &[u8]) -> Result<(), ThumbnailError> {
    if nal
        .windows(START_CODE.len())
        .any(|bytes| bytes == START_CODE)
    {
        return Err(ThumbnailError::StartCode);
    }
    stream.put_u8(0);
    stream.put_slice(START_CODE);
    stream.put_slice(nal);
    Ok(())
}
