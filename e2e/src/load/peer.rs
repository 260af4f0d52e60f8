//! A WebRTC client: one peer connection of the sans-I/O crate `rtc` on one UDP socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::BytesMut;
use rtc::crypto::SignatureScheme;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_nack, configure_rtcp_reports,
};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use super::media::{AUDIO_CLOCK, Stream, VIDEO_CLOCK};
use super::rtcp_tap::{RtcpTap, asks_for_keyframe};

/// The streams of a publisher; a viewer offers the same payload types.
pub const VIDEO: Stream = Stream {
    ssrc: 1,
    payload_type: 102,
};
/// As [`VIDEO`].
pub const AUDIO: Stream = Stream {
    ssrc: 2,
    payload_type: 111,
};
const RTX_PAYLOAD_TYPE: u8 = 103;

/// Behind all interceptors that look at RTCP themselves.
const TAP: usize = 20_000;
/// Largest datagram that is read.
const MAX_DATAGRAM: usize = 2_048;
/// Datagrams read before they are worked on.
const BATCH: usize = 128;
/// What the kernel is asked to hold for us: a keyframe must not be lost while other viewers are served.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Shortest time between two looks at the clock.
const TICK: Duration = Duration::from_millis(1);
/// Longest such time.
const IDLE: Duration = Duration::from_secs(1);
/// Time between connectivity checks: browsers send one every 50 ms (RFC 8445 section 14.2), the crate every
/// 200 ms.
const CHECKS: Duration = Duration::from_millis(50);

/// The DTLS certificate of synthetic clients. They share one, as making one is slow.
#[derive(Clone)]
pub struct Identity(RTCCertificate);

impl Identity {
    /// Makes a certificate.
    ///
    /// # Errors
    /// There is no cryptography to make one with.
    pub fn generate() -> Result<Self> {
        let crypto = rtc::crypto::default_provider()?;
        let params = CertificateParams::new(vec!["load".to_owned()])?;
        let scheme = SignatureScheme::EcdsaP256Sha256;
        Ok(Self(RTCCertificate::generate(
            crypto.crypto(),
            scheme,
            params,
        )?))
    }
}

/// What a peer connection brings.
#[derive(Debug)]
pub enum Event {
    /// ICE and DTLS are complete.
    Connected,
    /// Decrypted media; retransmissions look like the packet that was lost.
    Media(rtc::rtp::Packet),
    /// The other side wants a keyframe.
    KeyframeWanted,
}

/// One end of a WHIP or WHEP session.
pub struct Peer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    /// Media is counted as it comes, and neither decrypted nor asked for again.
    skims: bool,
    events: VecDeque<Event>,
    video: Option<RTCRtpSenderId>,
    audio: Option<RTCRtpSenderId>,
}

impl Peer {
    /// A peer that is going to send [`VIDEO`] and [`AUDIO`].
    ///
    /// # Errors
    /// There is no socket left.
    pub async fn publisher(identity: &Identity) -> Result<Self> {
        let mut peer = Self::new(identity).await?;
        peer.video = Some(peer.add_track(RtpCodecKind::Video, VIDEO, h264())?);
        peer.audio = Some(peer.add_track(RtpCodecKind::Audio, AUDIO, opus())?);
        Ok(peer)
    }

