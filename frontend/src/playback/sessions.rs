//! The session that plays now, and how it gives way to the next.

use gloo_events::EventListener;
use gloo_timers::callback::{Interval, Timeout};
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::room::RoomKey;
use web_sys::HtmlVideoElement;

use super::Playback;
use super::watchdog::Progress;
use crate::api::{self, ApiError};
use crate::hls;
use crate::logic::path::{Path, PathChoice};
use crate::logic::viewer::{Event, Viewer as Machine};
use crate::webrtc::{LinkState, Viewer};

/// How long the first frame of a session may take, in milliseconds.
const FIRST_FRAME_MS: u32 = 10_000;
/// How long WebRTC may take to find a way through the network, in milliseconds: UDP takes a tenth of a
/// second, TCP two or three.
const LINK_MS: u32 = 6_000;

/// What a [`Playback`] holds of the browser; dropping it lets go of all of it.
pub(super) struct Link {
    key: RoomKey,
    pub(super) machine: Machine,
    pub(super) session: Option<Session>,
    /// Counts attempts, so that what an earlier one still says is ignored.
    generation: u32,
    /// Whether WebRTC has found a way through the network in this attempt.
    is_up: bool,
    retry: Option<Timeout>,
    pub(super) first_frame: Option<Timeout>,
    no_link: Option<Timeout>,
    pub(super) listeners: Vec<EventListener>,
    pub(super) watchdog: Option<Interval>,
    pub(super) progress: Progress,
}

/// What plays.
pub(super) enum Session {
    WebRtc(Viewer),
    Hls(hls::Session),
}

impl Session {
    pub(super) const fn path(&self) -> Path {
        match self {
            Self::WebRtc(_) => Path::WebRtc,
            Self::Hls(_) => Path::Hls,
        }
    }

    fn attach(&self, video: &HtmlVideoElement) {
        match self {
            Self::WebRtc(viewer) => video.set_src_object(Some(viewer.stream())),
            Self::Hls(session) => session.attach(video),
        }
    }
}

impl Link {
    pub(super) fn new(key: RoomKey, choice: PathChoice) -> Self {
        Self {
            key,
            machine: Machine::new(choice),
            session: None,
            generation: 0,
            is_up: false,
            retry: None,
            first_frame: None,
            no_link: None,
            listeners: Vec::new(),
            watchdog: None,
            progress: Progress::default(),
        }
    }

    /// The server has ended the session itself: nothing is left to delete.
    pub(super) fn forget_session(&mut self) {
        if let Some(Session::WebRtc(viewer)) = &mut self.session {
            viewer.forget_session();
        }
    }

    pub(super) fn jump_to_live(&self) {
        if let Some(Session::Hls(session)) = &self.session {
            session.jump_to_live();
        }
    }

    /// Ends what belongs to an attempt, but for its session.
    fn next_attempt(&mut self) {
        self.generation += 1;
        self.is_up = false;
        self.retry = None;
        self.first_frame = None;
        self.no_link = None;
    }
}

impl Playback {
    pub(super) fn disconnect(self) {
        // The element of a WebRTC session keeps its last frame: it is better than a black one.
        let ended = self.link.try_update_value(|link| {
            link.next_attempt();
            link.session.take()
        });
        drop(ended);
        self.path.try_set(None);
        self.delay.try_set(None);
    }

    pub(super) fn retry_after(self, ms: u32) {
        let retry = Timeout::new(ms, move || self.handle(Event::RetryDue));
        self.link.try_update_value(|link| link.retry = Some(retry));
    }

    fn begin_attempt(self) -> Option<(RoomKey, u32)> {
        self.link.try_update_value(|link| {
            link.next_attempt();
            (link.key.clone(), link.generation)
        })
    }

    fn is_current(self, generation: u32) -> bool {
        self.link
            .try_with_value(|link| link.generation == generation)
            .unwrap_or(false)
    }

