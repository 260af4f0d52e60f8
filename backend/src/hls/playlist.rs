//! Playlists (draft-pantos-hls-rfc8216bis): pure functions of what was packaged.

use std::fmt::Write;
use std::time::Duration;

use super::packager::WallClock;
use super::presentation::Presentation;
use super::segment::{Next, Part, Segment};
use super::track::Track;
use crate::media::access_unit::{AudioFormat, Format, TrackKind};

/// The name of the group that all sound is in.
const GROUP: &str = "sound";

/// What players are told to stay behind the newest part, in part target durations (section 4.4.3.8).
const PART_HOLD_BACK: u32 = 3;
/// How old a segment has to be to be left out of a delta update, in target durations (section 4.4.3.8).
const SKIP_UNTIL: u32 = 6;
/// How old a segment may be to have its parts listed, in target durations (section 4.4.4.9) ...
const PARTS_UNTIL: u32 = 3;
/// ... and how many may, the one that the preload hint belongs to among them.
const WITH_PARTS: usize = 3;

/// The name of a rendition's playlist.
#[must_use]
pub const fn name(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Video => "video",
        TrackKind::Audio => "audio",
    }
}

/// The multivariant playlist. More renditions of the picture would be more variants.
#[must_use]
pub fn multivariant(presentation: &Presentation) -> String {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:6\n");
    let folder = presentation.name();
    let video = presentation.track(TrackKind::Video);
    let audio = presentation.track(TrackKind::Audio);
    if let (Some(_), Some(Format::Audio(format))) = (video, audio.map(Track::format)) {
        line(
            &mut out,
            format_args!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{GROUP}\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,\
                 CHANNELS=\"{}\",URI=\"{folder}/audio.m3u8\"",
                format.channels(),
            ),
        );
    }
    let Some(main) = video.or(audio) else {
        return out;
    };
    let codecs: Vec<_> = [video, audio]
        .into_iter()
        .flatten()
        .map(|track| codec(track.format()))
        .collect();
    let (peak, average) = bandwidth(presentation);
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"",
        codecs.join(","),
    );
    if let Format::Video(format) = main.format() {
        let _ = write!(out, ",RESOLUTION={}x{}", format.width, format.height);
        if let Some(rate) = frame_rate(main) {
            let _ = write!(out, ",FRAME-RATE={rate:.3}");
        }
        if audio.is_some() {
            let _ = write!(out, ",AUDIO=\"{GROUP}\"");
        }
    }
    line(&mut out, format_args!(""));
    line(
        &mut out,
        format_args!("{folder}/{}.m3u8", name(main.kind())),
    );
    out
}

