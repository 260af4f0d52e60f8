//! A broadcast with the same tracks all the time: access units in, renditions out.
//!
//! Picture and sound are renditions of their own (CMAF has one track to a file): a player that only wants
//! the sound loads nothing else, neither rendition's timestamps depend on the other's, and what is silent
//! or late is filled in without touching the picture. Both have the same segments: sound is held back
//! until the picture has come as far, and cut where that was cut.

use std::sync::Arc;
use std::time::Duration;

use super::fmp4::Sample;
use super::segment::{Beginning, Segment};
use super::sound::Sound;
use super::track::Track;
use crate::media::access_unit::{AccessUnit, Format, TrackKind};
use crate::media::time::MediaTime;

/// Segments are this long where keyframes allow it.
pub const SEGMENT: Duration = Duration::from_secs(2);
/// A segment goes on past a keyframe if it stays shorter than this with another group of pictures: what
/// rounds to [`SEGMENT`] (section 4.4.3.1).
const SEGMENT_AT_MOST: Duration = Duration::from_millis(2_500);
/// A segment ends here without a keyframe, and so does one of this many bytes: memory is bounded.
const FORCED: Duration = Duration::from_secs(12);
const FORCED_BYTES: usize = 16 << 20;
/// What may be rounded down to the target duration; a little less, because sound is not cut quite where the
/// picture is.
const ROUNDED_DOWN: Duration = Duration::from_millis(450);
/// Groups of pictures by which the length of the next is guessed.
const GROUPS: usize = 4;

/// One or two renditions and how they are cut.
#[derive(Debug)]
pub struct Presentation {
    /// Stands in the URLs of all that belongs to it, so that these are never used again.
    name: String,
    video: Option<Track>,
    audio: Option<Sound>,
    /// The start of the newest group of pictures.
    keyframe: Option<MediaTime>,
    /// How long the newest groups were, newest first.
    groups: [Duration; GROUPS],
    /// What comes next does not continue what was.
    broken: bool,
    target: Duration,
    /// Whether players know the target duration.
    shown: bool,
    /// Bits per second of the heaviest segment so far.
    peak: u64,
    ended: bool,
}

impl Presentation {
    /// Nothing yet, of a broadcast with these tracks. `keyframe_interval` is that of its encoder, where it
    /// is known.
    #[must_use]
    pub fn new(
        name: String,
        video: Option<Format>,
        audio: Option<Format>,
        keyframe_interval: Option<Duration>,
    ) -> Self {
        let interval = keyframe_interval.filter(|_| video.is_some());
        Self {
            name,
            video: video.map(Track::new),
            audio: audio.map(Sound::new),
            keyframe: None,
            groups: [Duration::ZERO; GROUPS],
            broken: false,
            target: interval.map_or(SEGMENT, |interval| rounded(interval).clamp(SEGMENT, FORCED)),
            shown: false,
            peak: 0,
            ended: false,
        }
    }

    /// Stands in its URLs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rendition of this kind.
    #[must_use]
    pub fn track(&self, kind: TrackKind) -> Option<&Track> {
        match kind {
            TrackKind::Video => self.video.as_ref(),
            TrackKind::Audio => self.audio.as_ref().map(|sound| &sound.track),
        }
    }

