//! A viewer and a client of the `rtc` crates, without a socket between them.

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
use rtc::stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, Setter, TransactionId,
};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::xoraddr::XorMappedAddress;

use super::batch::Batch;
use super::dtls::{Fingerprint, Identity};
use super::ice::Credentials;
use super::rtcp::NtpClock;
use super::transport::{CONNECT, CONSENT, Ended, Path, Transport};
use super::viewer::{Event, RTX_SSRC, VIDEO_SSRC, Viewer};
use crate::media::access_unit::{AccessUnit, Epoch, Format};
use crate::media::h264::{VideoFormat, put_nal};
use crate::media::time::MediaTime;
use crate::webrtc::codecs::ViewerCodecs;
use crate::webrtc::feed::{History, RtpUnit};
use crate::webrtc::sdp::H264Payload;

const GCM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
const CM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0x10, 0];

fn path(port: u16) -> Path {
    Path::Udp(([192, 0, 2, 1], port).into())
}

fn nowhere() -> SocketAddr {
    ([192, 0, 2, 9], 9).into()
}

/// The client's side, and the wire between both.
struct Client {
    crypto: Arc<dyn RTCCryptoProvider>,
    endpoint: Endpoint,
    srtp: Option<(Context, Context)>,
    goodbyes: usize,
}

/// Both sides, and the time.
struct Pair {
    viewer: Viewer,
    client: Client,
    now: Instant,
    events: Vec<Event>,
}

/// What becomes of the datagrams of a flight.
type Wire<'a> = &'a mut dyn FnMut(Vec<Bytes>) -> Vec<Bytes>;

fn straight(datagrams: Vec<Bytes>) -> Vec<Bytes> {
    datagrams
}