/// A rendition's playlist. With `skip`, old segments are left out where there are any.
#[must_use]
pub fn media(presentation: &Presentation, track: &Track, clock: WallClock, skip: bool) -> String {
    let target = presentation.target();
    let part_target = seconds_up(presentation.part_target());
    let shown: Vec<&Segment> = track.shown().chain(open(track)).collect();
    let skipped = if skip {
        skippable(&shown, target * SKIP_UNTIL)
    } else {
        0
    };
    // Section 8: delta updates need version 9, and so does what EXT-X-SKIP replaces.
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    line(
        &mut out,
        format_args!("#EXT-X-TARGETDURATION:{}", target.as_secs()),
    );
    line(
        &mut out,
        format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3},CAN-SKIP-UNTIL={}",
            part_target * f64::from(PART_HOLD_BACK),
            (target * SKIP_UNTIL).as_secs(),
        ),
    );
    line(
        &mut out,
        format_args!("#EXT-X-PART-INF:PART-TARGET={part_target:.3}"),
    );
    let first = shown.first();
    let number = first.map_or(track.next().segment, |first| first.number);
    line(&mut out, format_args!("#EXT-X-MEDIA-SEQUENCE:{number}"));
    // Those that have left the playlist (section 4.4.3.3).
    let gone = first.map_or(0, |first| {
        first.discontinuities - u64::from(first.discontinuity)
    });
    line(
        &mut out,
        format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{gone}"),
    );
    if shown.iter().all(|segment| segment.independent()) {
        line(&mut out, format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
    }
    if skipped > 0 {
        line(
            &mut out,
            format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"),
        );
    }
    let is_hinted_at_alone = track.next().part == 0;
    let without_parts = (shown.len() + usize::from(is_hinted_at_alone)).saturating_sub(WITH_PARTS);
    let mut init = None;
    let mut behind: Duration = shown.iter().map(|segment| segment.duration()).sum();
    for (index, segment) in shown.into_iter().enumerate() {
        let is_new = index >= without_parts && behind <= target * PARTS_UNTIL;
        let has_parts = is_new && !presentation.ended();
        behind = behind.saturating_sub(segment.duration());
        if index >= skipped {
            put_segment(&mut out, track, segment, clock, init, has_parts);
            init = Some(segment.init);
        }
    }
    if presentation.ended() {
        line(&mut out, format_args!("#EXT-X-ENDLIST"));
    } else {
        put_reports(&mut out, presentation, track);
        let uri = part_uri(track.kind(), track.next());
        line(
            &mut out,
            format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{uri}\""),
        );
    }
    out
}

/// The segment that is being written, once there is something of it.
fn open(track: &Track) -> Option<&Segment> {
    track.open().filter(|open| !open.parts.is_empty())
}

fn put_segment(
    out: &mut String,
    track: &Track,
    segment: &Segment,
    clock: WallClock,
    init: Option<u32>,
    has_parts: bool,
) {
    let kind = name(track.kind());
    if segment.discontinuity {
        line(out, format_args!("#EXT-X-DISCONTINUITY"));
    }
    if init != Some(segment.init) {
        line(
            out,
            format_args!("#EXT-X-MAP:URI=\"{kind}-init-{}.mp4\"", segment.init),
        );
    }
    let time = time_of_day(clock.millis(segment.start));
    line(out, format_args!("#EXT-X-PROGRAM-DATE-TIME:{time}"));
    let is_complete = !segment.data.is_empty();
    if has_parts || !is_complete {
        for (index, part) in segment.parts.iter().enumerate() {
            let next = Next {
                segment: segment.number,
                part: index,
            };
            put_part(out, track.kind(), next, part);
        }
    }
    if is_complete {
        line(
            out,
            format_args!("#EXTINF:{:.5},", segment.duration().as_secs_f64()),
        );
        line(out, format_args!("{kind}-{}.m4s", segment.number));
    }
}

fn put_part(out: &mut String, kind: TrackKind, number: Next, part: &Part) {
    let independent = if part.independent {
        ",INDEPENDENT=YES"
    } else {
        ""
    };
    line(
        out,
        format_args!(
            "#EXT-X-PART:DURATION={:.5},URI=\"{}\"{independent}",
            part.duration.as_secs_f64(),
            part_uri(kind, number),
        ),
    );
}

/// What is newest in the other renditions (section 4.4.5.4).
fn put_reports(out: &mut String, presentation: &Presentation, track: &Track) {
    let others = presentation
        .tracks()
        .filter(|other| other.kind() != track.kind());
    for other in others {
        if let Some(Next { segment, part }) = other.newest_part() {
            let kind = name(other.kind());
            line(
                out,
                format_args!(
                    "#EXT-X-RENDITION-REPORT:URI=\"{kind}.m3u8\",LAST-MSN={segment},LAST-PART={part}"
                ),
            );
        }
    }
}

