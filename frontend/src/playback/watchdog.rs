//! Looks whether pictures arrive, and how late.

use gloo_events::EventListener;
use gloo_timers::callback::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::sessions::Session;
use super::{Delay, Playback};
use crate::browser;
use crate::logic::live_delay;
use crate::logic::viewer::{Event, Phase};

/// Between two looks, in milliseconds.
const LOOK_MS: u32 = 1_000;
/// For how many seconds a playing video may stand still before its session counts as broken.
const MOST_STALLED_SECONDS: u32 = 8;
/// A session that has played for so many seconds is no failure.
const STEADY_SECONDS: u32 = 30;

/// Whether the video's clock moves.
#[derive(Default)]
pub(super) struct Progress {
    at: f64,
    stalled_seconds: u32,
    played_seconds: u32,
}

impl Playback {
    pub(super) fn listen(self) {
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
            self.show();
        });
        let on_hide = EventListener::new(&window(), "pagehide", move |_| self.disconnect());
        let on_show = EventListener::new(&window(), "pageshow", move |event| {
            // Back from the back-forward cache, where connections do not survive.
            let persisted = js_sys::Reflect::get(event, &"persisted".into());
            if persisted.is_ok_and(|persisted| persisted.is_truthy()) {
                self.handle(Event::RetryDue);
            }
        });
        let on_online = EventListener::new(&window(), "online", move |_| {
            let phase = self.phase.get_untracked();
            if !matches!(phase, Phase::Live | Phase::Waiting) {
                self.handle(Event::RetryDue);
            }
        });
        let watchdog = Interval::new(LOOK_MS, move || {
            self.check_progress();
            self.measure_delay();
        });
        self.link.try_update_value(|link| {
            link.listeners.extend([on_hide, on_show, on_online]);
            link.watchdog = Some(watchdog);
        });
        on_cleanup(move || {
            self.disconnect();
            if let Some(video) = self.video.get_untracked() {
                video.set_src_object(None);
            }
        });
    }

    fn frame_arrived(self) {
        self.link.try_update_value(|link| link.first_frame = None);
        self.has_frame.try_set(true);
        self.handle(Event::Playing);
    }

    fn check_progress(self) {
        let Some(video) = self.video.get_untracked() else {
            return;
        };
        let watching = self.phase.try_get_untracked() == Some(Phase::Live)
            && !video.paused()
            && browser::page_is_visible();
        let noticed = self.link.try_update_value(|link| {
            let (at, progress) = (video.current_time(), &mut link.progress);
            let moves = (at - progress.at).abs() > f64::EPSILON;
            progress.at = at;
            if moves || !watching {
                progress.stalled_seconds = 0;
                progress.played_seconds += u32::from(watching);
            } else {
                progress.stalled_seconds += 1;
            }
            match (progress.stalled_seconds, progress.played_seconds) {
                (MOST_STALLED_SECONDS.., _) => Some(Event::PeerLost),
                (_, STEADY_SECONDS) => Some(Event::Steady),
                _ => None,
            }
        });
        if let Some(Some(event)) = noticed {
            self.handle(event);
        }
    }

    fn measure_delay(self) {
        let by_hls = self.link.try_with_value(|link| match &link.session {
            Some(Session::Hls(session)) => session.position(),
            _ => None,
        });
        if let Some(Some(position)) = by_hls {
            self.delay_is(position.behind, live_delay::is_late(position));
            return;
        }
        let asked = self.link.try_with_value(|link| match &link.session {
            Some(Session::WebRtc(viewer)) => Some(viewer.delay()),
            _ => None,
        });
        let Some(Some(asked)) = asked else { return };
        spawn_local(async move {
            if let Some(seconds) = asked.await {
                self.delay_is(seconds, false);
            }
        });
    }

    fn delay_is(self, seconds: f64, is_late: bool) {
        let delay = Delay {
            tenths: (seconds * 10.0).round().max(0.0) as u32,
            is_late,
        };
        let is_new = self.delay.try_with_untracked(|known| *known != Some(delay));
        if is_new == Some(true) {
            self.delay.set(Some(delay));
        }
    }
}
