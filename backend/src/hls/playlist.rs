//! Playlists (draft-pantos-hls-rfc8216bis): pure functions of what was packaged.

use std::fmt::Write;
use std::time::Duration;

use super::packager::WallClock;
use super::presentation::Presentation;
use super::track::{Next, Part, Segment, Track};
use crate::media::access_unit::{AudioFormat, Format, TrackKind};

/// The name of the group that all sound is in.
const GROUP: &str = "sound";

/// What players are told to stay behind the newest part, in part target durations (section 4.4.3.8).
const PART_HOLD_BACK: u32 = 3;
/// How old a segment has to be to be left out of a delta update, in target durations (section 4.4.3.8).
const SKIP_UNTIL: u32 = 6;
/// How old a segment may be to have its parts listed, in target durations (section 4.4.4.9).
const PARTS_UNTIL: u32 = 3;

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
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
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
    let mut init = None;
    let mut behind: Duration = shown.iter().map(|segment| segment.duration()).sum();
    for (index, segment) in shown.into_iter().enumerate() {
        let has_parts = behind <= target * PARTS_UNTIL && !presentation.ended();
        behind = behind.saturating_sub(segment.duration());
        if index >= skipped {
            put_segment(&mut out, track, segment, clock, init, has_parts);
            init = Some(segment.init);
        }
    }
    if presentation.ended() {
        line(&mut out, format_args!("#EXT-X-ENDLIST"));
    } else {
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
