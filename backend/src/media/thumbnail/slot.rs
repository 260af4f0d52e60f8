//! When a room gets another picture.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{ThumbnailError, thumbnail};
use crate::media::access_unit::{AccessUnit, Epoch, TrackKind};
use crate::media::fanout::Start;
use crate::media::stage::Stage;
use crate::media::time::MediaTime;

/// How long a picture is good enough.
pub const LIFETIME: Duration = Duration::from_secs(10);

/// A live picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The file. See [`thumbnail`].
    pub jpeg: Bytes,
    /// A name of the file's bytes, in hexadecimal digits.
    pub hash: String,
}

impl Thumbnail {
    fn new(jpeg: Bytes) -> Self {
        let mut hash = String::new();
        for byte in Sha256::digest(&jpeg).iter().take(16) {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { jpeg, hash }
    }
}

/// A stage's newest picture, and what became of the attempts to make one.
#[derive(Debug, Default)]
pub(in crate::media) struct Slot {
    /// The broadcast that all of it belongs to.
    epoch: Epoch,
    picture: Option<Arc<Thumbnail>>,
    /// The keyframe that was drawn last, or could not be.
    drawn: Option<MediaTime>,
    drawn_at: Option<Instant>,
    is_drawing: bool,
    /// When the publisher was asked for a keyframe.
    asked_at: Option<Instant>,
}

/// What to do for a newer picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The present one is good enough, or somebody is at it.
    Nothing,
    /// Ask the publisher for a keyframe: the newest one is known already, or was long ago.
    Ask,
    /// Draw the newest keyframe.
    Draw,
    /// Draw it, and ask for one for the next time.
    DrawAndAsk,
}

impl Slot {
    /// The picture of an earlier broadcast is nothing that anybody is to see.
    fn turn_to(&mut self, epoch: Epoch) {
        if self.epoch != epoch {
            *self = Self {
                epoch,
                ..Self::default()
            };
        }
    }

    /// What to do at `now`, with the time of the newest keyframe there is and its age. Whoever is told to
    /// draw does so, and says [`Slot::finish`].
    fn next(&mut self, now: Instant, keyframe: Option<(MediaTime, Duration)>) -> Step {
        let old = |at: Option<Instant>| at.is_none_or(|at| now.duration_since(at) >= LIFETIME);
        if self.is_drawing || !old(self.drawn_at) {
            return Step::Nothing;
        }
        let new = keyframe.filter(|(at, _)| self.drawn != Some(*at));
        let asks = new.is_none_or(|(_, age)| age >= LIFETIME) && old(self.asked_at);
        if asks {
            self.asked_at = Some(now);
        }
        let Some((at, _)) = new else {
            return if asks { Step::Ask } else { Step::Nothing };
        };
        self.is_drawing = true;
        self.drawn = Some(at);
        self.drawn_at = Some(now);
        if asks { Step::DrawAndAsk } else { Step::Draw }
    }

    /// A keyframe of this broadcast was drawn, or could not be.
    fn finish(&mut self, epoch: Epoch, picture: Option<Thumbnail>) {
        if self.epoch == epoch {
            self.is_drawing = false;
            if let Some(picture) = picture {
                self.picture = Some(Arc::new(picture));
            }
        }
    }

    /// Nobody drew this keyframe after all. Changes nothing if it was drawn, or another one is.
    fn give_up(&mut self, epoch: Epoch, keyframe: MediaTime) {
        if self.epoch == epoch && self.is_drawing && self.drawn == Some(keyframe) {
            self.is_drawing = false;
            self.drawn = None;
            self.drawn_at = None;
        }
    }
}

/// A picture that is to be made, by whoever holds this. Dropped, it is left to the next one.
#[derive(Debug)]
pub struct Drawing {
    stage: Arc<Stage>,
    keyframe: Arc<AccessUnit>,
}

impl Drawing {
    /// Makes it. Takes as long as [`thumbnail`].
    ///
    /// # Errors
    /// [`ThumbnailError`]. The stage keeps the picture that it has.
    pub fn finish(self) -> Result<(), ThumbnailError> {
        let (picture, error) = match thumbnail(&self.keyframe) {
            Ok(jpeg) => (Some(Thumbnail::new(jpeg)), None),
            Err(error) => (None, Some(error)),
        };
        let mut slot = self.stage.thumbnail.lock();
        slot.finish(self.keyframe.epoch, picture);
        drop(slot);
        error.map_or(Ok(()), Err)
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        let (epoch, at) = (self.keyframe.epoch, self.keyframe.dts);
        self.stage.thumbnail.lock().give_up(epoch, at);
    }
}

impl Stage {
    /// The newest live picture of the present broadcast, if there is one.
    #[must_use]
    pub fn thumbnail(&self) -> Option<Arc<Thumbnail>> {
        let epoch = self.epoch();
        let mut slot = self.thumbnail.lock();
        slot.turn_to(epoch);
        slot.picture.clone()
    }

