//! One peer connection, closed and silent once it is dropped.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RtcPeerConnection, RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit};

use crate::api::ApiError;
use crate::browser;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// ICE and DTLS are through.
    Up,
    /// It broke and will not come back by itself.
    Lost,
}

/// How long a connection may be without answers before it counts as lost, in milliseconds. The
/// browser itself waits far longer.
const PATIENCE_MS: u32 = 3_000;

/// Out of what W3C's webrtc-stats calls `RTCStatsReport`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Statistics {
    /// To the other side and back on the path in use, in seconds.
    pub(super) round_trip_seconds: Option<f64>,
    /// What the picture waited so far.
    pub(super) waited: Waited,
    /// Times this side asked for packets of the picture again (RFC 4585 section 6.2.1).
    pub(super) nacks: f64,
}

/// The sum of what frames waited in the jitter buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waited {
    seconds: f64,
    frames: f64,
}

pub(super) struct Peer {
    connection: RtcPeerConnection,
    _on_state: EventListener,
}

impl Peer {
    /// A new connection; `on_link` is told what becomes of it, never from within a call of ours.
    pub(super) fn new(on_link: impl Fn(LinkState) + 'static) -> Result<Self, ApiError> {
        // Not max-bundle: with it Chromium cannot accept an answer that rejects the first m-section,
        // as it is when a room has sound only.
        let connection = RtcPeerConnection::new().map_err(|error| broken(&error))?;

        let on_link = Rc::new(on_link);
        let tell = move |state| {
            let on_link = Rc::clone(&on_link);
            spawn_local(async move { on_link(state) });
        };
        let patience = RefCell::new(None::<Timeout>);
        let watched = connection.clone();
        let on_state = EventListener::new(&connection, "connectionstatechange", move |_| {
            let next = match watched.connection_state() {
                RtcPeerConnectionState::Connected => {
                    tell(LinkState::Up);
                    None
                }
                RtcPeerConnectionState::Disconnected => {
                    let tell = tell.clone();
                    Some(Timeout::new(PATIENCE_MS, move || tell(LinkState::Lost)))
                }
                RtcPeerConnectionState::Failed | RtcPeerConnectionState::Closed => {
                    tell(LinkState::Lost);
                    None
                }
                _ => None,
            };
            patience.replace(next);
        });
        Ok(Self {
            connection,
            _on_state: on_state,
        })
    }

    pub(super) fn connection(&self) -> &RtcPeerConnection {
        &self.connection
    }

    /// Makes the offer and returns its SDP. It names no candidates: the server has a public address
    /// and learns this side's from its checks (RFC 8445 section 7.3.1.3).
    pub(super) async fn offer(&self) -> Result<String, ApiError> {
        let offer = JsFuture::from(self.connection.create_offer())
            .await
            .map_err(|error| broken(&error))?;
        let offer: RtcSessionDescriptionInit = offer.unchecked_into();
        JsFuture::from(self.connection.set_local_description(&offer))
            .await
            .map_err(|error| broken(&error))?;
        let description = self
            .connection
            .local_description()
            .ok_or(ApiError::Unexpected)?;
        Ok(description.sdp())
    }

    /// What the browser measures on this connection.
    pub(super) fn statistics(&self) -> impl Future<Output = Option<Statistics>> + use<> {
        let asked = JsFuture::from(self.connection.get_stats());
        async move {
            let report: js_sys::Map = asked.await.ok()?.unchecked_into();
            let mut statistics = Statistics::default();
            report.for_each(&mut |entry, _| statistics.take_in(&entry));
            Some(statistics)
        }
    }

    /// Has picture and sound wait in the browser's buffer for at least so long, in milliseconds.
    pub(super) fn wait_at_least(&self, ms: u32) {
        for receiver in self.connection.get_receivers() {
            // The bindings lack this member, and so do some browsers.
            let _ = js_sys::Reflect::set(&receiver, &"jitterBufferTarget".into(), &ms.into());
        }
    }

    pub(super) async fn accept(&self, answer: &str) -> Result<(), ApiError> {
        let description = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
        description.set_sdp(answer);
        JsFuture::from(self.connection.set_remote_description(&description))
            .await
            .map(|_| ())
            .map_err(|error| broken(&error))
    }
}

impl Statistics {
    fn take_in(&mut self, entry: &JsValue) {
        let member = |name: &str| js_sys::Reflect::get(entry, &name.into()).ok();
        let number = |name: &str| member(name).and_then(|number| number.as_f64());
        let is = |name: &str, value: &str| member(name).is_some_and(|member| member == value);
        if is("type", "candidate-pair") && member("nominated").is_some_and(|it| it.is_truthy()) {
            self.round_trip_seconds = number("currentRoundTripTime").or(self.round_trip_seconds);
        }
        if is("type", "inbound-rtp") && is("kind", "video") {
            self.nacks = number("nackCount").unwrap_or_default();
            self.waited = Waited {
                seconds: number("jitterBufferDelay").unwrap_or_default(),
                frames: number("jitterBufferEmittedCount").unwrap_or_default(),
            };
        }
    }
}

impl Waited {
    /// How long a frame waited on average since `before`, in seconds; `None` if there was none.
    pub(super) fn mean_since(self, before: Self) -> Option<f64> {
        let (seconds, frames) = (self.seconds - before.seconds, self.frames - before.frames);
        (frames > 0.0 && seconds >= 0.0).then(|| seconds / frames)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.close();
    }
}

pub(super) fn broken(error: &JsValue) -> ApiError {
    ApiError::Browser(browser::error_message(error))
}
