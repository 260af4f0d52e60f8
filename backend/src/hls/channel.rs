//! A room over HLS: packages while somebody asks or an encoder pushes, and lets requests wait for what comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use shared::room::{Ingest, Room as View, RoomState};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::packager::{Packager, WallClock};
use super::playlist;
use super::presentation::{Presentation, SEGMENT};
use super::rendered::Rendered;
use super::segment::Next;
use super::track::Track;
use crate::media::access_unit::{AccessUnit, AudioCodec, TrackKind};
use crate::media::fanout::Start;
use crate::rooms::audience::{Audience, Client};
use crate::rooms::room::Room;
use crate::rooms::viewers::Full;

/// How long a channel goes on, or keeps what it does not need, when nobody asks.
const UNASKED: Duration = Duration::from_secs(30);
/// How often it looks whether somebody does.
const TICK: Duration = Duration::from_secs(1);
/// Requests of one room that may wait at once: some for each viewer.
const WAITING: usize = 8_192;
/// How long a request waits for the first segment of a broadcast.
const FIRST_SEGMENT: Duration = Duration::from_secs(15);
/// How long a request waits for anything else, in target durations (section 6.2.5.2).
const WAIT: u32 = 3;

/// Why a request is not answered with media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It never was, or is no longer kept.
    #[error("There is no such playlist, part or segment (any more): please reload the playlist.")]
    Gone,
    /// A media sequence number that is not going to be reached soon (section 6.2.5.2).
    #[error("_HLS_msn is too far ahead of the playlist.")]
    TooFar,
    /// It did not come in time.
    #[error("The broadcast stands still: please try again in a moment.")]
    Late,
    /// As many requests as may wait are waiting.
    #[error("Too many requests are waiting in this room: please try again in a moment.")]
    Crowded,
}

/// What a playlist request wants to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `_HLS_msn`.
    pub segment: u64,
    /// `_HLS_part`: not the whole segment, but this part.
    pub part: Option<usize>,
}

/// Which playlist was rendered last: a rendition's or the multivariant one, with or without old segments.
/// The version that it shows is kept with it.
type Form = (Option<TrackKind>, bool);

/// One room's.
#[derive(Debug)]
pub struct Channel {
    packager: Mutex<Packager>,
    clock: WallClock,
    /// Counts what the packager made.
    version: watch::Sender<u64>,
    rendered: Mutex<HashMap<Form, (u64, Rendered)>>,
    audience: Mutex<Audience>,
    waiting: Semaphore,
    task: Mutex<Task>,
}

#[derive(Debug)]
struct Task {
    runs: bool,
    asked: Instant,
}

