//! A room's stage: one publisher writes access units, every viewer of every protocol reads them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::access_unit::{AccessUnit, Epoch, Format, TrackKind};
use super::fanout::{Fanout, Limits, Start, Subscription};
use super::formats::Formats;
use super::health::{Meter, Snapshot};
use super::keyframes::{Action, KeyframeRequests};
use super::rendition::Renditions;
use super::thumbnail::Slot;
use super::time::MediaTime;
use crate::metrics::METRICS;

/// The tracks a publisher is going to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracks {
    /// A picture will come.
    pub video: bool,
    /// Sound will come.
    pub audio: bool,
}

/// An access unit as a publisher writes it; the stage adds what only it knows.
#[derive(Clone, Debug)]
pub struct NewUnit {
    /// What decodes it.
    pub format: Format,
    /// When it is decoded, in time since the publication began.
    pub dts: MediaTime,
    /// When it is shown or heard, in time since the publication began.
    pub pts: MediaTime,
    /// Whether it is an IDR picture.
    pub keyframe: bool,
    /// See [`AccessUnit::data`].
    pub data: Bytes,
}

/// Another publisher has taken the stage: this one's writes are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another publisher has taken over this room")]
pub struct TakenOver;

/// Where publisher and viewers of a room meet.
#[derive(Debug)]
pub struct Stage {
    made: Instant,
    units: Fanout<AccessUnit>,
    formats: watch::Sender<Formats>,
    state: Mutex<State>,
    keyframe_wanted: Notify,
    pub(super) renditions: Renditions,
    pub(super) thumbnail: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct State {
    epoch: Epoch,
    /// Whether the epoch's publisher is still there.
    published: bool,
    has_video: bool,
    /// Where the epoch's time zero lies on the stage's timeline.
    origin: MediaTime,
    /// Times of the newest units, over all epochs.
    last_video: Option<MediaTime>,
    last_audio: Option<MediaTime>,
    requests: KeyframeRequests,
    /// Measures the epoch, while its publisher is there.
    meter: Option<Meter>,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new(Limits::patient())
    }
}

impl Stage {
    /// An empty stage whose ring keeps no more than `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            made: Instant::now(),
            units: Fanout::new(limits),
            formats: watch::Sender::default(),
            state: Mutex::default(),
            keyframe_wanted: Notify::new(),
            renditions: Renditions::default(),
            thumbnail: Mutex::default(),
        }
    }

    /// Takes the stage. A publisher that was there before is off it from this moment on.
    #[must_use]
    pub fn publish(self: &Arc<Self>, tracks: Tracks) -> Publication {
        let epoch = {
            let mut state = self.state.lock();
            state.epoch.0 += 1;
            state.published = true;
            state.has_video = tracks.video;
            state.requests = KeyframeRequests::default();
            let newest = state.last_video.max(state.last_audio);
            let after = newest.map_or(MediaTime::ZERO, |t| t + MediaTime::from_micros(1));
            let now = self.now();
            state.origin = now.max(after);
            state.meter = Some(Meter::new(now));
            self.units.cut();
            state.epoch
        };
        self.formats.send_replace(Formats::default());
        self.keyframe_wanted.notify_waiters();
        Publication {
            stage: Arc::downgrade(self),
            epoch,
        }
    }

    /// A new reader of everything that is published, whoever publishes it.
    #[must_use]
    pub fn subscribe(&self, start: Start) -> Subscription<AccessUnit> {
        self.units.subscribe(start)
    }

    /// What the present broadcast consists of; changes with the publisher and with its formats.
    #[must_use]
    pub fn formats(&self) -> watch::Receiver<Formats> {
        self.formats.subscribe()
    }

    /// How the present publisher does; `None` while there is none.
    #[must_use]
    pub fn measured(&self) -> Option<Snapshot> {
        let state = self.state.lock();
        state.meter.as_ref().map(|meter| meter.snapshot(self.now()))
    }

    /// Asks the publisher for a keyframe, soon: wishes of many viewers are joined.
    pub fn request_keyframe(&self) {
        METRICS.keyframes_wanted.inc();
        self.state.lock().requests.want();
        self.keyframe_wanted.notify_waiters();
    }

    /// The present broadcast, or the one that was the last.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.state.lock().epoch
    }

    /// Now, on the stage's timeline.
    #[must_use]
    pub fn now(&self) -> MediaTime {
        self.made.elapsed().into()
    }

    fn write(&self, epoch: Epoch, unit: NewUnit) -> Result<(), TakenOver> {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return Err(TakenOver);
        }
        let kind = unit.format.kind();
        state.measure(kind, &unit, self.now());
        let dts = state.place(kind, unit.dts);
        if unit.keyframe && kind == TrackKind::Video {
            state.requests.arrived();
        }
        let random_access = match kind {
            TrackKind::Video => unit.keyframe,
            TrackKind::Audio => !state.has_video,
        };
        self.learn(&unit.format, unit.pts != unit.dts);
        // Still under the lock: a publisher that takes over cannot come in between.
        self.units.publish(Arc::new(AccessUnit {
            epoch,
            format: unit.format,
            dts,
            pts: dts + MediaTime::from((unit.pts).since(unit.dts)),
            random_access,
            data: unit.data,
        }));
        Ok(())
    }

    fn learn(&self, format: &Format, reordered: bool) {
        self.formats
            .send_if_modified(|known| known.learn(format, reordered));
    }

    fn leave(&self, epoch: Epoch) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.published = false;
            state.meter = None;
            self.units.cut();
            self.formats.send_replace(Formats::default());
        }
    }
}

