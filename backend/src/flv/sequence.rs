//! What players are sent, tag by tag: units, and in front of them what decodes them.

use super::body::Body;
use super::metadata::Metadata;
use crate::media::access_unit::{AccessUnit, AudioFormat, Epoch, Format};
use crate::media::formats::Formats;
use crate::media::time::MediaTime;

/// A body and its time in ms, which wraps around.
#[derive(Clone, Debug)]
pub struct Timed {
    /// When it is decoded, on the stage's timeline.
    pub timestamp: u32,
    /// What it is.
    pub body: Body,
}

/// Puts a sequence header in front of every unit whose format is not the one before it.
#[derive(Debug, Default)]
pub struct Sequencer {
    epoch: Option<Epoch>,
    /// What all players know.
    told: Formats,
}

impl Sequencer {
    /// What a player is sent before the first unit of these formats: metadata and sequence headers.
    pub fn opening(&mut self, formats: &Formats) -> Vec<Body> {
        if self.epoch.is_none() {
            // Nothing was sent yet, so every player is going to have this opening.
            self.told = formats.clone();
        }
        opening(formats)
    }

    /// What has to be sent of this unit, in order.
    pub fn bodies(&mut self, unit: &AccessUnit) -> impl Iterator<Item = Timed> {
        let timestamp = timestamp(unit.dts);
        let bodies = if self.is_new(unit) {
            let body = match &unit.format {
                // Some players take a sequence header once, but parameter sets wherever they come.
                Format::Video(video) => Some(Body::with_parameter_sets(unit, video)),
                Format::Audio(_) => Body::of(unit),
            };
            [Body::sequence_header(&unit.format), body]
        } else {
            [None, Body::of(unit)]
        };
        bodies
            .into_iter()
            .flatten()
            .map(move |body| Timed { timestamp, body })
    }

    /// Whether nobody was told of the unit's format yet. A new broadcast is told of anew.
    fn is_new(&mut self, unit: &AccessUnit) -> bool {
        if self
            .epoch
            .replace(unit.epoch)
            .is_some_and(|epoch| epoch != unit.epoch)
        {
            self.told = Formats::default();
        }
        match &unit.format {
            Format::Video(video) if self.told.video.as_ref() != Some(video) => {
                self.told.video = Some(video.clone());
                true
            }
            Format::Audio(audio) if self.told.audio.as_ref() != Some(audio) => {
                self.told.audio = Some(audio.clone());
                true
            }
            _ => false,
        }
    }
}

fn opening(formats: &Formats) -> Vec<Body> {
    let audio = match &formats.audio {
        Some(AudioFormat::Aac(aac)) => Some(aac),
        _ => None,
    };
    let metadata = Metadata {
        video: Some(formats.video.is_some()),
        audio: Some(audio.is_some()),
        width: formats.video.as_ref().map(|video| video.width),
        height: formats.video.as_ref().map(|video| video.height),
        sample_rate: audio.map(|aac| aac.sample_rate),
        stereo: audio.map(|aac| aac.channels == 2),
        encoder: Some(concat!("Golive ", env!("CARGO_PKG_VERSION")).to_owned()),
        ..Metadata::default()
    };
    let video = formats.video.as_deref().map(Body::avc_sequence_header);
    let audio = audio.map(|aac| Body::aac_sequence_header(aac));
    [Some(Body::metadata(&metadata)), video, audio]
        .into_iter()
        .flatten()
        .collect()
}

/// In ms, modulo 2^32.
fn timestamp(time: MediaTime) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let timestamp = time.to_ticks(1_000) as u32;
    timestamp
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::media::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};
    use crate::media::h264::{NalType, VideoFormat, nals};

    fn picture(sps: &'static [u8], epoch: u32) -> AccessUnit {
        let (sps, pps) = (Bytes::from_static(sps), Bytes::from_static(PPS));
        AccessUnit {
            epoch: Epoch(epoch),
            format: Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap())),
            dts: MediaTime::from_micros(40_000),
            pts: MediaTime::from_micros(40_000),
            random_access: true,
            data: Bytes::from_static(b"\0\0\0\x01\x65"),
        }
    }

    fn count(sequencer: &mut Sequencer, unit: &AccessUnit) -> usize {
        sequencer.bodies(unit).count()
    }

    #[test]
    fn a_sequence_header_comes_before_the_first_unit_alone() {
        let mut sequencer = Sequencer::default();
        assert_eq!(count(&mut sequencer, &picture(SPS_BASELINE, 1)), 2);
        assert_eq!(count(&mut sequencer, &picture(SPS_BASELINE, 1)), 1);
    }

    #[test]
    fn another_resolution_has_a_sequence_header_of_its_own() {
        let mut sequencer = Sequencer::default();
        count(&mut sequencer, &picture(SPS_BASELINE, 1));
        assert_eq!(count(&mut sequencer, &picture(SPS_HIGH_720P, 1)), 2);
    }

    #[test]
    fn the_first_picture_of_another_resolution_carries_its_parameter_sets() {
        let mut sequencer = Sequencer::default();
        count(&mut sequencer, &picture(SPS_BASELINE, 1));
        let changed = picture(SPS_HIGH_720P, 1);
        let bodies: Vec<_> = sequencer.bodies(&changed).collect();
        let types = nals(bodies[1].body.data()).map(|nal| NalType::of(&nal));
        let expected = [NalType::SPS, NalType::PPS, NalType::IDR];
        assert!(types.eq(expected));
        let next: Vec<_> = sequencer.bodies(&changed).collect();
        assert_eq!(next[0].body.data(), &changed.data);
    }

    #[test]
    fn another_publisher_has_sequence_headers_of_its_own() {
        let mut sequencer = Sequencer::default();
        count(&mut sequencer, &picture(SPS_BASELINE, 1));
        assert_eq!(count(&mut sequencer, &picture(SPS_BASELINE, 2)), 2);
    }

    #[test]
    fn what_an_opening_says_is_not_said_again() {
        let mut sequencer = Sequencer::default();
        let picture = picture(SPS_BASELINE, 1);
        let Format::Video(video) = &picture.format else {
            panic!("a picture has a video format");
        };
        sequencer.opening(&Formats {
            video: Some(video.clone()),
            ..Formats::default()
        });
        assert_eq!(count(&mut sequencer, &picture), 1);
    }

    #[test]
    fn an_opening_consists_of_metadata_and_sequence_headers() {
        let Format::Video(video) = picture(SPS_BASELINE, 1).format else {
            panic!("a picture has a video format");
        };
        let formats = Formats {
            video: Some(video),
            ..Formats::default()
        };
        assert_eq!(opening(&formats).len(), 2);
        assert_eq!(opening(&Formats::default()).len(), 1);
    }
}