    /// Its renditions.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        [TrackKind::Video, TrackKind::Audio]
            .into_iter()
            .filter_map(|kind| self.track(kind))
    }

    /// The target duration, in whole seconds: no segment rounds to more. Until it is [shown](Self::show) it
    /// grows with the encoder's groups of pictures. From then on it stays (section 4.4.3.1), and a segment
    /// that would become too long ends without a keyframe; unless a single picture lasts too long, for a
    /// lie would be worse.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.target
    }

    /// Players are told the target duration.
    pub const fn show(&mut self) {
        self.shown = true;
    }

    /// The longest that a part is, in any rendition.
    #[must_use]
    pub fn part_target(&self) -> Duration {
        let longest = self.tracks().map(Track::part_target).max();
        longest.unwrap_or_default()
    }

    /// Bits per second of the heaviest segment so far; 0 before there is one.
    #[must_use]
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Adds a unit. Those of a track come in the order of their times.
    pub fn push(&mut self, unit: &Arc<AccessUnit>) {
        match unit.format.kind() {
            TrackKind::Video => self.picture(unit),
            TrackKind::Audio => self.sound(unit),
        }
        self.measure();
    }

    /// What was is complete, and what comes next does not continue it.
    pub fn interrupt(&mut self) {
        let picture_ends = self.video.as_ref().and_then(|track| {
            let end = track.end()?;
            Some(MediaTime::from_ticks(end, track.timescale()))
        });
        if let Some(sound) = &mut self.audio {
            sound.flush(picture_ends);
            sound.track.finish(None);
        }
        if let Some(video) = &mut self.video {
            video.finish(None);
        }
        self.keyframe = None;
        self.groups = [Duration::ZERO; GROUPS];
        let has_begun = self.tracks().any(|track| track.next().segment > 0);
        self.broken = has_begun;
        self.measure();
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.interrupt();
        self.ended = true;
    }

    /// Forgets the media but not the numbers: nobody watches.
    pub fn rest(&mut self) {
        self.interrupt();
        if let Some(video) = &mut self.video {
            video.clear();
        }
        if let Some(sound) = &mut self.audio {
            sound.track.clear();
        }
    }

    /// Keeps no more than who begins to watch needs: nobody watches now.
    pub fn thin(&mut self) {
        if let Some(video) = &mut self.video {
            video.thin();
        }
        if let Some(sound) = &mut self.audio {
            sound.track.thin();
        }
    }

    fn picture(&mut self, unit: &AccessUnit) {
        if self.video.is_none() {
            return;
        }
        let format_changed = self
            .video
            .as_ref()
            .is_some_and(|track| *track.format() != unit.format);
        if format_changed && self.keyframe.is_some() {
            self.interrupt();
        }
        let Some(video) = &mut self.video else {
            return;
        };
        if self.keyframe.is_none() && !unit.random_access {
            return;
        }
        let beginning = Beginning {
            start: unit.pts,
            discontinuity: self.broken,
        };
        if unit.random_access
            && let Some(before) = self.keyframe.replace(unit.pts)
        {
            self.groups.rotate_right(1);
            self.groups[0] = unit.pts.since(before);
        }
        let dts = video.place(unit.dts);
        let is_cut = match video.open() {
            Some(open) if unit.random_access => {
                unit.pts.since(open.start) + next_group(&self.groups, self.target)
                    >= SEGMENT_AT_MOST
            }
            Some(_) => {
                let longest = if self.shown {
                    self.target + ROUNDED_DOWN
                } else {
                    FORCED
                };
                video.open_duration_with(dts) > longest || video.open_size() >= FORCED_BYTES
            }
            None => true,
        };
        if is_cut && video.open().is_none() {
            video.change_format(unit.format.clone());
        }
        let timescale = video.timescale();
        if is_cut {
            video.begin(beginning, dts);
            self.broken = false;
            if let Some(sound) = &mut self.audio {
                sound.cut_at(beginning);
            }
        }
        let offset = unit.pts.to_ticks(timescale) - dts;
        video.push(Sample {
            dts,
            composition_offset: i32::try_from(offset).unwrap_or(0),
            duration: 0,
            independent: unit.random_access,
            data: unit.data.clone(),
        });
        if let Some(sound) = &mut self.audio {
            sound.follow(unit.dts);
        }
    }

    fn sound(&mut self, unit: &Arc<AccessUnit>) {
        let Some(sound) = &mut self.audio else {
            return;
        };
        if !sound.is_still(&unit.format) {
            // A picture that is seen starts with a keyframe: until then, the sound waits.
            self.interrupt();
        }
        let Some(sound) = &mut self.audio else {
            return;
        };
        if self.video.is_some() {
            sound.hold(Arc::clone(unit));
            return;
        }
        let length = sound.track.open().map(|open| unit.pts.since(open.start));
        if length.is_none_or(|length| length >= SEGMENT) {
            sound.cut_at(Beginning {
                start: unit.pts,
                discontinuity: self.broken,
            });
            self.broken = false;
        }
        sound.push(unit);
    }

    /// Takes note of what the newest segments are like.
    fn measure(&mut self) {
        let newest: Vec<_> = self
            .tracks()
            .filter_map(|track| track.shown().next_back())
            .collect();
        let longest = newest.iter().map(|segment| rounded(segment.duration()));
        let target = longest.max().unwrap_or_default();
        let rate = newest.iter().copied().map(bits_per_second).sum();
        self.target = self.target.max(target);
        self.peak = self.peak.max(rate);
    }
}

