//! What an intake does.

use super::*;
use crate::flv::body::Body;
use crate::media::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};

/// A publisher whose messages arrive when their time stamps say.
#[derive(Default)]
struct Publisher(Intake);

impl Publisher {
    fn video(&mut self, at: u32, body: &Body) -> Result<(), Unsupported> {
        let now = MediaTime::from_micros(i64::from(at) * 1_000);
        self.0.video(at, &Bytes::from(body.parts().concat()), now)
    }

    fn audio(&mut self, at: u32, body: &Body) {
        let now = MediaTime::from_micros(i64::from(at) * 1_000);
        self.0
            .audio(at, &Bytes::from(body.parts().concat()), now)
            .unwrap();
    }

    fn video_header(&mut self, sps: &'static [u8]) {
        let format = VideoFormat::parse(Bytes::from_static(sps), Bytes::from_static(PPS)).unwrap();
        self.video(0, &Body::avc_sequence_header(&format)).unwrap();
    }

    fn audio_header(&mut self) {
        let config = Bytes::from_static(&[0x11, 0x90, 0x56, 0xe5, 0]);
        self.audio(
            0,
            &Body::aac_sequence_header(&AacFormat::parse(config).unwrap()),
        );
    }

    fn nals(&mut self, at: u32, composition: i32, nals: &[&[u8]]) {
        let mut data = bytes::BytesMut::new();
        for nal in nals {
            crate::media::h264::put_nal(&mut data, nal);
        }
        self.video(at, &Body::picture(false, composition, data.freeze()))
            .unwrap();
    }

    fn keyframe(&mut self, at: u32) {
        self.nals(at, 0, &[&[0x65, 1]]);
    }

    fn picture(&mut self, at: u32) {
        self.nals(at, 0, &[&[0x41, 1]]);
    }

    fn sound(&mut self, at: u32) {
        self.audio(at, &Body::aac(Bytes::from_static(b"raw")));
    }

    /// Everything that has come out, in short.
    fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.poll())
            .map(|output| match output {
                Output::Start(tracks) => {
                    format!("start {}{}", u8::from(tracks.video), u8::from(tracks.audio))
                }
                Output::Unit(unit) => {
                    let kind = match (unit.format.kind(), unit.keyframe) {
                        (TrackKind::Video, true) => "keyframe",
                        (TrackKind::Video, false) => "picture",
                        (TrackKind::Audio, _) => "sound",
                    };
                    format!("{kind} {}", unit.dts.as_micros() / 1_000)
                }
            })
            .collect()
    }
}

#[test]
fn a_broadcast_begins_as_soon_as_both_tracks_are_known() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    publisher.keyframe(1_000);
    publisher.sound(1_066);
    assert_eq!(publisher.outputs(), ["start 11", "keyframe 0", "sound 66"]);
}

#[test]
fn the_first_track_waits_a_little_for_the_second() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.keyframe(0);
    publisher.picture(400);
    assert!(publisher.outputs().is_empty());
    publisher.picture(500);
    assert_eq!(
        publisher.outputs(),
        ["start 10", "keyframe 0", "picture 400", "picture 500"]
    );
    publisher.audio_header();
    publisher.sound(510);
    assert_eq!(publisher.outputs(), ["sound 510"]);
}

#[test]
fn sound_alone_begins_after_a_second() {
    let mut publisher = Publisher::default();
    publisher.audio_header();
    publisher.sound(0);
    publisher.sound(980);
    assert!(publisher.outputs().is_empty());
    publisher.sound(1_000);
    assert_eq!(
        publisher.outputs(),
        ["start 01", "sound 0", "sound 980", "sound 1000"]
    );
}

#[test]
fn what_the_metadata_rules_out_is_not_waited_for() {
    let mut publisher = Publisher::default();
    publisher.0.metadata(&Metadata {
        video: Some(false),
        ..Metadata::default()
    });
    publisher.audio_header();
    publisher.sound(0);
    assert_eq!(publisher.outputs(), ["start 01", "sound 0"]);
}

#[test]
fn a_promised_picture_is_waited_for_longer() {
    let mut publisher = Publisher::default();
    publisher.0.metadata(&Metadata {
        video: Some(true),
        ..Metadata::default()
    });
    publisher.audio_header();
    publisher.sound(0);
    publisher.sound(4_000);
    assert!(publisher.outputs().is_empty());
    publisher.video_header(SPS_HIGH_720P);
    publisher.keyframe(4_010);
    assert_eq!(publisher.outputs()[0], "start 11");
}