impl State {
    fn measure(&mut self, kind: TrackKind, unit: &NewUnit, now: MediaTime) {
        let Some(meter) = &mut self.meter else {
            return;
        };
        let bytes = unit.data.len() as u64;
        match kind {
            TrackKind::Video => METRICS.video.inc_by(bytes),
            TrackKind::Audio => METRICS.audio.inc_by(bytes),
        };
        match kind {
            TrackKind::Video => meter.picture(unit.dts, unit.keyframe, unit.data.len(), now),
            TrackKind::Audio => meter.sound(unit.data.len(), now),
        }
    }

    /// Moves a publication's time to the stage's; never back within a track.
    fn place(&mut self, kind: TrackKind, dts: MediaTime) -> MediaTime {
        let at = self.origin + dts;
        let last = match kind {
            TrackKind::Video => &mut self.last_video,
            TrackKind::Audio => &mut self.last_audio,
        };
        let at = last.map_or(at, |last| at.max(last));
        *last = Some(at);
        at
    }
}

/// The right to write to a stage, until it is dropped or another publisher takes over.
#[derive(Debug)]
pub struct Publication {
    stage: Weak<Stage>,
    epoch: Epoch,
}

impl Publication {
    /// Tells viewers of a track before its first unit, where its format is known beforehand.
    ///
    /// # Errors
    /// [`TakenOver`] once another publisher has the stage, or the room is gone.
    pub fn announce(&self, format: &Format) -> Result<(), TakenOver> {
        let stage = self.stage.upgrade().ok_or(TakenOver)?;
        let state = stage.state.lock();
        if state.epoch != self.epoch {
            return Err(TakenOver);
        }
        stage.learn(format, false);
        Ok(())
    }

    /// Hands a unit to all viewers. Never waits for one.
    ///
    /// # Errors
    /// [`TakenOver`] once another publisher has the stage, or the room is gone.
    pub fn write(&self, unit: NewUnit) -> Result<(), TakenOver> {
        self.stage
            .upgrade()
            .ok_or(TakenOver)?
            .write(self.epoch, unit)
    }

    /// Reports pictures that were lost on their way here, for [`Stage::measured`].
    pub fn dropped(&self, count: u32) {
        METRICS.pictures_dropped.inc_by(count.into());
        self.report(|meter, now| meter.dropped(count, now));
    }

    /// Reports how long a packet takes to the publisher and back, for [`Stage::measured`].
    pub fn round_trip(&self, time: Duration) {
        self.report(|meter, _| meter.round_trip(time));
    }

    fn report(&self, report: impl FnOnce(&mut Meter, MediaTime)) {
        let Some(stage) = self.stage.upgrade() else {
            return;
        };
        let mut state = stage.state.lock();
        if state.epoch == self.epoch
            && let Some(meter) = &mut state.meter
        {
            report(meter, stage.now());
        }
    }

