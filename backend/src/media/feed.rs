//! A room's stream in the bytes of a protocol, made once for all of its players.
//!
//! A [`Feed`] reads the stage, a [`Muxer`] writes what the protocol wants, and every player reads the
//! result at its own cursor. Units that come close together are handed on together: it is writes, not
//! bytes, that a player costs.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::access_unit::{AccessUnit, AudioCodec, Epoch, TrackKind};
use super::fanout::{Fanout, Limits, Start, Subscription, Unit};
use super::formats::Formats;
use super::rendition::Rendition;
use super::stage::Stage;
use super::time::MediaTime;

/// Shortest time between two batches with pictures. Of 30 pictures a second each third goes at once, and the
/// others 17 and 33 ms later: players have far more in their buffers, and a third of the writes is saved.
const GATHER: Duration = Duration::from_millis(50);
/// Longest that sound waits for a picture: a little more than there is between two batches.
const SOUND_WAITS: Duration = Duration::from_millis(60);
/// A picture that comes this much before [`GATHER`] is over goes at once: frame intervals jitter.
const JITTER: Duration = Duration::from_millis(8);
/// A batch is handed on when it has reached this size, in bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// Players start at keyframes, so there is one at least this often, where the publisher can be asked.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(2);

/// Writes access units in the form that all players of a protocol are sent.
pub trait Muxer: Default + Send + 'static {
    /// The sound that its players can play.
    const AUDIO: AudioCodec;

    /// What becomes of access units.
    type Batch: Send + Sync + 'static;

    /// What a player needs before it can start with units of these formats.
    fn opening(&mut self, formats: &Formats) -> Self::Batch;

    /// Adds a unit to the batch. Units of a new format are preceded by what decodes it.
    fn push(&mut self, unit: &AccessUnit);

    /// Size of the batch so far, in bytes.
    fn size(&self) -> usize;

    /// Ends the batch.
    fn take(&mut self) -> Self::Batch;
}

/// Units that are sent together.
#[derive(Debug)]
pub struct Run<B> {
    /// What a player that starts here is sent first. There is one where a player can start.
    pub opening: Option<Arc<B>>,
    /// The units.
    pub batch: B,
    time: MediaTime,
    size: usize,
}

impl<B> Unit for Run<B> {
    fn random_access(&self) -> bool {
        self.opening.is_some()
    }

    fn time(&self) -> MediaTime {
        self.time
    }

    fn size(&self) -> usize {
        self.size
    }
}

/// One room's stream in one protocol. The task that makes it lives as long as somebody plays.
#[derive(Debug)]
pub struct Feed<B> {
    runs: Arc<Fanout<Run<B>>>,
    _rendition: Arc<Rendition>,
    task: AbortHandle,
}

impl<B: Send + Sync + 'static> Feed<B> {
    fn new<M: Muxer<Batch = B>>(stage: &Arc<Stage>) -> Self {
        let runs = Arc::new(Fanout::new(Limits::default()));
        let rendition = stage.rendition(M::AUDIO);
        let mixer = Mixer::<M>::new(rendition.formats(), Arc::clone(&runs));
        let source = rendition.subscribe(Start::Newest {
            max_age: Duration::MAX,
        });
        let task = tokio::spawn(mixer.run(source, Arc::downgrade(stage)));
        Self {
            runs,
            _rendition: rendition,
            task: task.abort_handle(),
        }
    }

    /// A player's place: at the newest keyframe.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<Run<B>> {
        self.runs.subscribe(Start::Newest {
            max_age: Duration::MAX,
        })
    }
}

impl<B> Drop for Feed<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The feeds of all rooms that are played in one protocol.
#[derive(Debug)]
pub struct Feeds<M: Muxer> {
    by_stage: Mutex<HashMap<usize, Weak<Feed<M::Batch>>>>,
}

impl<M: Muxer> Default for Feeds<M> {
    fn default() -> Self {
        Self {
            by_stage: Mutex::default(),
        }
    }
}

impl<M: Muxer> Feeds<M> {
    /// The feed of this stage, shared by all who play it now. They hold its stage, too.
    #[must_use]
    pub fn of(&self, stage: &Arc<Stage>) -> Arc<Feed<M::Batch>> {
        let mut feeds = self.by_stage.lock();
        // A feed's players hold its stage, so an address is not used again while the feed lives.
        let id = Arc::as_ptr(stage) as usize;
        if let Some(feed) = feeds.get(&id).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::new::<M>(stage));
        feeds.insert(id, Arc::downgrade(&feed));
        feed
    }
}

/// Makes runs of units.
struct Mixer<M: Muxer> {
    muxer: M,
    formats: watch::Receiver<Formats>,
    runs: Arc<Fanout<Run<M::Batch>>>,
    epoch: Option<Epoch>,
    /// The formats that `opening` was made of.
    opened: Formats,
    opening: Option<Arc<M::Batch>>,
    pending: Option<Pending>,
    /// When the next batch with pictures may go.
    rested: Instant,
    keyframe: Instant,
}

