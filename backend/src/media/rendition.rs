//! A stage with its sound in one codec, for whoever can play only that one.
//!
//! [`Stage::rendition`] gives the same [`Rendition`] to all who want the same codec, so that sound is
//! transcoded once per room and direction, and only while somebody holds it. What needs no change, which
//! is all of a room whose sound has that codec already, passes through as the same [`Arc`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::access_unit::{AccessUnit, AudioCodec, Epoch, Format};
use super::audio::{self, Transcoder};
use super::fanout::{Fanout, Limits, Start, Subscription};
use super::formats::Formats;
use super::stage::Stage;
use crate::roaming::{self, Roaming};

/// A stage whose sound, if it has any, is in one codec.
#[derive(Debug)]
pub struct Rendition {
    /// The task's: it ends with the stage, and every subscription with it.
    units: Weak<Fanout<AccessUnit>>,
    formats: watch::Receiver<Formats>,
    _task: Roaming,
}

impl Rendition {
    fn new(stage: &Stage, codec: AudioCodec) -> Self {
        // The formats first: what is read from the stage later cannot be older than they are.
        let source_formats = stage.formats();
        let newest = Start::Newest {
            max_age: Duration::MAX,
        };
        let (formats, _) = watch::channel(formats_in(codec, &source_formats.borrow()));
        let mut bridge = Bridge {
            codec,
            source: stage.subscribe(newest).patient(),
            source_formats,
            units: Arc::new(Fanout::new(Limits::patient())),
            formats,
            epoch: None,
            transcoder: None,
        };
        // At once, so that whoever asked for the rendition can start where the stage can be started:
        // for sound that has to be transcoded some 10 ms for each second since the newest keyframe.
        bridge.catch_up();
        let units = Arc::downgrade(&bridge.units);
        let formats = bridge.formats.subscribe();
        Self {
            units,
            formats,
            _task: roaming::spawn(bridge.run()),
        }
    }

    /// A new reader. It ends with the stage.
    #[must_use]
    pub fn subscribe(&self, start: Start) -> Subscription<AccessUnit> {
        match self.units.upgrade() {
            Some(units) => units.subscribe(start),
            None => Fanout::new(Limits::default()).subscribe(start),
        }
    }

    /// What the present broadcast consists of in this rendition; see [`formats_in`].
    #[must_use]
    pub fn formats(&self) -> watch::Receiver<Formats> {
        self.formats.clone()
    }
}

/// What a broadcast of these formats consists of once its sound is in `codec`.
#[must_use]
pub fn formats_in(codec: AudioCodec, formats: &Formats) -> Formats {
    Formats {
        audio: formats
            .audio
            .as_ref()
            .map(|audio| audio::format_in(codec, audio)),
        ..formats.clone()
    }
}

/// The task behind a rendition.
///
/// The codecs take about 1 % of a core per stream, a fraction of a millisecond per packet: less than it
/// would cost to send the packet to a thread of theirs.
struct Bridge {
    codec: AudioCodec,
    source: Subscription<AccessUnit>,
    source_formats: watch::Receiver<Formats>,
    units: Arc<Fanout<AccessUnit>>,
    formats: watch::Sender<Formats>,
    /// Of the newest unit.
    epoch: Option<Epoch>,
    /// Made when there is something to transcode.
    transcoder: Option<Transcoder>,
}

impl Bridge {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                changed = self.source_formats.changed() => match changed {
                    Ok(()) => self.follow_formats(),
                    Err(_) => break,
                },
                delivery = self.source.next() => match delivery {
                    Some(delivery) => self.pass_on(delivery.unit),
                    None => break,
                },
            }
        }
    }

    fn catch_up(&mut self) {
        while let Some(delivery) = self.source.try_next() {
            self.pass_on(delivery.unit);
        }
    }

    /// A publisher that leaves takes its formats away, and nobody starts in what it left.
    fn follow_formats(&mut self) {
        let source = self.source_formats.borrow_and_update().clone();
        let formats = formats_in(self.codec, &source);
        self.formats.send_if_modified(|known| {
            let changed = *known != formats;
            *known = formats;
            changed
        });
        let before = self.epoch;
        self.catch_up();
        // A new broadcast that began meanwhile has made its own cut.
        if source == Formats::default() && self.epoch == before {
            self.units.cut();
        }
    }

    fn pass_on(&mut self, unit: Arc<AccessUnit>) {
        if self.epoch.replace(unit.epoch) != Some(unit.epoch) {
            self.units.cut();
            self.transcoder = None;
        }
        match &unit.format {
            Format::Audio(audio) if audio.codec() != self.codec => {
                let transcoder = self
                    .transcoder
                    .get_or_insert_with(|| Transcoder::new(self.codec));
                for sound in transcoder.push(&unit) {
                    self.units.publish(Arc::new(sound));
                }
            }
            _ => self.units.publish(unit),
        }
    }
}

/// The renditions of a stage that somebody holds.
#[derive(Debug, Default)]
pub(super) struct Renditions {
    opus: Mutex<Weak<Rendition>>,
    aac: Mutex<Weak<Rendition>>,
}

