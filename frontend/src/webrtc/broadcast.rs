//! Broadcasting to a room: one WHIP session after another, as
//! [`logic::publisher`](crate::logic::publisher) decides.

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::{Ingest, RoomKey, RoomState};
use wasm_bindgen::JsCast;

use super::peer::LinkState;
use super::publisher::Publisher;
use crate::api::{self, ApiError};
use crate::capture::{Choice, Kind, Sources};
use crate::logic::publisher::{Command, Event, Phase, Publisher as Machine};
use crate::logic::quality::Quality;
use crate::storage::{self, HostSecrets};
use crate::{browser, clock};

/// How long a session may take until media flows, in milliseconds.
const CONNECT_MS: u32 = 12_000;

/// A room that this browser hosts. Deliberately without `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct HostedRoom {
    /// Its public key.
    pub key: RoomKey,
    /// What makes this browser its host.
    pub secrets: HostSecrets,
}

/// One broadcast after another from the same sources, until the component that made it ends.
#[derive(Clone, Copy)]
pub struct Broadcast {
    sources: Sources,
    phase: RwSignal<Phase>,
    room: RwSignal<Option<HostedRoom>>,
    needs_token: RwSignal<bool>,
    link: StoredValue<Link, LocalStorage>,
}

#[derive(Default)]
struct Link {
    machine: Machine,
    title: String,
    publisher: Option<Publisher>,
    /// Counts sessions, so that what an earlier one still says is ignored.
    generation: u32,
    retry: Option<Timeout>,
    connecting: Option<Timeout>,
    listeners: Vec<EventListener>,
}

