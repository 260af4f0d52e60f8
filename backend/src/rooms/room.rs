//! One room.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use shared::UnixMillis;
use shared::room::{Ingest, Room as View, RoomKey, RoomState};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::hosts::Hosts;
use super::lifecycle::{Entrance, Lifecycle, PublicationId, RoomClosed};
use super::publishing::{NotAllowed, PUBLISHERS};
use super::secret::{HostToken, SecretHash, Stream, StreamKey};
use super::viewers::Viewers;
use crate::clock::unix_millis;
use crate::media::stage::Stage;
use crate::social::chat::Chat;
use crate::store::journal::Receipt;
use crate::store::shelf::Shelf;
use crate::store::{RoomRecord, StoredRoom};

/// A room with everything that belongs to it.
pub struct Room {
    key: RoomKey,
    owner: Owner,
    stage: Arc<Stage>,
    viewers: Viewers,
    /// What everybody may know, but for the likes.
    view: Arc<watch::Sender<View>>,
    likes: watch::Sender<u64>,
    /// What its host was told last.
    notices: watch::Sender<String>,
    state: Mutex<State>,
    /// Counts the stream keys, so that a publisher notices that its key is void.
    key_version: watch::Sender<u64>,
    chat: Mutex<Chat>,
    publishers: Arc<Semaphore>,
    publishers_everywhere: Arc<Semaphore>,
    bitrate: Option<u64>,
    shelf: Shelf,
    /// What was kept of it last.
    kept: Mutex<Option<RoomRecord>>,
}

/// Who decides over a room.
#[derive(Debug)]
pub enum Owner {
    /// Whoever has a host token.
    Host(Hosts),
    /// The socket that made the room: an *open* room of a 2016 client.
    Socket {
        /// The socket's number.
        number: u64,
        /// Where it comes from, as an IPv4 address where that is what it is.
        address: Option<IpAddr>,
    },
}

struct State {
    lifecycle: Lifecycle,
    stream_key: Option<SecretHash<Stream>>,
    /// When it last changed between its states.
    since: Instant,
    /// The same, by the calendar.
    since_millis: UnixMillis,
}

/// What a new room is made of.
pub(super) struct NewRoom {
    pub(super) key: RoomKey,
    pub(super) title: String,
    pub(super) owner: Owner,
    pub(super) stream_key: Option<SecretHash<Stream>>,
    pub(super) grace: Duration,
    pub(super) viewers: usize,
    pub(super) viewers_everywhere: Arc<Semaphore>,
    pub(super) publishers_everywhere: Arc<Semaphore>,
    pub(super) bitrate: Option<u64>,
    pub(super) shelf: Shelf,
}

impl Room {
    pub(super) fn new(new: NewRoom) -> Self {
        let view = Arc::new(watch::Sender::new(View {
            key: new.key.clone(),
            title: new.title,
            state: RoomState::Offline,
            viewers: 0,
            peak_viewers: 0,
            likes: 0,
            created_at: unix_millis(),
            started_at: None,
            ingest: None,
            webrtc: true,
        }));
        Self {
            key: new.key,
            owner: new.owner,
            stage: Arc::default(),
            viewers: Viewers::new(Arc::clone(&view), new.viewers_everywhere, new.viewers),
            view,
            likes: watch::Sender::new(0),
            notices: watch::Sender::default(),
            state: Mutex::new(State {
                lifecycle: Lifecycle::new(new.grace),
                stream_key: new.stream_key,
                since: Instant::now(),
                since_millis: unix_millis(),
            }),
            key_version: watch::Sender::new(0),
            chat: Mutex::default(),
            publishers: Arc::new(Semaphore::new(PUBLISHERS)),
            publishers_everywhere: new.publishers_everywhere,
            bitrate: new.bitrate,
            shelf: new.shelf,
            kept: Mutex::default(),
        }
    }

    /// Makes it what it was before the server was stopped; to be called before anybody knows it.
    pub(super) fn restore(&self, stored: StoredRoom, grace: Duration, now: Instant) {
        let record = &stored.record;
        let lifecycle = Lifecycle::restored(grace, record.state, record.closed, now);
        self.likes.send_replace(record.likes);
        self.view.send_modify(|view| {
            view.state = lifecycle.state();
            view.created_at = record.created_at;
            view.started_at = record.started_at;
            view.peak_viewers = record.peak_viewers;
        });
        {
            let mut state = self.state.lock();
            let unchanged = Duration::from_millis(unix_millis().saturating_sub(record.since));
            state.since = now.checked_sub(unchanged).unwrap_or(now);
            state.since_millis = record.since;
            state.lifecycle = lifecycle;
        }
        *self.kept.lock() = Some(stored.record.clone());
        *self.chat.lock() = Chat::restored(stored);
    }

