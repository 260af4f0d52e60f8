//! For tests: a viewer and a client of the `rtc` crates, without a socket between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::crypto::{HashAlgorithm, RTCCryptoProvider, default_provider};
use rtc::dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

use super::batch::Batch;
use super::dtls::{Fingerprint, Identity};
use super::ice::Credentials;
use super::probe::{burst, picture};
use super::rtcp::NtpClock;
use super::transport::{Path, Transport};
use super::viewer::{Event, Viewer};
use crate::media::h264::put_nal;
use crate::webrtc::burst::Burst;
use crate::webrtc::codecs::ViewerCodecs;
use crate::webrtc::feed::History;
use crate::webrtc::sdp::{H264Payload, OpusPayload};

pub(super) const GCM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
pub(super) const CM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
pub(super) const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0x10, 0];

pub(super) fn path(port: u16) -> Path {
    Path::Udp(([192, 0, 2, 1], port).into())
}

fn nowhere() -> SocketAddr {
    ([192, 0, 2, 9], 9).into()
}

/// The client's side, and the wire between both.
pub(super) struct Client {
    crypto: Arc<dyn RTCCryptoProvider>,
    pub(super) endpoint: Endpoint,
    pub(super) srtp: Option<(Context, Context)>,
    pub(super) goodbyes: usize,
}

/// Both sides, and the time.
pub(super) struct Pair {
    pub(super) viewer: Viewer,
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
}

/// What becomes of the datagrams of a flight.
pub(super) type Wire<'a> = &'a mut dyn FnMut(Vec<Bytes>) -> Vec<Bytes>;

pub(super) fn straight(datagrams: Vec<Bytes>) -> Vec<Bytes> {
    datagrams
}

impl Client {
    pub(super) fn new(
        crypto: Arc<dyn RTCCryptoProvider>,
        certificate: Certificate,
        profile: SrtpProtectionProfile,
        now: Instant,
    ) -> Self {
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&crypto))
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![profile])
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(true, Some(nowhere()))
            .unwrap();
        let mut endpoint = Endpoint::new(nowhere(), TransportProtocol::UDP, None);
        endpoint
            .connect(now, nowhere(), Arc::new(config), None)
            .unwrap();
        Self {
            crypto,
            endpoint,
            srtp: None,
            goodbyes: 0,
        }
    }

    /// A check with these attributes.
    pub(super) fn check(&self, password: &str, attributes: &[AttrType]) -> Vec<u8> {
        let mut request = Message::new();
        let setters: [Box<dyn Setter>; 3] = [
            Box::new(TransactionId::new()),
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, "ours:theirs".to_owned())),
        ];
        request.build(&setters).unwrap();
        for &attribute in attributes {
            let value: &[u8] = match attribute {
                ATTR_USE_CANDIDATE => &[],
                _ => &[7; 8],
            };
            request.add(attribute, value);
        }
        MessageIntegrity::new_short_term_integrity_with_provider(
            password.to_owned(),
            self.crypto.crypto(),
        )
        .add_to(&mut request)
        .unwrap();
        request.raw
    }

    pub(super) fn flight(&mut self) -> Vec<Bytes> {
        let datagrams = std::iter::from_fn(|| self.endpoint.poll_transmit());
        datagrams
            .map(|transmit| transmit.message.freeze())
            .collect()
    }

    pub(super) fn read(&mut self, now: Instant, datagram: &Bytes) {
        let datagram = BytesMut::from(&datagram[..]);
        let events = self.endpoint.read(now, nowhere(), None, datagram);
        for event in events.unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => self.srtp = Some(self.keys()),
                EndpointEvent::PeerClosed => self.goodbyes += 1,
                EndpointEvent::ApplicationData(_) => {}
                _ => {}
            }
        }
    }

    fn keys(&self) -> (Context, Context) {
        let state = self.endpoint.get_connection_state(nowhere()).unwrap();
        let profile = match state.srtp_protection_profile() {
            GCM => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        let mut config = Config {
            profile,
            ..Config::default()
        };
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())
            .unwrap();
        config
            .set_session_keys_from_keying_material(material.as_ref(), true)
            .unwrap();
        let keys = config.keys;
        let context = |key: &[u8], salt: &[u8]| {
            Context::new(key, salt, profile, None, None, self.crypto.crypto()).unwrap()
        };
        (
            context(&keys.local_master_key, &keys.local_master_salt),
            context(&keys.remote_master_key, &keys.remote_master_salt),
        )
    }

    /// Encrypts a compound RTCP packet.
    pub(super) fn rtcp(&mut self, compound: &[u8]) -> BytesMut {
        let (out, _) = self.srtp.as_mut().unwrap();
        out.encrypt_rtcp(compound).unwrap()
    }

    /// Decrypts a packet of ours.
    pub(super) fn open(&mut self, packet: &[u8]) -> BytesMut {
        let (_, inbound) = self.srtp.as_mut().unwrap();
        inbound.decrypt_rtp(packet).unwrap()
    }
}

