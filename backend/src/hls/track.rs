//! One rendition: samples in; parts and segments, kept for as long as players may ask for them, out.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::fmp4::{self, Sample};
use super::segment::{Beginning, Next, Part, Segment};
use crate::media::access_unit::{Format, TrackKind};
use crate::media::time::MediaTime;

/// What a part is meant to last. 200 ms would leave no room for rates such as 29.97 or 44,100 Hz: six
/// pictures would be too long and five too short for the 85 % that a part has to have (section 4.4.4.9).
const PART: Duration = Duration::from_millis(210);
/// Segments that a playlist lists at most, and how long they last together ...
const WINDOW: usize = 8;
const WINDOW_SPAN: Duration = Duration::from_secs(16);
/// ... but never fewer than these (section 6.2.2), however long.
const WINDOW_LEAST: usize = 3;
/// Bytes that a rendition keeps at most, beyond the [`WINDOW_LEAST`].
const KEPT_BYTES: usize = 48 << 20;

/// A rendition of a presentation.
#[derive(Debug)]
pub struct Track {
    format: Format,
    /// Initialization segments that segments need, by their numbers.
    inits: VecDeque<(u32, Bytes)>,
    /// Complete ones, oldest first.
    segments: VecDeque<Segment>,
    /// The one that is being written.
    open: Option<Segment>,
    /// Samples of its next part. The newest does not have its duration yet.
    pending: Vec<Sample>,
    /// The duration of the sample before the newest.
    usual: u32,
    next_number: u64,
    discontinuities: u64,
    fragments: u32,
    /// The number of the oldest segment in the playlist.
    first_shown: u64,
}

