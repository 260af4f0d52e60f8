//! How a broadcast arrives at the server, and what its host should change.

use serde::{Deserialize, Serialize};

use crate::room::Ingest;

/// 200 of `GET /api/rooms/{key}/health`, for the host alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// All of it in one word.
    pub verdict: Verdict,
    /// What to change, worst first.
    pub advice: Vec<Advice>,
    /// How the media arrives; `None` while nobody is publishing.
    pub ingest: Option<Ingest>,
    /// How long the present publisher has been sending, in milliseconds.
    pub uptime_ms: Option<u64>,
    /// The picture; `None` while there is none.
    pub video: Option<VideoHealth>,
    /// The sound; `None` while there is none.
    pub audio: Option<AudioHealth>,
    /// From the server to the encoder and back, in milliseconds, where it is known.
    pub round_trip_ms: Option<u32>,
    /// What viewers by WebRTC reported; `None` while none do.
    pub viewers: Option<ViewersHealth>,
}

/// How well the broadcast arrives at those who watch by WebRTC, on average over the last five seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewersHealth {
    /// Share of packets that did not arrive at first, from 0 to 1.
    pub lost: f64,
    /// From the server to a viewer and back, in milliseconds, where it is known.
    pub round_trip_ms: Option<u32>,
}

/// The picture as it arrives. Rates are those of the last five seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoHealth {
    /// The codec's common name.
    pub codec: String,
    /// The codec's profile, such as `High`.
    pub profile: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures a second; `None` until it has been measured.
    pub fps: Option<f64>,
    /// In bits a second; `None` until it has been measured.
    pub bitrate: Option<u64>,
    /// The longest time between recent keyframes in seconds; `None` before the second one.
    pub keyframe_interval: Option<f64>,
    /// Whether there are B-frames, which browsers cannot show live.
    pub b_frames: bool,
    /// Pictures that were thrown away since the publisher began, because something of them was lost.
    pub dropped: u64,
}

/// The sound as it arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioHealth {
    /// The codec's common name.
    pub codec: String,
    /// In Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
    /// In bits a second over the last five seconds; `None` until it has been measured.
    pub bitrate: Option<u64>,
}

/// How well a broadcast does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody is publishing.
    Waiting,
    /// There is nothing to do.
    Good,
    /// Viewers can watch; it could be better.
    Warning,
    /// Viewers, or many of them, cannot watch.
    Bad,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What is the matter.
    pub code: AdviceCode,
    /// The same for people.
    pub sentence: String,
    /// Options of the encoder that mend it, to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
}

/// What may be the matter with a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceCode {
    /// Nothing has arrived for seconds.
    Stalled,
    /// No picture has arrived for seconds.
    NoPicture,
    /// There are B-frames.
    BFrames,
    /// Colours have more than 8 bits, or are not in 4:2:0.
    Colours,
    /// Many pictures are lost on the way.
    Dropped,
    /// Keyframes are rare: who joins waits long for a picture.
    KeyframeInterval,
    /// No sound has arrived for seconds.
    NoSound,
    /// Far fewer pictures arrive than before.
    LowFrameRate,
    /// The picture takes almost no data.
    LowBitrate,
    /// Encoder and server are far apart, or the line between them is full.
    RoundTrip,
}

impl AdviceCode {
    /// How bad it is.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Stalled | Self::NoPicture | Self::BFrames | Self::Colours => Verdict::Bad,
            _ => Verdict::Warning,
        }
    }
}

impl Verdict {
    /// Of a broadcast that is given this advice.
    #[must_use]
    pub fn of(advice: &[Advice]) -> Self {
        let worst = advice.iter().map(|advice| advice.code.verdict()).max();
        worst.unwrap_or(Self::Good)
    }
}

impl Health {
    /// Of a room that nobody publishes to.
    #[must_use]
    pub const fn waiting() -> Self {
        Self {
            verdict: Verdict::Waiting,
            advice: Vec::new(),
            ingest: None,
            uptime_ms: None,
            video: None,
            audio: None,
            round_trip_ms: None,
            viewers: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_has_this_shape_on_the_wire() {
        let health = Health {
            verdict: Verdict::Bad,
            advice: vec![Advice {
                code: AdviceCode::BFrames,
                sentence: "Viewers in browsers cannot see this.".into(),
                setting: Some("bframes=0".into()),
            }],
            ingest: Some(Ingest::Rtmp),
            uptime_ms: Some(61_000),
            video: Some(VideoHealth {
                codec: "H.264".into(),
                profile: "High".into(),
                width: 1_280,
                height: 720,
                fps: Some(29.5),
                bitrate: Some(2_500_000),
                keyframe_interval: Some(8.25),
                b_frames: true,
                dropped: 3,
            }),
            audio: Some(AudioHealth {
                codec: "AAC".into(),
                sample_rate: 48_000,
                channels: 2,
                bitrate: None,
            }),
            round_trip_ms: Some(40),
            viewers: Some(ViewersHealth {
                lost: 0.25,
                round_trip_ms: Some(12),
            }),
        };
        let wire = json!({
            "verdict": "bad",
            "advice": [{
                "code": "b_frames", "sentence": "Viewers in browsers cannot see this.",
                "setting": "bframes=0",
            }],
            "ingest": "rtmp", "uptime_ms": 61_000,
            "video": {
                "codec": "H.264", "profile": "High", "width": 1_280, "height": 720,
                "fps": 29.5, "bitrate": 2_500_000, "keyframe_interval": 8.25,
                "b_frames": true, "dropped": 3,
            },
            "audio": {"codec": "AAC", "sample_rate": 48_000, "channels": 2, "bitrate": null},
            "round_trip_ms": 40, "viewers": {"lost": 0.25, "round_trip_ms": 12},
        });
        assert_eq!(serde_json::to_value(&health).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Health>(wire).unwrap(), health);
    }

    #[test]
    fn a_room_without_a_publisher_is_waiting() {
        assert_eq!(
            serde_json::to_value(Health::waiting()).unwrap(),
            json!({
                "verdict": "waiting", "advice": [], "ingest": null, "uptime_ms": null,
                "video": null, "audio": null, "round_trip_ms": null, "viewers": null,
            })
        );
    }

    #[test]
    fn verdicts_and_advice_have_these_names() {
        let verdicts = [Verdict::Good, Verdict::Warning];
        let names = serde_json::to_value(verdicts).unwrap();
        assert_eq!(names, json!(["good", "warning"]));
        let codes = [
            AdviceCode::Stalled,
            AdviceCode::NoPicture,
            AdviceCode::Colours,
            AdviceCode::Dropped,
            AdviceCode::KeyframeInterval,
            AdviceCode::NoSound,
            AdviceCode::LowFrameRate,
            AdviceCode::LowBitrate,
            AdviceCode::RoundTrip,
        ];
        let names = json!([
            "stalled",
            "no_picture",
            "colours",
            "dropped",
            "keyframe_interval",
            "no_sound",
            "low_frame_rate",
            "low_bitrate",
            "round_trip",
        ]);
        assert_eq!(serde_json::to_value(codes).unwrap(), names);
    }

    #[test]
    fn the_verdict_is_that_of_the_worst_advice() {
        let advice = |code| Advice {
            code,
            sentence: String::new(),
            setting: None,
        };
        assert_eq!(Verdict::of(&[]), Verdict::Good);
        assert_eq!(
            Verdict::of(&[advice(AdviceCode::NoSound)]),
            Verdict::Warning
        );
        let both = [advice(AdviceCode::BFrames), advice(AdviceCode::NoSound)];
        assert_eq!(Verdict::of(&both), Verdict::Bad);
    }
}
