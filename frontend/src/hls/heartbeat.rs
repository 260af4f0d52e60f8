//! Tells the server that somebody watches: requests for segments say nothing of who makes them.

use gloo_net::http::Request;
use gloo_timers::callback::Interval;
use leptos::task::spawn_local;
use serde::Serialize;
use shared::room::RoomKey;
use web_sys::HtmlVideoElement;

use crate::browser;

/// Between two heartbeats, in milliseconds.
const EVERY_MS: u32 = 5_000;

/// `POST /live/{key}/heartbeat`
#[derive(Serialize)]
struct Beat {
    /// This session; no other has it.
    id: String,
}

/// Beats while `video` plays, until it is dropped.
pub(super) struct Heartbeat {
    _timer: Interval,
}

impl Heartbeat {
    pub(super) fn start(key: &RoomKey, video: HtmlVideoElement) -> Self {
        let url = format!("/live/{key}/heartbeat");
        let id = format!("{:016x}", (browser::random() * u64::MAX as f64) as u64);
        let beat = move || {
            if !video.paused() {
                send(&url, &id);
            }
        };
        beat();
        Self {
            _timer: Interval::new(EVERY_MS, beat),
        }
    }
}

fn send(url: &str, id: &str) {
    let Ok(request) = Request::post(url).json(&Beat { id: id.to_owned() }) else {
        return;
    };
    spawn_local(async move {
        // The next one is as good.
        let _ = request.send().await;
    });
}