    pub(super) fn connect_by_webrtc(self) {
        let plays_on = self
            .link
            .try_with_value(|link| matches!(link.session, Some(Session::Hls(_))));
        if plays_on != Some(true) {
            self.disconnect();
        }
        let Some((key, generation)) = self.begin_attempt() else {
            return;
        };
        spawn_local(async move {
            let on_link = move |state| {
                if self.is_current(generation) {
                    self.link_is(state);
                }
            };
            let on_unfit = move || self.handle(Event::Unfit);
            let started = Viewer::start(&key, on_link, on_unfit).await;
            if !self.is_current(generation) {
                return;
            }
            match started {
                Ok(viewer) => {
                    self.adopt(Session::WebRtc(viewer));
                    let no_link = Timeout::new(LINK_MS, move || self.handle(Event::Blocked));
                    self.link.try_update_value(|link| {
                        link.no_link = (!link.is_up).then_some(no_link);
                    });
                }
                Err(error) => self.could_not_start(error),
            }
        });
    }

    fn link_is(self, state: LinkState) {
        let was_up = self.link.try_update_value(|link| {
            link.no_link = None;
            std::mem::replace(&mut link.is_up, state == LinkState::Up)
        });
        match (state, was_up) {
            (LinkState::Up, _) => {}
            (LinkState::Lost, Some(false)) => self.handle(Event::Blocked),
            (LinkState::Lost, _) => self.handle(Event::PeerLost),
        }
    }

    pub(super) fn connect_by_hls(self) {
        let plays_on = self
            .link
            .try_with_value(|link| matches!(link.session, Some(Session::Hls(_))));
        if plays_on == Some(true) {
            self.link.try_update_value(Link::next_attempt);
            return;
        }
        self.disconnect();
        let Some((key, generation)) = self.begin_attempt() else {
            return;
        };
        spawn_local(async move {
            // Without a generation: it may go on while WebRTC is tried, and falls silent when dropped.
            let started = hls::Session::start(&key, move || self.hls_lost()).await;
            if !self.is_current(generation) {
                return;
            }
            match started {
                Ok(session) => self.adopt(Session::Hls(session)),
                Err(error) => self.could_not_start(error),
            }
        });
    }

    /// HLS cannot go on. Why, the room says.
    fn hls_lost(self) {
        let Some(key) = self.link.try_with_value(|link| link.key.clone()) else {
            return;
        };
        self.disconnect();
        let Some((_, generation)) = self.begin_attempt() else {
            return;
        };
        spawn_local(async move {
            let room = api::room(&key).await;
            if !self.is_current(generation) {
                return;
            }
            match room {
                Ok(room) => self.room_state_is(room.state),
                Err(error) => self.could_not_start(error),
            }
        });
    }

    fn could_not_start(self, error: ApiError) {
        self.handle(match error {
            ApiError::Refused {
                status,
                detail,
                retry_after_ms,
            } => Event::Refused {
                status,
                detail,
                retry_after_ms,
            },
            ApiError::Unreachable => Event::Unreachable,
            error => Event::Impossible(error.to_string()),
        });
    }

    /// Lets `session` play in place of the one there may be.
    fn adopt(self, session: Session) {
        let path = session.path();
        let late = Timeout::new(FIRST_FRAME_MS, move || self.handle(Event::PeerLost));
        // The old one lets go of the element before the new one takes it.
        drop(self.link.try_update_value(|link| link.session.take()));
        self.link.try_update_value(|link| {
            link.session = Some(session);
            link.first_frame = Some(late);
            link.progress = Progress::default();
        });
        self.path.try_set(Some(path));
        self.delay.try_set(None);
        self.show();
    }

    /// Shows what there is in the element, as soon as there are both.
    pub(super) fn show(self) {
        let Some(video) = self.video.get_untracked() else {
            return;
        };
        let shown = self.link.try_with_value(|link| {
            let session = link.session.as_ref()?;
            if session.path() == Path::Hls {
                video.set_src_object(None);
            }
            session.attach(&video);
            Some(())
        });
        // Who paused stays paused.
        if shown.flatten().is_some()
            && (!self.has_frame.get_untracked() || !self.paused.get_untracked())
        {
            self.play();
        }
    }
}
