//! Watching a room: one WHEP session after another, as [`logic::viewer`](crate::logic::viewer)
//! decides.

use gloo_events::EventListener;
use gloo_timers::callback::{Interval, Timeout};
use leptos::html::Video;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::{RoomKey, RoomState};
use wasm_bindgen_futures::JsFuture;

use super::peer::LinkState;
use super::viewer::Viewer;
use crate::api::ApiError;
use crate::logic::viewer::{Command, Event, Phase, Viewer as Machine};
use crate::{browser, storage};

/// How long the first frame of a session may take, in milliseconds.
const FIRST_FRAME_MS: u32 = 10_000;
/// For how many seconds a playing video may stand still before its session counts as broken.
const MOST_STALLED_SECONDS: u32 = 8;

/// A room's picture and sound in a `<video>`, until the component that made it ends.
#[derive(Clone, Copy)]
pub struct Playback {
    /// The element that plays.
    pub video: NodeRef<Video>,
    /// Whether it is silent.
    pub muted: RwSignal<bool>,
    /// How loud it is, `0.0..=1.0`.
    pub volume: RwSignal<f64>,
    /// Whether it stands still because the person, or the browser, wants it to.
    pub paused: RwSignal<bool>,
    phase: RwSignal<Phase>,
    /// Whether the present video has shown a frame.
    has_frame: RwSignal<bool>,
    link: StoredValue<Link, LocalStorage>,
}

#[derive(Default)]
struct Link {
    key: Option<RoomKey>,
    machine: Machine,
    viewer: Option<Viewer>,
    /// Counts sessions, so that what an earlier one still says is ignored.
    generation: u32,
    retry: Option<Timeout>,
    first_frame: Option<Timeout>,
    listeners: Vec<EventListener>,
    watchdog: Option<Interval>,
    stalled: Stalled,
}

/// Whether the video's clock moves.
#[derive(Default)]
struct Stalled {
    at: f64,
    seconds: u32,
}

impl Playback {
    /// Nothing plays yet; see [`Playback::begin`].
    #[must_use]
    pub fn new(key: RoomKey, muted: bool) -> Self {
        let volume = storage::get(storage::VOLUME).and_then(|volume| volume.parse().ok());
        let volume = volume
            .filter(|volume| (0.0..=1.0).contains(volume))
            .unwrap_or(1.0);
        let playback = Self {
            video: NodeRef::new(),
            muted: RwSignal::new(muted),
            volume: RwSignal::new(volume),
            paused: RwSignal::new(false),
            phase: RwSignal::new(Phase::Connecting),
            has_frame: RwSignal::new(false),
            link: StoredValue::new_local(Link {
                key: Some(key),
                ..Link::default()
            }),
        };
        playback.listen();
        playback
    }

    /// Starts to watch at once; the element may be mounted later.
    #[must_use]
    pub fn open(key: RoomKey) -> Self {
        // Silent until the person said otherwise: browsers let nothing else start by itself.
        let playback = Self::new(
            key,
            storage::get(storage::MUTED).as_deref() != Some("false"),
        );
        playback.begin();
        playback
    }

    /// Starts to watch.
    pub fn begin(self) {
        self.handle(Event::Opened);
    }

    /// Whether there is, or is about to be again, something to hear.
    #[must_use]
    pub fn is_watching(self) -> bool {
        self.phase
            .with(|phase| matches!(phase, Phase::Live | Phase::Reconnecting(_)))
    }

    /// Sound off or on; remembered.
    pub fn set_muted(self, muted: bool) {
        self.muted.set(muted);
        storage::set(storage::MUTED, if muted { "true" } else { "false" });
        if !muted && self.volume.get_untracked() == 0.0 {
            self.set_volume(0.5);
        }
        // The person is here: a picture that the browser held back may start as well.
        if !muted && self.paused.get_untracked() {
            self.play();
        }
    }

    /// Louder or quieter; remembered. Anything but silence unmutes.
    pub fn set_volume(self, volume: f64) {
        let volume = volume.clamp(0.0, 1.0);
        self.volume.set(volume);
        storage::set(storage::VOLUME, &format!("{volume:.2}"));
        if volume > 0.0 && self.muted.get_untracked() {
            self.set_muted(false);
        }
    }

    /// Pauses, or plays the newest there is: a stream has no past to go on from.
    pub fn toggle_play(self) {
        let Some(video) = self.video.get_untracked() else {
            return;
        };
        if video.paused() {
            self.play();
        } else {
            // The session goes on, so that playing again is instant.
            let _ = video.pause();
        }
    }

