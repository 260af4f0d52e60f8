//! The server's side of one viewer's DTLS association (RFC 6347, RFC 5764).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc::dtls::config::{
    ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig,
    VerifyPeerCertificateFn,
};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::shared::error::{Error, Result};

use super::hello;
use super::srtp::{PREFERRED, PROFILES, Srtp};

/// The association does not care where its datagrams travel: ICE does.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);

/// SHA-256 of a certificate, as an offer announces it (RFC 8122 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webrtc) struct Fingerprint(pub(in crate::webrtc) [u8; 32]);

/// What all handshakes share: our certificate.
#[derive(Clone)]
pub(in crate::webrtc) struct Identity {
    pub(in crate::webrtc) certificate: Certificate,
    pub(in crate::webrtc) crypto: Arc<dyn RTCCryptoProvider>,
}

fn endpoint(config: Arc<HandshakeConfig>) -> Endpoint {
    Endpoint::new(ANYWHERE, TransportProtocol::UDP, Some(config))
}

/// What a datagram led to.
pub(super) enum Event {
    /// The handshake is done, and the client is who the offer said.
    Connected(Box<Srtp>),
    /// The client said goodbye (RFC 5246 section 7.2.1).
    Closed,
    /// The client is not who the offer said, or wants SRTP otherwise than we can do it.
    Refused,
}

/// One association.
pub(super) struct Dtls {
    endpoint: Endpoint,
    /// Until the client has said which profiles it offers.
    preferred: Option<Arc<HandshakeConfig>>,
    impostor: Arc<AtomicBool>,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl Dtls {
    pub(super) fn new(identity: &Identity, expected: Fingerprint) -> Result<Self> {
        let impostor = Arc::new(AtomicBool::new(false));
        let (crypto, flag) = (Arc::clone(&identity.crypto), Arc::clone(&impostor));
        let verify: VerifyPeerCertificateFn = Arc::new(move |chain, _| {
            let hash = chain
                .first()
                .and_then(|certificate| {
                    let hashed = crypto.crypto().hash(HashAlgorithm::Sha256, certificate);
                    hashed.ok()
                })
                .unwrap_or_default();
            if hash == expected.0 {
                return Ok(());
            }
            flag.store(true, Ordering::Relaxed);
            Err(Error::ErrNoMatchingCertificateFingerprint)
        });
        let config = |profiles: &[SrtpProtectionProfile]| {
            let config = ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&identity.crypto))
                .with_certificates(vec![identity.certificate.clone()])
                .with_srtp_protection_profiles(profiles.to_vec())
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                // Certificates are self-signed: the fingerprint is what counts (RFC 8827 section 6.5).
                .with_insecure_skip_verify(true)
                .with_verify_peer_certificate(Some(Arc::clone(&verify)))
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                .build(false, None)?;
            Ok::<_, Error>(Arc::new(config))
        };
        Ok(Self {
            endpoint: endpoint(config(&PROFILES)?),
            preferred: Some(config(&[PREFERRED])?),
            impostor,
            crypto: Arc::clone(&identity.crypto),
        })
    }

    /// Takes a datagram. What is damaged or forged leads to nothing (RFC 6347 section 4.1.2.7).
    pub(super) fn read(&mut self, now: Instant, datagram: &[u8]) -> Option<Event> {
        // Left to itself the crate takes what the client likes best: Chromium, the slower one.
        if let Some(preferred) = self.preferred.take()
            && hello::offers(datagram, PREFERRED as u16)
        {
            self.endpoint = endpoint(preferred);
        }
        let read = self
            .endpoint
            .read(now, ANYWHERE, None, BytesMut::from(datagram));
        if self.impostor.load(Ordering::Relaxed) {
            return Some(Event::Refused);
        }
        let events = match read {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, "a DTLS datagram leads to nothing");
                return None;
            }
        };
        events.into_iter().find_map(|event| match event {
            EndpointEvent::HandshakeComplete => Some(self.keys()),
            EndpointEvent::PeerClosed => Some(Event::Closed),
            _ => None,
        })
    }

    /// A datagram to send, until there is none.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        let transmit = self.endpoint.poll_transmit()?;
        Some(transmit.message.freeze())
    }

    /// When [`Dtls::handle_timeout`] has to be called.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&ANYWHERE)
    }

    /// Repeats what may have been lost (RFC 6347 section 4.2.4).
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.endpoint.handle_timeout(ANYWHERE, now) {
            tracing::debug!(%error, "a DTLS handshake gets no further");
        }
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
    }

    fn keys(&self) -> Event {
        let state = self.endpoint.get_connection_state(ANYWHERE);
        let srtp = state
            .ok_or(Error::ErrConnClosed)
            .and_then(|state| Srtp::new(state, self.crypto.crypto()));
        match srtp {
            Ok(srtp) => Event::Connected(Box::new(srtp)),
            Err(error) => {
                tracing::debug!(%error, "a DTLS handshake gave no SRTP keys");
                Event::Refused
            }
        }
    }
}
