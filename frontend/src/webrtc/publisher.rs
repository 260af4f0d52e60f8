//! A WHIP session.

use leptos::logging::warn;
use shared::room::RoomKey;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    MediaStream, MediaStreamTrack, RtcRtpCodecCapability, RtcRtpEncodingParameters, RtcRtpSender,
    RtcRtpTransceiver, RtcRtpTransceiverDirection, RtcRtpTransceiverInit,
};

use super::peer::{LinkState, Peer, broken};
use super::signaling::{Session, post_offer};
use crate::api::ApiError;
use crate::capture::Kind;
use crate::logic::codecs;

/// A running session. Dropping it closes the connection but leaves the session to the server's
/// grace time: only [`Publisher::end`] is the end of the broadcast.
pub(super) struct Publisher {
    peer: Peer,
    session: Session,
    senders: Vec<(Kind, RtcRtpSender)>,
}

impl Publisher {
    /// Publishes the tracks of `stream`, its picture with at most `max_bitrate` bits per second.
    ///
    /// # Errors
    /// The server's refusal, or [`ApiError::NoH264`].
    pub(super) async fn start(
        key: &RoomKey,
        stream_key: &str,
        stream: &MediaStream,
        max_bitrate: u32,
        on_link: impl Fn(LinkState) + 'static,
    ) -> Result<Self, ApiError> {
        let peer = Peer::new(on_link)?;
        let mut senders = Vec::new();
        for track in stream.get_tracks().iter() {
            let track: MediaStreamTrack = track.unchecked_into();
            let init = RtcRtpTransceiverInit::new();
            init.set_direction(RtcRtpTransceiverDirection::Sendonly);
            init.set_streams(&js_sys::Array::of1(stream));
            let transceiver = peer
                .connection()
                .add_transceiver_with_media_stream_track_and_init(&track, &init);
            let kind = Kind::of(&track);
            if kind == Kind::Camera {
                prefer_h264(&transceiver);
            }
            senders.push((kind, transceiver.sender()));
        }
        let offer = peer.offer().await?;
        let has_picture = senders.iter().any(|(kind, _)| *kind == Kind::Camera);
        if has_picture && !codecs::offers_h264(&offer) {
            return Err(ApiError::NoH264);
        }
        let endpoint = format!("/whip/{key}");
        let (answer, session) = post_offer(&endpoint, Some(stream_key), &offer).await?;
        if let Err(error) = peer.accept(&answer).await {
            session.delete().await;
            return Err(error);
        }
        let publisher = Self {
            peer,
            session,
            senders,
        };
        publisher.limit_bitrate(max_bitrate).await;
        Ok(publisher)
    }

    /// Whether a track of this kind is being sent.
    pub(super) fn sends(&self, kind: Kind) -> bool {
        self.sender(kind).is_some()
    }

    /// Sends `track` in place of the one of the same kind, or nothing.
    ///
    /// # Errors
    /// When the browser cannot switch.
    pub(super) fn replace_track(
        &self,
        kind: Kind,
        track: Option<&MediaStreamTrack>,
    ) -> impl Future<Output = Result<(), ApiError>> + use<> {
        let replaced = self.sender(kind).map(|sender| sender.replace_track(track));
        async move {
            match replaced {
                Some(replaced) => JsFuture::from(replaced)
                    .await
                    .map(|_| ())
                    .map_err(|error| broken(&error)),
                None => Ok(()),
            }
        }
    }

    /// How long a packet takes to the server and back, in milliseconds, where the browser knows.
    pub(super) fn round_trip(&self) -> impl Future<Output = Option<u32>> + use<> {
        let asked = self.peer.statistics();
        async move {
            let seconds = asked.await?.round_trip_seconds?;
            Some((seconds * 1_000.0).round() as u32)
        }
    }

    /// Ends the broadcast's session at once.
    pub(super) async fn end(self) {
        self.session.delete().await;
        drop(self.peer);
    }

    fn sender(&self, kind: Kind) -> Option<&RtcRtpSender> {
        self.senders
            .iter()
            .find_map(|(of, sender)| (*of == kind).then_some(sender))
    }

    /// Sends the picture with at most so many bits per second.
    pub(super) fn limit_bitrate(&self, max: u32) -> impl Future<Output = ()> + use<> {
        let set = self.sender(Kind::Camera).map(|sender| {
            let parameters = sender.get_parameters();
            if let Some(encodings) = parameters.get_encodings() {
                for encoding in encodings.iter() {
                    encoding
                        .unchecked_ref::<RtcRtpEncodingParameters>()
                        .set_max_bitrate(max);
                }
            }
            sender.set_parameters_with_parameters(&parameters)
        });
        async move {
            if let Some(set) = set
                && let Err(error) = JsFuture::from(set).await
            {
                warn!("the bit rate stays as it was: {error:?}");
            }
        }
    }
}

/// Offers H.264 first; see [`codecs::rank`].
fn prefer_h264(transceiver: &RtcRtpTransceiver) {
    // Firefox learned it late.
    let knows = js_sys::Reflect::has(transceiver, &"setCodecPreferences".into()).unwrap_or(false);
    let Some(capabilities) = RtcRtpSender::get_capabilities("video").filter(|_| knows) else {
        return;
    };
    let mut codecs: Vec<JsValue> = capabilities.get_codecs().iter().collect();
    codecs.sort_by_key(|codec| {
        let codec: &RtcRtpCodecCapability = codec.unchecked_ref();
        codecs::rank(
            &codec.get_mime_type(),
            &codec.get_sdp_fmtp_line().unwrap_or_default(),
        )
    });
    transceiver.set_codec_preferences(&codecs.into_iter().collect::<js_sys::Array>());
}
