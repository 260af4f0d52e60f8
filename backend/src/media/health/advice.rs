//! What a publisher should change.

use std::time::Duration;

use shared::health::{Advice, AdviceCode};

use super::meter::Snapshot;

/// A track that brings nothing for this long is told as missing.
const SILENCE: Duration = Duration::from_secs(2);
/// Who joins should not wait longer for a picture.
const LONGEST_KEYFRAME_INTERVAL: Duration = Duration::from_secs(4);
/// By then a publisher that answers requests has sent its keyframe, even if a request was lost.
const LONGEST_KEYFRAME_WAIT: Duration = Duration::from_secs(3);
/// A picture of anything that moves has many times this, in bits a second.
const LEAST_VIDEO_BITRATE: u64 = 30_000;
/// Of the usual rate of pictures.
const LEAST_FPS_PART: f64 = 0.6;
/// Of all pictures.
const MOST_DROPPED_PART: f64 = 0.05;
/// From here on the line is full, or very long.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(400);

/// x264's names; the sentence says where the same is found with other encoders.
const WITHOUT_B_FRAMES: &str = "keyint=60 bframes=0";

/// What a [`Snapshot`] does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Some pictures are B-frames.
    pub b_frames: bool,
    /// Colours have more than 8 bits, or are not in 4:2:0.
    pub rare_colours: bool,
    /// The publisher sends keyframes when it is asked to, so that they may be rare.
    pub keyframes_on_request: bool,
}

/// What to change, worst first.
#[must_use]
pub fn advise(measured: &Snapshot, circumstances: Circumstances) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut tell = |code, sentence: String, setting: Option<&str>| {
        found.push(Advice {
            code,
            sentence,
            setting: setting.map(str::to_owned),
        });
    };

    // A publication that has just begun is given the time to send both tracks.
    let silent = |since: Option<Duration>| since.unwrap_or(measured.uptime) > SILENCE;
    let (no_picture, no_sound) = (silent(measured.since_picture), silent(measured.since_sound));
    match (no_picture, no_sound) {
        (true, true) => tell(
            AdviceCode::Stalled,
            "Nothing arrives from you: please check your network connection.".into(),
            None,
        ),
        (true, false) => tell(
            AdviceCode::NoPicture,
            "No picture arrives, viewers only hear you: please check the camera, or the video source \
             of your encoder."
                .into(),
            None,
        ),
        _ => {}
    }
    if circumstances.b_frames {
        tell(
            AdviceCode::BFrames,
            "Viewers in browsers cannot see this broadcast: your encoder sends B-frames. In OBS, go to \
             Settings, Output, Advanced: with x264 fill in the options below, with other encoders set \
             \"Max B-frames\" to 0 and \"Keyframe Interval\" to 2 s."
                .into(),
            Some(WITHOUT_B_FRAMES),
        );
    }
    if circumstances.rare_colours {
        tell(
            AdviceCode::Colours,
            "Viewers in browsers cannot see this broadcast: your encoder sends more colours than they \
             can show. In OBS, go to Settings, Advanced, and set \"Color Format\" to NV12; with ffmpeg, \
             add -pix_fmt yuv420p."
                .into(),
            None,
        );
    }
    if measured.dropped_part > MOST_DROPPED_PART {
        let percent = (measured.dropped_part * 100.0).round();
        tell(
            AdviceCode::Dropped,
            format!(
                "{percent} % of your pictures are damaged on their way: please use a cable instead of \
                 Wi-Fi, or lower the bitrate."
            ),
            None,
        );
    }
    if let Some(seconds) = rare_keyframes(measured, circumstances) {
        tell(
            AdviceCode::KeyframeInterval,
            format!(
                "Who joins waits up to {seconds:.0} seconds for a picture: please set your encoder's \
                 keyframe interval to 2 s (with x264 in OBS, by the options below)."
            ),
            Some(WITHOUT_B_FRAMES),
        );
    }
    if no_sound && !no_picture {
        tell(
            AdviceCode::NoSound,
            "No sound arrives, viewers only see you: please check the microphone, or the audio source \
             of your encoder."
                .into(),
            None,
        );
    }
    if let (false, Some(fps), Some(usual)) = (no_picture, measured.fps, measured.usual_fps)
        && fps < usual * LEAST_FPS_PART
    {
        tell(
            AdviceCode::LowFrameRate,
            format!(
                "Only {fps:.0} pictures a second arrive, {usual:.0} did before: your computer or your \
                 upload may be too slow. Please close other programs, or lower resolution or bitrate."
            ),
            None,
        );
    }
    if !no_picture
        && measured
            .video_bitrate
            .is_some_and(|bitrate| bitrate < LEAST_VIDEO_BITRATE)
    {
        tell(
            AdviceCode::LowBitrate,
            "The picture takes almost no data: it is black, or stands still, or your encoder's bitrate \
             is set too low."
                .into(),
            None,
        );
    }
    if let Some(time) = measured
        .round_trip
        .filter(|&time| time > LONGEST_ROUND_TRIP)
    {
        tell(
            AdviceCode::RoundTrip,
            format!(
                "The way to the server takes {} ms: your upload is full, or the network slow. Please \
                 lower the bitrate, or use a cable instead of Wi-Fi.",
                time.as_millis()
            ),
            None,
        );
    }
    found
}

