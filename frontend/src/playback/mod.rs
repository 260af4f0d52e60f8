//! Watching a room: one session after another, by WHEP or LL-HLS, as
//! [`logic::viewer`](crate::logic::viewer) decides.

mod sessions;
mod watchdog;

use leptos::html::Video;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::{Room, RoomKey, RoomState};
use wasm_bindgen_futures::JsFuture;

use crate::logic::path::{Path, PathChoice};
use crate::logic::viewer::{Command, Event, Phase};
use crate::{browser, storage};
use sessions::Link;

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
    choice: RwSignal<PathChoice>,
    path: RwSignal<Option<Path>>,
    delay: RwSignal<Option<Delay>>,
    link: StoredValue<Link, LocalStorage>,
}

/// How far behind live the picture is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// In tenths of a second.
    pub tenths: u32,
    /// Whether it is so much that a viewer may want to jump.
    pub is_late: bool,
}

impl Playback {
    /// Nothing plays yet; see [`Playback::begin`].
    #[must_use]
    pub fn new(key: RoomKey, muted: bool) -> Self {
        let volume = storage::get(storage::VOLUME).and_then(|volume| volume.parse().ok());
        let volume = volume
            .filter(|volume| (0.0..=1.0).contains(volume))
            .unwrap_or(1.0);
        let choice = storage::get(storage::PATH)
            .map_or(PathChoice::Automatic, |name| PathChoice::of_name(&name));
        let playback = Self {
            video: NodeRef::new(),
            muted: RwSignal::new(muted),
            volume: RwSignal::new(volume),
            paused: RwSignal::new(false),
            phase: RwSignal::new(Phase::Connecting),
            has_frame: RwSignal::new(false),
            choice: RwSignal::new(choice),
            path: RwSignal::new(None),
            delay: RwSignal::new(None),
            link: StoredValue::new_local(Link::new(key, choice)),
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
            self.jump_to_live();
        } else {
            // The session goes on, so that playing again is instant.
            let _ = video.pause();
        }
    }

    /// Plays the newest there is.
    pub fn jump_to_live(self) {
        self.link.with_value(Link::jump_to_live);
        self.play();
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

    /// Which way the picture comes, while there is one.
    #[must_use]
    pub fn path(self) -> Option<Path> {
        self.path.get()
    }

    /// How far behind live it is, once measured.
    #[must_use]
    pub fn delay(self) -> Option<Delay> {
        self.delay.get()
    }

    /// The path that the viewer wants.
    #[must_use]
    pub fn choice(self) -> PathChoice {
        self.choice.get()
    }

    /// Takes another path; remembered.
    pub fn choose(self, choice: PathChoice) {
        self.choice.set(choice);
        storage::set(storage::PATH, choice.name());
        self.handle(Event::Choose(choice));
    }

    /// Follows what becomes of the room, once it is known.
    pub fn follow(self, room: Signal<Option<Room>>) {
        let state = Memo::new(move |_| {
            room.with(|room| {
                let room = room.as_ref()?;
                Some((room.state, room.ingest, room.webrtc))
            })
        });
        Effect::new(move |_| {
            if let Some((state, ingest, webrtc)) = state.get() {
                self.handle(Event::WebRtcSuits(webrtc));
                self.handle(Event::Room(state, ingest));
            }
        });
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
                Command::Connect(Path::WebRtc) => self.connect_by_webrtc(),
                Command::Connect(Path::Hls) => self.connect_by_hls(),
                Command::Disconnect => self.disconnect(),
                Command::Forget => {
                    self.link.try_update_value(Link::forget_session);
                    self.disconnect();
                }
                Command::Retry(after_ms) => self.retry_after(after_ms),
            }
        }
    }

    /// The room ended, or has no broadcaster: told by the API where HLS only says that nothing is there.
    fn room_state_is(self, state: RoomState) {
        self.handle(match state {
            RoomState::Live | RoomState::Reconnecting => Event::PeerLost,
            RoomState::Ended => Event::Room(state, None),
            RoomState::Offline => Event::Refused {
                status: 409,
                detail: String::new(),
                retry_after_ms: None,
            },
        });
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
}