impl Channel {
    pub(super) fn new(room: &Room) -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        Self {
            packager: Mutex::default(),
            clock: WallClock {
                epoch: now - room.stage().now().as_micros(),
            },
            version: watch::Sender::new(0),
            rendered: Mutex::default(),
            audience: Mutex::default(),
            waiting: Semaphore::new(WAITING),
            task: Mutex::new(Task {
                runs: false,
                asked: Instant::now(),
            }),
        }
    }

    /// Somebody asks: it packages from now on, and for a while.
    pub(super) fn ask(self: &Arc<Self>, room: &Arc<Room>) {
        let mut task = self.task.lock();
        task.asked = Instant::now();
        let plays = matches!(room.state(), RoomState::Live | RoomState::Reconnecting);
        if plays && !task.runs {
            task.runs = true;
            // Ends when nobody asks and no encoder pushes, or with the room.
            tokio::spawn(Arc::clone(self).run(Arc::clone(room)));
        }
    }

    /// Whether it packages now: then whoever asks is a viewer.
    fn runs(&self) -> bool {
        self.task.lock().runs
    }

    /// A client asked for a playlist: it watches.
    ///
    /// # Errors
    /// [`Full`].
    pub fn asked(&self, room: &Room, client: Client<'_>) -> Result<(), Full> {
        if !self.runs() {
            return Ok(());
        }
        let mut audience = self.audience.lock();
        audience.asked(room.viewers(), client, Instant::now())
    }

    /// A player with this name is watching.
    ///
    /// # Errors
    /// [`Full`].
    pub fn beat(&self, room: &Room, client: Client<'_>, id: &str) -> Result<(), Full> {
        if !self.runs() {
            return Ok(());
        }
        let mut audience = self.audience.lock();
        audience.beat(room.viewers(), client, id, Instant::now())
    }

    /// The multivariant playlist; waits for the first segment of every rendition. Players that do not know
    /// parts take a playlist without a segment for an error.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn multivariant(&self) -> Result<Rendered, Unavailable> {
        let has_begun = |packager: &Packager| {
            let present = packager.present()?;
            let begun = |track: &Track| track.shown().next().is_some();
            let ready = !present.ended() && present.tracks().all(begun);
            ready.then_some(Ok(()))
        };
        self.wait(FIRST_SEGMENT, has_begun).await?;
        self.packager.lock().show();
        self.render(None, false, |packager| {
            Some(playlist::multivariant(packager.present()?))
        })
    }

    /// A rendition's playlist, once it has what is wanted.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn media(
        &self,
        name: &str,
        kind: TrackKind,
        wanted: Option<Wanted>,
        skip: bool,
    ) -> Result<Rendered, Unavailable> {
        if let Some(wanted) = wanted {
            let patience = self.patience(name)?;
            self.wait(patience, |packager| {
                let found = packager.named(name);
                let found = found.and_then(|there| Some((there, there.track(kind)?)));
                let Some((presentation, track)) = found else {
                    return Some(Err(Unavailable::Gone));
                };
                if !presentation.ended() && wanted.segment > last_listed(track) + 2 {
                    return Some(Err(Unavailable::TooFar));
                }
                let is_there = presentation.ended() || wanted.is_in(track);
                is_there.then_some(Ok(()))
            })
            .await?;
        }
        let is_present = self.packager.lock().present().map(Presentation::name) == Some(name);
        let text = |packager: &Packager| {
            let presentation = packager.named(name)?;
            let track = presentation.track(kind)?;
            Some(playlist::media(presentation, track, self.clock, skip))
        };
        if is_present {
            self.render(Some(kind), skip, text)
        } else {
            let text = text(&self.packager.lock()).ok_or(Unavailable::Gone)?;
            Ok(Rendered::new(text))
        }
    }

    /// An initialization segment.
    ///
    /// # Errors
    /// [`Unavailable::Gone`].
    pub fn init(&self, name: &str, kind: TrackKind, number: u32) -> Result<Bytes, Unavailable> {
        self.find(name, kind, |track| track.init(number).cloned())
    }

    /// A segment.
    ///
    /// # Errors
    /// [`Unavailable::Gone`].
    pub fn segment(&self, name: &str, kind: TrackKind, number: u64) -> Result<Bytes, Unavailable> {
        self.find(name, kind, |track| {
            track.segment(number).map(|segment| segment.data.clone())
        })
    }

    /// A part; the one that the playlist hints at is waited for (section 6.2.6).
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn part(
        &self,
        name: &str,
        kind: TrackKind,
        wanted: Next,
    ) -> Result<Bytes, Unavailable> {
        let patience = self.patience(name)?;
        self.wait(patience, |packager| {
            let presentation = packager.named(name);
            let found = presentation.and_then(|there| Some((there, there.track(kind)?)));
            let Some((presentation, track)) = found else {
                return Some(Err(Unavailable::Gone));
            };
            if let Some(part) = track.part(wanted) {
                return Some(Ok(part.data.clone()));
            }
            let comes = !presentation.ended() && track.next() == wanted;
            (!comes).then_some(Err(Unavailable::Gone))
        })
        .await
    }

    fn find(
        &self,
        name: &str,
        kind: TrackKind,
        get: impl FnOnce(&Track) -> Option<Bytes>,
    ) -> Result<Bytes, Unavailable> {
        let packager = self.packager.lock();
        let track = packager.named(name).and_then(|there| there.track(kind));
        track.and_then(get).ok_or(Unavailable::Gone)
    }

    fn patience(&self, name: &str) -> Result<Duration, Unavailable> {
        let packager = self.packager.lock();
        let presentation = packager.named(name).ok_or(Unavailable::Gone)?;
        Ok(presentation.target() * WAIT)
    }

    /// Waits until `look` finds what it looks for.
    async fn wait<T>(
        &self,
        patience: Duration,
        look: impl Fn(&Packager) -> Option<Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        let mut version = self.version.subscribe();
        // Marked as seen before looking: what changes in between wakes the wait below.
        version.borrow_and_update();
        if let Some(found) = look(&self.packager.lock()) {
            return found;
        }
        let _place = self
            .waiting
            .try_acquire()
            .map_err(|_| Unavailable::Crowded)?;
        let waiting = async {
            while version.changed().await.is_ok() {
                if let Some(found) = look(&self.packager.lock()) {
                    return found;
                }
            }
            Err(Unavailable::Gone)
        };
        timeout(patience, waiting)
            .await
            .unwrap_or(Err(Unavailable::Late))
    }

    /// Makes a playlist of the present state, unless somebody has made it already.
    fn render(
        &self,
        kind: Option<TrackKind>,
        skip: bool,
        text: impl FnOnce(&Packager) -> Option<String>,
    ) -> Result<Rendered, Unavailable> {
        let mut rendered = self.rendered.lock();
        // Under both locks, so that a version has one text.
        let packager = self.packager.lock();
        let version = *self.version.borrow();
        if let Some((of, found)) = rendered.get(&(kind, skip))
            && *of == version
        {
            return Ok(found.clone());
        }
        let text = text(&packager).ok_or(Unavailable::Gone)?;
        drop(packager);
        let made = Rendered::new(text);
        rendered.insert((kind, skip), (version, made.clone()));
        Ok(made)
    }

    /// Packages for as long as somebody asks, or an encoder pushes.
    async fn run(self: Arc<Self>, room: Arc<Room>) {
        tracing::debug!(room = %room.key(), "packaging for HLS");
        let stage = room.stage();
        let mut changes = room.changes();
        // An encoder's keyframes come in its own time, and all that is there is of use. A browser sends one
        // when it is asked, and how often it did says nothing.
        let (max_age, keyframe_interval) = if is_pushed(&changes.borrow_and_update()) {
            let measured = stage.measured();
            (
                Duration::MAX,
                measured.and_then(|measured| measured.keyframe_interval),
            )
        } else {
            stage.request_keyframe();
            (SEGMENT, None)
        };
        self.packager.lock().keyframe_interval = keyframe_interval;
        let rendition = stage.rendition(AudioCodec::Aac);
        let mut source = rendition.subscribe(Start::Newest { max_age }).patient();
        let mut keyframe = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                delivery = source.next() => match delivery {
                    Some(delivery) => {
                        if is_keyframe(&delivery.unit) {
                            keyframe = Instant::now();
                        }
                        self.change(|packager| {
                            if delivery.skipped > 0 {
                                packager.interrupt();
                            }
                            packager.push(&delivery.unit);
                        });
                    }
                    None => break,
                },
                changed = changes.changed() => {
                    let state = changes.borrow_and_update().state;
                    match state {
                        _ if changed.is_err() => break,
                        RoomState::Live => {}
                        RoomState::Reconnecting => self.change(Packager::interrupt),
                        RoomState::Offline | RoomState::Ended => self.change(Packager::end),
                    }
                }
                () = sleep_until(keyframe + SEGMENT) => {
                    keyframe = Instant::now();
                    if !is_pushed(&changes.borrow()) {
                        stage.request_keyframe();
                    }
                }
                now = ticks.tick() => {
                    self.audience.lock().sweep(now);
                    if self.may_rest(now, &changes.borrow()) {
                        break;
                    }
                }
            }
        }
        *self.audience.lock() = Audience::default();
        tracing::debug!(room = %room.key(), "no longer packaging for HLS");
    }

    /// Whether nobody has asked for a while, and nothing is lost when the task ends; if so, it is over.
    fn may_rest(&self, now: Instant, view: &View) -> bool {
        let mut task = self.task.lock();
        if now.saturating_duration_since(task.asked) < UNASKED {
            return false;
        }
        if is_pushed(view) || view.state == RoomState::Reconnecting {
            self.packager.lock().thin();
            return false;
        }
        self.change(Packager::rest);
        self.rendered.lock().clear();
        task.runs = false;
        true
    }

    /// Changes the packager and wakes those who wait, if there is something new.
    fn change(&self, change: impl FnOnce(&mut Packager)) {
        let mut packager = self.packager.lock();
        let before = progress(&packager);
        change(&mut packager);
        if progress(&packager) != before {
            self.version.send_modify(|version| *version += 1);
        }
    }
}

