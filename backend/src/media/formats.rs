//! What a broadcast consists of, and what of it browsers cannot show.

use std::sync::Arc;

use super::access_unit::{AudioFormat, Format};
use super::h264::VideoFormat;

/// What the present broadcast consists of, as far as it has shown itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    /// The picture's.
    pub video: Option<Arc<VideoFormat>>,
    /// The sound's.
    pub audio: Option<AudioFormat>,
    /// Pictures are shown in another order than they are decoded in, because some are B-frames.
    pub b_frames: bool,
}

/// Why browsers cannot show a picture over WebRTC. `Display` says what the broadcaster has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Pictures are shown in the order in which they arrive.
    #[error(
        "its encoder sends B-frames: its broadcaster has to switch them off (x264: keyint=60 bframes=0)"
    )]
    BFrames,
    /// Constrained baseline is all that browsers have to decode (RFC 7742 section 6.2), and most decode
    /// nothing but 8 bits in 4:2:0.
    #[error(
        "its encoder sends colours that browsers do not decode: its broadcaster has to choose NV12 \
         (ffmpeg: -pix_fmt yuv420p)"
    )]
    Colours,
}

impl Formats {
    /// What is in the way of WebRTC, if anything is.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        if self.b_frames {
            Some(Obstacle::BFrames)
        } else if self.has_rare_colours() {
            Some(Obstacle::Colours)
        } else {
            None
        }
    }

    /// Whether colours have more than 8 bits, or are not in 4:2:0.
    #[must_use]
    pub fn has_rare_colours(&self) -> bool {
        self.video
            .as_ref()
            .is_some_and(|video| video.has_rare_colours)
    }

    /// Takes in the format of a unit; returns whether that is news. `reordered`: a picture of this format is
    /// shown later than it is decoded.
    pub(super) fn learn(&mut self, format: &Format, reordered: bool) -> bool {
        match format {
            Format::Video(video) if self.video.as_ref() != Some(video) => {
                self.b_frames = reordered || video.reorder_frames.is_some_and(|n| n > 0);
                self.video = Some(Arc::clone(video));
                true
            }
            Format::Video(_) if reordered && !self.b_frames => {
                self.b_frames = true;
                true
            }
            Format::Audio(audio) if self.audio.as_ref() != Some(audio) => {
                self.audio = Some(audio.clone());
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::h264::tests::{PPS, SPS_444, SPS_BASELINE, SPS_HIGH_720P};
    use super::*;

    fn video(sps: &'static [u8]) -> Format {
        let (sps, pps) = (Bytes::from_static(sps), Bytes::from_static(PPS));
        Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap()))
    }

    fn after(units: &[(&Format, bool)]) -> Option<Obstacle> {
        let mut formats = Formats::default();
        for &(format, reordered) in units {
            formats.learn(format, reordered);
        }
        formats.obstacle()
    }

    #[test]
    fn b_frames_are_in_the_way_once_the_parameter_sets_or_a_picture_show_them() {
        assert_eq!(after(&[]), None);
        assert_eq!(
            after(&[(&video(SPS_HIGH_720P), false)]),
            Some(Obstacle::BFrames)
        );
        let plain = video(SPS_BASELINE);
        assert_eq!(after(&[(&plain, false)]), None);
        assert_eq!(
            after(&[(&plain, false), (&plain, true), (&plain, false)]),
            Some(Obstacle::BFrames)
        );
    }

    #[test]
    fn colours_that_browsers_do_not_decode_are_in_the_way() {
        assert_eq!(after(&[(&video(SPS_444), false)]), Some(Obstacle::Colours));
    }

    #[test]
    fn another_picture_may_have_nothing_in_its_way() {
        let (troubled, plain) = (video(SPS_444), video(SPS_BASELINE));
        assert_eq!(after(&[(&troubled, true), (&plain, false)]), None);
    }
}