impl Client {
    fn new(
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
    fn check(&self, password: &str, attributes: &[AttrType]) -> Vec<u8> {
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

    fn flight(&mut self) -> Vec<Bytes> {
        let datagrams = std::iter::from_fn(|| self.endpoint.poll_transmit());
        datagrams
            .map(|transmit| transmit.message.freeze())
            .collect()
    }

    fn read(&mut self, now: Instant, datagram: &Bytes) {
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
    fn rtcp(&mut self, compound: &[u8]) -> BytesMut {
        let (out, _) = self.srtp.as_mut().unwrap();
        out.encrypt_rtcp(compound).unwrap()
    }

    /// Decrypts a packet of ours.
    fn open(&mut self, packet: &[u8]) -> BytesMut {
        let (_, inbound) = self.srtp.as_mut().unwrap();
        inbound.decrypt_rtp(packet).unwrap()
    }
}

impl Pair {
    fn new(profile: SrtpProtectionProfile) -> Self {
        Self::with(profile, Some(99), true)
    }

    fn with(profile: SrtpProtectionProfile, rtx: Option<u8>, honest: bool) -> Self {
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
            opus: None,
        };
        Self {
            viewer: Viewer::new(transport.unwrap(), &codecs, NtpClock::new(), now),
            client: Client::new(crypto, theirs, profile, now),
            now,
            events: Vec::new(),
        }
    }

    fn connected(profile: SrtpProtectionProfile) -> Self {
        let mut pair = Self::new(profile);
        pair.check(1, &[ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE]);
        pair.shake(&mut straight);
        assert_eq!(pair.events, [Event::Connected]);
        pair.events.clear();
        pair
    }

    fn handle(&mut self, from: Path, datagram: &[u8]) {
        let events = &mut self.events;
        let take = |event| events.push(event);
        self.viewer.handle(self.now, from, datagram, take);
    }

    fn transmits(&mut self) -> Vec<(Path, Bytes)> {
        std::iter::from_fn(|| self.viewer.poll_transmit()).collect()
    }

    /// A check from this port; what is answered.
    fn check(&mut self, port: u16, attributes: &[AttrType]) -> Option<Message> {
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
    fn shake(&mut self, wire: Wire<'_>) {
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

    /// The packets of a unit as they are sent.
    fn send(&mut self, unit: &RtpUnit) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        self.viewer.write(unit, 0, usize::MAX, &mut batch).unwrap();
        batch.packets().map(<[u8]>::to_vec).collect()
    }

    /// What is sent again upon a NACK for this packet and the one behind it.
    fn retransmitted(&mut self, unit: RtpUnit, sequence: u16) -> Vec<Vec<u8>> {
        let mut history = History::default();
        history.push(&Arc::new(unit));
        let [high, low] = sequence.to_be_bytes();
        let nack = [0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0x10, 0, high, low, 0, 1];
        let nack = self.client.rtcp(&nack);
        self.handle(path(1), &nack);
        let mut batch = Batch::default();
        self.viewer.retransmit(&history, &mut batch);
        batch.packets().map(<[u8]>::to_vec).collect()
    }
}

/// A picture whose first packet has this number, in one NAL unit of this size.
pub(super) fn picture(first: u64, size: usize) -> RtpUnit {
    let mut data = BytesMut::new();
    put_nal(&mut data, &vec![0x41; size]);
    rtp(data, 1, first, false)
}

/// The unit of this number: a keyframe of so many packets, the first of them its parameter sets.
pub(super) fn keyframe(number: u64, packets: usize) -> RtpUnit {
    let mut data = BytesMut::new();
    for _ in 1..packets {
        put_nal(&mut data, &[0x65; 1_000]);
    }
    rtp(data, number, 0, true)
}

fn rtp(data: BytesMut, number: u64, first: u64, random_access: bool) -> RtpUnit {
    let format = VideoFormat {
        sps: Bytes::from_static(&[0x67]),
        pps: vec![Bytes::from_static(&[0x68])],
        width: 16,
        height: 16,
        reorder_frames: None,
        has_rare_colours: false,
    };
    let unit = AccessUnit {
        epoch: Epoch(1),
        format: Format::Video(Arc::new(format)),
        dts: MediaTime::ZERO,
        pts: MediaTime::ZERO,
        random_access,
        data: data.freeze(),
    };
    RtpUnit::new(&unit, number, first)
}

fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

#[test]
fn a_check_is_answered_with_where_it_came_from() {
    let mut pair = Pair::new(GCM);
    let mut answer = pair.check(1, &[ATTR_ICE_CONTROLLING]).unwrap();
    assert_eq!(answer.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&answer).unwrap();
    assert_eq!(SocketAddr::new(mapped.ip, mapped.port), path(1).remote());
    let crypto = default_provider().unwrap();
    MessageIntegrity::check(&mut answer, b"secret", crypto.crypto()).unwrap();
}

#[test]
fn a_check_that_is_not_signed_rightly_is_not_answered() {
    let mut pair = Pair::new(GCM);
    let check = pair.client.check("a guess", &[ATTR_USE_CANDIDATE]);
    pair.handle(path(1), &check);
    assert!(pair.transmits().is_empty());
    assert_eq!(pair.viewer.path(), None);
}

#[test]
fn a_client_that_would_be_controlled_is_told_to_change_its_role() {
    let mut pair = Pair::new(GCM);
    let answer = pair.check(1, &[ATTR_ICE_CONTROLLED]).unwrap();
    assert_eq!(answer.typ, BINDING_ERROR);
    assert_eq!(pair.viewer.path(), None);
}

#[test]
fn media_is_decrypted_with_either_profile() {
    for profile in [GCM, CM] {
        let mut pair = Pair::connected(profile);
        let packets = pair.send(&picture(100_000, 3_000));
        assert_eq!(packets.len(), 3);
        for (number, packet) in (0..).zip(&packets) {
            let opened = pair.client.open(packet);
            assert_eq!(opened[0], 0x80);
            assert_eq!(opened[1], if number == 2 { 0x80 | 98 } else { 98 });
            assert_eq!(
                sequence(&opened),
                u16::try_from(100_000 % 32_768).unwrap() + number
            );
            assert_eq!(opened[8..12], VIDEO_SSRC.to_be_bytes());
        }
    }
}

#[test]
fn media_is_decrypted_across_a_rollover() {
    for profile in [GCM, CM] {
        let mut pair = Pair::connected(profile);
        let mut unit = picture(0, 100);
        for number in 32_760..65_560 {
            unit.first = number;
            let packets = pair.send(&unit);
            assert_eq!(pair.client.open(&packets[0])[12..], [0x41; 100]);
        }
    }
}

#[test]
fn a_handshake_survives_loss_reordering_and_duplicates() {
    let mut count = 0;
    let mut each_third_is_lost = |flight: Vec<Bytes>| {
        let arrives = |_: &Bytes| {
            count += 1;
            count % 3 != 0
        };
        flight.into_iter().filter(arrives).collect()
    };
    let mut reversed = |mut flight: Vec<Bytes>| {
        flight.reverse();
        flight
    };
    let mut doubled = |flight: Vec<Bytes>| flight.iter().chain(&flight).cloned().collect();
    let wires: [(&str, Wire<'_>); 3] = [
        ("loss", &mut each_third_is_lost),
        ("reordering", &mut reversed),
        ("duplicates", &mut doubled),
    ];
    for (what, wire) in wires {
        let mut pair = Pair::new(GCM);
        pair.check(1, &[ATTR_USE_CANDIDATE]);
        pair.shake(wire);
        assert_eq!(pair.events.first(), Some(&Event::Connected), "{what}");
    }
}

#[test]
fn a_client_with_another_certificate_is_refused() {
    let mut pair = Pair::with(GCM, None, false);
    pair.check(1, &[ATTR_USE_CANDIDATE]);
    pair.shake(&mut straight);
    assert_eq!(pair.events.first(), Some(&Event::Ended(Ended::Refused)));
    assert!(pair.send(&picture(0, 100)).is_empty(), "nothing is sent");
}

#[test]
fn whoever_passed_no_check_is_not_listened_to() {
    let mut pair = Pair::new(GCM);
    pair.check(1, &[ATTR_USE_CANDIDATE]);
    for datagram in pair.client.flight() {
        pair.handle(path(2), &datagram);
    }
    assert!(pair.transmits().is_empty());
}

#[test]
fn a_report_is_heard_once() {
    let mut pair = Pair::connected(GCM);
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events.len(), 1, "a replay says nothing");
}

#[test]
fn a_forged_report_is_not_heard() {
    let mut pair = Pair::connected(GCM);
    let mut pli = pair.client.rtcp(&PLI);
    pli[9] ^= 1;
    pair.handle(path(1), &pli);
    pair.handle(path(1), &PLI);
    for length in 0..pli.len() {
        pair.handle(path(1), &pli[..length]);
    }
    assert_eq!(pair.events, []);
}

#[test]
fn forged_sources_do_not_shut_out_the_real_one() {
    let mut pair = Pair::connected(GCM);
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    for source in 0..1_000u32 {
        let mut forged = pair.client.rtcp(&PLI);
        forged[4..8].copy_from_slice(&(source + 1_000).to_be_bytes());
        pair.handle(path(1), &forged);
    }
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe; 2]);
}

#[test]
fn media_follows_a_client_whose_address_changes() {
    let mut pair = Pair::connected(GCM);
    assert_eq!(pair.viewer.path(), Some(path(1)));
    pair.check(2, &[ATTR_ICE_CONTROLLING]);
    assert_eq!(pair.viewer.path(), Some(path(1)), "not nominated");
    pair.check(2, &[ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE]);
    assert_eq!(pair.viewer.path(), Some(path(2)));
    let forged = pair.client.check("a guess", &[ATTR_USE_CANDIDATE]);
    pair.handle(path(3), &forged);
    assert_eq!(pair.viewer.path(), Some(path(2)));
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(2), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
}

#[test]
fn many_addresses_do_not_shut_out_the_one_in_use() {
    let mut pair = Pair::connected(GCM);
    for port in 2..100 {
        pair.check(port, &[ATTR_ICE_CONTROLLING]);
    }
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
}

#[test]
fn a_client_that_does_not_connect_is_given_up() {
    let mut pair = Pair::new(GCM);
    let early = pair.now + CONNECT - Duration::from_millis(1);
    assert_eq!(pair.viewer.handle_timeout(early), None);
    let late = pair.now + CONNECT;
    let ended = Some(Event::Ended(Ended::Silent));
    assert_eq!(pair.viewer.handle_timeout(late), ended);
}

#[test]
fn a_client_that_no_longer_consents_is_sent_nothing_more() {
    let mut pair = Pair::connected(GCM);
    pair.now += CONSENT - Duration::from_secs(1);
    pair.check(1, &[ATTR_ICE_CONTROLLING]);
    pair.now += CONSENT - Duration::from_secs(1);
    assert_eq!(pair.viewer.handle_timeout(pair.now), None);
    // Not even whoever knows the address can keep it alive.
    pair.handle(path(1), &PLI);
    pair.now += Duration::from_secs(1);
    let ended = Some(Event::Ended(Ended::Silent));
    assert_eq!(pair.viewer.handle_timeout(pair.now), ended);
}

#[test]
fn a_goodbye_ends_the_session() {
    let mut pair = Pair::connected(GCM);
    pair.client.endpoint.close(pair.now).unwrap();
    for datagram in pair.client.flight() {
        pair.handle(path(1), &datagram);
    }
    assert_eq!(pair.events, [Event::Ended(Ended::Closed)]);
}

#[test]
fn a_client_is_told_goodbye() {
    let mut pair = Pair::connected(GCM);
    pair.viewer.close(pair.now);
    for (_, datagram) in pair.transmits() {
        pair.client.read(pair.now, &datagram);
    }
    assert_eq!(pair.client.goodbyes, 1);
}

#[test]
fn what_is_missing_is_sent_again_in_a_stream_of_its_own() {
    let mut pair = Pair::connected(GCM);
    let sent = pair.send(&picture(0, 3_000));
    let originals: Vec<_> = sent.iter().map(|packet| pair.client.open(packet)).collect();
    let again = pair.retransmitted(picture(0, 3_000), 1);
    assert_eq!(again.len(), 2);
    for (number, packet) in (0..).zip(&again) {
        let opened = pair.client.open(packet);
        assert_eq!(opened[1] & 0x7f, 99);
        assert_eq!(opened[8..12], RTX_SSRC.to_be_bytes());
        assert_eq!(sequence(&opened), number);
        assert_eq!(opened[12..14], (number + 1).to_be_bytes());
        let original = &originals[usize::from(number) + 1];
        assert_eq!(opened[14..], original[12..]);
    }
}

#[test]
fn without_a_stream_for_it_the_same_packet_is_sent_again() {
    for profile in [GCM, CM] {
        let mut pair = Pair::with(profile, None, true);
        pair.check(1, &[ATTR_USE_CANDIDATE]);
        pair.shake(&mut straight);
        let sent = pair.send(&picture(0, 3_000));
        assert_eq!(pair.retransmitted(picture(0, 3_000), 1), sent[1..]);
    }
}

#[test]
fn a_flood_of_wishes_is_not_granted() {
    let mut pair = Pair::connected(GCM);
    pair.send(&picture(0, 3_000));
    let mut granted = 0;
    for _ in 0..500 {
        granted += pair.retransmitted(picture(0, 3_000), 1).len();
    }
    assert_eq!(granted, 100);
}

#[test]
fn a_viewer_that_is_sent_something_gets_reports() {
    let mut pair = Pair::connected(GCM);
    assert_eq!(pair.viewer.report(pair.now, MediaTime::ZERO), None);
    pair.send(&picture(0, 3_000));
    let report = pair
        .viewer
        .report(pair.now, MediaTime::from_micros(1_000_000));
    let (_, inbound) = pair.client.srtp.as_mut().unwrap();
    let opened = inbound.decrypt_rtcp(&report.unwrap()).unwrap();
    assert_eq!(opened[16..20], 90_000u32.to_be_bytes());
    assert_eq!(opened[20..24], 3u32.to_be_bytes());
    assert_eq!(pair.viewer.report(pair.now, MediaTime::ZERO), None);
}
