//! `onMetaData` (Adobe's FLV section E.5): what an encoder says of its stream, as far as it can be trusted.

use bytes::{Bytes, BytesMut};

use super::amf0::Value;
use super::{audio, video};

/// The name of the script data.
const NAME: &str = "onMetaData";
/// Most characters of an encoder's name that are kept.
const MAX_NAME: usize = 128;
/// Larger numbers mean nothing here: pixels, Hz, kbit/s.
const MAX_NUMBER: f64 = 10_000_000.0;

/// What a stream is like, in its encoder's words. Everything may be missing, and nothing has to be true.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Whether there will be a picture.
    pub video: Option<bool>,
    /// Whether there will be sound.
    pub audio: Option<bool>,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Pictures per second.
    pub frame_rate: Option<f64>,
    /// In kbit/s.
    pub video_kbps: Option<u32>,
    /// In kbit/s.
    pub audio_kbps: Option<u32>,
    /// In Hz.
    pub sample_rate: Option<u32>,
    /// Two channels of sound.
    pub stereo: Option<bool>,
    /// The encoder's name.
    pub encoder: Option<String>,
}

impl Metadata {
    /// Reads script data: the values of a data message or tag, with `@setDataFrame` in front or without.
    /// `None` when it is not metadata, or has no object.
    #[must_use]
    pub fn read(values: &[Value]) -> Option<Self> {
        let values = match values.split_first()? {
            (first, rest) if first.as_str() == Some("@setDataFrame") => rest,
            _ => values,
        };
        let (name, rest) = values.split_first()?;
        let (Some(NAME), Some(said @ (Value::Object(_) | Value::EcmaArray(_)))) =
            (name.as_str(), rest.first())
        else {
            return None;
        };
        let whole = |name| number(said, name).map(|number| number as u32);
        let flag = |name| match said.get(name) {
            Some(Value::Boolean(flag)) => Some(*flag),
            _ => None,
        };
        let (video, audio) = (
            has_codec(said, "videocodecid"),
            has_codec(said, "audiocodecid"),
        );
        // Who names one codec only has one track.
        let either = video || audio;
        Some(Self {
            video: flag("hasVideo").or(either.then_some(video)),
            audio: flag("hasAudio").or(either.then_some(audio)),
            width: whole("width"),
            height: whole("height"),
            frame_rate: number(said, "framerate").or_else(|| number(said, "fps")),
            video_kbps: whole("videodatarate"),
            audio_kbps: whole("audiodatarate"),
            sample_rate: whole("audiosamplerate"),
            stereo: flag("stereo"),
            encoder: said.get("encoder").and_then(Value::as_str).map(|name| {
                name.chars()
                    .filter(|c| !c.is_control())
                    .take(MAX_NAME)
                    .collect()
            }),
        })
    }

    /// As the body of a script tag or data message. The encoder is always named.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut members = Vec::new();
        let mut say = |name: &str, value: Option<Value>| {
            members.extend(value.map(|value| (name.to_owned(), value)));
        };
        say("width", self.width.map(Value::from));
        say("height", self.height.map(Value::from));
        say("framerate", self.frame_rate.map(Value::from));
        say("videodatarate", self.video_kbps.map(Value::from));
        if self.video == Some(true) {
            say("videocodecid", Some(u32::from(video::CODEC_AVC).into()));
        }
        say("audiodatarate", self.audio_kbps.map(Value::from));
        if self.audio == Some(true) {
            say("audiocodecid", Some(u32::from(audio::CODEC_AAC).into()));
        }
        say("audiosamplerate", self.sample_rate.map(Value::from));
        say("stereo", self.stereo.map(Value::from));
        let encoder = self.encoder.as_deref().unwrap_or("Golive");
        say("encoder", Some(encoder.into()));
        let mut out = BytesMut::new();
        Value::from(NAME).put(&mut out);
        Value::EcmaArray(members).put(&mut out);
        out.freeze()
    }
}

fn number(said: &Value, name: &str) -> Option<f64> {
    let number = said.get(name)?.as_number()?;
    (number > 0.0 && number <= MAX_NUMBER).then_some(number)
}

/// Codecs are named by number, by FourCC, or by a FourCC as a number; 0 and "" are none, except that PCM is
/// sound number 0, which rooms do not carry.
fn has_codec(said: &Value, name: &str) -> bool {
    match said.get(name) {
        Some(Value::Number(number)) => *number != 0.0,
        Some(Value::String(name)) => !name.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::amf0::{self, named};
    use super::*;

    fn said<const N: usize>(members: [(&str, Value); N]) -> Metadata {
        Metadata::read(&[NAME.into(), Value::EcmaArray(named(members))]).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let metadata = Metadata {
            video: Some(true),
            audio: Some(true),
            width: Some(1_280),
            height: Some(720),
            frame_rate: Some(29.97),
            sample_rate: Some(48_000),
            stereo: Some(true),
            ..Metadata::default()
        };
        let read = Metadata::read(&amf0::read(&metadata.to_bytes()).unwrap());
        let encoder = Some("Golive".to_owned());
        assert_eq!(
            read,
            Some(Metadata {
                encoder,
                ..metadata
            })
        );
    }

    #[test]
    fn set_data_frame_may_stand_in_front() {
        let values = [
            "@setDataFrame".into(),
            NAME.into(),
            amf0::object([("width", 640.0.into())]),
        ];
        assert_eq!(Metadata::read(&values).unwrap().width, Some(640));
    }

    #[test]
    fn set_data_frame_without_an_object_is_nothing() {
        assert_eq!(Metadata::read(&["@setDataFrame".into()]), None);
        assert_eq!(Metadata::read(&["@setDataFrame".into(), NAME.into()]), None);
        assert_eq!(Metadata::read(&[NAME.into(), 1.0.into()]), None);
        assert_eq!(
            Metadata::read(&["onCuePoint".into(), amf0::object([])]),
            None
        );
        assert_eq!(Metadata::read(&[]), None);
    }

    #[test]
    fn one_codec_means_one_track() {
        let tracks = |metadata: Metadata| (metadata.video, metadata.audio);
        assert_eq!(
            tracks(said([("videocodecid", "avc1".into())])),
            (Some(true), Some(false))
        );
        assert_eq!(
            tracks(said([("audiocodecid", 10.0.into())])),
            (Some(false), Some(true))
        );
        assert_eq!(
            tracks(said([("hasVideo", true.into())])),
            (Some(true), None)
        );
        assert_eq!(tracks(said([])), (None, None));
    }

    #[test]
    fn numbers_that_mean_nothing_are_left_out() {
        for width in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            assert_eq!(said([("width", width.into())]).width, None);
        }
    }

    #[test]
    fn a_name_is_cut_to_what_can_be_shown() {
        let name = said([(
            "encoder",
            Value::String(format!("a\n{}", "b".repeat(5_000))),
        )]);
        assert_eq!(name.encoder.unwrap().len(), MAX_NAME);
    }
}
