//! A peer connection of the `webrtc` crate on the mux, and what it reports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtc::crypto::{RTCCryptoProvider, SignatureScheme};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::transport::RTCDtlsRole;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
};

use super::candidates::advertise;
use super::mux::{Inbox, Mux, Registration};
use super::sdp::{Offer, OfferError};

/// ICE: a peer that is silent for so long may be gone.
const DISCONNECTED: Duration = Duration::from_secs(5);
/// And one that is silent for so much longer is.
const FAILED: Duration = Duration::from_secs(7);
const KEEPALIVE: Duration = Duration::from_secs(2);
/// Our candidates are known beforehand, so gathering ends at once; this is only a bound.
const GATHERING: Duration = Duration::from_secs(3);
/// Only names: the mux replaces the sockets that are bound for them.
const VIRTUAL: &str = "127.0.0.1:0";
/// Tracks that one publisher may send; the rest is ignored.
const MAX_TRACKS: usize = 8;

/// What every peer connection of the server shares.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) mux: Arc<Mux>,
    pub(super) crypto: Arc<dyn RTCCryptoProvider>,
    pub(super) certificate: RTCCertificate,
    pub(super) advertised: Arc<[SocketAddr]>,
}

/// A certificate for all our DTLS handshakes: ECDSA, which every client speaks.
pub(super) fn certificate(
    crypto: &dyn RTCCryptoProvider,
) -> Result<RTCCertificate, rtc::shared::error::Error> {
    let params = CertificateParams::new(vec!["golive".to_owned()])
        .map_err(|error| rtc::shared::error::Error::Other(error.to_string()))?;
    RTCCertificate::generate(crypto.crypto(), SignatureScheme::EcdsaP256Sha256, params)
}

/// One side of a WHIP or WHEP session.
pub(super) struct Peer {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) state: ConnectionState,
    pub(super) tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    /// Names the ICE session, for `ETag` (RFC 9725 section 4.3.1).
    pub(super) ufrag: String,
    pub(super) inbox: Arc<Inbox>,
    gathered: watch::Receiver<bool>,
    advertised: Arc<[SocketAddr]>,
    _registration: Registration,
}

impl Peer {
    pub(super) async fn new(
        ground: &Ground,
        engine: MediaEngine,
        registry: Registry,
    ) -> Result<Self, OfferError> {
        let (ufrag, password) = (random_text(8), random_text(24));
        let (registration, runtime, inbox) = ground.mux.register(&ufrag, &password);
        let settings = SettingEngineBuilder::new()
            .with_crypto_provider(Arc::clone(&ground.crypto))
            .with_ice_credentials(ufrag.clone(), password)
            .with_lite(true)
            .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEPALIVE))
            // We are the DTLS server: the client begins the handshake as soon as a check succeeds.
            .with_answering_dtls_role(RTCDtlsRole::Server)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(true);
        let configuration = RTCConfigurationBuilder::new()
            .with_certificates(vec![ground.certificate.clone()])
            .build();
        let (handler, state, gathered, tracks) = Handler::new();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings.build())
            .with_handler(Arc::new(handler))
            .with_runtime(Arc::new(runtime))
            .with_udp_addrs(vec![VIRTUAL])
            .with_tcp_addrs(vec![VIRTUAL])
            .build()
            .await
            .map_err(|error| internal(&error))?;
        Ok(Self {
            connection: Arc::new(connection),
            state: ConnectionState(state),
            tracks,
            ufrag,
            inbox,
            gathered,
            advertised: Arc::clone(&ground.advertised),
            _registration: registration,
        })
    }

    /// Applies the offer and makes the answer, with the advertised candidates in it.
    pub(super) async fn negotiate(&mut self, offer: &Offer) -> Result<String, OfferError> {
        let unusable = |error: rtc::shared::error::Error| OfferError::Invalid(error.to_string());
        let description = RTCSessionDescription::offer(offer.sdp.clone()).map_err(unusable)?;
        self.connection
            .set_remote_description(description)
            .await
            .map_err(unusable)?;
        let answer = self
            .connection
            .create_answer(None)
            .await
            .map_err(|error| internal(&error))?;
        self.connection
            .set_local_description(answer)
            .await
            .map_err(|error| internal(&error))?;
        let gathered = self.gathered.wait_for(|&gathered| gathered);
        let _ = tokio::time::timeout(GATHERING, gathered).await;
        let local = self.connection.local_description().await;
        let local = local.ok_or_else(|| internal(&"there is no answer"))?;
        Ok(advertise(&local.sdp, &self.advertised))
    }

    /// Frees everything the connection holds.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }
}

/// Follows a connection's state.
pub(super) struct ConnectionState(watch::Receiver<RTCPeerConnectionState>);

impl ConnectionState {
    /// Waits until the connection's state is one of those, and says which. Cancel safe.
    pub(super) async fn reaches(
        &mut self,
        until: impl Fn(RTCPeerConnectionState) -> bool,
    ) -> RTCPeerConnectionState {
        let reached = self.0.wait_for(|&state| until(state)).await;
        // The handler is gone only when the connection is.
        reached.map_or(RTCPeerConnectionState::Closed, |state| *state)
    }
}

/// Whether media no longer comes: what the viewers of a publisher have to be told soon.
pub(super) fn is_silent(state: RTCPeerConnectionState) -> bool {
    state == RTCPeerConnectionState::Disconnected || is_over(state)
}

/// Whether media can no longer flow.
pub(super) fn is_over(state: RTCPeerConnectionState) -> bool {
    use RTCPeerConnectionState::{Closed, Failed};
    matches!(state, Failed | Closed)
}

pub(super) fn internal(error: &dyn std::fmt::Display) -> OfferError {
    OfferError::Internal(error.to_string())
}

/// `ice-char`s (RFC 8839 section 5.4); six bits of randomness each.
pub(super) fn random_text(length: usize) -> String {
    const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = vec![0; length];
    // Without randomness nothing here is safe to do.
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
        .iter()
        .map(|byte| char::from(CHARS[usize::from(byte & 63)]))
        .collect()
}

/// Passes on what the connection reports. Runs on the connection's own task, so it must never wait.
struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
}

type Reports = (
    Handler,
    watch::Receiver<RTCPeerConnectionState>,
    watch::Receiver<bool>,
    mpsc::Receiver<Arc<dyn TrackRemote>>,
);

impl Handler {
    fn new() -> Reports {
        let (state, state_reports) = watch::channel(RTCPeerConnectionState::New);
        let (gathered, gathered_reports) = watch::channel(false);
        let (tracks, track_reports) = mpsc::channel(MAX_TRACKS);
        (
            Self {
                state,
                gathered,
                tracks,
            },
            state_reports,
            gathered_reports,
            track_reports,
        )
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered
            .send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        if self.tracks.try_send(track).is_err() {
            tracing::debug!("a publisher sends more tracks than are used: ignored");
        }
    }
}
