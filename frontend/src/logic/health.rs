//! A broadcast's health in words and figures.

use shared::health::{Health, Verdict};

/// The verdict in one word.
#[must_use]
pub const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Waiting => "Waiting",
        Verdict::Good => "Good",
        Verdict::Warning => "Fair",
        Verdict::Bad => "Bad",
    }
}

/// The verdict as the style sheet calls it.
#[must_use]
pub const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Waiting => "waiting",
        Verdict::Good => "good",
        Verdict::Warning => "warning",
        Verdict::Bad => "bad",
    }
}

/// What is measured, name and figure, in the order of interest; what is not known is left out.
/// `own_round_trip` is this page's, in milliseconds, for where the server knows none.
#[must_use]
pub fn figures(health: &Health, own_round_trip: Option<u32>) -> Vec<(&'static str, String)> {
    let mut figures = Vec::new();
    let mut add =
        |name, figure: Option<String>| figures.extend(figure.map(|figure| (name, figure)));
    let video = health.video.as_ref();
    add(
        "Resolution",
        video.map(|video| format!("{} × {}", video.width, video.height)),
    );
    add(
        "Frame rate",
        video.and_then(|video| Some(format!("{:.0} fps", video.fps?))),
    );
    add(
        "Bitrate",
        video.and_then(|video| video.bitrate).map(bitrate),
    );
    add(
        "Video",
        video.map(|video| format!("{} {}", video.codec, video.profile)),
    );
    add(
        "Keyframes",
        video.and_then(|video| Some(format!("every {:.1} s", video.keyframe_interval?))),
    );
    add("Dropped", video.map(|video| video.dropped.to_string()));
    add(
        "Sound",
        health.audio.as_ref().map(|audio| {
            let channels = if audio.channels == 1 {
                "mono"
            } else {
                "stereo"
            };
            let rate = f64::from(audio.sample_rate) / 1_000.0;
            format!("{} {rate} kHz {channels}", audio.codec)
        }),
    );
    let round_trip = health.round_trip_ms.or(own_round_trip);
    add("Round trip", round_trip.map(|ms| format!("{ms} ms")));
    let viewers = health.viewers.as_ref();
    add(
        "Viewers’ loss",
        viewers.map(|viewers| format!("{:.1} %", viewers.lost * 100.0)),
    );
    add(
        "Viewers’ trip",
        viewers.and_then(|viewers| Some(format!("{} ms", viewers.round_trip_ms?))),
    );
    figures
}

/// `850 kbit/s`, `2.5 Mbit/s`.
#[must_use]
pub fn bitrate(bits: u64) -> String {
    if bits < 1_000_000 {
        format!("{} kbit/s", bits / 1_000)
    } else {
        format!("{:.1} Mbit/s", bits as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use shared::health::{AudioHealth, VideoHealth, ViewersHealth};

    use super::*;

    #[test]
    fn what_is_known_is_shown() {
        let health = Health {
            verdict: Verdict::Good,
            video: Some(VideoHealth {
                codec: "H.264".into(),
                profile: "High".into(),
                width: 1_280,
                height: 720,
                fps: Some(29.97),
                bitrate: Some(2_540_000),
                keyframe_interval: Some(8.333),
                b_frames: false,
                dropped: 2,
            }),
            audio: Some(AudioHealth {
                codec: "AAC".into(),
                sample_rate: 44_100,
                channels: 2,
                bitrate: None,
            }),
            round_trip_ms: None,
            viewers: Some(ViewersHealth {
                lost: 0.0123,
                round_trip_ms: Some(7),
            }),
            ..Health::waiting()
        };
        let figures = figures(&health, Some(38));
        let expected = [
            ("Resolution", "1280 × 720"),
            ("Frame rate", "30 fps"),
            ("Bitrate", "2.5 Mbit/s"),
            ("Video", "H.264 High"),
            ("Keyframes", "every 8.3 s"),
            ("Dropped", "2"),
            ("Sound", "AAC 44.1 kHz stereo"),
            ("Round trip", "38 ms"),
            ("Viewers’ loss", "1.2 %"),
            ("Viewers’ trip", "7 ms"),
        ];
        assert_eq!(
            figures,
            expected.map(|(name, figure)| (name, figure.to_owned()))
        );
    }

    #[test]
    fn the_servers_round_trip_comes_first() {
        let health = Health {
            round_trip_ms: Some(12),
            ..Health::waiting()
        };
        assert_eq!(
            figures(&health, Some(38)),
            [("Round trip", "12 ms".to_owned())]
        );
        assert_eq!(figures(&Health::waiting(), None), []);
    }

    #[test]
    fn bitrates_are_short() {
        assert_eq!(bitrate(64_900), "64 kbit/s");
        assert_eq!(bitrate(12_345_678), "12.3 Mbit/s");
    }
}
