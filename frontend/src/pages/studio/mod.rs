//! Going live.

// `#[component]` makes a public type of a component's properties, whoever may see the component.
#[allow(unreachable_pub)]
mod encoder;
#[allow(unreachable_pub)]
mod health_panel;
#[allow(unreachable_pub)]
mod moderation;
#[allow(unreachable_pub)]
mod on_air;
#[allow(unreachable_pub)]
mod setup;
#[allow(unreachable_pub)]
mod summary;

use leptos::html::Video;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_params_map};
use shared::room::{Ingest, Room, RoomKey, RoomState};

use crate::api::{self, ApiError};
use crate::browser;
use crate::capture::{Choice, Kind, Sources};
use crate::components::banner::ErrorNote;
use crate::components::chat_panel::ChatPanel;
use crate::components::message::Message;
use crate::components::site_header::SiteHeader;
use crate::logic::publisher::Phase;
use crate::logic::quality::Quality;
use crate::logic::studio::{self, Program, Way};
use crate::realtime::RoomFeed;
use crate::storage;
use crate::wake_lock;
use crate::webrtc::{Broadcast, HostedRoom};

use encoder::{Relay, Waiting};
use on_air::{Controls, OnAir, Preview};
use setup::Setup;
use summary::Summary;

/// What the address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Visit {
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
struct Desk {
    sources: Sources,
    broadcast: Broadcast,
    feed: RoomFeed,
    video: NodeRef<Video>,
    visit: RwSignal<Visit>,
    /// The room as it was last, for the summary.
    last: RwSignal<Option<Room>>,
    title: RwSignal<String>,
    way: RwSignal<Way>,
    program: Memo<Program>,
}

/// Where the picture of the studio comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    Camera,
    Relay,
    None,
}