/// The run that is being gathered.
struct Pending {
    time: MediaTime,
    random_access: bool,
    has_picture: bool,
    due: Instant,
}

impl<M: Muxer> Mixer<M> {
    fn new(formats: watch::Receiver<Formats>, runs: Arc<Fanout<Run<M::Batch>>>) -> Self {
        let now = Instant::now();
        Self {
            muxer: M::default(),
            formats,
            runs,
            epoch: None,
            opened: Formats::default(),
            opening: None,
            pending: None,
            rested: now,
            keyframe: now,
        }
    }

    async fn run(mut self, mut source: Subscription<AccessUnit>, stage: Weak<Stage>) {
        loop {
            let (due, keyframe_due) = (self.due(), self.keyframe + KEYFRAME_INTERVAL);
            tokio::select! {
                biased;
                delivery = source.next() => match delivery {
                    Some(delivery) => self.take(&delivery.unit, Instant::now()),
                    None => return,
                },
                () = sleep_until(due.unwrap_or(keyframe_due)), if due.is_some() => self.hand_on(),
                // While somebody plays: whoever comes next is to start at once.
                () = sleep_until(keyframe_due) => {
                    self.keyframe = Instant::now();
                    if let Some(stage) = stage.upgrade() {
                        stage.request_keyframe();
                    }
                }
                changed = self.formats.changed() => match changed {
                    Ok(()) => self.notice_departure(),
                    Err(_) => return,
                },
            }
        }
    }