    /// Waits until the publisher has to be asked for a keyframe: at most once in
    /// [`super::keyframes::MIN_INTERVAL`], however many viewers want one.
    ///
    /// # Errors
    /// [`TakenOver`] once another publisher has the stage, or the room is gone.
    pub async fn keyframe_wanted(&self) -> Result<(), TakenOver> {
        loop {
            let stage = self.stage.upgrade().ok_or(TakenOver)?;
            let woken = stage.keyframe_wanted.notified();
            let action = {
                let mut state = stage.state.lock();
                if state.epoch != self.epoch {
                    return Err(TakenOver);
                }
                let now = stage.now();
                let action = state.requests.poll(now);
                if let (Action::Send, Some(meter)) = (&action, &mut state.meter) {
                    METRICS.keyframes_asked.inc();
                    meter.keyframe_asked(now);
                }
                action
            };
            match action {
                Action::Send => return Ok(()),
                Action::WaitUntil(due) => tokio::time::sleep(due.since(stage.now())).await,
                Action::Idle => woken.await,
            }
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        if let Some(stage) = self.stage.upgrade() {
            stage.leave(self.epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::access_unit::AudioFormat;
    use super::super::h264::VideoFormat;
    use super::super::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};
    use super::*;

    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };
    const START: Start = Start::Newest {
        max_age: Duration::MAX,
    };

    fn video(sps: &'static [u8]) -> Format {
        let (sps, pps) = (Bytes::from_static(sps), Bytes::from_static(PPS));
        Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap()))
    }

    fn picture(at_ms: i64, keyframe: bool) -> NewUnit {
        let at = MediaTime::from_micros(at_ms * 1_000);
        let data = Bytes::from_static(b"picture");
        NewUnit {
            format: video(SPS_BASELINE),
            dts: at,
            pts: at,
            keyframe,
            data,
        }
    }

    fn sound(at_ms: i64) -> NewUnit {
        let format = Format::Audio(AudioFormat::Opus { channels: 2 });
        NewUnit {
            format,
            data: Bytes::from_static(b"sound"),
            ..picture(at_ms, false)
        }
    }

