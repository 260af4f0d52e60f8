//! The RTP packets of a room, made once for all who watch by WebRTC.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::burst::{Burst, Bursts, RtpPacket};
use super::paths::PathMeter;
use super::seats::Seats;
use crate::media::access_unit::{AccessUnit, AudioCodec};
use crate::media::fanout::{Fanout, Limits, Start, Subscription, Unit};
use crate::media::rendition::Rendition;
use crate::media::stage::Stage;
use crate::roaming::{self, Roaming};

/// A viewer starts no further behind live than this; if the newest keyframe is older it gets a new one.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);

/// Pictures that can be sent again; what a viewer asks for later it could not show in time.
const HISTORY: Duration = Duration::from_millis(1_500);
/// And no more of them than this.
const MAX_HISTORY: usize = 512;

/// The newest pictures, for viewers that missed some of their packets.
#[derive(Debug, Default)]
pub(super) struct History {
    pictures: VecDeque<Arc<Burst>>,
    /// Number of the packet after the newest.
    next: u64,
}

impl History {
    /// Takes what has a picture; sound is not sent again.
    pub(super) fn push(&mut self, burst: &Arc<Burst>) {
        let Some(picture) = burst.picture() else {
            return;
        };
        self.next = picture.end();
        self.pictures.push_back(Arc::clone(burst));
        let is_old = |oldest: &Arc<Burst>| burst.time().since(oldest.time()) > HISTORY;
        while self.pictures.len() > MAX_HISTORY || self.pictures.front().is_some_and(is_old) {
            self.pictures.pop_front();
        }
    }

    /// The packet of this number, if it belongs to one of them.
    pub(super) fn find(&self, number: u64) -> Option<RtpPacket<'_>> {
        let is_before = |burst: &Arc<Burst>| burst.picture().is_some_and(|it| it.first <= number);
        let behind = self.pictures.partition_point(is_before);
        let picture = self.pictures.get(behind.checked_sub(1)?)?.picture()?;
        picture.packet(usize::try_from(number - picture.first).ok()?)
    }
}

/// One room's packets. The task that makes them lives as long as somebody watches.
#[derive(Debug)]
pub(super) struct Feed {
    bursts: Arc<Fanout<Burst>>,
    history: Arc<RwLock<History>>,
    paths: PathMeter,
    seats: Arc<Seats>,
    /// Held so that sound is in Opus.
    _rendition: Arc<Rendition>,
    _task: Roaming,
}

impl Feed {
    fn new(stage: &Stage) -> Self {
        let bursts = Arc::new(Fanout::new(Limits::default()));
        let rendition = stage.rendition(AudioCodec::Opus);
        let source = rendition.subscribe(Start::Newest { max_age: MAX_AGE });
        let history = Arc::default();
        let seats = Arc::<Seats>::default();
        let task = roaming::spawn(run(
            source,
            Arc::clone(&bursts),
            Arc::clone(&history),
            Arc::clone(&seats),
        ));
        Self {
            bursts,
            history,
            paths: PathMeter::default(),
            seats,
            _rendition: rendition,
            _task: task,
        }
    }

    /// A place at the next keyframe to come, for a viewer that could not keep up.
    pub(super) fn subscribe_to_next(&self) -> Subscription<Burst> {
        self.bursts.subscribe(Start::Next)
    }

    /// Packets of pictures from this burst's first to the newest.
    pub(super) fn packets_since(&self, burst: &Burst) -> u64 {
        match burst.picture() {
            Some(picture) => self.history.read().next.saturating_sub(picture.first),
            None => 0,
        }
    }

    /// What can be sent again.
    pub(super) fn history(&self) -> &RwLock<History> {
        &self.history
    }

    /// How well the paths to the viewers carry.
    pub(super) fn paths(&self) -> &PathMeter {
        &self.paths
    }

    /// Those who watch.
    pub(super) fn seats(&self) -> &Arc<Seats> {
        &self.seats
    }

