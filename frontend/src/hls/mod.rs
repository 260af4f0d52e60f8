//! Watching by LL-HLS: hls.js where it runs, the browser's own player elsewhere (older iPhones).

mod heartbeat;
mod library;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Interval;
use leptos::logging::warn;
use leptos::task::spawn_local;
use shared::room::RoomKey;
use wasm_bindgen::prelude::*;
use web_sys::HtmlVideoElement;

use crate::api::ApiError;
use crate::browser;
use crate::logic::live_delay::{self, Pace, Position};
use heartbeat::Heartbeat;
use library::{ErrorData, Hls, load_hls};

/// Between two looks at the delay, in milliseconds.
const LOOK_MS: u32 = 500;

/// Parts as they come, at a rate that is ours to decide ([`live_delay`]). What was played stays until the browser
/// needs the room (no `backBufferLength`): where hls.js 1.7.4 removes something while its worker has a part, it
/// takes that part for a gap and waits for seconds.
const CONFIG: &str = r#"{
    "lowLatencyMode": true,
    "workerPath": "/vendor/hls-1.7.4/hls.worker.js",
    "liveSyncOnStallIncrease": 0.25,
    "maxBufferLength": 12,
    "startFragPrefetch": true
}"#;

/// A running session; dropping it ends it and empties the element.
pub(crate) struct Session {
    player: Rc<Player>,
    key: RoomKey,
    attached: RefCell<Option<Attached>>,
    /// What hls.js calls; `None` for the browser's own player.
    _on_error: Option<Closure<dyn FnMut(JsValue, ErrorData)>>,
    on_lost: Rc<dyn Fn()>,
}

enum Player {
    Library(Hls),
    /// The playlist's address.
    Browser(String),
}

/// What plays in an element.
struct Attached {
    video: HtmlVideoElement,
    _heartbeat: Heartbeat,
    _pacer: Interval,
    _on_error: EventListener,
}

impl Session {
    /// Loads the player and starts to fetch the room's playlist. `on_lost` is called when it cannot go
    /// on, never from within a call of ours.
    ///
    /// # Errors
    /// [`ApiError::Browser`] where nothing here plays HLS, [`ApiError::Unreachable`] when the player
    /// cannot be loaded.
    pub(crate) async fn start(
        key: &RoomKey,
        on_lost: impl Fn() + 'static,
    ) -> Result<Self, ApiError> {
        let config: js_sys::Object = js_sys::JSON::parse(CONFIG)
            .map_err(|_| ApiError::Unexpected)?
            .unchecked_into();
        let on_lost: Rc<dyn Fn()> = Rc::new(on_lost);
        let loaded = load_hls(&config).await.map_err(|_| ApiError::Unreachable)?;
        let url = format!("/live/{key}/index.m3u8");
        let (player, on_error) = if !loaded.is_undefined() {
            let hls: Hls = loaded.unchecked_into();
            let on_error = report_to(&on_lost);
            hls.on("hlsError", on_error.as_ref());
            hls.load_source(&url);
            (Player::Library(hls), Some(on_error))
        } else if browser::plays_hls() {
            (Player::Browser(url), None)
        } else {
            return Err(ApiError::Browser(
                "it plays neither WebRTC nor HLS of this broadcast".into(),
            ));
        };
        Ok(Self {
            player: Rc::new(player),
            key: key.clone(),
            attached: RefCell::new(None),
            _on_error: on_error,
            on_lost,
        })
    }

    /// Plays in `video`.
    pub(crate) fn attach(&self, video: &HtmlVideoElement) {
        match &*self.player {
            Player::Library(hls) => hls.attach_media(video),
            Player::Browser(url) => video.set_src(url),
        }
        let pacer = {
            let (player, video) = (Rc::clone(&self.player), video.clone());
            let has_begun = Cell::new(false);
            Interval::new(LOOK_MS, move || player.keep_pace(&video, &has_begun))
        };
        let on_error = {
            let (player, on_lost) = (Rc::clone(&self.player), Rc::clone(&self.on_lost));
            EventListener::new(video, "error", move |_| {
                // hls.js mends or tells what happens to its own element.
                if matches!(*player, Player::Browser(_)) {
                    on_lost();
                }
            })
        };
        self.attached.replace(Some(Attached {
            video: video.clone(),
            _heartbeat: Heartbeat::start(&self.key, video.clone()),
            _pacer: pacer,
            _on_error: on_error,
        }));
    }

    /// Where the player is.
    pub(crate) fn position(&self) -> Option<Position> {
        self.player
            .position(&self.attached.borrow().as_ref()?.video)
    }

    /// Plays the newest there is.
    pub(crate) fn jump_to_live(&self) {
        if let Some(attached) = &*self.attached.borrow() {
            self.player.jump_to_live(&attached.video);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let attached = self.attached.take();
        if let Player::Library(hls) = &*self.player {
            hls.destroy();
        }
        if let Some(Attached { video, .. }) = attached {
            video.set_playback_rate(1.0);
            // What is left of it would win over a stream that is set later.
            if video.remove_attribute("src").is_ok() {
                video.load();
            }
        }
    }
}

impl Player {
    fn position(&self, video: &HtmlVideoElement) -> Option<Position> {
        let now = video.current_time();
        let buffered = end_of(&video.buffered())?;
        let (behind, target) = match self {
            Self::Library(hls) => (hls.latency(), hls.target_latency()?),
            // Apple's player is told by the playlist and keeps its distance itself.
            Self::Browser(_) => (end_of(&video.seekable())? - now, f64::INFINITY),
        };
        Some(Position {
            behind,
            target,
            buffered: buffered - now,
        })
    }

    fn keep_pace(&self, video: &HtmlVideoElement, has_begun: &Cell<bool>) {
        let Self::Library(_) = self else { return };
        if video.paused() || video.seeking() {
            return;
        }
        let Some(position) = self.position(video) else {
            return;
        };
        let rate = video.playback_rate();
        let pace = if has_begun.replace(true) {
            live_delay::pace(rate, position)
        } else {
            live_delay::first_pace(position)
        };
        match pace {
            Pace::Rate(next) if (next - rate).abs() > f64::EPSILON => video.set_playback_rate(next),
            Pace::Rate(_) => {}
            Pace::Jump => self.jump_to_live(video),
        }
    }

    fn jump_to_live(&self, video: &HtmlVideoElement) {
        let newest = match self {
            Self::Library(hls) => hls.live_sync_position(),
            Self::Browser(_) => end_of(&video.seekable()).map(|end| end - 2.0),
        };
        if let Some(newest) = newest.filter(|newest| *newest > video.current_time()) {
            video.set_current_time(newest);
        }
    }
}

/// Where the last of the ranges ends, in seconds.
fn end_of(ranges: &web_sys::TimeRanges) -> Option<f64> {
    ranges.end(ranges.length().checked_sub(1)?).ok()
}

fn report_to(on_lost: &Rc<dyn Fn()>) -> Closure<dyn FnMut(JsValue, ErrorData)> {
    let on_lost = Rc::clone(on_lost);
    Closure::new(move |_: JsValue, error: ErrorData| {
        if !error.fatal() {
            return;
        }
        warn!("hls.js gives up: {}", error.details());
        let on_lost = Rc::clone(&on_lost);
        // Not from here: whoever is told destroys the caller.
        spawn_local(async move { on_lost() });
    })
}