    /// Where it is kept.
    #[must_use]
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What is to be kept of it; nothing of an open room.
    fn record(&self) -> Option<RoomRecord> {
        let Owner::Host(hosts) = &self.owner else {
            return None;
        };
        let state = self.state.lock();
        let view = self.view();
        Some(RoomRecord {
            key: view.key,
            title: view.title,
            host_tokens: hosts.tokens(),
            stream_key: state.stream_key.clone()?,
            state: state.lifecycle.state(),
            closed: state.lifecycle.is_closed(),
            since: state.since_millis,
            created_at: view.created_at,
            started_at: view.started_at,
            likes: view.likes,
            peak_viewers: view.peak_viewers,
        })
    }

    /// Has it kept as it is now.
    pub fn keep(&self) -> Receipt {
        let mut kept = self.kept.lock();
        let record = self.record();
        kept.clone_from(&record);
        record.map_or_else(Receipt::unneeded, |record| self.shelf.record(record))
    }

    /// The same, if something changed since it was kept last.
    pub(super) fn keep_changes(&self) {
        let is_new = {
            let kept = self.kept.lock();
            self.record() != *kept
        };
        if is_new {
            drop(self.keep());
        }
    }

    /// Its public name.
    #[must_use]
    pub const fn key(&self) -> &RoomKey {
        &self.key
    }

    /// Where its publisher and its viewers meet.
    #[must_use]
    pub const fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    /// Who is watching.
    #[must_use]
    pub const fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    /// What is said and given in it.
    #[must_use]
    pub const fn chat(&self) -> &Mutex<Chat> {
        &self.chat
    }

    /// What everybody may know about it now.
    #[must_use]
    pub fn view(&self) -> View {
        let view = self.view.borrow().clone();
        View {
            likes: *self.likes.borrow(),
            ..view
        }
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> RoomState {
        self.view.borrow().state
    }

    /// Changes of [`Room::view`], the likes excepted.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// The likes in all.
    #[must_use]
    pub fn likes(&self) -> watch::Receiver<u64> {
        self.likes.subscribe()
    }

    /// Somebody likes it, `count` times.
    pub fn like(&self, count: u32) {
        self.likes.send_modify(|likes| *likes += u64::from(count));
    }

    /// Sentences for its host.
    #[must_use]
    pub fn notices(&self) -> watch::Receiver<String> {
        self.notices.subscribe()
    }

    /// Tells its host why a publisher was cut off.
    pub fn tell_cut_off(&self, why: &dyn fmt::Display) {
        let notice = format!("The broadcast was cut off, because {why}.");
        self.notices.send_replace(notice);
    }

    /// Gives it another title, which has been checked.
    pub fn rename(&self, title: &str) {
        self.view
            .send_modify(|view| title.clone_into(&mut view.title));
    }

    /// Whether this is the secret of the room's host. An open room has none.
    #[must_use]
    pub fn is_host(&self, presented: &str) -> bool {
        matches!(&self.owner, Owner::Host(hosts) if hosts.know(presented))
    }

    /// Its hosts; an open room has none.
    #[must_use]
    pub const fn hosts(&self) -> Option<&Hosts> {
        match &self.owner {
            Owner::Host(hosts) => Some(hosts),
            Owner::Socket { .. } => None,
        }
    }

    /// Checks the token of a host who wants to publish; with the right one comes what comes with the
    /// stream key. Whoever owns a room could make a new key.
    pub(super) fn check_publishing_host(&self, presented: &str) -> Option<watch::Receiver<u64>> {
        self.is_host(presented)
            .then(|| self.key_version.subscribe())
    }

    /// Who decides over it.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// A publisher's places in the room and on the server, if there are; given back when dropped.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn publisher_place(&self) -> Result<[OwnedSemaphorePermit; 2], NotAllowed> {
        let here = Arc::clone(&self.publishers).try_acquire_owned();
        let everywhere = Arc::clone(&self.publishers_everywhere).try_acquire_owned();
        Ok([
            here.map_err(|_| NotAllowed::TooMany)?,
            everywhere.map_err(|_| NotAllowed::ServerFull)?,
        ])
    }

    /// What a publisher may send, in bits a second, if there is a limit.
    #[must_use]
    pub const fn bitrate(&self) -> Option<u64> {
        self.bitrate
    }

