//! What a room is over HLS: the presentation that goes on, and the one before it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::presentation::Presentation;
use crate::media::access_unit::{AccessUnit, Epoch, Format, TrackKind};
use crate::media::time::MediaTime;
use crate::random;

/// How long a track is waited for when another is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// Units that wait for that, at most.
const WAITING: usize = 512;
/// Letters of a presentation's name: nobody meets an old one in a cache.
const NAME: usize = 8;

/// Makes presentations of a stage's units. A new publisher goes on with the presentation if it has the
/// same tracks (sound may be missing: silence is played), else that ends and another begins.
#[derive(Debug, Default)]
pub struct Packager {
    present: Option<Presentation>,
    previous: Option<Presentation>,
    epoch: Option<Epoch>,
    /// Of an epoch whose tracks are not known yet.
    waiting: Vec<Arc<AccessUnit>>,
    /// The longest time between keyframes that this encoder is known for.
    pub keyframe_interval: Option<Duration>,
}

impl Packager {
    /// What plays now, or has played last.
    #[must_use]
    pub const fn present(&self) -> Option<&Presentation> {
        self.present.as_ref()
    }

    /// The presentation with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Presentation> {
        [&self.present, &self.previous]
            .into_iter()
            .flatten()
            .find(|presentation| presentation.name() == name)
    }

    /// Adds a unit.
    pub fn push(&mut self, unit: &Arc<AccessUnit>) {
        if self.epoch.replace(unit.epoch) != Some(unit.epoch) {
            self.interrupt();
            self.waiting.clear();
            self.waiting.push(Arc::clone(unit));
        } else if self.waiting.is_empty() {
            self.deliver(unit);
            return;
        } else {
            self.waiting.push(Arc::clone(unit));
        }
        if self.is_known() {
            self.settle();
        }
    }

    /// The publisher has gone; another may come.
    pub fn interrupt(&mut self) {
        if let Some(present) = &mut self.present
            && !present.ended()
        {
            present.interrupt();
        }
    }

    /// The broadcast is over.
    pub fn end(&mut self) {
        if let Some(present) = &mut self.present
            && !present.ended()
        {
            present.end();
        }
        self.epoch = None;
        self.waiting.clear();
    }

    /// Players are told the target duration of what plays now: it stays.
    pub fn show(&mut self) {
        if let Some(present) = &mut self.present {
            present.show();
        }
    }

    /// Nobody watches, but somebody may begin at any time: keeps what they need.
    pub fn thin(&mut self) {
        self.previous = None;
        if let Some(present) = &mut self.present {
            present.thin();
        }
    }

    /// Nobody watches: forgets all media. The numbers go on where they were.
    pub fn rest(&mut self) {
        self.previous = None;
        self.present = self.present.take().filter(|present| !present.ended());
        if let Some(present) = &mut self.present {
            present.rest();
        }
        self.epoch = None;
        self.waiting.clear();
    }

    fn deliver(&mut self, unit: &Arc<AccessUnit>) {
        let Some(present) = &mut self.present else {
            return;
        };
        if present.track(unit.format.kind()).is_none() {
            // A track more than before: a player has to be told by another presentation.
            present.end();
            self.waiting.push(Arc::clone(unit));
            self.settle_with(Some(unit.format.kind()));
            return;
        }
        present.push(unit);
    }

    /// Whether it is clear which tracks the epoch has.
    fn is_known(&self) -> bool {
        let (video, audio) = (self.first(TrackKind::Video), self.first(TrackKind::Audio));
        let has_audio = |present: &Presentation| present.track(TrackKind::Audio).is_some();
        let is_both =
            video.is_some() && (audio.is_some() || self.going_on().is_some_and(has_audio));
        let ends = [self.waiting.first(), self.waiting.last()];
        let span = match ends {
            [Some(first), Some(last)] => last.dts.since(first.dts),
            _ => Duration::ZERO,
        };
        is_both || span >= PATIENCE || self.waiting.len() >= WAITING
    }

    fn first(&self, kind: TrackKind) -> Option<&Format> {
        let mut formats = self.waiting.iter().map(|unit| &unit.format);
        formats.find(|format| format.kind() == kind)
    }

    fn going_on(&self) -> Option<&Presentation> {
        self.present.as_ref().filter(|present| !present.ended())
    }

    fn settle(&mut self) {
        self.settle_with(None);
    }

    /// Goes on with the presentation, or begins another one. `more` is a track that has come on top of
    /// those of the presentation.
    fn settle_with(&mut self, more: Option<TrackKind>) {
        let has = |kind| self.first(kind).is_some();
        let fits = self.going_on().is_some_and(|present| {
            let has_video = present.track(TrackKind::Video).is_some();
            let has_audio = present.track(TrackKind::Audio).is_some();
            has_video == has(TrackKind::Video) && (has_audio || !has(TrackKind::Audio))
        });
        if !fits {
            let of = |kind| {
                let before = self.present.as_ref().filter(|_| more.is_some());
                let before = before.and_then(|present| Some(present.track(kind)?.format()));
                self.first(kind).or(before).cloned()
            };
            let presentation = Presentation::new(
                random::text::<NAME>(),
                of(TrackKind::Video),
                of(TrackKind::Audio),
                self.keyframe_interval,
            );
            if let Some(mut before) = self.present.replace(presentation) {
                if !before.ended() {
                    before.end();
                }
                self.previous = Some(before);
            }
        }
        let Some(present) = &mut self.present else {
            return;
        };
        for unit in mem::take(&mut self.waiting) {
            present.push(&unit);
        }
    }
}