    /// The picture that is to be made now, if the present one is older than [`LIFETIME`] and there is a
    /// newer keyframe. The publisher is asked for one where there is not.
    #[must_use]
    pub fn draw_thumbnail(self: &Arc<Self>, now: Instant) -> Option<Drawing> {
        self.formats().borrow().video.as_ref()?;
        let epoch = self.epoch();
        let keyframe = self.newest_keyframe(epoch);
        let found = keyframe
            .as_ref()
            .map(|unit| (unit.dts, self.now().since(unit.dts)));
        let step = {
            let mut slot = self.thumbnail.lock();
            slot.turn_to(epoch);
            slot.next(now, found)
        };
        if matches!(step, Step::Ask | Step::DrawAndAsk) {
            self.request_keyframe();
        }
        let keyframe = keyframe.filter(|_| matches!(step, Step::Draw | Step::DrawAndAsk))?;
        Some(Drawing {
            stage: Arc::clone(self),
            keyframe,
        })
    }

    fn newest_keyframe(&self, epoch: Epoch) -> Option<Arc<AccessUnit>> {
        let mut newest = self.subscribe(Start::Newest {
            max_age: Duration::MAX,
        });
        let unit = newest.try_next()?.unit;
        (unit.epoch == epoch && unit.format.kind() == TrackKind::Video).then_some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(1);

    fn at(seconds: i64) -> MediaTime {
        MediaTime::from_micros(seconds * 1_000_000)
    }

    fn picture(of: u8) -> Option<Thumbnail> {
        Some(Thumbnail::new(vec![of].into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_made_anew_when_it_is_ten_seconds_old() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        assert_eq!(slot.next(start, Some((at(1), FRESH))), Step::Draw);
        slot.finish(Epoch(0), picture(1));
        let soon = start + LIFETIME - Duration::from_millis(1);
        assert_eq!(slot.next(soon, Some((at(2), FRESH))), Step::Nothing);
        assert_eq!(
            slot.next(start + LIFETIME, Some((at(2), FRESH))),
            Step::Draw
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_draws_and_the_others_have_the_old_picture() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        slot.next(start, Some((at(1), FRESH)));
        slot.finish(Epoch(0), picture(1));
        let later = start + 2 * LIFETIME;
        assert_eq!(slot.next(later, Some((at(2), FRESH))), Step::Draw);
        let much_later = later + 2 * LIFETIME;
        assert_eq!(slot.next(much_later, Some((at(3), FRESH))), Step::Nothing);
        assert_eq!(slot.picture.as_deref(), picture(1).as_ref());
    }

    #[tokio::test(start_paused = true)]
    async fn a_keyframe_is_drawn_once_and_another_one_asked_for_once() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        slot.next(start, Some((at(1), FRESH)));
        slot.finish(Epoch(0), picture(1));
        let later = start + LIFETIME;
        assert_eq!(slot.next(later, Some((at(1), LIFETIME))), Step::Ask);
        assert_eq!(slot.next(later, Some((at(1), LIFETIME))), Step::Nothing);
        assert_eq!(slot.next(later, None), Step::Nothing);
        assert_eq!(slot.next(later, Some((at(2), FRESH))), Step::Draw);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_keyframe_is_better_than_none() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        assert_eq!(slot.next(start, None), Step::Ask);
        assert_eq!(slot.next(start, Some((at(1), LIFETIME))), Step::Draw);
        let mut slot = Slot::default();
        let old = Some((at(1), LIFETIME));
        assert_eq!(slot.next(start, old), Step::DrawAndAsk);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_drawn_is_not_tried_again_at_once() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        slot.next(start, Some((at(1), FRESH)));
        slot.finish(Epoch(0), None);
        assert_eq!(
            slot.next(start + FRESH, Some((at(2), FRESH))),
            Step::Nothing
        );
        assert_eq!(
            slot.next(start + LIFETIME, Some((at(2), FRESH))),
            Step::Draw
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_given_up_is_left_to_the_next_one() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        slot.next(start, Some((at(1), FRESH)));
        slot.give_up(Epoch(0), at(1));
        assert_eq!(slot.next(start, Some((at(1), FRESH))), Step::Draw);
        slot.give_up(Epoch(0), at(0));
        assert!(slot.is_drawing, "another keyframe");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_broadcast_begins_without_a_picture() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        slot.next(start, Some((at(1), FRESH)));
        slot.finish(Epoch(0), picture(1));
        slot.turn_to(Epoch(1));
        assert_eq!(slot.picture, None);
        assert_eq!(slot.next(start, Some((at(2), FRESH))), Step::Draw);
        slot.finish(Epoch(0), picture(1));
        assert_eq!(slot.picture, None, "of the broadcast before");
        slot.give_up(Epoch(0), at(2));
        assert!(slot.is_drawing, "the present broadcast's");
    }
}