    /// When the run that is being gathered has to be handed on.
    fn due(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.due)
    }

    /// Nobody starts in a broadcast that is over.
    fn notice_departure(&mut self) {
        if *self.formats.borrow_and_update() == Formats::default() {
            self.hand_on();
            self.runs.cut();
        }
    }

    fn take(&mut self, unit: &AccessUnit, now: Instant) {
        let is_picture = unit.format.kind() == TrackKind::Video;
        if self.epoch.is_some_and(|epoch| epoch != unit.epoch) {
            self.hand_on();
            self.runs.cut();
        }
        self.epoch = Some(unit.epoch);
        if is_picture && unit.random_access {
            self.hand_on();
            self.keyframe = now;
        }
        if unit.random_access {
            self.opening();
        }
        let due = if is_picture {
            self.rested
        } else {
            now + SOUND_WAITS
        };
        let pending = self.pending.get_or_insert(Pending {
            time: unit.dts,
            random_access: unit.random_access,
            has_picture: is_picture,
            due,
        });
        pending.time = pending.time.max(unit.dts);
        pending.has_picture |= is_picture;
        pending.due = pending.due.min(due);
        let is_due = pending.due <= now + JITTER;
        self.muxer.push(unit);
        // Sound never brings a batch forward: a picture may still come in time to go with it.
        if is_picture && is_due || self.muxer.size() >= BATCH_BYTES {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        // Only pictures count: sound that went alone must not make the next picture wait, and all after it.
        if pending.has_picture {
            self.rested = Instant::now() + GATHER;
        }
        let opening = pending.random_access.then(|| self.opening());
        let size = self.muxer.size();
        self.runs.publish(Arc::new(Run {
            opening,
            batch: self.muxer.take(),
            time: pending.time,
            size,
        }));
    }

    /// Made anew only when the formats have changed.
    fn opening(&mut self) -> Arc<M::Batch> {
        let formats = self.formats.borrow().clone();
        match self.opening.clone() {
            Some(opening) if self.opened == formats => opening,
            _ => {
                let opening = Arc::new(self.muxer.opening(&formats));
                self.opened = formats;
                self.opening = Some(Arc::clone(&opening));
                opening
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::access_unit::{AudioFormat, Format};
    use super::super::h264::VideoFormat;
    use super::super::h264::tests::{PPS, SPS_BASELINE};
    use super::super::stage::{NewUnit, Tracks};
    use super::*;

    /// Lists the units: a picture is `K` or `p`, sound `s`; an opening says what there is.
    #[derive(Default)]
    struct Letters(String);

    impl Muxer for Letters {
        const AUDIO: AudioCodec = AudioCodec::Opus;

        type Batch = String;

        fn opening(&mut self, formats: &Formats) -> String {
            let video = formats.video.as_ref().map_or("", |_| "video ");
            let audio = formats.audio.as_ref().map_or("", |_| "audio ");
            format!("{video}{audio}")
        }

        fn push(&mut self, unit: &AccessUnit) {
            self.0.push(match (unit.format.kind(), unit.random_access) {
                (TrackKind::Video, true) => 'K',
                (TrackKind::Video, false) => 'p',
                (TrackKind::Audio, _) => 's',
            });
        }

        fn size(&self) -> usize {
            self.0.len()
        }

        fn take(&mut self) -> String {
            std::mem::take(&mut self.0)
        }
    }

    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };

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
            data: Bytes::from_static(b"sound"),
            ..picture(at_ms, false)
        }
    }

    async fn wait(ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_starts_with_an_opening_and_the_newest_keyframe() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        publication.write(picture(0, true)).unwrap();
        publication.write(sound(0)).unwrap();
        publication.write(picture(33, true)).unwrap();
        let feed = feeds.of(&stage);
        wait(50).await;
        let first = feed.subscribe().next().await.unwrap().unit;
        assert_eq!(first.opening.as_deref().unwrap(), "video audio ");
        assert!(first.batch.starts_with('K'), "{}", first.batch);
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_goes_at_once_and_what_comes_soon_after_goes_together() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        let feed = feeds.of(&stage);
        let mut player = feed.subscribe();
        wait(100).await;
        publication.write(picture(0, true)).unwrap();
        let began = Instant::now();
        assert_eq!(player.next().await.unwrap().unit.batch, "K");
        assert_eq!(began.elapsed(), Duration::ZERO);
        wait(10).await;
        publication.write(sound(10)).unwrap();
        wait(22).await;
        publication.write(picture(33, false)).unwrap();
        assert_eq!(player.next().await.unwrap().unit.batch, "sp");
        let waited = began.elapsed();
        assert!(waited <= GATHER + Duration::from_millis(1), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn sound_does_not_wait_long_for_a_picture() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(Tracks {
            video: false,
            audio: true,
        });
        let feed = feeds.of(&stage);
        let mut player = feed.subscribe();
        wait(1).await;
        publication.write(sound(0)).unwrap();
        let began = Instant::now();
        let first = player.next().await.unwrap().unit;
        assert_eq!(first.opening.as_deref().unwrap(), "audio ");
        assert!(began.elapsed() <= SOUND_WAITS + Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_twenty_batches_a_second_whenever_sound_comes_in_between() {
        for sound_after in [1, 10, 20, 32] {
            let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
            let publication = stage.publish(BOTH);
            let feed = feeds.of(&stage);
            let mut player = feed.subscribe();
            wait(100).await;
            for n in 0..60 {
                publication.write(picture(n * 33, n == 0)).unwrap();
                wait(sound_after).await;
                publication.write(sound(n * 33)).unwrap();
                wait(33 - sound_after).await;
            }
            let batches = std::iter::from_fn(|| player.try_next()).count();
            assert!((39..=42).contains(&batches), "{sound_after} ms: {batches}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pictures_wait_no_longer_than_from_one_batch_to_the_next() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        let feed = feeds.of(&stage);
        let mut player = feed.subscribe();
        wait(100).await;
        let sent = Instant::now();
        let publisher = tokio::spawn(async move {
            for n in 0..30 {
                publication.write(picture(n * 33, n == 0)).unwrap();
                wait(33).await;
            }
        });
        let mut delays = Vec::new();
        while delays.len() < 30 {
            let batch = player.next().await.unwrap().unit.batch.clone();
            for _ in batch.chars() {
                let due = Duration::from_millis(33) * delays.len() as u32;
                delays.push(sent.elapsed().saturating_sub(due));
            }
        }
        publisher.await.unwrap();
        delays.sort();
        assert!(delays[29] <= Duration::from_millis(35), "{delays:?}");
        assert!(delays[15] <= Duration::from_millis(20), "{delays:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn while_somebody_plays_keyframes_are_asked_for() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        let feed = feeds.of(&stage);
        publication.keyframe_wanted().await.unwrap();
        drop(feed);
        let more = tokio::time::timeout(Duration::from_secs(10), publication.keyframe_wanted());
        assert!(more.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_starts_in_a_broadcast_that_was_left() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        let feed = feeds.of(&stage);
        wait(1).await;
        publication.write(picture(0, true)).unwrap();
        wait(50).await;
        assert!(feed.subscribe().try_next().is_some());
        drop(publication);
        wait(50).await;
        assert!(feed.subscribe().try_next().is_none());
    }

    #[tokio::test]
    async fn all_players_of_a_room_share_its_runs_and_the_last_ends_the_feed() {
        let (feeds, stage) = (Feeds::<Letters>::default(), Arc::new(Stage::default()));
        let publication = stage.publish(BOTH);
        let (a, b) = (feeds.of(&stage), feeds.of(&stage));
        let (mut first, mut second) = (a.subscribe(), b.subscribe());
        tokio::task::yield_now().await;
        publication.write(picture(0, true)).unwrap();
        let (first, second) = (first.next().await.unwrap(), second.next().await.unwrap());
        assert!(Arc::ptr_eq(&first.unit, &second.unit));
        let task = a.task.clone();
        drop((a, b));
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