impl Stage {
    /// This stage with its sound in `codec`: the same for all who ask, for as long as one of them holds
    /// it. Has to be called within a Tokio runtime.
    #[must_use]
    pub fn rendition(&self, codec: AudioCodec) -> Arc<Rendition> {
        let mut held = match codec {
            AudioCodec::Opus => self.renditions.opus.lock(),
            AudioCodec::Aac => self.renditions.aac.lock(),
        };
        held.upgrade().unwrap_or_else(|| {
            let rendition = Arc::new(Rendition::new(self, codec));
            *held = Arc::downgrade(&rendition);
            rendition
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::access_unit::{AudioFormat, TrackKind};
    use super::super::h264::VideoFormat;
    use super::super::h264::tests::{PPS, SPS_BASELINE};
    use super::super::stage::{NewUnit, Publication, Tracks};
    use super::super::time::MediaTime;
    use super::*;

    const ANY_AGE: Start = Start::Newest {
        max_age: Duration::MAX,
    };
    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };
    /// 20 ms of silence in stereo (RFC 6716 section 3.1).
    const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

    fn picture(at_ms: i64, keyframe: bool) -> NewUnit {
        let (sps, pps) = (Bytes::from_static(SPS_BASELINE), Bytes::from_static(PPS));
        let at = MediaTime::from_micros(at_ms * 1_000);
        NewUnit {
            format: Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap())),
            dts: at,
            pts: at,
            keyframe,
            data: Bytes::from_static(b"picture"),
        }
    }

    fn sound(at_ms: i64) -> NewUnit {
        NewUnit {
            format: Format::Audio(AudioFormat::Opus { channels: 2 }),
            data: Bytes::from_static(SILENCE),
            ..picture(at_ms, false)
        }
    }

    /// A keyframe, and sound for so many milliseconds.
    fn perform(publication: &Publication, from_ms: i64, ms: i64) {
        publication.write(picture(from_ms, true)).unwrap();
        for at in (from_ms..from_ms + ms).step_by(20) {
            publication.write(sound(at)).unwrap();
        }
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn codecs(subscription: &mut Subscription<AccessUnit>) -> Vec<&'static str> {
        let units = std::iter::from_fn(|| subscription.try_next());
        let codec = |unit: &AccessUnit| match &unit.format {
            Format::Video(_) => "H.264",
            Format::Audio(audio) => audio.codec_name(),
        };
        units.map(|delivery| codec(&delivery.unit)).collect()
    }

    #[tokio::test]
    async fn all_who_want_a_codec_hold_the_same_rendition() {
        let stage = Arc::new(Stage::default());
        let (a, b) = (
            stage.rendition(AudioCodec::Aac),
            stage.rendition(AudioCodec::Aac),
        );
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &stage.rendition(AudioCodec::Opus)));
    }

    #[tokio::test]
    async fn a_rendition_ends_with_the_last_who_holds_it() {
        let stage = Arc::new(Stage::default());
        let (a, b) = (
            stage.rendition(AudioCodec::Aac),
            stage.rendition(AudioCodec::Aac),
        );
        let units = Weak::clone(&a.units);
        drop(a);
        settle().await;
        assert!(units.strong_count() > 0);
        drop(b);
        settle().await;
        assert_eq!(units.strong_count(), 0);
    }

    #[tokio::test]
    async fn what_has_the_codec_already_passes_through_as_it_is() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let rendition = stage.rendition(AudioCodec::Opus);
        let (mut there, mut here) = (stage.subscribe(ANY_AGE), rendition.subscribe(ANY_AGE));
        perform(&publication, 0, 100);
        settle().await;
        while let Some(original) = there.try_next() {
            let passed = here.try_next().unwrap();
            assert!(Arc::ptr_eq(&original.unit, &passed.unit));
        }
    }

    #[tokio::test]
    async fn sound_in_another_codec_is_transcoded_and_pictures_are_not() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let rendition = stage.rendition(AudioCodec::Aac);
        let mut player = rendition.subscribe(ANY_AGE);
        perform(&publication, 0, 200);
        settle().await;
        let codecs = codecs(&mut player);
        assert_eq!(codecs[0], "H.264");
        assert!(codecs.len() > 8, "{codecs:?}");
        assert!(codecs[1..].iter().all(|&codec| codec == "AAC"));
        let formats = rendition.formats().borrow().clone();
        assert_eq!(formats.audio.unwrap().codec(), AudioCodec::Aac);
    }

    #[tokio::test]
    async fn whoever_comes_late_starts_at_the_newest_keyframe_at_once() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        perform(&publication, 0, 1_000);
        perform(&publication, 1_000, 300);
        // Nothing is waited for.
        let rendition = stage.rendition(AudioCodec::Aac);
        let mut player = rendition.subscribe(ANY_AGE);
        let first = player.try_next().unwrap().unit;
        assert_eq!(first.format.kind(), TrackKind::Video);
        assert!(codecs(&mut player).contains(&"AAC"));
    }

    #[tokio::test]
    async fn nobody_starts_in_a_broadcast_that_was_left() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let rendition = stage.rendition(AudioCodec::Aac);
        perform(&publication, 0, 100);
        settle().await;
        drop(publication);
        settle().await;
        assert!(rendition.subscribe(ANY_AGE).try_next().is_none());
        assert_eq!(*rendition.formats().borrow(), Formats::default());
    }

    #[tokio::test]
    async fn sound_of_the_next_publisher_has_nothing_of_the_one_before() {
        let stage = Arc::new(Stage::default());
        let first = stage.publish(BOTH);
        let rendition = stage.rendition(AudioCodec::Aac);
        let mut player = rendition.subscribe(ANY_AGE);
        perform(&first, 0, 100);
        settle().await;
        let second = stage.publish(BOTH);
        perform(&second, 0, 100);
        settle().await;
        let units: Vec<_> = std::iter::from_fn(|| player.try_next()).collect();
        assert!(units.is_sorted_by_key(|delivery| delivery.unit.epoch));
        let epochs = units.iter().map(|delivery| delivery.unit.epoch.0);
        let of_second = epochs.filter(|&epoch| epoch == 2).count();
        assert!(of_second > 2);
    }
}