    /// A peer that is going to receive video and audio.
    ///
    /// # Errors
    /// There is no socket left.
    pub async fn viewer(identity: &Identity) -> Result<Self> {
        let mut peer = Self::new(identity).await?;
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            peer.connection.add_transceiver_from_kind(kind, None)?;
        }
        Ok(peer)
    }

    async fn new(identity: &Identity) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        // The kernel's own limit may be lower, which is well.
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        let local = socket.local_addr()?;
        let (engine, registry) = codecs()?;
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_ice_connection_attempts(Some(CHECKS), None);
        let configuration = RTCConfigurationBuilder::new()
            .with_certificates(vec![identity.0.clone()])
            .build();
        let connection = RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings.build())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .build(Instant::now())?;
        Ok(Self {
            connection,
            socket,
            local,
            skims: false,
            events: VecDeque::new(),
            video: None,
            audio: None,
        })
    }

    fn add_track(
        &mut self,
        kind: RtpCodecKind,
        stream: Stream,
        codec: RTCRtpCodec,
    ) -> Result<RTCRtpSenderId> {
        let rtp_coding_parameters = RTCRtpCodingParameters {
            ssrc: Some(stream.ssrc),
            ..Default::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters,
            codec,
            ..Default::default()
        };
        let (name, label) = ("load".to_owned(), kind.to_string());
        let track = MediaStreamTrack::new(name.clone(), label.clone(), label, kind, vec![encoding]);
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec![name],
            send_encodings: Vec::new(),
        };
        let before: Vec<_> = self.connection.get_senders().collect();
        self.connection
            .add_transceiver_from_track(track, Some(init))?;
        let added = self
            .connection
            .get_senders()
            .find(|id| !before.contains(id));
        added.context("the track was not added")
    }

    /// The offer to be posted.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn offer(&mut self) -> Result<String> {
        let offer = self.connection.create_offer(None)?;
        self.connection
            .set_local_description(Instant::now(), offer)?;
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: self.local.ip().to_string(),
                port: self.local.port(),
                component: 1,
                ..Default::default()
            },
            ..Default::default()
        };
        let candidate = RTCIceCandidate::from(&candidate.new_candidate_host()?).to_json()?;
        self.connection.add_local_candidate(candidate)?;
        let local = self.connection.local_description();
        Ok(local.context("there is no offer")?.sdp)
    }

    /// Takes in the server's answer; from now on [`Peer::event`] connects.
    ///
    /// # Errors
    /// The answer cannot be used.
    pub fn accept(&mut self, answer: String) -> Result<()> {
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection
            .set_remote_description(Instant::now(), answer)
            .context("the answer cannot be used")
    }

    /// Sends the packets of a picture.
    ///
    /// # Errors
    /// The peer is not a publisher, or not connected.
    pub fn send_video(&mut self, packets: Vec<rtc::rtp::Packet>) -> Result<()> {
        let sender = self.video.context("a viewer sends nothing")?;
        self.send(sender, packets)
    }

    /// Sends the packets of some sound.
    ///
    /// # Errors
    /// As [`Peer::send_video`].
    pub fn send_audio(&mut self, packets: Vec<rtc::rtp::Packet>) -> Result<()> {
        let sender = self.audio.context("a viewer sends nothing")?;
        self.send(sender, packets)
    }

    fn send(&mut self, sender: RTCRtpSenderId, packets: Vec<rtc::rtp::Packet>) -> Result<()> {
        let sender = self.connection.rtp_sender(sender);
        let mut sender = sender.context("the track is gone")?;
        let now = Instant::now();
        for packet in packets {
            sender.write_rtp(now, packet)?;
        }
        self.flush();
        Ok(())
    }

    /// From now on only the headers of media are read: what a thousand viewers decrypt on this machine, the
    /// server could not have.
    pub fn skim(&mut self) {
        self.skims = true;
    }

    /// Waits for the next event, and does meanwhile what the connection needs. Cancel safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn event(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.collect()?;
            self.flush();
            if !self.events.is_empty() {
                continue;
            }
            let now = Instant::now();
            let wake = self.connection.poll_timeout().unwrap_or(now + IDLE);
            tokio::select! {
                readable = self.socket.readable() => {
                    readable?;
                    self.receive();
                }
                () = sleep_until(wake.max(now + TICK).into()) => {
                    self.connection.handle_timeout(Instant::now())?;
                }
            }
        }
    }

    /// Reads what has arrived. One datagram at a time: were the socket able to take many as one
    /// (UDP GRO), sending over loopback would cost the server less than it does over a network.
    fn receive(&mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        let now = Instant::now();
        for _ in 0..BATCH {
            // Other errors than that there is no more are ICMP's and concern a former peer.
            let Ok((length, peer_addr)) = self.socket.try_recv_from(&mut buffer) else {
                return;
            };
            if self.skims
                && let Some(header) = media_header(&buffer[..length])
            {
                let packet = rtc::rtp::Packet {
                    header,
                    ..Default::default()
                };
                self.events.push_back(Event::Media(packet));
                continue;
            }
            let datagram = TaggedBytesMut {
                now,
                transport: TransportContext {
                    local_addr: self.local,
                    peer_addr,
                    ecn: None,
                    transport_protocol: TransportProtocol::UDP,
                },
                message: BytesMut::from(&buffer[..length]),
            };
            // What cannot be read is lost, as on any network.
            let _ = self.connection.handle_read(datagram);
        }
    }

    /// Gathers what the connection has to say.
    fn collect(&mut self) -> Result<()> {
        while let Some(event) = self.connection.poll_event() {
            let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event else {
                continue;
            };
            match state {
                RTCPeerConnectionState::Connected => self.events.push_back(Event::Connected),
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                    bail!("the connection is {state}")
                }
                _ => {}
            }
        }
        while let Some(read) = self.connection.poll_read() {
            match read.message {
                RTCMessage::RtpPacket(_, packet) => self.events.push_back(Event::Media(packet)),
                RTCMessage::RtcpPacket(_, compound)
                    if compound.iter().any(|rtcp| asks_for_keyframe(rtcp.as_ref())) =>
                {
                    self.events.push_back(Event::KeyframeWanted);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.connection.poll_write() {
            // A full socket buffer loses datagrams, as any network does.
            let to = datagram.transport.peer_addr;
            let _ = self.socket.try_send_to(&datagram.message, to);
        }
    }
}

/// What an encrypted media packet says openly (RFC 3711 section 3.1); `None` for everything else that comes
/// on the same port (RFC 7983, RFC 5761 section 4).
fn media_header(datagram: &[u8]) -> Option<rtc::rtp::Header> {
    let [128..=191, kind, high, low, ..] = *datagram else {
        return None;
    };
    let (marker, payload_type) = (kind & 0x80 != 0, kind & 0x7f);
    (!(64..=95).contains(&payload_type)).then(|| rtc::rtp::Header {
        marker,
        payload_type,
        sequence_number: u16::from_be_bytes([high, low]),
        ..Default::default()
    })
}

/// What a browser would offer, as far as the server uses it.
fn codecs() -> Result<(MediaEngine, Registry)> {
    let rtx = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        sdp_fmtp_line: format!("apt={}", VIDEO.payload_type),
        ..h264()
    };
    let mut engine = MediaEngine::default();
    for (kind, payload_type, rtp_codec) in [
        (RtpCodecKind::Video, VIDEO.payload_type, h264()),
        (RtpCodecKind::Video, RTX_PAYLOAD_TYPE, rtx),
        (RtpCodecKind::Audio, AUDIO.payload_type, opus()),
    ] {
        let codec = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        engine
            .register_codec(codec, kind)
            .map_err(|error| anyhow!("a codec is refused: {error}"))?;
    }
    let registry = configure_nack(Registry::new(), &mut engine);
    let registry = configure_rtcp_reports(registry);
    Ok((engine, registry.with(Slot::from(TAP), RtcpTap::default())))
}

fn h264() -> RTCRtpCodec {
    let fmtp = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: VIDEO_CLOCK,
        channels: 0,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: AUDIO_CLOCK,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}