impl Wanted {
    fn is_in(self, track: &Track) -> bool {
        let next = track.next();
        let Some(part) = self.part else {
            return next.segment > self.segment;
        };
        if next.segment <= self.segment {
            return next.segment == self.segment && next.part > part;
        }
        // Past a segment's end it is the first part of the next (section 6.2.5.2).
        let is_past_end = |parts: usize| part >= parts;
        let parts = track.segment(self.segment).map(|there| there.parts.len());
        !parts.is_some_and(is_past_end) || next.segment > self.segment + 1 || next.part > 0
    }
}

/// The number of the newest segment that a playlist has something of.
fn last_listed(track: &Track) -> u64 {
    let next = track.next();
    if next.part > 0 {
        next.segment
    } else {
        next.segment.saturating_sub(1)
    }
}

/// What requests wait for.
fn progress(packager: &Packager) -> Option<(String, [Option<Next>; 2], bool)> {
    let present = packager.present()?;
    let next = |kind| present.track(kind).map(Track::next);
    Some((
        present.name().to_owned(),
        [TrackKind::Video, TrackKind::Audio].map(next),
        present.ended(),
    ))
}

/// Whether an encoder pushes into the room, and not a browser.
pub(super) fn is_pushed(view: &View) -> bool {
    view.ingest == Some(Ingest::Rtmp)
}

fn is_keyframe(unit: &AccessUnit) -> bool {
    unit.random_access && unit.format.kind() == TrackKind::Video
}