/// Turns the stage's time into the time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    /// The time of day at the stage's beginning, in microseconds since 1970.
    pub epoch: i64,
}

impl WallClock {
    /// In milliseconds since 1970.
    #[must_use]
    pub const fn millis(self, time: MediaTime) -> i64 {
        (self.epoch + time.as_micros()).div_euclid(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Broadcast, audio};
    use super::*;

    fn push(packager: &mut Packager, broadcast: &Broadcast, from: i64, to: i64) {
        for unit in broadcast.units(from, to) {
            packager.push(&unit);
        }
    }

    fn name(packager: &Packager) -> String {
        packager.present().unwrap().name().to_owned()
    }

    fn next_segment(packager: &Packager, kind: TrackKind) -> u64 {
        packager
            .present()
            .unwrap()
            .track(kind)
            .unwrap()
            .next()
            .segment
    }

    #[test]
    fn a_presentation_begins_when_it_is_clear_what_there_is() {
        let mut packager = Packager::default();
        let silent = Broadcast {
            audio: None,
            ..Broadcast::default()
        };
        push(&mut packager, &silent, 0, 900);
        assert!(packager.present().is_none());
        push(&mut packager, &silent, 900, 1_100);
        assert!(
            packager
                .present()
                .unwrap()
                .track(TrackKind::Audio)
                .is_none()
        );
        let mut packager = Packager::default();
        push(&mut packager, &Broadcast::default(), 0, 50);
        assert_eq!(packager.present().unwrap().tracks().count(), 2);
    }

    #[test]
    fn another_publisher_goes_on_with_the_presentation() {
        let mut packager = Packager::default();
        push(&mut packager, &Broadcast::default(), 0, 3_000);
        let before = name(&packager);
        let other = Broadcast {
            epoch: 2,
            ..Broadcast::default()
        };
        push(&mut packager, &other, 5_000, 8_000);
        assert_eq!(name(&packager), before);
        for track in packager.present().unwrap().tracks() {
            let last = track.shown().next_back().unwrap();
            assert!(last.discontinuity, "{:?}", track.kind());
            assert_eq!(last.number, 2);
        }
    }

    #[test]
    fn a_publisher_without_sound_goes_on_in_silence() {
        let mut packager = Packager::default();
        push(&mut packager, &Broadcast::default(), 0, 3_000);
        let before = name(&packager);
        let silent = Broadcast {
            epoch: 2,
            audio: None,
            ..Broadcast::default()
        };
        push(&mut packager, &silent, 3_000, 9_000);
        assert_eq!(name(&packager), before);
        assert!(next_segment(&packager, TrackKind::Audio) >= 4);
    }

    #[test]
    fn a_track_more_is_another_presentation_and_the_old_one_ends() {
        let mut packager = Packager::default();
        let silent = Broadcast {
            audio: None,
            ..Broadcast::default()
        };
        push(&mut packager, &silent, 0, 3_000);
        let before = name(&packager);
        push(&mut packager, &Broadcast::default(), 3_000, 6_000);
        assert_ne!(name(&packager), before);
        assert!(packager.named(&before).unwrap().ended());
        let present = packager.present().unwrap();
        assert_eq!(present.track(TrackKind::Audio).unwrap().format(), &audio());
        // It begins with the next keyframe.
        assert!(present.track(TrackKind::Video).unwrap().next().part > 0);
    }

    #[test]
    fn numbers_go_on_after_a_rest() {
        let mut packager = Packager::default();
        push(&mut packager, &Broadcast::default(), 0, 5_000);
        let (before, open) = (name(&packager), next_segment(&packager, TrackKind::Video));
        packager.rest();
        push(&mut packager, &Broadcast::default(), 90_000, 93_000);
        assert_eq!(name(&packager), before);
        let track = packager.present().unwrap().track(TrackKind::Video).unwrap();
        let first = track.shown().next().unwrap();
        assert_eq!((first.number, first.discontinuity), (open + 1, true));
    }

    #[test]
    fn a_broadcast_after_the_end_is_another_presentation() {
        let mut packager = Packager::default();
        push(&mut packager, &Broadcast::default(), 0, 3_000);
        let before = name(&packager);
        packager.end();
        assert!(packager.present().unwrap().ended());
        let other = Broadcast {
            epoch: 2,
            ..Broadcast::default()
        };
        push(&mut packager, &other, 5_000, 8_000);
        assert_ne!(name(&packager), before);
        assert!(!packager.present().unwrap().ended());
    }
}