/// How long the next group of pictures may be, by the newest: as long as the longest of them. Where groups
/// are longer than segments should be, no segment has two.
fn next_group(newest: &[Duration], target: Duration) -> Duration {
    let longest = newest.iter().copied().max().unwrap_or_default();
    if target > SEGMENT {
        longest.max(target)
    } else {
        longest
    }
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_secs((duration + Duration::from_millis(500)).as_secs())
}

fn bits_per_second(segment: &Segment) -> u64 {
    let millis = u64::try_from(segment.duration().as_millis()).unwrap_or(u64::MAX);
    segment.size() as u64 * 8 * 1_000 / millis.max(1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Broadcast, audio, fragments, ms, unit, video, video_720p};
    use super::*;

    fn presentation() -> Presentation {
        Presentation::new("name".into(), Some(video()), Some(audio()), None)
    }

    fn push(presentation: &mut Presentation, broadcast: &Broadcast, from: i64, to: i64) {
        for unit in broadcast.units(from, to) {
            presentation.push(&unit);
        }
    }

    fn lengths(presentation: &Presentation, kind: TrackKind) -> Vec<u64> {
        let shown = presentation.track(kind).unwrap().shown();
        shown
            .map(|segment| (segment.duration().as_secs_f64() * 10.0).round() as u64)
            .collect()
    }

    #[test]
    fn segments_begin_with_keyframes_and_last_about_two_seconds() {
        for (group, tenths, target) in [
            (15, 20, 2),
            (30, 20, 2),
            (36, 24, 2),
            (45, 15, 2),
            (60, 20, 2),
            (72, 24, 2),
            (250, 83, 8),
        ] {
            let mut presentation = presentation();
            let broadcast = Broadcast {
                group,
                ..Broadcast::default()
            };
            push(&mut presentation, &broadcast, 0, 30_000);
            let lengths = lengths(&presentation, TrackKind::Video);
            assert!(
                lengths.len() >= 3 && lengths.iter().all(|&length| length == tenths),
                "{group}: {lengths:?}"
            );
            let track = presentation.track(TrackKind::Video).unwrap();
            assert!(track.shown().all(Segment::independent));
            assert_eq!(presentation.target().as_secs(), target, "{group}");
        }
    }

    #[test]
    fn an_encoders_interval_is_in_the_target_from_the_start() {
        let interval = Some(Duration::from_millis(8_333));
        let presentation = Presentation::new("name".into(), Some(video()), None, interval);
        assert_eq!(presentation.target().as_secs(), 8);
    }

    #[test]
    fn a_target_duration_that_was_shown_stays_and_longer_groups_are_cut() {
        let mut presentation = presentation();
        push(&mut presentation, &Broadcast::default(), 0, 5_000);
        presentation.show();
        let slow = Broadcast {
            group: 250,
            ..Broadcast::default()
        };
        presentation.interrupt();
        push(&mut presentation, &slow, 5_000, 25_000);
        assert_eq!(presentation.target().as_secs(), 2);
        let longest = |track: &Track| track.shown().map(Segment::duration).max().unwrap();
        assert!(presentation.tracks().map(longest).max().unwrap() < Duration::from_millis(2_500));
        let track = presentation.track(TrackKind::Video).unwrap();
        assert!(!track.shown().all(Segment::independent));
    }

    #[test]
    fn keyframes_that_somebody_asked_for_make_segments_short_not_long() {
        let mut presentation = presentation();
        presentation.show();
        let keyframes = [0, 2_000, 4_000, 5_000, 7_000, 9_000, 9_100];
        for (&from, &to) in keyframes.iter().zip(&keyframes[1..]) {
            push(&mut presentation, &Broadcast::default(), from, to);
        }
        assert_eq!(
            lengths(&presentation, TrackKind::Video),
            [20, 20, 10, 20, 20]
        );
        assert_eq!(presentation.target(), SEGMENT);
    }

    #[test]
    fn without_keyframes_segments_are_cut_before_they_eat_memory() {
        let mut presentation = presentation();
        let broadcast = Broadcast {
            group: i64::MAX,
            ..Broadcast::default()
        };
        push(&mut presentation, &broadcast, 0, 30_000);
        let track = presentation.track(TrackKind::Video).unwrap();
        assert_eq!(track.shown().count(), 2);
        assert_eq!(presentation.target(), FORCED);
        assert!(!track.shown().nth(1).unwrap().independent());
    }

    #[test]
    fn sound_is_cut_where_the_picture_is() {
        let mut presentation = presentation();
        push(&mut presentation, &Broadcast::default(), 0, 9_000);
        let starts = |kind| -> Vec<_> {
            let shown = presentation.track(kind).unwrap().shown();
            shown
                .map(|segment| (segment.number, segment.start))
                .collect()
        };
        let (pictures, sounds) = (starts(TrackKind::Video), starts(TrackKind::Audio));
        assert_eq!(pictures.len(), 4);
        assert_eq!(sounds.len(), 4);
        for ((number, picture), (same, sound)) in pictures.into_iter().zip(sounds) {
            assert_eq!(number, same);
            let apart = picture.since(sound).max(sound.since(picture));
            assert!(apart < Duration::from_millis(22), "{picture} {sound}");
        }
    }

    #[test]
    fn another_resolution_is_a_discontinuity_of_picture_and_sound() {
        let mut presentation = presentation();
        push(&mut presentation, &Broadcast::default(), 0, 4_000);
        let larger = Broadcast {
            video: Some(video_720p()),
            ..Broadcast::default()
        };
        push(&mut presentation, &larger, 4_000, 9_000);
        for track in presentation.tracks() {
            let breaks: Vec<_> = track.shown().map(|segment| segment.discontinuity).collect();
            assert_eq!(breaks, [false, false, true, false], "{:?}", track.kind());
        }
        let inits = presentation.track(TrackKind::Video).unwrap().shown();
        let inits: Vec<_> = inits.map(|segment| segment.init).collect();
        assert_eq!(inits, [0, 0, 1, 1]);
    }

    #[test]
    fn after_a_break_time_jumps_ahead_and_pictures_wait_for_a_keyframe() {
        let mut presentation = presentation();
        push(&mut presentation, &Broadcast::default(), 0, 3_000);
        presentation.interrupt();
        presentation.push(&Arc::new(unit(video(), ms(9_900), false)));
        push(&mut presentation, &Broadcast::default(), 10_000, 13_000);
        let track = presentation.track(TrackKind::Video).unwrap();
        let segments: Vec<_> = track.shown().collect();
        assert_eq!(segments.len(), 3);
        assert!(segments[2].discontinuity && segments[2].independent());
        assert_eq!(segments[2].start, ms(10_000));
        assert_eq!(segments[2].discontinuities, 1);
    }

    #[test]
    fn pictures_that_are_reordered_have_composition_offsets() {
        let mut presentation = Presentation::new("name".into(), Some(video()), None, None);
        for n in 0..70 {
            let at = ms(n * 40);
            presentation.push(&Arc::new(AccessUnit {
                pts: at + ms(80),
                ..unit(video(), at, n % 50 == 0)
            }));
        }
        let track = presentation.track(TrackKind::Video).unwrap();
        let segment = track.segment(0).unwrap();
        assert_eq!(segment.start, ms(80));
        let moof = super::super::fmp4::tests::find(&segment.data, &["moof", "traf", "trun"]);
        assert_eq!(moof.unwrap()[24..28], 7_200_i32.to_be_bytes());
        assert_eq!(fragments(&segment.data)[0].0, 0);
    }

    #[test]
    fn sound_alone_is_cut_every_two_seconds() {
        let mut presentation = Presentation::new("name".into(), None, Some(audio()), None);
        let radio = Broadcast {
            video: None,
            ..Broadcast::default()
        };
        push(&mut presentation, &radio, 0, 9_000);
        assert_eq!(lengths(&presentation, TrackKind::Audio), [20; 4]);
        assert_eq!(presentation.target(), SEGMENT);
    }
}
