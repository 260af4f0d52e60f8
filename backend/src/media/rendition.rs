//! A stage with its sound in one codec, for whoever can play only that one.
//!
//! [`Stage::rendition`] gives the same [`Rendition`] to all who want the same codec, so that sound is
//! transcoded once per room and direction, and only while somebody holds it. What needs no change, which
//! is all of a room whose sound has that codec already, passes through as the same [`Arc`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::access_unit::{AccessUnit, AudioCodec, Epoch, Format};
use super::audio::{self, Transcoder};
use super::fanout::{Fanout, Limits, Start, Subscription};
use super::stage::{Formats, Stage};

/// A stage whose sound, if it has any, is in one codec.
#[derive(Debug)]
pub struct Rendition {
    /// The task's: it ends with the stage, and every subscription with it.
    units: Weak<Fanout<AccessUnit>>,
    formats: watch::Receiver<Formats>,
    task: AbortHandle,
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
            source: stage.subscribe(newest),
            source_formats,
            units: Arc::new(Fanout::new(Limits::default())),
            formats,
            epoch: None,
            transcoder: None,
        };
        // At once, so that whoever asked for the rendition can start where the stage can be started:
        // for sound that has to be transcoded some 10 ms for each second since the newest keyframe.
        bridge.catch_up();
        let units = Arc::downgrade(&bridge.units);
        let formats = bridge.formats.subscribe();
        let task = tokio::spawn(bridge.run()).abort_handle();
        Self {
            units,
            formats,
            task,
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

impl Drop for Rendition {
    fn drop(&mut self) {
        self.task.abort();
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