impl Pair {
    pub(super) fn new(profile: SrtpProtectionProfile) -> Self {
        Self::with(profile, Some(99), true)
    }

    pub(super) fn with(profile: SrtpProtectionProfile, rtx: Option<u8>, honest: bool) -> Self {
        let now = Instant::now();
        let crypto = default_provider().unwrap();
        let certificate = || Certificate::generate_self_signed(vec!["x".into()], crypto.crypto());
        let (ours, theirs) = (certificate().unwrap(), certificate().unwrap());
        let hash = crypto
            .crypto()
            .hash(HashAlgorithm::Sha256, &theirs.certificate[0]);
        let mut fingerprint: [u8; 32] = hash.unwrap().try_into().unwrap();
        fingerprint[0] ^= u8::from(!honest);
        let identity = Identity {
            certificate: ours,
            crypto: Arc::clone(&crypto),
        };
        let credentials = Credentials {
            ufrag: "ours".into(),
            password: "secret".into(),
            remote_ufrag: "theirs".into(),
        };
        let transport = Transport::new(credentials, &identity, Fingerprint(fingerprint), now);
        let codecs = ViewerCodecs {
            h264: Some(H264Payload {
                payload_type: 98,
                fmtp: String::new(),
                rtx,
            }),
            opus: Some(OpusPayload {
                payload_type: 111,
                fmtp: String::new(),
                packet_ms: None,
            }),
        };
        Self {
            viewer: Viewer::new(transport.unwrap(), &codecs, NtpClock::new(), now),
            client: Client::new(crypto, theirs, profile, now),
            now,
            events: Vec::new(),
        }
    }

    pub(super) fn connected(profile: SrtpProtectionProfile) -> Self {
        let mut pair = Self::new(profile);
        pair.check(1, &[ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE]);
        pair.shake(&mut straight);
        assert_eq!(pair.events, [Event::Connected]);
        pair.events.clear();
        pair
    }

    pub(super) fn handle(&mut self, from: Path, datagram: &[u8]) {
        let events = &mut self.events;
        let take = |event| events.push(event);
        self.viewer.handle(self.now, from, datagram, take);
    }

    pub(super) fn transmits(&mut self) -> Vec<(Path, Bytes)> {
        std::iter::from_fn(|| self.viewer.poll_transmit()).collect()
    }

    /// A check from this port; what is answered.
    pub(super) fn check(&mut self, port: u16, attributes: &[AttrType]) -> Option<Message> {
        let check = self.client.check("secret", attributes);
        self.handle(path(port), &check);
        let answers = self.transmits();
        let (to, answer) = answers.first()?;
        assert_eq!((*to, answers.len()), (path(port), 1));
        let mut message = Message::new();
        message.unmarshal_binary(answer).unwrap();
        Some(message)
    }

    /// The handshake over a wire, until nothing more happens; lost flights are repeated.
    pub(super) fn shake(&mut self, wire: Wire<'_>) {
        for _ in 0..40 {
            for datagram in wire(self.client.flight()) {
                self.handle(path(1), &datagram);
            }
            let flight = self.transmits().into_iter().map(|(_, datagram)| datagram);
            for datagram in wire(flight.collect()) {
                self.client.read(self.now, &datagram);
            }
            if !self.events.is_empty() && self.client.srtp.is_some() {
                return;
            }
            self.now += Duration::from_millis(300);
            let _ = self.client.endpoint.handle_timeout(nowhere(), self.now);
            self.viewer.handle_timeout(self.now);
        }
    }

    /// The packets of a burst as they are sent.
    pub(super) fn send(&mut self, burst: &Burst) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        self.viewer.write(burst, &mut batch).unwrap();
        batch.all().packets().map(<[u8]>::to_vec).collect()
    }

    /// What is sent again upon a NACK for this packet and the one behind it.
    pub(super) fn retransmitted(&mut self, burst: Burst, sequence: u16) -> Vec<Vec<u8>> {
        let mut history = History::default();
        history.push(&Arc::new(burst));
        let [high, low] = sequence.to_be_bytes();
        let nack = [0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0x10, 0, high, low, 0, 1];
        let nack = self.client.rtcp(&nack);
        self.handle(path(1), &nack);
        let mut batch = Batch::default();
        self.viewer.retransmit(&history, &mut batch);
        batch.all().packets().map(<[u8]>::to_vec).collect()
    }
}

/// The burst of this number: a keyframe of so many packets, the first of them its parameter sets.
pub(super) fn keyframe(number: u64, packets: usize) -> Burst {
    let mut data = BytesMut::new();
    for _ in 1..packets {
        put_nal(&mut data, &[0x65; 1_000]);
    }
    burst(data, number, 0, true)
}

/// Three packets, the last of them with two bytes of padding.
pub(super) fn padded_picture() -> Burst {
    let mut padded = picture(0, 2_999);
    padded.units[0].even_out();
    padded
}

pub(super) fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}