    /// What the viewer sees.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.phase.get()
    }

    /// Whether there is a picture, be it an old one.
    #[must_use]
    pub fn has_frame(self) -> bool {
        self.has_frame.get()
    }

    /// The room's state is known.
    pub fn room_is(self, state: RoomState) {
        self.handle(Event::Room(state));
    }

    fn handle(self, event: Event) {
        let commands = self
            .link
            .try_update_value(|link| {
                let commands = link.machine.handle(event, browser::random());
                (commands, link.machine.phase().clone())
            })
            .map(|(commands, phase)| {
                if self
                    .phase
                    .try_with_untracked(|known| *known != phase)
                    .unwrap_or(false)
                {
                    self.phase.set(phase);
                }
                commands
            });
        for command in commands.unwrap_or_default() {
            match command {
                Command::Connect => self.connect(),
                Command::Disconnect => self.disconnect(),
                Command::Forget => {
                    self.link.try_update_value(|link| {
                        if let Some(viewer) = &mut link.viewer {
                            viewer.forget_session();
                        }
                    });
                    self.disconnect();
                }
                Command::Retry(after_ms) => {
                    let retry = Timeout::new(after_ms, move || self.handle(Event::RetryDue));
                    self.link.try_update_value(|link| link.retry = Some(retry));
                }
            }
        }
    }

    fn disconnect(self) {
        // The element keeps its last frame: it is better than a black one.
        self.link.try_update_value(|link| {
            link.generation += 1;
            link.viewer = None;
            link.retry = None;
            link.first_frame = None;
        });
    }

    fn connect(self) {
        self.disconnect();
        let started = self
            .link
            .try_with_value(|link| Some((link.key.clone()?, link.generation)));
        let Some(Some((key, generation))) = started else {
            return;
        };
        let is_current = move || {
            self.link
                .try_with_value(|link| link.generation == generation)
                .unwrap_or(false)
        };
        spawn_local(async move {
            let on_link = move |state| {
                if state == LinkState::Lost && is_current() {
                    self.handle(Event::PeerLost);
                }
            };
            let started = Viewer::start(&key, on_link).await;
            if !is_current() {
                return;
            }
            match started {
                Ok(viewer) => {
                    self.show(&viewer);
                    let late = Timeout::new(FIRST_FRAME_MS, move || self.handle(Event::PeerLost));
                    self.link.try_update_value(|link| {
                        link.viewer = Some(viewer);
                        link.first_frame = Some(late);
                        link.stalled = Stalled::default();
                    });
                }
                Err(ApiError::Refused {
                    status,
                    detail,
                    retry_after_ms,
                }) => {
                    self.handle(Event::Refused {
                        status,
                        detail,
                        retry_after_ms,
                    });
                }
                Err(ApiError::Unreachable) => self.handle(Event::Unreachable),
                Err(error) => {
                    // No retry mends it: told like a refusal for good.
                    let detail = error.to_string();
                    self.handle(Event::Refused {
                        status: 400,
                        detail,
                        retry_after_ms: None,
                    });
                }
            }
        });
    }

    fn show(self, viewer: &Viewer) {
        if let Some(video) = self.video.get_untracked() {
            video.set_src_object(Some(viewer.stream()));
            // Who paused stays paused.
            if !self.has_frame.get_untracked() || !self.paused.get_untracked() {
                self.play();
            }
        }
    }

    fn play(self) {
        let Some(video) = self.video.get_untracked() else {
            return;
        };
        let Ok(started) = video.play() else { return };
        spawn_local(async move {
            let Err(error) = JsFuture::from(started).await else {
                return;
            };
            // The browser allows only silence to start by itself (HTML, section 4.8.11.8).
            if browser::error_name(&error) != "NotAllowedError" {
                return;
            }
            if self.muted.try_get_untracked() == Some(false) {
                self.muted.set(true);
                video.set_muted(true);
                self.play();
            } else {
                self.paused.try_set(true);
            }
        });
    }

    fn frame_arrived(self) {
        self.link.try_update_value(|link| link.first_frame = None);
        self.has_frame.try_set(true);
        self.handle(Event::Playing);
    }

    fn listen(self) {
        // The first frame, or sound where there is no picture; "playing" alone would wait for
        // autoplay, which a browser may refuse.
        Effect::new(move |_| {
            let Some(video) = self.video.get() else {
                return;
            };
            let listeners = ["loadeddata", "playing"]
                .map(|name| EventListener::new(&video, name, move |_| self.frame_arrived()));
            self.link.try_update_value(|link| {
                link.listeners.extend(listeners);
            });
            // The session may have been quicker than the page.
            self.link
                .with_value(|link| link.viewer.as_ref().map(|viewer| self.show(viewer)));
        });
        let on_hide = EventListener::new(&window(), "pagehide", move |_| self.disconnect());
        let on_show = EventListener::new(&window(), "pageshow", move |event| {
            // Back from the back-forward cache, where connections do not survive.
            let persisted = js_sys::Reflect::get(event, &"persisted".into());
            if persisted.is_ok_and(|persisted| persisted.is_truthy()) {
                self.handle(Event::PeerLost);
            }
        });
        let on_online = EventListener::new(&window(), "online", move |_| {
            let phase = self.phase.get_untracked();
            if !matches!(phase, Phase::Live | Phase::Waiting) {
                self.handle(Event::RetryDue);
            }
        });
        let watchdog = Interval::new(1_000, move || self.check_progress());
        self.link.try_update_value(|link| {
            link.listeners.extend([on_hide, on_show, on_online]);
            link.watchdog = Some(watchdog);
        });
        on_cleanup(move || {
            if let Some(video) = self.video.get_untracked() {
                video.set_src_object(None);
            }
        });
    }

    fn check_progress(self) {
        let Some(video) = self.video.get_untracked() else {
            return;
        };
        let watching = self.phase.try_get_untracked() == Some(Phase::Live)
            && !video.paused()
            && browser::page_is_visible();
        let stalled = self.link.try_update_value(|link| {
            let at = video.current_time();
            if !watching || (at - link.stalled.at).abs() > f64::EPSILON {
                link.stalled = Stalled { at, seconds: 0 };
            } else {
                link.stalled.seconds += 1;
            }
            link.stalled.seconds > MOST_STALLED_SECONDS
        });
        if stalled == Some(true) {
            self.handle(Event::PeerLost);
        }
    }
}
