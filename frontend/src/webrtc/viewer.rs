//! A WHEP session.

use std::cell::Cell;
use std::rc::Rc;

use gloo_events::EventListener;
use leptos::task::spawn_local;
use shared::room::RoomKey;
use shared::sdp::with_ptime;
use wasm_bindgen::JsCast;
use web_sys::{MediaStream, RtcRtpTransceiverDirection, RtcRtpTransceiverInit, RtcTrackEvent};

use super::peer::{LinkState, Peer, Waited, broken};
use super::signaling::{Session, post_offer};
use crate::api::ApiError;
use crate::logic::patience::Patience;

/// A running session; dropping it ends it on both sides.
pub(crate) struct Viewer {
    // Before the peer, so that no track arrives in a closed connection.
    _on_track: EventListener,
    peer: Rc<Peer>,
    session: Option<Session>,
    stream: MediaStream,
    /// In the jitter buffer, as of the last question for the delay.
    waited: Rc<Cell<Waited>>,
    patience: Rc<Cell<Patience>>,
    on_unfit: Rc<dyn Fn()>,
}

/// To a session that the server has ended as its path did not carry the stream.
const GONE: u16 = 410;

impl Viewer {
    /// Asks for the room's picture and sound. `on_unfit` is told after the session, once it turns out that
    /// the server ended it as too much was lost on the way.
    ///
    /// # Errors
    /// The server's refusal.
    pub(crate) async fn start(
        key: &RoomKey,
        on_link: impl Fn(LinkState) + 'static,
        on_unfit: impl Fn() + 'static,
    ) -> Result<Self, ApiError> {
        let peer = Rc::new(Peer::new(on_link)?);
        let stream = MediaStream::new().map_err(|error| broken(&error))?;
        for kind in ["video", "audio"] {
            let init = RtcRtpTransceiverInit::new();
            init.set_direction(RtcRtpTransceiverDirection::Recvonly);
            peer.connection()
                .add_transceiver_with_str_and_init(kind, &init);
        }
        let on_track = {
            // Another handle on the same stream; its own method `clone` would copy the stream.
            let stream = Clone::clone(&stream);
            EventListener::new(peer.connection(), "track", move |event| {
                stream.add_track(&event.unchecked_ref::<RtcTrackEvent>().track());
            })
        };
        let offer = with_ptime(&peer.offer().await?);
        let (answer, session) = post_offer(&format!("/whep/{key}"), None, &offer).await?;
        let viewer = Self {
            _on_track: on_track,
            peer,
            session: Some(session),
            stream,
            waited: Rc::default(),
            patience: Rc::default(),
            on_unfit: Rc::new(on_unfit),
        };
        // From here on a failure ends the session, by dropping the viewer.
        viewer.peer.accept(&answer).await?;
        Ok(viewer)
    }

    /// The server has ended the session itself: nothing is left to delete.
    pub(crate) fn forget_session(&mut self) {
        self.session = None;
    }

    /// How far behind the server the picture is: the way here, and the wait that evens out how packets
    /// arrive; in seconds, since the last call. Where packets get lost that wait becomes longer.
    pub(crate) fn delay(&self) -> impl Future<Output = Option<f64>> + use<> {
        let (asked, waited) = (self.peer.statistics(), Rc::clone(&self.waited));
        let (peer, patience) = (Rc::downgrade(&self.peer), Rc::clone(&self.patience));
        async move {
            let statistics = asked.await?;
            let mut known = patience.get();
            if let (Some(ms), Some(peer)) = (known.look(statistics.nacks), peer.upgrade()) {
                peer.wait_at_least(ms);
            }
            patience.set(known);
            let half_way = statistics.round_trip_seconds? / 2.0;
            let before = waited.replace(statistics.waited);
            Some(half_way + statistics.waited.mean_since(before)?)
        }
    }

    /// The picture and the sound.
    pub(crate) fn stream(&self) -> &MediaStream {
        &self.stream
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let (deleted, on_unfit) = (session.delete(), Rc::clone(&self.on_unfit));
            spawn_local(async move {
                if deleted.await == Some(GONE) {
                    on_unfit();
                }
            });
        }
    }
}