    #[tokio::test]
    async fn a_late_joiner_gets_the_newest_keyframe_first() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        for (at, key) in [(0, true), (33, false), (66, true), (100, false)] {
            publication.write(picture(at, key)).unwrap();
            publication.write(sound(at)).unwrap();
        }
        let first = stage.subscribe(START).next().await.unwrap().unit;
        assert!(first.random_access);
        assert_eq!(first.format.kind(), TrackKind::Video);
    }

    #[tokio::test]
    async fn sound_alone_can_be_started_anywhere() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(Tracks {
            video: false,
            audio: true,
        });
        publication.write(sound(0)).unwrap();
        publication.write(sound(20)).unwrap();
        assert!(stage.subscribe(START).try_next().is_some());
    }

    #[tokio::test]
    async fn a_second_publisher_takes_over_and_the_first_is_told() {
        let stage = Arc::new(Stage::default());
        let first = stage.publish(BOTH);
        first.write(picture(0, true)).unwrap();
        let mut viewer = stage.subscribe(START);
        let second = stage.publish(BOTH);
        assert_eq!(first.write(picture(33, false)), Err(TakenOver));
        assert_eq!(first.keyframe_wanted().await, Err(TakenOver));
        drop(first);
        second.write(picture(0, true)).unwrap();
        let epochs: Vec<_> = [viewer.try_next(), viewer.try_next()]
            .into_iter()
            .map(|delivery| delivery.unwrap().unit.epoch)
            .collect();
        assert!(epochs[0] < epochs[1]);
        assert!(viewer.try_next().is_none());
    }

    #[tokio::test]
    async fn the_timeline_goes_on_across_a_re_publish() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        publication.write(picture(0, true)).unwrap();
        publication.write(picture(1_000, false)).unwrap();
        let mut viewer = stage.subscribe(START);
        drop(publication);
        // A second was written in no time: the next broadcast still comes after it.
        let publication = stage.publish(BOTH);
        publication.write(picture(0, true)).unwrap();
        let mut times = Vec::new();
        while let Some(delivery) = viewer.try_next() {
            times.push(delivery.unit.dts);
        }
        assert_eq!(times.len(), 3);
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }

    #[tokio::test]
    async fn nobody_starts_in_a_broadcast_that_was_left() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        publication.write(picture(0, true)).unwrap();
        drop(publication);
        assert!(stage.subscribe(START).try_next().is_none());
        assert_eq!(*stage.formats().borrow(), Formats::default());
    }

    #[tokio::test]
    async fn decode_times_never_step_back() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let mut viewer = stage.subscribe(START);
        for at in [0, 40, 20, 60] {
            publication.write(picture(at, at == 0)).unwrap();
        }
        let mut last = MediaTime::ZERO;
        while let Some(delivery) = viewer.try_next() {
            assert!(delivery.unit.dts >= last);
            last = delivery.unit.dts;
        }
    }

    #[tokio::test]
    async fn formats_are_announced_when_they_change() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let mut formats = stage.formats();
        formats.mark_unchanged();
        publication.write(picture(0, true)).unwrap();
        assert!(formats.has_changed().unwrap());
        formats.mark_unchanged();
        publication.write(picture(33, false)).unwrap();
        assert!(!formats.has_changed().unwrap());
        publication
            .write(NewUnit {
                format: video(SPS_HIGH_720P),
                ..picture(66, true)
            })
            .unwrap();
        assert_eq!(
            formats.borrow_and_update().video.as_ref().unwrap().width,
            1280
        );
    }

    #[tokio::test]
    async fn a_track_may_be_announced_before_its_first_unit() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        let opus = AudioFormat::Opus { channels: 2 };
        publication.announce(&Format::Audio(opus.clone())).unwrap();
        assert_eq!(stage.formats().borrow().audio, Some(opus.clone()));
        let _second = stage.publish(BOTH);
        assert_eq!(publication.announce(&Format::Audio(opus)), Err(TakenOver));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_and_reported_is_measured() {
        let stage = Arc::new(Stage::default());
        assert_eq!(stage.measured(), None);
        let publication = stage.publish(BOTH);
        for number in 0..100 {
            publication
                .write(picture(number * 40, number % 50 == 0))
                .unwrap();
            publication.write(sound(number * 40)).unwrap();
            tokio::time::advance(Duration::from_millis(40)).await;
        }
        publication.dropped(3);
        publication.round_trip(Duration::from_millis(80));
        let measured = stage.measured().unwrap();
        assert_eq!(measured.uptime, Duration::from_secs(4));
        assert!((measured.fps.unwrap() - 25.0).abs() < 1.0, "{measured:?}");
        assert!(measured.audio_bitrate > Some(500), "{measured:?}");
        assert_eq!(measured.keyframe_interval, Some(Duration::from_secs(2)));
        assert_eq!(measured.dropped, 3);
        assert_eq!(measured.round_trip, Some(Duration::from_millis(80)));
    }

    #[tokio::test]
    async fn each_publisher_is_measured_anew() {
        let stage = Arc::new(Stage::default());
        let first = stage.publish(BOTH);
        first.dropped(5);
        let second = stage.publish(BOTH);
        first.dropped(5);
        assert_eq!(stage.measured().unwrap().dropped, 0);
        drop(first);
        assert!(stage.measured().is_some());
        drop(second);
        assert_eq!(stage.measured(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn many_wishes_for_a_keyframe_reach_the_publisher_as_one() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        for _ in 0..100 {
            stage.request_keyframe();
        }
        publication.keyframe_wanted().await.unwrap();
        let more = tokio::time::timeout(Duration::from_secs(5), publication.keyframe_wanted());
        assert!(more.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_keep_half_a_second_apart() {
        let stage = Arc::new(Stage::default());
        let publication = stage.publish(BOTH);
        stage.request_keyframe();
        publication.keyframe_wanted().await.unwrap();
        let first = Instant::now();
        stage.request_keyframe();
        publication.keyframe_wanted().await.unwrap();
        assert!(first.elapsed() >= Duration::from_millis(500));
    }
}
