//! Bodies of tags and messages, as players get them.

use bytes::{Bytes, BytesMut};

use super::TagType;
use super::audio::CODEC_AAC;
use super::metadata::Metadata;
use super::video::CODEC_AVC;
use crate::media::aac::AacFormat;
use crate::media::access_unit::{AccessUnit, AudioFormat, Format};
use crate::media::avc;
use crate::media::h264::{VideoFormat, put_nal};

/// AAC is always announced as 44 kHz, 16 bit, stereo; the configuration says what it is (section E.4.2.1).
const AAC_TAG: u8 = CODEC_AAC << 4 | 0x0f;
const KEYFRAME: u8 = 1 << 4 | CODEC_AVC;
const INTER_FRAME: u8 = 2 << 4 | CODEC_AVC;

/// A body: a few bytes that FLV puts in front, and data that is shared with the access unit. Nothing is
/// copied until it is put into a tag ([`super::file::tag`]) or into chunks.
#[derive(Clone, Debug)]
pub struct Body {
    /// What it is.
    pub tag_type: TagType,
    head: [u8; 5],
    head_length: u8,
    data: Bytes,
}

impl Body {
    /// Of an access unit; `None` for sound that FLV does not carry.
    #[must_use]
    pub fn of(unit: &AccessUnit) -> Option<Self> {
        let data = unit.data.clone();
        match &unit.format {
            Format::Video(_) => Some(Self::of_picture(unit, data)),
            Format::Audio(AudioFormat::Aac(_)) => Some(Self::aac(data)),
            Format::Audio(AudioFormat::Opus { .. }) => None,
        }
    }

    /// Of a picture, behind its parameter sets.
    #[must_use]
    pub fn with_parameter_sets(unit: &AccessUnit, format: &VideoFormat) -> Self {
        let mut data = BytesMut::new();
        for set in format.parameter_sets() {
            put_nal(&mut data, set);
        }
        data.extend_from_slice(&unit.data);
        Self::of_picture(unit, data.freeze())
    }

    fn of_picture(unit: &AccessUnit, data: Bytes) -> Self {
        let composition = (unit.pts - unit.dts).as_micros().div_euclid(1_000);
        let composition = i32::try_from(composition).unwrap_or(0);
        Self::picture(unit.random_access, composition, data)
    }

    /// The sequence header of a format; `None` for sound that FLV does not carry.
    #[must_use]
    pub fn sequence_header(format: &Format) -> Option<Self> {
        match format {
            Format::Video(video) => Some(Self::avc_sequence_header(video)),
            Format::Audio(AudioFormat::Aac(aac)) => Some(Self::aac_sequence_header(aac)),
            Format::Audio(AudioFormat::Opus { .. }) => None,
        }
    }

    /// What players need before the first picture of a format.
    #[must_use]
    pub fn avc_sequence_header(format: &VideoFormat) -> Self {
        let mut record = BytesMut::new();
        avc::put_config(&mut record, format);
        Self::new(TagType::Video, &[KEYFRAME, 0, 0, 0, 0], record.freeze())
    }

    /// A picture that is shown `composition_ms` later than it is decoded.
    #[must_use]
    pub fn picture(keyframe: bool, composition_ms: i32, data: Bytes) -> Self {
        let frame = if keyframe { KEYFRAME } else { INTER_FRAME };
        let [_, a, b, c] = composition_ms.to_be_bytes();
        Self::new(TagType::Video, &[frame, 1, a, b, c], data)
    }

    /// No more pictures of this format.
    #[must_use]
    pub fn end_of_sequence() -> Self {
        Self::new(TagType::Video, &[KEYFRAME, 2, 0, 0, 0], Bytes::new())
    }

    /// What players need before the first sound of a format.
    #[must_use]
    pub fn aac_sequence_header(format: &AacFormat) -> Self {
        Self::new(TagType::Audio, &[AAC_TAG, 0], format.config.clone())
    }

    /// A raw data block of AAC.
    #[must_use]
    pub fn aac(data: Bytes) -> Self {
        Self::new(TagType::Audio, &[AAC_TAG, 1], data)
    }

    /// `onMetaData`.
    #[must_use]
    pub fn metadata(metadata: &Metadata) -> Self {
        Self::new(TagType::Script, &[], metadata.to_bytes())
    }

    /// Its two parts, in order.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 2] {
        let head = self.head.get(..self.head_length.into()).unwrap_or_default();
        [head, &self.data]
    }

    /// The second of them, which is shared with the access unit.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::from(self.head_length) + self.data.len()
    }

    /// `front` has at most five bytes.
    fn new(tag_type: TagType, front: &[u8], data: Bytes) -> Self {
        let mut head = [0; 5];
        for (place, &byte) in head.iter_mut().zip(front) {
            *place = byte;
        }
        let head_length = front.len().min(head.len()) as u8;
        Self {
            tag_type,
            head,
            head_length,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::audio::AudioTag;
    use super::super::video::VideoTag;
    use super::*;
    use crate::media::access_unit::Epoch;
    use crate::media::h264::tests::{PPS, SPS_HIGH_720P};
    use crate::media::time::MediaTime;

    fn bytes(body: &Body) -> Bytes {
        let bytes = Bytes::from(body.parts().concat());
        assert_eq!(bytes.len(), body.size());
        bytes
    }

    fn video() -> Arc<VideoFormat> {
        let (sps, pps) = (Bytes::from_static(SPS_HIGH_720P), Bytes::from_static(PPS));
        Arc::new(VideoFormat::parse(sps, pps).unwrap())
    }

    #[test]
    fn pictures_are_read_again() {
        let data = Bytes::from_static(b"nals");
        for composition_ms in [0, 33, -33, 8_388_607] {
            let body = Body::picture(true, composition_ms, data.clone());
            let tag = VideoTag::parse(&bytes(&body)).unwrap();
            assert_eq!(
                tag,
                VideoTag::Picture {
                    composition_ms,
                    data: data.clone()
                }
            );
        }
    }

    #[test]
    fn a_unit_keeps_its_data_and_composition_time() {
        let data = Bytes::from_static(b"nals");
        let unit = AccessUnit {
            epoch: Epoch(1),
            format: Format::Video(video()),
            dts: MediaTime::from_micros(1_000_000),
            pts: MediaTime::from_micros(1_066_000),
            random_access: false,
            data: data.clone(),
        };
        let body = Body::of(&unit).unwrap();
        assert_eq!(bytes(&body)[..5], [0x27, 1, 0, 0, 66]);
        assert_eq!(body.data.as_ptr(), data.as_ptr(), "shared, not copied");
    }

    #[test]
    fn sequence_headers_are_read_again() {
        let record = match VideoTag::parse(&bytes(&Body::avc_sequence_header(&video()))) {
            Ok(VideoTag::SequenceHeader(record)) => record,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            avc::AvcConfig::parse(&record).unwrap().format().unwrap(),
            *video()
        );
        let config = Bytes::from_static(&[0x11, 0x90, 0x56, 0xe5, 0]);
        let aac = AacFormat::parse(config.clone()).unwrap();
        let tag = AudioTag::parse(&bytes(&Body::aac_sequence_header(&aac))).unwrap();
        assert_eq!(tag, AudioTag::SequenceHeader(config));
    }

    #[test]
    fn opus_has_no_body() {
        let opus = Format::Audio(AudioFormat::Opus { channels: 2 });
        assert!(Body::sequence_header(&opus).is_none());
    }
}