impl Track {
    /// An empty track.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let init = fmp4::initialization(&format);
        Self {
            format,
            inits: VecDeque::from([(0, init)]),
            segments: VecDeque::new(),
            open: None,
            pending: Vec::new(),
            usual: 0,
            next_number: 0,
            discontinuities: 0,
            fragments: 0,
            first_shown: 0,
        }
    }

    /// What it carries.
    #[must_use]
    pub const fn kind(&self) -> TrackKind {
        self.format.kind()
    }

    /// Of what comes next.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Ticks per second.
    #[must_use]
    pub fn timescale(&self) -> u32 {
        fmp4::timescale(&self.format)
    }

    /// Segments of the playlist that are complete, oldest first.
    pub fn shown(&self) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        let first = self.first_shown;
        self.segments
            .iter()
            .filter(move |segment| segment.number >= first)
    }

    /// The segment that is being written.
    #[must_use]
    pub const fn open(&self) -> Option<&Segment> {
        self.open.as_ref()
    }

    /// The number of the oldest segment in the playlist.
    #[must_use]
    pub const fn first_shown(&self) -> u64 {
        self.first_shown
    }

    /// The part that comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        match &self.open {
            Some(open) => Next {
                segment: open.number,
                part: open.parts.len(),
            },
            None => Next {
                segment: self.next_number,
                part: 0,
            },
        }
    }

    /// The newest part that there is.
    #[must_use]
    pub fn newest_part(&self) -> Option<Next> {
        let mut segments = self.shown().chain(self.open());
        let newest = segments.rfind(|segment| !segment.parts.is_empty())?;
        Some(Next {
            segment: newest.number,
            part: newest.parts.len() - 1,
        })
    }

    /// The longest that a part may be, or is in any segment that is kept: a picture that lasted long keeps
    /// players at a distance for as long as another like it is to be expected, and no longer.
    #[must_use]
    pub fn part_target(&self) -> Duration {
        let parts = self
            .segments
            .iter()
            .chain(self.open())
            .flat_map(|s| &s.parts);
        parts.map(|part| part.duration).fold(PART, Duration::max)
    }

    /// How long the segment that is being written becomes with a sample at `dts`, if that lasts as long as
    /// the one before it.
    #[must_use]
    pub fn open_duration_with(&self, dts: i64) -> Duration {
        let written = self.open.as_ref().map_or(Duration::ZERO, Segment::duration);
        // The newest sample does not have its duration yet.
        let newest = self.pending.last().map_or(0, |newest| dts - newest.dts);
        let newest = self.time(u64::try_from(newest).unwrap_or(0));
        written + self.pending_duration() + 2 * newest
    }

    /// Bytes of the segment that is being written.
    #[must_use]
    pub fn open_size(&self) -> usize {
        let pending: usize = self.pending.iter().map(|sample| sample.data.len()).sum();
        self.open.as_ref().map_or(0, Segment::size) + pending
    }

    /// When the next sample has to be decoded, if it is to follow the newest as that followed the one
    /// before it.
    #[must_use]
    pub fn end(&self) -> Option<i64> {
        let newest = self.pending.last()?;
        Some(newest.dts + i64::from(self.usual.max(1)))
    }

    /// The ticks at which a sample is decoded that is to be decoded at `time`: after the newest.
    #[must_use]
    pub fn place(&self, time: MediaTime) -> i64 {
        let newest = self.pending.last();
        let after = newest.map_or(i64::MIN, |newest| newest.dts + 1);
        time.to_ticks(self.timescale()).max(after)
    }

    /// Whether a segment was begun and nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_empty = |open: &Segment| open.parts.is_empty();
        self.pending.is_empty() && self.open.as_ref().is_some_and(is_empty)
    }

    /// An initialization segment.
    #[must_use]
    pub fn init(&self, number: u32) -> Option<&Bytes> {
        let found = self.inits.iter().find(|(there, _)| *there == number);
        found.map(|(_, data)| data)
    }

    /// A complete segment.
    #[must_use]
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.segments.get(at)
    }

    /// A part.
    #[must_use]
    pub fn part(&self, wanted: Next) -> Option<&Part> {
        let open = self.open.as_ref();
        let segment = open
            .filter(|open| open.number == wanted.segment)
            .or_else(|| self.segment(wanted.segment))?;
        segment.parts.get(wanted.part)
    }

    /// From here on samples have another format. Only between segments.
    pub fn change_format(&mut self, format: Format) {
        if self.format != format {
            let number = self.inits.back().map_or(0, |(number, _)| number + 1);
            self.inits
                .push_back((number, fmp4::initialization(&format)));
            self.format = format;
            self.usual = 0;
        }
    }

    /// Begins a segment; the one before it is complete.
    pub fn begin(&mut self, beginning: Beginning, first_dts: i64) {
        self.finish(if beginning.discontinuity {
            None
        } else {
            Some(first_dts)
        });
        self.discontinuities += u64::from(beginning.discontinuity);
        self.open = Some(Segment {
            number: self.next_number,
            init: self.inits.back().map_or(0, |(number, _)| *number),
            discontinuity: beginning.discontinuity,
            discontinuities: self.discontinuities,
            start: beginning.start,
            parts: Vec::new(),
            data: Bytes::new(),
        });
        self.next_number += 1;
    }

    /// Adds a sample to the segment that is being written. Its time is after that of the one before it.
    pub fn push(&mut self, sample: Sample) {
        self.end_newest(Some(sample.dts));
        // Too long with the newest: it goes into the next part, unless it is alone.
        while self.pending_duration() > PART {
            let count = (self.pending.len() - 1).max(1);
            self.complete_part(count);
        }
        // Too long with another like the newest: as long as it can be.
        if self.pending_duration() + self.time(self.usual.into()) > PART {
            self.complete_part(self.pending.len());
        }
        self.pending.push(sample);
    }

    /// Completes the segment that is being written. `next_dts` is when the next sample is decoded, if it
    /// continues this one.
    pub fn finish(&mut self, next_dts: Option<i64>) {
        self.end_newest(next_dts);
        while self.pending_duration() > PART && self.pending.len() > 1 {
            self.complete_part(self.pending.len() - 1);
        }
        self.complete_part(self.pending.len());
        let Some(mut segment) = self.open.take() else {
            return;
        };
        if segment.parts.is_empty() {
            // Nothing was written, so its number is still free.
            self.next_number = segment.number;
            self.discontinuities -= u64::from(segment.discontinuity);
            return;
        }
        // One piece of memory for the segment and its parts.
        let mut data = BytesMut::with_capacity(segment.size());
        for part in &segment.parts {
            data.extend_from_slice(&part.data);
        }
        segment.data = data.freeze();
        let mut begin = 0;
        for part in &mut segment.parts {
            let end = begin + part.data.len();
            part.data = segment.data.slice(begin..end);
            begin = end;
        }
        self.segments.push_back(segment);
        self.move_window();
    }

    /// Forgets all segments, but not their numbers.
    pub fn clear(&mut self) {
        self.finish(None);
        self.segments.clear();
        self.first_shown = self.next_number;
    }

    /// Forgets all complete segments but the newest few, and what they need.
    pub fn thin(&mut self) {
        let surplus = self.segments.len().saturating_sub(WINDOW_LEAST);
        self.segments.drain(..surplus);
        self.forget();
    }

    fn time(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.timescale());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn pending_duration(&self) -> Duration {
        let ticks = self.pending.iter().map(|sample| u64::from(sample.duration));
        self.time(ticks.sum())
    }

    /// The newest sample lasts until the next, or as long as the one before it.
    fn end_newest(&mut self, next_dts: Option<i64>) {
        let usual = if self.usual == 0 {
            self.timescale() / 30
        } else {
            self.usual
        };
        let Some(newest) = self.pending.last_mut() else {
            return;
        };
        let known = next_dts.and_then(|next| u32::try_from(next - newest.dts).ok());
        newest.duration = known.unwrap_or(usual).max(1);
        self.usual = newest.duration;
    }

    fn complete_part(&mut self, count: usize) {
        let (Some(open), true) = (&mut self.open, count > 0) else {
            return;
        };
        let kind = self.format.kind();
        let mut data = BytesMut::new();
        if open.parts.is_empty() {
            fmp4::put_segment_type(&mut data);
        }
        let samples: Vec<_> = self.pending.drain(..count).collect();
        fmp4::put_fragment(&mut data, kind, self.fragments, &samples);
        self.fragments = self.fragments.wrapping_add(1);
        let ticks = samples.iter().map(|sample| u64::from(sample.duration));
        let independent = samples.first().is_some_and(|sample| sample.independent);
        let duration = self.time(ticks.sum());
        if let Some(open) = &mut self.open {
            open.parts.push(Part {
                duration,
                independent,
                samples: count,
                data: data.freeze(),
            });
        }
    }

    /// What has left the playlist is kept for as long as it was in it (section 6.2.2).
    fn move_window(&mut self) {
        let shown: Vec<_> = self.shown().collect();
        let span = |count: usize| -> Duration {
            let newest = shown.iter().rev().take(count);
            newest.map(|segment| segment.duration()).sum()
        };
        let count = (WINDOW_LEAST..=WINDOW)
            .rev()
            .find(|&count| span(count) <= WINDOW_SPAN)
            .unwrap_or(WINDOW_LEAST);
        let surplus = shown.len().saturating_sub(count);
        let first = shown.get(surplus).map_or(0, |segment| segment.number);
        let shown = shown.len() - surplus;
        self.first_shown = first;
        while self.segments.len() > 2 * shown + 1
            || (self.size() > KEPT_BYTES && self.segments.len() > WINDOW_LEAST)
        {
            self.segments.pop_front();
        }
        self.forget();
    }

    /// Nothing refers any longer to segments that are gone.
    fn forget(&mut self) {
        if let Some(oldest) = self.segments.front() {
            self.first_shown = self.first_shown.max(oldest.number);
            while self
                .inits
                .front()
                .is_some_and(|(number, _)| *number < oldest.init)
            {
                self.inits.pop_front();
            }
        }
    }

    fn size(&self) -> usize {
        self.segments.iter().map(|segment| segment.data.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audio, fragments, ms, video, video_720p};
    use super::*;

    /// A track of samples that last so long, in ticks; a segment begins with every `group`th.
    fn track(format: Format, duration: u32, samples: i64, group: i64) -> Track {
        let mut track = Track::new(format);
        fill(&mut track, duration, 0..samples, group);
        track
    }

    fn fill(track: &mut Track, duration: u32, samples: std::ops::Range<i64>, group: i64) {
        for n in samples {
            let dts = n * i64::from(duration);
            if n % group == 0 {
                let start = MediaTime::from_ticks(dts, track.timescale());
                let beginning = Beginning {
                    start,
                    discontinuity: false,
                };
                track.begin(beginning, dts);
            }
            track.push(Sample {
                dts,
                composition_offset: 0,
                duration: 0,
                independent: n % group == 0,
                data: Bytes::from_static(&[7; 100]),
            });
        }
    }

    #[test]
    fn at_common_rates_parts_are_as_long_as_they_have_to_be() {
        for (format, duration) in [
            (video(), 1_500),
            (video(), 3_000),
            (video(), 3_003),
            (video(), 3_600),
            (video(), 3_750),
            (video(), 4_500),
            (video(), 6_000),
            (audio(), 1_024),
        ] {
            let track = track(format, duration, 400, 60);
            assert_eq!(track.part_target(), PART, "{duration}");
            for segment in track.shown() {
                let (_, but_last) = segment.parts.split_last().unwrap();
                for part in but_last {
                    assert!(
                        part.duration >= PART.mul_f64(0.85),
                        "{duration}: {:?}",
                        part.duration
                    );
                }
            }
        }
    }

    #[test]
    fn a_part_is_there_once_its_last_sample_is_followed() {
        let track = track(video(), 3_000, 7, 60);
        assert_eq!(
            track.next(),
            Next {
                segment: 0,
                part: 1
            }
        );
    }

    #[test]
    fn a_picture_that_lasts_longer_than_a_part_makes_the_target_honest() {
        let mut track = track(video(), 3_000, 10, 60);
        fill(&mut track, 45_000, 1..4, 60);
        let longest = track.open().unwrap().parts.iter().map(|part| part.duration);
        assert_eq!(track.part_target(), longest.max().unwrap());
    }

    #[test]
    fn a_picture_that_lasted_long_is_forgotten_with_its_segment() {
        let mut track = track(video(), 3_000, 10, 60);
        fill(&mut track, 45_000, 1..4, 60);
        assert!(track.part_target() > PART);
        fill(&mut track, 3_000, 60..2_400, 60);
        assert_eq!(track.part_target(), PART);
    }

    #[test]
    fn decode_times_go_on_from_part_to_part_and_from_segment_to_segment() {
        let mut track = track(video(), 3_003, 300, 60);
        track.finish(None);
        let mut end = 0;
        let mut pictures = 0;
        for segment in track.shown() {
            for (begins, ends, samples) in fragments(&segment.data) {
                assert_eq!(begins, end);
                end = ends;
                pictures += samples;
            }
        }
        assert_eq!((end, pictures), (300 * 3_003, 300));
    }

    #[test]
    fn a_segment_is_its_parts_in_the_same_memory() {
        let track = track(video(), 3_000, 61, 60);
        let segment = track.segment(0).unwrap();
        let parts: Vec<_> = segment.parts.iter().map(|part| &part.data[..]).collect();
        assert_eq!(parts.concat(), segment.data);
        assert_eq!(parts[0].as_ptr(), segment.data.as_ptr());
    }

    #[test]
    fn what_has_left_the_playlist_is_kept_for_a_while_and_not_for_ever() {
        let track = track(video(), 3_000, 60 * 100 + 1, 60);
        assert_eq!(track.shown().count(), WINDOW);
        assert_eq!(track.first_shown(), 92);
        assert!(track.segment(91).is_some() && track.segment(84).is_some());
        assert!(track.segment(80).is_none());
    }

    #[test]
    fn of_long_segments_there_are_fewer_but_never_less_than_three() {
        let track = track(video(), 3_000, 600 * 10 + 1, 600);
        assert_eq!(track.shown().count(), WINDOW_LEAST);
    }

    #[test]
    fn a_thin_track_has_what_a_player_needs_to_begin() {
        let mut track = track(video(), 3_000, 60 * 20 + 1, 60);
        track.thin();
        let numbers: Vec<_> = track.shown().map(|segment| segment.number).collect();
        assert_eq!(numbers, [17, 18, 19]);
        assert_eq!(track.first_shown(), 17);
        assert!(track.segment(16).is_none() && track.init(0).is_some());
    }

    #[test]
    fn numbers_go_on_when_the_media_is_forgotten() {
        let mut track = track(video(), 3_000, 121, 60);
        track.clear();
        assert_eq!(track.shown().count(), 0);
        assert_eq!(track.next().segment, 3);
        assert_eq!(track.first_shown(), 3);
    }

    #[test]
    fn an_initialization_segment_is_kept_as_long_as_segments_need_it() {
        let mut track = track(video(), 3_000, 60, 60);
        track.finish(None);
        track.change_format(video_720p());
        fill(&mut track, 3_000, 60..61, 60);
        assert_eq!(track.open().unwrap().init, 1);
        assert!(track.init(0).is_some() && track.init(1).is_some());
        fill(&mut track, 3_000, 61..60 * 40, 60);
        assert!(track.init(0).is_none() && track.init(1).is_some());
    }

    #[test]
    fn a_segment_without_samples_has_no_number() {
        let mut track = Track::new(video());
        let beginning = Beginning {
            start: ms(0),
            discontinuity: true,
        };
        track.begin(beginning, 0);
        track.finish(None);
        assert_eq!(track.next(), Next::default());
    }
}
