//! The sound of a presentation: it follows the picture, and what is missing of it is silence.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::fmp4::Sample;
use super::segment::Beginning;
use super::silence;
use super::track::Track;
use crate::media::access_unit::{AccessUnit, Format};
use crate::media::time::MediaTime;

/// Samples of an AAC frame, in ticks (ISO/IEC 14496-3 section 4.5.1.1).
const FRAME: i64 = 1_024;
/// Sound that is as late as this is not waited for any longer, and silence is played up to ...
const LATE: MediaTime = MediaTime::from_micros(1_000_000);
/// ... this long before the picture, so that sound that comes back finds its place.
const SILENT_UNTIL: MediaTime = MediaTime::from_micros(800_000);
/// Longest gap that is filled with silence, in frames; some 20 s.
const SILENT_AT_MOST: i64 = 1_000;
/// Sound that waits for the picture, at most, in units.
const HELD: usize = 512;

/// A rendition of sound, and what of it waits for the picture.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) track: Track,
    /// Of the newest unit that came.
    newest: Format,
    /// What the picture has not come to yet.
    held: VecDeque<Arc<AccessUnit>>,
    /// Where the picture was cut and the sound is still to be.
    cuts: VecDeque<Beginning>,
    /// When the next frame begins, in ticks.
    next: i64,
}

impl Sound {
    pub(super) fn new(format: Format) -> Self {
        Self {
            track: Track::new(format.clone()),
            newest: format,
            held: VecDeque::new(),
            cuts: VecDeque::new(),
            next: 0,
        }
    }

    /// Whether the newest unit has this format, which is remembered.
    pub(super) fn is_still(&mut self, format: &Format) -> bool {
        let is_still = self.newest == *format;
        if !is_still {
            self.newest = format.clone();
        }
        is_still
    }

    /// A segment is to begin here.
    pub(super) fn cut_at(&mut self, beginning: Beginning) {
        self.cuts.push_back(beginning);
    }

    /// Keeps a unit until the picture has come as far.
    pub(super) fn hold(&mut self, unit: Arc<AccessUnit>) {
        self.held.push_back(unit);
        if self.held.len() > HELD
            && let Some(oldest) = self.held.pop_front()
        {
            self.push(&oldest);
        }
    }

    /// The picture has come as far as this.
    pub(super) fn follow(&mut self, picture: MediaTime) {
        while let Some(unit) = self.held.pop_front() {
            if unit.dts >= picture {
                self.held.push_front(unit);
                break;
            }
            self.push(&unit);
        }
        if self.until() + LATE < picture {
            self.be_silent_until(picture - SILENT_UNTIL);
        }
    }

    /// The time up to which there is sound.
    fn until(&self) -> MediaTime {
        let written = MediaTime::from_ticks(self.next, self.track.timescale());
        // Nothing was to be heard before the first cut.
        match (self.track.open(), self.cuts.front()) {
            (None, Some(cut)) => written.max(cut.start),
            _ => written,
        }
    }

    /// Adds a frame, and silence where some are missing before it.
    pub(super) fn push(&mut self, unit: &AccessUnit) {
        while let Some(cut) = self.cuts.pop_front_if(|cut| cut.start <= unit.pts) {
            self.cut(cut, Some(&unit.format));
        }
        if self.track.open().is_none() {
            return;
        }
        let ahead = unit.pts.to_ticks(self.track.timescale()) - self.next;
        // The times that encoders send are rounded: only what is missing or too much counts.
        if ahead <= -2 * FRAME {
            return;
        }
        self.fill(ahead);
        self.frame(&unit.data);
    }

    fn cut(&mut self, cut: Beginning, format: Option<&Format>) {
        let at = |track: &Track| cut.start.to_ticks(track.timescale());
        if cut.discontinuity || self.track.open().is_none() {
            self.track.finish(None);
            let written = MediaTime::from_ticks(self.next, self.track.timescale());
            if let Some(format) = format {
                self.track.change_format(format.clone());
            }
            let written = written.to_ticks(self.track.timescale());
            self.next = at(&self.track).max(written);
        } else {
            self.fill(at(&self.track) - self.next);
        }
        let start = MediaTime::from_ticks(self.next, self.track.timescale());
        self.track.begin(Beginning { start, ..cut }, self.next);
    }

    /// Adds as many frames of silence as are missing, if it is more than rounding explains.
    fn fill(&mut self, ticks: i64) {
        if ticks < 2 * FRAME {
            return;
        }
        let silence = silence::frame(self.track.format());
        let frames = ticks / FRAME;
        for _ in 0..frames.min(SILENT_AT_MOST) {
            self.frame(&silence);
        }
        self.next += (frames - SILENT_AT_MOST).max(0) * FRAME;
    }

    fn frame(&mut self, data: &Bytes) {
        self.track.push(Sample {
            dts: self.next,
            composition_offset: 0,
            duration: 0,
            independent: true,
            data: data.clone(),
        });
        self.next += FRAME;
    }

    fn be_silent_until(&mut self, time: MediaTime) {
        while let Some(cut) = self.cuts.pop_front_if(|cut| cut.start <= time) {
            self.cut(cut, None);
        }
        if self.track.open().is_some() {
            self.fill(time.to_ticks(self.track.timescale()) - self.next);
        }
    }

    /// Brings the sound to where the picture ends.
    pub(super) fn flush(&mut self, picture_ends: Option<MediaTime>) {
        for unit in std::mem::take(&mut self.held) {
            self.push(&unit);
        }
        let Some(end) = picture_ends else {
            return;
        };
        self.be_silent_until(end);
        if self.track.is_empty() {
            self.frame(&silence::frame(self.track.format()));
        }
        self.cuts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::presentation::Presentation;
    use super::super::testing::{Broadcast, audio, fragments, ms, video};
    use super::*;
    use crate::media::access_unit::TrackKind;

    fn push(presentation: &mut Presentation, broadcast: &Broadcast, from: i64, to: i64) {
        for unit in broadcast.units(from, to) {
            presentation.push(&unit);
        }
    }

    #[test]
    fn sound_that_stays_away_is_silence_and_finds_its_place_again() {
        let mut presentation = Presentation::new("name".into(), Some(video()), Some(audio()), None);
        let silent = Broadcast {
            audio: None,
            ..Broadcast::default()
        };
        push(&mut presentation, &Broadcast::default(), 0, 2_000);
        push(&mut presentation, &silent, 2_000, 8_000);
        let silent_for = presentation.track(TrackKind::Audio).unwrap().next();
        assert!(silent_for.segment >= 3, "{silent_for:?}");
        push(&mut presentation, &Broadcast::default(), 8_000, 12_100);
        let track = presentation.track(TrackKind::Audio).unwrap();
        let mut end = None;
        for segment in track.shown() {
            for (begins, ends, _) in fragments(&segment.data) {
                assert!(end.is_none_or(|end| end == begins));
                end = Some(ends);
            }
        }
        let apart = end.unwrap() - ms(12_000).to_ticks(48_000);
        assert!(apart.abs() <= 2 * FRAME, "{apart}");
    }

    #[test]
    fn sound_that_is_far_ahead_of_the_picture_does_not_eat_memory() {
        let mut sound = Sound::new(audio());
        let radio = Broadcast {
            video: None,
            ..Broadcast::default()
        };
        for unit in radio.units(0, 60_000) {
            sound.hold(unit);
        }
        assert!(sound.held.len() <= HELD);
    }
}