/// How long one waits for a keyframe, if it is too long.
fn rare_keyframes(measured: &Snapshot, circumstances: Circumstances) -> Option<f64> {
    let longest = if circumstances.keyframes_on_request {
        Some(measured.keyframe_wait).filter(|&wait| wait > LONGEST_KEYFRAME_WAIT)
    } else {
        measured
            .keyframe_interval
            .filter(|&interval| interval > LONGEST_KEYFRAME_INTERVAL)
    };
    longest.map(|longest| longest.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use shared::health::Verdict;

    use super::*;

    const ENCODER: Circumstances = Circumstances {
        b_frames: false,
        rare_colours: false,
        keyframes_on_request: false,
    };
    const BROWSER: Circumstances = Circumstances {
        keyframes_on_request: true,
        ..ENCODER
    };

    fn good() -> Snapshot {
        Snapshot {
            uptime: Duration::from_secs(60),
            fps: Some(30.0),
            usual_fps: Some(30.0),
            video_bitrate: Some(2_500_000),
            audio_bitrate: Some(128_000),
            since_picture: Some(Duration::from_millis(20)),
            since_sound: Some(Duration::from_millis(10)),
            keyframe_interval: Some(Duration::from_secs(2)),
            round_trip: Some(Duration::from_millis(30)),
            ..Snapshot::default()
        }
    }

    fn codes(measured: &Snapshot, circumstances: Circumstances) -> Vec<AdviceCode> {
        let advice = advise(measured, circumstances);
        let worst_first = advice.is_sorted_by_key(|one| std::cmp::Reverse(one.code.verdict()));
        assert!(worst_first, "{advice:?}");
        advice.iter().map(|advice| advice.code).collect()
    }

    #[test]
    fn a_good_broadcast_is_given_no_advice() {
        assert_eq!(codes(&good(), ENCODER), []);
    }

    #[test]
    fn a_broadcast_that_begins_is_given_time() {
        let beginning = Snapshot {
            uptime: Duration::from_millis(1_500),
            since_picture: Some(Duration::ZERO),
            ..Snapshot::default()
        };
        assert_eq!(codes(&beginning, ENCODER), []);
    }

    #[test]
    fn b_frames_come_with_the_setting_that_stops_them() {
        let circumstances = Circumstances {
            b_frames: true,
            ..ENCODER
        };
        let advice = advise(&good(), circumstances);
        assert_eq!(Verdict::of(&advice), Verdict::Bad);
        assert_eq!(advice[0].code, AdviceCode::BFrames);
        assert_eq!(advice[0].setting.as_deref(), Some("keyint=60 bframes=0"));
    }

    #[test]
    fn colours_that_browsers_do_not_decode_are_bad() {
        let circumstances = Circumstances {
            rare_colours: true,
            ..ENCODER
        };
        let advice = advise(&good(), circumstances);
        assert_eq!(Verdict::of(&advice), Verdict::Bad);
        assert_eq!(advice[0].code, AdviceCode::Colours);
        assert!(advice[0].sentence.contains("NV12"), "{advice:?}");
    }

    #[test]
    fn obs_at_its_defaults_hears_of_both_of_its_troubles() {
        let circumstances = Circumstances {
            b_frames: true,
            ..ENCODER
        };
        let obs = Snapshot {
            keyframe_interval: Some(Duration::from_millis(8_333)),
            ..good()
        };
        assert_eq!(
            codes(&obs, circumstances),
            [AdviceCode::BFrames, AdviceCode::KeyframeInterval]
        );
    }

    #[test]
    fn a_browser_sends_keyframes_when_it_is_asked() {
        let rare = Snapshot {
            keyframe_interval: Some(Duration::from_secs(90)),
            keyframe_wait: Duration::from_millis(400),
            ..good()
        };
        assert_eq!(codes(&rare, BROWSER), []);
        assert_eq!(codes(&rare, ENCODER), [AdviceCode::KeyframeInterval]);
        let deaf = Snapshot {
            keyframe_wait: Duration::from_secs(6),
            ..rare
        };
        assert_eq!(codes(&deaf, BROWSER), [AdviceCode::KeyframeInterval]);
    }

    #[test]
    fn a_missing_track_is_told() {
        let late = Some(Duration::from_secs(3));
        let no_sound = Snapshot {
            since_sound: None,
            ..good()
        };
        assert_eq!(codes(&no_sound, ENCODER), [AdviceCode::NoSound]);
        let no_picture = Snapshot {
            since_picture: late,
            ..good()
        };
        assert_eq!(codes(&no_picture, ENCODER), [AdviceCode::NoPicture]);
        let nothing = Snapshot {
            since_picture: late,
            since_sound: late,
            ..good()
        };
        assert_eq!(codes(&nothing, ENCODER), [AdviceCode::Stalled]);
    }

    #[test]
    fn a_slow_computer_is_told_apart_from_a_slow_camera() {
        let slow = |fps, usual_fps| {
            let measured = Snapshot {
                fps: Some(fps),
                usual_fps: Some(usual_fps),
                ..good()
            };
            codes(&measured, ENCODER)
        };
        assert_eq!(slow(12.0, 30.0), [AdviceCode::LowFrameRate]);
        assert_eq!(slow(12.0, 12.5), []);
    }

    #[test]
    fn a_bad_line_is_told() {
        let bad = Snapshot {
            dropped_part: 0.12,
            round_trip: Some(Duration::from_millis(900)),
            video_bitrate: Some(9_000),
            ..good()
        };
        assert_eq!(
            codes(&bad, ENCODER),
            [
                AdviceCode::Dropped,
                AdviceCode::LowBitrate,
                AdviceCode::RoundTrip
            ]
        );
        assert!(advise(&bad, ENCODER)[0].sentence.starts_with("12 %"));
    }
}
