//! What a studio has and does, whatever it looks like.

use leptos::html::Video;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};
use shared::room::{Ingest, Room, RoomKey, RoomState};

use crate::api::{self, ApiError};
use crate::browser;
use crate::capture::{Choice, Kind, Sources};
use crate::logic::publisher::Phase;
use crate::logic::quality::Quality;
use crate::logic::studio::{self, Program, Way};
use crate::realtime::RoomFeed;
use crate::storage;
use crate::webrtc::{Broadcast, HostedRoom};

/// What the address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// Finding out.
    Loading,
    /// This browser may broadcast.
    Host,
    /// The room is another browser's.
    Guest(RoomKey),
    /// The link that should make this browser a host does not do so any more; a sentence.
    Stale(RoomKey, String),
    /// The room is over, or there is none.
    Over,
    /// The server could not say; a sentence.
    Unknown(String),
}

/// Everything of one studio; each part of the page takes what it needs.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    pub(super) sources: Sources,
    pub(super) broadcast: Broadcast,
    pub(super) feed: RoomFeed,
    pub(super) video: NodeRef<Video>,
    pub(super) visit: RwSignal<Visit>,
    /// The room as it was last, for the summary.
    pub(super) last: RwSignal<Option<Room>>,
    pub(super) title: RwSignal<String>,
    pub(super) way: RwSignal<Way>,
    pub(super) program: Memo<Program>,
    /// The room and secret of the host's link that led here: it may take more than one attempt.
    link: StoredValue<Option<(RoomKey, String)>>,
}

impl Desk {
    /// Opens the studio: from now on it does what the address asks for, and follows the room.
    pub(super) fn open() -> Self {
        let sources = Sources::new();
        let (broadcast, feed) = (Broadcast::new(sources), RoomFeed::new());
        let way = RwSignal::new(Way::default());
        let program = Memo::new(move |_| {
            let has_room = broadcast.room().is_some();
            studio::program(&broadcast.phase(), has_room, feed.state(), way.get())
        });
        let desk = Self {
            sources,
            broadcast,
            feed,
            way,
            program,
            video: NodeRef::new(),
            visit: RwSignal::new(Visit::Loading),
            last: RwSignal::new(None),
            title: RwSignal::new(storage::get(storage::TITLE).unwrap_or_default()),
            link: StoredValue::new(None),
        };
        desk.follow_the_address();
        desk.follow_the_room();
        desk.follow_the_notices();
        desk.follow_the_screen();
        desk.show_the_preview();
        desk
    }

    /// Does once more what the address asks for.
    pub(super) fn try_again(self) {
        self.visit(self.address_key());
    }

    /// The key in the address, if there is one that could be a room's.
    fn address_key(self) -> Option<Result<RoomKey, ()>> {
        let key = use_params_map().with_untracked(|params| params.get("key"))?;
        Some(key.parse().map_err(|_| ()))
    }

    /// Does what the address asks for, and again when it changes; starting a broadcast puts the new
    /// room's key there.
    fn follow_the_address(self) {
        let params = use_params_map();
        let navigate = use_navigate();
        Effect::new(move |_| {
            let key = params
                .read()
                .get("key")
                .map(|key| key.parse::<RoomKey>().map_err(|_| ()));
            let room = self.broadcast.room_untracked().map(|room| room.key);
            let is_here = matches!((&key, &room), (Some(Ok(key)), Some(room)) if key == room);
            if !is_here {
                self.visit(key);
            }
        });
        Effect::new(move |_| {
            let Some(room) = self.broadcast.room() else {
                return;
            };
            self.feed
                .join(room.key.clone(), Some(room.secrets.host_token.clone()));
            let options = NavigateOptions {
                replace: true,
                scroll: false,
                ..Default::default()
            };
            navigate(&format!("/live/{}", room.key), options);
        });
    }

    fn visit(self, key: Option<Result<RoomKey, ()>>) {
        self.feed.leave();
        self.last.set(None);
        self.broadcast.reset();
        self.way.set(Way::Camera);
        match key {
            None => {
                self.visit.set(Visit::Host);
                spawn_local(async move {
                    self.open_sources().await;
                });
            }
            Some(Err(())) => self.visit.set(Visit::Over),
            Some(Ok(key)) => {
                self.visit.set(Visit::Loading);
                spawn_local(async move {
                    let visit = self.return_to(key).await;
                    self.visit.try_set(visit);
                });
            }
        }
    }