impl Broadcast {
    /// No broadcast yet.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let broadcast = Self {
            sources,
            phase: RwSignal::new(Phase::Setup),
            room: RwSignal::new(None),
            needs_token: RwSignal::new(false),
            link: StoredValue::new_local(Link::default()),
        };
        broadcast.listen();
        broadcast
    }

    /// Where it is.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.phase.get()
    }

    /// Whether leaving now would interrupt it.
    #[must_use]
    pub fn is_on_air(self) -> bool {
        self.phase.with_untracked(Phase::is_on_air)
    }

    /// Whether the server asked for the token of those who may broadcast
    /// ([`storage::CREATE_TOKEN`]).
    #[must_use]
    pub fn needs_token(self) -> bool {
        self.needs_token.get()
    }

    /// The room, once it is made.
    #[must_use]
    pub fn room(self) -> Option<HostedRoom> {
        self.room.get()
    }

    /// The same without telling the reader of changes.
    #[must_use]
    pub fn room_untracked(self) -> Option<HostedRoom> {
        self.room.get_untracked()
    }

    /// Makes a room called `title` and goes live; or goes live in `room`, if one is set.
    pub fn start(self, title: String) {
        self.link.update_value(|link| link.title = title);
        self.handle(Event::Start);
    }

    /// Goes on with a room that is still going, after a reload.
    pub fn resume(self) {
        self.handle(Event::Resume);
    }

    /// Uses a room that was made earlier for the next start.
    pub fn set_room(self, room: HostedRoom) {
        self.room.set(Some(room));
    }

    /// Ends the broadcast and the room.
    pub fn end(self) {
        self.handle(Event::End);
    }

    /// Back to the set-up, with no room.
    pub fn reset(self) {
        self.room.set(None);
        self.handle(Event::Reset);
    }

    /// The server cut it off; the sentence says why.
    pub fn cut_off(self, sentence: String) {
        self.handle(Event::CutOff(sentence));
    }

    /// The room's state is known.
    pub fn room_is(self, state: RoomState, ingest: Option<Ingest>) {
        self.handle(Event::Room(state, ingest));
    }

    /// Makes a room called `title` for streaming software; this page sends nothing itself.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn prepare(self, title: String) -> Result<(), ApiError> {
        self.link.try_update_value(|link| link.title = title);
        self.create_room().await.map(|_| ())
    }

    /// Voids the room's stream key and remembers the new one. Whoever publishes is cut off.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn rotate_stream_key(self) -> Result<(), ApiError> {
        let Some(mut room) = self.room.try_get_untracked().flatten() else {
            return Ok(());
        };
        let token = room.secrets.host_token.clone();
        room.secrets
            .rotate(api::rotate_stream_key(&room.key, &token).await?);
        storage::set_host_secrets(&room.key, &room.secrets);
        self.room.try_set(Some(room));
        Ok(())
    }

    /// How long a packet takes to the server and back, in milliseconds, where the browser knows.
    pub fn round_trip(self) -> impl Future<Output = Option<u32>> {
        let asked = self
            .link
            .try_with_value(|link| link.publisher.as_ref().map(Publisher::round_trip));
        async move { asked.flatten()?.await }
    }

    /// Switches the camera or the microphone, live or not.
    pub async fn switch_device(self, kind: Kind, choice: Choice) {
        self.sources.switch(kind, choice).await;
        let track = self.sources.track(kind);
        let sent = self.link.try_with_value(|link| {
            let publisher = link.publisher.as_ref()?;
            let sends = publisher.sends(kind);
            sends.then(|| publisher.replace_track(kind, track.as_ref()))
        });
        match sent {
            Some(Some(replaced)) => {
                if let Err(error) = replaced.await {
                    self.sources.notice.try_set(Some(error.to_string()));
                }
            }
            // There was no such track when the session began: only a new session can carry it.
            Some(None) if track.is_some() && self.phase.get_untracked() == Phase::Live => {
                self.publish();
            }
            _ => {}
        }
    }

    /// Makes the picture better or smaller, live or not.
    pub async fn set_quality(self, quality: Quality) {
        self.sources.set_quality(quality).await;
        let limited = self.link.try_with_value(|link| {
            let publisher = link.publisher.as_ref()?;
            Some(publisher.limit_bitrate(quality.max_bitrate()))
        });
        if let Some(Some(limited)) = limited {
            limited.await;
        }
    }

    fn handle(self, event: Event) {
        let commands = self.link.try_update_value(|link| {
            let commands = link.machine.handle(event, clock::now(), browser::random());
            (commands, link.machine.phase().clone())
        });
        let Some((commands, phase)) = commands else {
            return;
        };
        if self
            .phase
            .try_with_untracked(|known| *known != phase)
            .unwrap_or(false)
        {
            if let (Phase::Ended(_), Some(room)) = (&phase, self.room.get_untracked()) {
                storage::forget_room(&room.key);
            }
            self.phase.set(phase);
        }
        for command in commands {
            match command {
                Command::Publish => self.publish(),
                Command::Drop => drop(self.let_go()),
                Command::End => self.end_on_the_server(),
                Command::Retry(after_ms) => {
                    let retry = Timeout::new(after_ms, move || self.handle(Event::RetryDue));
                    self.link.try_update_value(|link| link.retry = Some(retry));
                }
            }
        }
    }

    /// Forgets the present session; it is the caller's to end or to drop.
    fn let_go(self) -> Option<Publisher> {
        self.link
            .try_update_value(|link| {
                link.generation += 1;
                link.retry = None;
                link.connecting = None;
                link.publisher.take()
            })
            .flatten()
    }

    fn publish(self) {
        drop(self.let_go());
        let connecting = Timeout::new(CONNECT_MS, move || self.handle(Event::PeerLost));
        let Some(generation) = self.link.try_update_value(|link| {
            link.connecting = Some(connecting);
            link.generation
        }) else {
            return;
        };
        let is_current = move || {
            self.link
                .try_with_value(|link| link.generation == generation)
                .unwrap_or(false)
        };
        let on_link = move |state| match state {
            _ if !is_current() => {}
            LinkState::Up => {
                self.link.try_update_value(|link| link.connecting = None);
                self.handle(Event::Connected);
            }
            LinkState::Lost => self.handle(Event::PeerLost),
        };
        spawn_local(async move {
            let started = self.start_session(on_link).await;
            if !is_current() {
                return;
            }
            match started {
                Ok(publisher) => {
                    self.link
                        .try_update_value(|link| link.publisher = Some(publisher));
                }
                Err(ApiError::Refused { status, detail, .. }) => {
                    self.handle(Event::Refused { status, detail });
                }
                Err(ApiError::Unreachable) => self.handle(Event::Unreachable),
                Err(error) => self.handle(Event::Broken(error.to_string())),
            }
        });
    }

    async fn start_session(
        self,
        on_link: impl Fn(LinkState) + 'static,
    ) -> Result<Publisher, ApiError> {
        let known = self.room.try_get_untracked().flatten();
        let room = match known {
            Some(room) => room,
            None => self.create_room().await?,
        };
        // Tells other windows of this browser that the broadcast is here now.
        let mark = browser::random().to_string();
        storage::set(&storage::publishing_window(&room.key), &mark);
        let stream = self
            .sources
            .stream_untracked()
            .ok_or_else(|| ApiError::Browser("the camera is off".into()))?;
        let quality = self.sources.quality.try_get_untracked().unwrap_or_default();
        let max_bitrate = quality.max_bitrate();
        Publisher::start(
            &room.key,
            room.secrets.publishing(),
            &stream,
            max_bitrate,
            on_link,
        )
        .await
    }

    async fn create_room(self) -> Result<HostedRoom, ApiError> {
        let title = self
            .link
            .try_with_value(|link| link.title.clone())
            .unwrap_or_default();
        let token = storage::get(storage::CREATE_TOKEN);
        let created = api::create_room(&title, token.as_deref()).await;
        let created = created.map_err(|error| match error {
            ApiError::Refused {
                status: status @ (401 | 403),
                retry_after_ms,
                ..
            } => {
                self.needs_token.try_set(true);
                let detail = if token.is_none() {
                    "This server lets only people with its token broadcast: please fill it in."
                } else {
                    "This is not the server's token for broadcasting: please check it."
                };
                ApiError::Refused {
                    status,
                    detail: detail.into(),
                    retry_after_ms,
                }
            }
            error => error,
        })?;
        let secrets = HostSecrets::of(&created);
        storage::set_host_secrets(&created.room.key, &secrets);
        let room = HostedRoom {
            key: created.room.key,
            secrets,
        };
        self.room.try_set(Some(room.clone()));
        Ok(room)
    }

    fn end_on_the_server(self) {
        let publisher = self.let_go();
        let room = self.room.get_untracked();
        spawn_local(async move {
            if let Some(publisher) = publisher {
                publisher.end().await;
            }
            if let Some(room) = room {
                // Should the server not hear of it, the room ends with its grace time.
                let _ = api::end_room(&room.key, &room.secrets.host_token).await;
            }
            self.handle(Event::EndDone);
        });
    }

    fn listen(self) {
        let taken_over = EventListener::new(&window(), "storage", move |event| {
            let event: &web_sys::StorageEvent = event.unchecked_ref();
            let mine = self.room.with_untracked(|room| {
                room.as_ref()
                    .map(|room| storage::publishing_window(&room.key))
            });
            // A removed mark is the end of the room, which the server tells.
            if mine.is_some() && event.key() == mine && event.new_value().is_some() {
                self.handle(Event::TakenOver);
            }
        });
        let options = gloo_events::EventListenerOptions::enable_prevent_default();
        let leaving =
            EventListener::new_with_options(&window(), "beforeunload", options, move |event| {
                if self.is_on_air() {
                    event.prevent_default();
                }
            });
        let online = EventListener::new(&window(), "online", move |_| {
            self.handle(Event::RetryDue);
        });
        self.link
            .update_value(|link| link.listeners = vec![taken_over, leaving, online]);
    }
}