#[test]
fn a_picture_that_comes_late_begins_the_broadcast_anew() {
    let mut publisher = Publisher::default();
    publisher.audio_header();
    publisher.sound(0);
    publisher.sound(1_000);
    publisher.outputs();
    publisher.video_header(SPS_BASELINE);
    publisher.keyframe(1_500);
    publisher.sound(1_520);
    assert_eq!(publisher.outputs(), ["start 11", "keyframe 0", "sound 20"]);
}

#[test]
fn what_is_kept_before_the_beginning_is_bounded() {
    let mut publisher = Publisher::default();
    publisher.audio_header();
    for _ in 0..MAX_KEPT {
        // Time stands still.
        publisher.sound(0);
    }
    assert_eq!(publisher.outputs().len(), 1 + MAX_KEPT);
}

#[test]
fn pictures_before_a_keyframe_are_dropped() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    publisher.picture(0);
    publisher.sound(0);
    publisher.keyframe(40);
    assert_eq!(publisher.outputs(), ["start 11", "sound 0", "keyframe 40"]);
}

#[test]
fn b_frames_are_shown_later_than_they_are_decoded() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    publisher.nals(0, 66, &[&[0x65, 1]]);
    publisher.outputs();
    publisher.nals(33, 166, &[&[0x41, 1]]);
    match publisher.0.poll() {
        Some(Output::Unit(unit)) => {
            assert_eq!((unit.pts - unit.dts).as_micros(), 166_000);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_picture_whose_lengths_are_wrong_is_dropped_up_to_the_next_keyframe() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    publisher.keyframe(0);
    publisher.outputs();
    let broken = Bytes::from_static(&[0, 0, 0, 99, 0x41]);
    publisher
        .video(40, &Body::picture(false, 0, broken))
        .unwrap();
    publisher.picture(80);
    publisher.keyframe(120);
    assert_eq!(publisher.outputs(), ["keyframe 120"]);
}

#[test]
fn parameter_sets_within_a_picture_make_a_new_format_only_when_they_differ() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    let mut formats = Vec::new();
    for (at, sps) in [(0, SPS_HIGH_720P), (40, SPS_HIGH_720P), (80, SPS_BASELINE)] {
        publisher.nals(at, 0, &[sps, PPS, &[0x65, 1]]);
    }
    while let Some(output) = publisher.0.poll() {
        if let Output::Unit(NewUnit {
            format: Format::Video(format),
            data,
            ..
        }) = output
        {
            assert_eq!(&data[..], [0, 0, 0, 2, 0x65, 1], "without parameter sets");
            formats.push(format);
        }
    }
    assert!(Arc::ptr_eq(&formats[0], &formats[1]));
    assert_eq!(&formats[2].sps[..], SPS_BASELINE);
}

#[test]
fn an_encoder_that_restarts_at_zero_plays_on() {
    let mut publisher = Publisher::default();
    publisher.video_header(SPS_HIGH_720P);
    publisher.audio_header();
    publisher.keyframe(60_000);
    publisher.sound(60_010);
    publisher.outputs();
    let now = MediaTime::from_micros(60_040_000);
    let keyframe = Body::picture(true, 0, Bytes::from_static(&[0, 0, 0, 2, 0x65, 1]));
    publisher
        .0
        .video(0, &Bytes::from(keyframe.parts().concat()), now)
        .unwrap();
    assert_eq!(publisher.outputs(), ["keyframe 40"]);
}

#[test]
fn other_codecs_are_refused_by_name() {
    let mut intake = Intake::new();
    let hevc = intake.video(0, &Bytes::from_static(b"\x90hvc1"), MediaTime::ZERO);
    assert!(hevc.unwrap_err().to_string().contains("HEVC"));
    let he_aac = intake.audio(
        0,
        &Bytes::from_static(&[0xaf, 0, 0x2b, 0x11, 0x88, 0]),
        MediaTime::ZERO,
    );
    assert_eq!(he_aac, Err(Unsupported::Audio(AacError::HighEfficiency)));
    let broken = intake.video(
        0,
        &Bytes::from_static(&[0x17, 0, 0, 0, 0, 1]),
        MediaTime::ZERO,
    );
    assert_eq!(broken, Err(Unsupported::Video(AvcConfigError::Truncated)));
}