/// `/live` and `/live/{key}`.
#[component]
pub fn Studio() -> impl IntoView {
    let sources = Sources::new();
    let (broadcast, feed) = (Broadcast::new(sources), RoomFeed::new());
    let way = RwSignal::new(Way::default());
    let program = Memo::new(move |_| {
        let has_room = broadcast.room().is_some();
        studio::program(&broadcast.phase(), has_room, feed.state(), way.get())
    });
    let desk = Desk {
        sources,
        broadcast,
        feed,
        way,
        program,
        video: NodeRef::new(),
        visit: RwSignal::new(Visit::Loading),
        last: RwSignal::new(None),
        title: RwSignal::new(storage::get(storage::TITLE).unwrap_or_default()),
    };
    desk.follow_the_address();
    desk.follow_the_room();
    desk.follow_the_notices();
    desk.follow_the_screen();
    desk.show_the_preview();

    let phase = desk.broadcast;
    wake_lock::keep_screen_on(Signal::derive(move || broadcast.phase().is_on_air()));
    let is_waiting = Memo::new(move |_| way.get() == Way::Encoder && broadcast.room().is_some());
    let state = move || match (desk.visit.get(), phase.phase()) {
        (Visit::Over, _) | (_, Phase::Ended(_)) => "ended",
        (Visit::Guest(_) | Visit::Stale(..) | Visit::Unknown(_), _) | (_, Phase::Failed(_)) => {
            "error"
        }
        (Visit::Loading, _) => "setup",
        _ if program.get() == Program::Encoder => "live",
        _ if program.get() == Program::EncoderLost => "reconnecting",
        (_, Phase::Setup | Phase::TakenOver) if is_waiting.get() => "waiting",
        (_, Phase::Setup | Phase::TakenOver) => "setup",
        (_, Phase::Connecting) => "connecting",
        (_, Phase::Live | Phase::Ending) => "live",
        (_, Phase::Reconnecting { .. }) => "reconnecting",
    };
    let may_leave = move |()| {
        !phase.is_on_air()
            || window()
                .confirm_with_message(
                    "You are live. Leave anyway? The broadcast ends unless you come back within \
                     15 seconds.",
                )
                .unwrap_or(true)
    };
    let is_ended = Memo::new(move |_| matches!(phase.phase(), Phase::Ended(_)));
    let on_air = Memo::new(move |_| program.get() != Program::Nobody);
    let picture = Memo::new(move |_| match (program.get(), way.get()) {
        (Program::Encoder | Program::EncoderLost, _) => Picture::Relay,
        (Program::Nobody, Way::Encoder) => Picture::None,
        _ => Picture::Camera,
    });
    // Of this page's own broadcast it is told with a button to try again.
    let notice = Signal::derive(move || {
        let notice = desk.feed.notice.get();
        notice.filter(|_| picture.get() != Picture::Camera)
    });
    view! {
        <Title text="Studio · Golive" />
        <div class="studio" data-test="studio" data-state=state>
            <SiteHeader in_studio=true may_leave />
            {move || match desk.visit.get() {
                Visit::Loading | Visit::Host if is_ended.get() => {
                    view! { <Summary desk /> }.into_any()
                }
                Visit::Loading | Visit::Host => {
                    view! {
                        <main class="studio-main" class:on-air=on_air>
                            <div class="stage">
                                {move || match picture.get() {
                                    Picture::Camera => {
                                        view! {
                                            <Preview desk />
                                            <Controls desk />
                                        }
                                            .into_any()
                                    }
                                    Picture::None => view! { <Waiting desk /> }.into_any(),
                                    Picture::Relay => {
                                        broadcast
                                            .room_untracked()
                                            .map(|room| view! { <Relay desk key=room.key /> })
                                            .into_any()
                                    }
                                }}
                                <ErrorNote text=notice test="cut-off" />
                                <Show when=move || on_air.get()>
                                    <OnAir desk />
                                </Show>
                            </div>
                            <Show
                                when=move || on_air.get()
                                fallback=move || view! { <Setup desk /> }
                            >
                                <ChatPanel feed=desk.feed host=true />
                            </Show>
                        </main>
                    }
                        .into_any()
                }
                Visit::Guest(key) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This is not your room"
                                detail="Only the browser that made it can broadcast to it."
                                test="error"
                            >
                                <A href=format!("/room/{key}") attr:class="button">
                                    "Watch it"
                                </A>
                                <A href="/live" attr:class="button primary">
                                    "Start your own"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Stale(key, sentence) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This link does not work any more"
                                detail=sentence
                                test="stale-link"
                            >
                                <A href=format!("/room/{key}") attr:class="button">
                                    "Watch the room"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Over => {
                    view! {
                        <main class="page">
                            <Message
                                heading="This broadcast has ended"
                                detail="Its room is closed. A new broadcast gets a new link."
                                test="ended"
                            >
                                <A href="/live" attr:class="button primary">
                                    "Go live again"
                                </A>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
                Visit::Unknown(sentence) => {
                    view! {
                        <main class="page">
                            <Message
                                heading="The room could not be loaded"
                                detail=sentence
                                test="error"
                            >
                                <button
                                    type="button"
                                    class="button"
                                    on:click=move |_| desk.visit(desk.address_key())
                                >
                                    "Try again"
                                </button>
                            </Message>
                        </main>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

impl Desk {
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
        let link = browser::take_fragment("host").filter(|_| known.is_none());
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

    fn switch_device(self, kind: Kind, choice: Choice) {
        spawn_local(self.broadcast.switch_device(kind, choice));
    }

    fn set_quality(self, quality: Quality) {
        spawn_local(self.broadcast.set_quality(quality));
    }

    fn choose_way(self, way: Way) {
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
    fn use_encoder(self) {
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
    fn take_back(self) {
        spawn_local(async move {
            if self.open_sources().await {
                self.way.try_set(Way::Camera);
                self.start();
            }
        });
    }

    fn start(self) {
        self.remember_way();
        let title = self.remember_title();
        self.broadcast.start(title);
    }

    /// The title as it was typed, or one for a broadcast that was given none.
    fn remember_title(self) -> String {
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