    /// Whether a 2016 client made it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.owner, Owner::Socket { .. })
    }

    /// Whether the socket with this number made it.
    #[must_use]
    pub const fn was_made_by(&self, socket: u64) -> bool {
        matches!(self.owner, Owner::Socket { number, .. } if number == socket)
    }

    /// Whether the host has ended it for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().lifecycle.is_closed()
    }

    /// Checks a stream key; with the right one comes a watch that changes when it becomes void.
    #[must_use]
    pub fn check_stream_key(&self, presented: &str) -> Option<watch::Receiver<u64>> {
        let state = self.state.lock();
        let right = state
            .stream_key
            .as_ref()
            .is_some_and(|hash| hash.matches(presented));
        right.then(|| self.key_version.subscribe())
    }

    /// Voids the stream key and makes a new one. Whoever publishes with the old one is cut off.
    #[must_use]
    pub fn rotate_stream_key(&self) -> StreamKey {
        let key = StreamKey::generate();
        let mut state = self.state.lock();
        state.stream_key = Some(key.hash());
        self.key_version.send_modify(|version| *version += 1);
        key
    }

    /// Media flows from a publisher: the room is live.
    ///
    /// # Errors
    /// [`RoomClosed`].
    pub fn go_live(self: &Arc<Self>, ingest: Ingest) -> Result<OnAir, RoomClosed> {
        let mut state = self.state.lock();
        let (publication, entrance) = state.lifecycle.publish()?;
        self.publish_state(&mut state, |view| {
            view.ingest = Some(ingest);
            view.webrtc = self.suits_webrtc().unwrap_or(view.webrtc);
            if entrance == Entrance::Begins {
                view.started_at = Some(unix_millis());
            }
        });
        Ok(OnAir {
            room: Arc::downgrade(self),
            publication,
            leave: Leave::Lost,
        })
    }

    /// The server stops: whoever publishes is cut off, and may resume when it is back.
    pub(super) fn suspend(&self) {
        self.key_version.send_modify(|version| *version += 1);
    }

    /// Ends it for good.
    pub fn close(&self) {
        self.advance(Lifecycle::close);
    }

    /// Time passes: the grace time of a lost publisher may be over, and the picture another.
    pub(super) fn tick(&self, now: Instant) {
        self.advance(|lifecycle| lifecycle.tick(now));
        if let Some(webrtc) = self.suits_webrtc() {
            self.view
                .send_if_modified(|view| std::mem::replace(&mut view.webrtc, webrtc) != webrtc);
        }
    }

    /// Whether WebRTC can carry what is broadcast now. A picture that has not come yet is expected to be as
    /// the last: whoever was lost comes back with the same encoder.
    fn suits_webrtc(&self) -> Option<bool> {
        let formats = self.stage.formats();
        let formats = formats.borrow();
        let video = formats.video.as_ref();
        video.map(|_| formats.obstacle().is_none())
    }

    /// How long it has been in this state.
    pub(super) fn unchanged_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.state.lock().since)
    }

    fn advance(&self, step: impl FnOnce(&mut Lifecycle)) {
        let mut state = self.state.lock();
        step(&mut state.lifecycle);
        if state.lifecycle.state() != self.state() {
            self.publish_state(&mut state, |view| view.ingest = None);
        }
    }

    /// Tells everybody the state; under the lock, so that what they hear is in the order of events.
    fn publish_state(&self, state: &mut State, more: impl FnOnce(&mut View)) {
        state.since = Instant::now();
        state.since_millis = unix_millis();
        self.view.send_modify(|view| {
            view.state = state.lifecycle.state();
            more(view);
        });
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("view", &self.view())
            .finish_non_exhaustive()
    }
}

/// A publisher's time on the air. Dropped without [`OnAir::stop`] it counts as lost.
#[derive(Debug)]
pub struct OnAir {
    room: Weak<Room>,
    publication: PublicationId,
    leave: Leave,
}

/// How a publisher leaves.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Lost,
    Stopped,
    HandedOver,
}

impl OnAir {
    /// The publisher stopped of its own accord.
    pub fn stop(mut self) {
        self.leave = Leave::Stopped;
    }

    /// Another publisher has the stage and is about to go live itself.
    pub fn hand_over(mut self) {
        self.leave = Leave::HandedOver;
    }
}

impl Drop for OnAir {
    fn drop(&mut self) {
        let Some(room) = self.room.upgrade() else {
            return;
        };
        room.advance(|lifecycle| match self.leave {
            Leave::Lost => lifecycle.lost(self.publication, Instant::now()),
            Leave::Stopped => lifecycle.stopped(self.publication),
            Leave::HandedOver => {}
        });
    }
}

/// What only the owner of a new room is told.
#[derive(Debug)]
pub struct Secrets {
    /// See [`HostToken`].
    pub host_token: HostToken,
    /// See [`StreamKey`].
    pub stream_key: StreamKey,
}

/// Waits until there is nothing more to come to those who watch: neither a publisher nor one that may return.
/// Cancel safe.
pub async fn over(changes: &mut watch::Receiver<View>) {
    let over = |view: &View| matches!(view.state, RoomState::Offline | RoomState::Ended);
    // An error means that the room is gone.
    let _ = changes.wait_for(over).await;
}