fn part_uri(kind: TrackKind, Next { segment, part }: Next) -> String {
    format!("{}-{segment}.{part}.m4s", name(kind))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

/// How many of the oldest segments are older than this: their end is, counted from the playlist's.
fn skippable(shown: &[&Segment], until: Duration) -> usize {
    let mut behind: Duration = shown.iter().map(|segment| segment.duration()).sum();
    let is_old = |segment: &&&Segment| {
        behind = behind.saturating_sub(segment.duration());
        behind > until
    };
    shown.iter().take_while(is_old).count()
}

/// In seconds, rounded up to milliseconds.
fn seconds_up(duration: Duration) -> f64 {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1_000.0
}

/// RFC 6381: `avc1.` with profile and level (ISO/IEC 14496-15 annex E), `mp4a.` with the object type.
fn codec(format: &Format) -> String {
    match format {
        Format::Video(video) => format!("avc1.{}", video.profile_level_id()),
        Format::Audio(AudioFormat::Aac(_)) => "mp4a.40.2".to_owned(),
        Format::Audio(AudioFormat::Opus { .. }) => "opus".to_owned(),
    }
}

/// Peak and average, in bits per second. Before a segment is complete, of what there is.
fn bandwidth(presentation: &Presentation) -> (u64, u64) {
    let average = presentation.tracks().map(|track| {
        let segments = track.shown().chain(track.open());
        let (bytes, duration) = segments.fold((0, Duration::ZERO), |(bytes, duration), segment| {
            (bytes + segment.size(), duration + segment.duration())
        });
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        bytes as u64 * 8 * 1_000 / millis.max(1)
    });
    let average = average.sum::<u64>().max(1);
    (presentation.peak().max(average), average)
}

/// Pictures per second.
fn frame_rate(track: &Track) -> Option<f64> {
    let parts = track.shown().chain(track.open()).flat_map(|s| &s.parts);
    let (samples, duration) = parts.fold((0_u32, Duration::ZERO), |(samples, duration), part| {
        let more = u32::try_from(part.samples).unwrap_or(0);
        (samples.saturating_add(more), duration + part.duration)
    });
    (!duration.is_zero()).then(|| f64::from(samples) / duration.as_secs_f64())
}

/// RFC 3339, in UTC, of milliseconds since 1970.
fn time_of_day(millis: i64) -> String {
    let (seconds, millis) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The proleptic Gregorian calendar in eras of 400 years that begin in March.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, after) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + after;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Broadcast, audio, video};
    use super::*;

    /// 2026-01-01.
    const CLOCK: WallClock = WallClock {
        epoch: 1_767_225_600_000_000,
    };

    fn presentation(from: i64, to: i64) -> Presentation {
        let mut made = Presentation::new("name".into(), Some(video()), Some(audio()), None);
        for unit in Broadcast::default().units(from, to) {
            made.push(&unit);
        }
        made
    }

    fn text(presentation: &Presentation, skip: bool) -> String {
        let track = presentation.track(TrackKind::Video).unwrap();
        media(presentation, track, CLOCK, skip)
    }

    #[test]
    fn the_multivariant_playlist_names_codecs_size_and_rate() {
        let text = multivariant(&presentation(0, 5_000));
        assert!(
            text.contains("CODECS=\"avc1.42c01f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000")
        );
        assert!(text.contains("URI=\"name/audio.m3u8\""));
        assert!(text.ends_with("\nname/video.m3u8\n"));
    }

    #[test]
    fn sound_alone_is_a_variant_of_its_own() {
        let mut presentation = Presentation::new("name".into(), None, Some(audio()), None);
        let radio = Broadcast {
            video: None,
            ..Broadcast::default()
        };
        for unit in radio.units(0, 3_000) {
            presentation.push(&unit);
        }
        let text = multivariant(&presentation);
        assert!(text.contains("CODECS=\"mp4a.40.2\"\n"));
        assert!(!text.contains("EXT-X-MEDIA:"));
        assert!(text.ends_with("\nname/audio.m3u8\n"));
    }

    #[test]
    fn a_playlist_begins_with_what_players_have_to_know() {
        let text = text(&presentation(0, 3_000), false);
        let expected = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
            #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.630,CAN-SKIP-UNTIL=12\n\
            #EXT-X-PART-INF:PART-TARGET=0.210\n#EXT-X-MEDIA-SEQUENCE:0\n\
            #EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MAP:URI=\"video-init-0.mp4\"\n\
            #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n\
            #EXT-X-PART:DURATION=0.20000,URI=\"video-0.0.m4s\",INDEPENDENT=YES\n\
            #EXT-X-PART:DURATION=0.20000,URI=\"video-0.1.m4s\"\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"video-1.4.m4s\"\n"));
    }

    #[test]
    fn a_playlist_says_how_far_the_other_renditions_are() {
        let presentation = presentation(0, 3_000);
        let other = presentation.track(TrackKind::Audio).unwrap();
        let Next { segment, part } = other.newest_part().unwrap();
        let report = format!("URI=\"audio.m3u8\",LAST-MSN={segment},LAST-PART={part}\n");
        assert!(text(&presentation, false).contains(&report));
        assert!(!text(&presentation, false).contains("URI=\"video.m3u8\""));
    }

    #[test]
    fn only_the_newest_three_segments_have_their_parts_listed() {
        // The third is hinted at, then it is being written.
        for to in [8_050, 8_900] {
            let text = text(&presentation(0, to), false);
            let with_parts = (0..8)
                .filter(|n| text.contains(&format!("\"video-{n}.0.m4s\",INDEPENDENT")))
                .count();
            let hinted = usize::from(text.contains("URI=\"video-4.0.m4s\"\n"));
            assert_eq!(with_parts + hinted, 3, "{text}");
        }
    }

    #[test]
    fn only_what_is_older_than_six_target_durations_is_skipped() {
        let young = text(&presentation(0, 11_000), true);
        assert!(!young.contains("EXT-X-SKIP") && young.contains("video-0.m4s"));
        let old = text(&presentation(0, 16_500), true);
        assert!(old.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n"), "{old}");
        assert!(old.contains("#EXT-X-MEDIA-SEQUENCE:0\n"));
        assert!(!old.contains("\nvideo-1.m4s") && old.contains("\nvideo-2.m4s"));
    }

    #[test]
    fn discontinuities_that_have_left_the_playlist_are_counted() {
        let mut presentation = presentation(0, 3_000);
        presentation.interrupt();
        for unit in Broadcast::default().units(10_000, 13_000) {
            presentation.push(&unit);
        }
        let before = text(&presentation, false);
        assert!(before.contains("#EXT-X-DISCONTINUITY-SEQUENCE:0\n"));
        assert_eq!(before.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        for unit in Broadcast::default().units(14_000, 40_000) {
            presentation.push(&unit);
        }
        let after = text(&presentation, false);
        assert!(after.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
        assert!(!after.contains("#EXT-X-DISCONTINUITY\n"));
    }

    #[test]
    fn the_end_is_said_and_nothing_is_hinted_at() {
        let mut presentation = presentation(0, 3_000);
        presentation.end();
        let text = text(&presentation, false);
        assert!(text.ends_with("\nvideo-1.m4s\n#EXT-X-ENDLIST\n"), "{text}");
        assert!(!text.contains("PRELOAD-HINT"));
    }

    #[test]
    fn segments_without_keyframe_are_not_called_independent() {
        let mut presentation = Presentation::new("name".into(), Some(video()), None, None);
        let endless = Broadcast {
            audio: None,
            group: i64::MAX,
            ..Broadcast::default()
        };
        for unit in endless.units(0, 25_500) {
            presentation.push(&unit);
        }
        assert!(!text(&presentation, false).contains("INDEPENDENT-SEGMENTS"));
    }

    #[test]
    fn times_of_day_are_right_in_every_year() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_631_002_125, "2026-11-25T18:23:22.125Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(time_of_day(millis), text);
        }
    }
}