    /// Back in a room: after a reload, or by its address.
    async fn return_to(self, key: RoomKey) -> Visit {
        let known = storage::host_secrets(&key);
        let link = self.link_to(&key).filter(|_| known.is_none());
        let is_new_here = link.is_some();
        let secrets = match (known, link) {
            (Some(secrets), _) => secrets,
            (None, None) => return Visit::Guest(key),
            (None, Some(secret)) => match api::redeem_host_link(&key, secret).await {
                Ok(device) => {
                    let secrets = storage::HostSecrets::of_device(&device);
                    storage::set_host_secrets(&key, &secrets);
                    secrets
                }
                Err(ApiError::Refused {
                    status: 410,
                    detail,
                    ..
                }) => return Visit::Stale(key, detail),
                Err(error) => return Visit::Unknown(error.to_string()),
            },
        };
        let room = match api::room(&key).await {
            Ok(room) => room,
            Err(ApiError::Refused {
                status: 404 | 410, ..
            }) => {
                storage::forget_room(&key);
                return Visit::Over;
            }
            Err(error) => return Visit::Unknown(error.to_string()),
        };
        if room.state == RoomState::Ended {
            storage::forget_room(&key);
            return Visit::Over;
        }
        let goes_on = matches!(room.state, RoomState::Live | RoomState::Reconnecting);
        self.title.try_set(room.title);
        if self.visit.is_disposed() {
            return Visit::Loading;
        }
        // Another device that broadcasts goes on doing so: here is its picture, not our camera's.
        let uses_encoder = room.ingest == Some(Ingest::Rtmp)
            || storage::uses_encoder(&key)
            || (is_new_here && goes_on);
        self.broadcast.set_room(HostedRoom { key, secrets });
        self.visit.set(Visit::Host);
        if uses_encoder {
            self.use_encoder();
            return Visit::Host;
        }
        if self.open_sources().await && goes_on {
            self.broadcast.resume();
        }
        Visit::Host
    }

    /// The secret of the host's link that led to this room.
    fn link_to(self, key: &RoomKey) -> Option<String> {
        if let Some(secret) = browser::take_fragment("host") {
            self.link.set_value(Some((key.clone(), secret)));
        }
        self.link.with_value(|link| {
            let (room, secret) = link.as_ref()?;
            (room == key).then(|| secret.clone())
        })
    }

    async fn open_sources(self) -> bool {
        // Running already when a new broadcast follows an old one.
        self.sources.stream_untracked().is_some() || self.sources.open().await
    }

    fn follow_the_room(self) {
        Effect::new(move |_| {
            let Some(room) = self.feed.room.get() else {
                return;
            };
            let was_live = self
                .last
                .with_untracked(|room| room.as_ref().map(|room| room.state))
                == Some(RoomState::Live);
            if room.state == RoomState::Live && !was_live {
                self.feed.notice.set(None);
            }
            self.broadcast.room_is(room.state, room.ingest);
            let is_idle =
                untrack(|| matches!(self.broadcast.phase(), Phase::Setup | Phase::TakenOver));
            if is_idle && room.ingest == Some(Ingest::Rtmp) {
                self.use_encoder();
            }
            // An ended room has nobody in it: the figures before that are the broadcast's.
            self.last.set(Some(room));
        });
    }

    /// A broadcast that was cut off is not resumed by itself: the same would happen again.
    fn follow_the_notices(self) {
        Effect::new(move |_| {
            if let Some(sentence) = self.feed.notice.get() {
                self.broadcast.cut_off(sentence);
            }
        });
    }

    fn show_the_preview(self) {
        Effect::new(move |_| {
            let stream = self.sources.stream();
            if let Some(video) = self.video.get() {
                video.set_src_object(stream.as_ref());
            }
        });
    }

    /// Back to the camera when the person stops sharing the screen by the browser's own button.
    fn follow_the_screen(self) {
        Effect::new(move |_| {
            if self.sources.screen_ended.get() {
                self.sources.screen_ended.set(false);
                self.switch_device(Kind::Camera, Sources::remembered(Kind::Camera));
            }
        });
    }

    pub(super) fn switch_device(self, kind: Kind, choice: Choice) {
        spawn_local(self.broadcast.switch_device(kind, choice));
    }

    pub(super) fn set_quality(self, quality: Quality) {
        spawn_local(self.broadcast.set_quality(quality));
    }

    pub(super) fn choose_way(self, way: Way) {
        match way {
            Way::Camera => {
                self.way.set(way);
                self.remember_way();
                spawn_local(async move {
                    self.open_sources().await;
                });
            }
            Way::Encoder => self.use_encoder(),
        }
    }

    /// Leaves camera and microphone to streaming software: some systems give them to one program alone.
    pub(super) fn use_encoder(self) {
        self.way.try_set(Way::Encoder);
        self.sources.close();
        self.remember_way();
    }

    fn remember_way(self) {
        if let (Some(room), Some(way)) = (
            self.broadcast.room_untracked(),
            self.way.try_get_untracked(),
        ) {
            storage::set_uses_encoder(&room.key, way == Way::Encoder);
        }
    }

    /// Broadcasts from here again, in place of the software.
    pub(super) fn take_back(self) {
        spawn_local(async move {
            if self.open_sources().await {
                self.way.try_set(Way::Camera);
                self.start();
            }
        });
    }

    pub(super) fn start(self) {
        self.remember_way();
        let title = self.remember_title();
        self.broadcast.start(title);
    }

    /// The title as it was typed, or one for a broadcast that was given none.
    pub(super) fn remember_title(self) -> String {
        let title = self.title.get_untracked();
        let title = title.trim();
        storage::set(storage::TITLE, title);
        let title = if title.is_empty() {
            "Untitled broadcast"
        } else {
            title
        }
        .to_owned();
        self.title.set(title.clone());
        title
    }
}
