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
pub(super) enum LinkState {
    /// ICE and DTLS are through.
    Up,
    /// It broke and will not come back by itself.
    Lost,
}

/// How long a connection may be without answers before it counts as lost, in milliseconds. The
/// browser itself waits far longer.
const PATIENCE_MS: u32 = 3_000;

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

    /// The time to the other side and back on the path in use, in milliseconds (the member
    /// `currentRoundTripTime` of W3C's webrtc-stats).
    pub(super) fn round_trip(&self) -> impl Future<Output = Option<u32>> + use<> {
        let asked = JsFuture::from(self.connection.get_stats());
        async move {
            let report: js_sys::Map = asked.await.ok()?.unchecked_into();
            let mut seconds = None;
            report.for_each(&mut |entry, _| {
                let member = |name: &str| js_sys::Reflect::get(&entry, &name.into()).ok();
                let is_path = member("type").is_some_and(|kind| kind == "candidate-pair")
                    && member("nominated").is_some_and(|nominated| nominated.is_truthy());
                if is_path {
                    seconds = member("currentRoundTripTime")
                        .and_then(|time| time.as_f64())
                        .or(seconds);
                }
            });
            seconds.map(|seconds| (seconds * 1_000.0).round() as u32)
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

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.close();
    }
}

pub(super) fn broken(error: &JsValue) -> ApiError {
    ApiError::Browser(browser::error_message(error))
}