    /// A viewer's place.
    pub(super) fn subscribe(&self) -> Subscription<Burst> {
        self.bursts.subscribe(Start::Newest { max_age: MAX_AGE })
    }
}

async fn run(
    mut source: Subscription<AccessUnit>,
    feed: Arc<Fanout<Burst>>,
    history: Arc<RwLock<History>>,
    seats: Arc<Seats>,
) {
    let mut bursts = Bursts::default();
    while let Some(delivery) = source.next().await {
        bursts.push(Instant::now(), &delivery.unit, seats.sounds(), |burst| {
            let burst = Arc::new(burst);
            history.write().push(&burst);
            feed.publish(burst);
        });
    }
}

/// The feeds of all rooms that are being watched.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    by_stage: Mutex<HashMap<usize, Weak<Feed>>>,
}

impl Feeds {
    /// The feed of this stage, if somebody watches.
    pub(super) fn existing(&self, stage: &Arc<Stage>) -> Option<Arc<Feed>> {
        let id = Arc::as_ptr(stage) as usize;
        self.by_stage.lock().get(&id)?.upgrade()
    }

    /// The feed of this stage, shared by all who watch it now.
    pub(super) fn of(&self, stage: &Arc<Stage>) -> Arc<Feed> {
        let mut feeds = self.by_stage.lock();
        // A feed's viewers hold its stage, so an address is not used again while the feed lives.
        let id = Arc::as_ptr(stage) as usize;
        if let Some(feed) = feeds.get(&id).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::new(stage));
        feeds.insert(id, Arc::downgrade(&feed));
        feed
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::access_unit::{AudioFormat, Format};
    use crate::media::stage::{NewUnit, Tracks};
    use crate::media::time::MediaTime;

    fn sound(at_ms: i64) -> NewUnit {
        let at = MediaTime::from_micros(at_ms * 1_000);
        let format = Format::Audio(AudioFormat::Opus { channels: 2 });
        NewUnit {
            format,
            dts: at,
            pts: at,
            keyframe: false,
            data: Bytes::from_static(b"opus"),
        }
    }

    #[tokio::test]
    async fn all_viewers_of_a_room_share_its_packets() {
        let (feeds, stage) = (Feeds::default(), Arc::new(Stage::default()));
        let publication = stage.publish(Tracks {
            video: false,
            audio: true,
        });
        let (a, b) = (feeds.of(&stage), feeds.of(&stage));
        let (mut first, mut second) = (a.subscribe(), b.subscribe());
        publication.write(sound(0)).unwrap();
        let (first, second) = (first.next().await.unwrap(), second.next().await.unwrap());
        assert!(Arc::ptr_eq(&first.unit, &second.unit));
    }

    #[tokio::test]
    async fn timestamps_follow_the_stages_timeline() {
        let (feeds, stage) = (Feeds::default(), Arc::new(Stage::default()));
        let publication = stage.publish(Tracks {
            video: false,
            audio: true,
        });
        let feed = feeds.of(&stage);
        let mut viewer = feed.subscribe();
        let mut timestamps = Vec::new();
        for at in [0, 20, 60] {
            publication.write(sound(at)).unwrap();
            timestamps.push(viewer.next().await.unwrap().unit.units[0].timestamp);
        }
        let steps: Vec<_> = timestamps
            .windows(2)
            .map(|w| w[1].wrapping_sub(w[0]))
            .collect();
        assert_eq!(steps, [960, 1_920]);
    }

    #[tokio::test]
    async fn a_feed_ends_with_its_last_viewer() {
        let (feeds, stage) = (Feeds::default(), Arc::new(Stage::default()));
        let feed = feeds.of(&stage);
        let bursts = Arc::downgrade(&feed.bursts);
        drop(feed);
        while bursts.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(
            feeds
                .by_stage
                .lock()
                .values()
                .all(|feed| feed.strong_count() == 0)
        );
    }
}
