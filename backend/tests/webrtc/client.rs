//! A WHIP or WHEP client on the `webrtc` crate, with sockets of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MediaEngine,
};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::runtime::TokioRuntime;

const H264: u8 = 102;
const OPUS: u8 = 111;

/// Constrained baseline, as a browser's encoder writes it.
pub(crate) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a,
];
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

pub(crate) struct Client {
    connection: Arc<dyn PeerConnection>,
    state: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
    /// Packets that arrived, by kind.
    pub(crate) packets: mpsc::Receiver<(RtpCodecKind, rtp::Packet)>,
    video: Option<Arc<TrackLocalStaticRTP>>,
    audio: Option<Arc<TrackLocalStaticRTP>>,
    sequence: u16,
}

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    packets: mpsc::Sender<(RtpCodecKind, rtp::Packet)>,
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
        let packets = self.packets.clone();
        tokio::spawn(async move {
            let kind = track.kind().await;
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = packets.try_send((kind, packet));
                }
            }
        });
    }
}

fn codec(kind: RtpCodecKind) -> RTCRtpCodec {
    let feedback = |line: &str| {
        let (typ, parameter) = line.split_once(' ').unwrap_or((line, ""));
        RTCPFeedback {
            typ: typ.into(),
            parameter: parameter.into(),
        }
    };
    match kind {
        RtpCodecKind::Video => RTCRtpCodec {
            mime_type: MIME_TYPE_H264.into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
                .into(),
            rtcp_feedback: ["nack", "nack pli", "ccm fir"].map(feedback).to_vec(),
        },
        _ => RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
            rtcp_feedback: Vec::new(),
        },
    }
}

impl Client {
    async fn new(address: &'static str) -> Self {
        let mut engine = MediaEngine::default();
        for (kind, payload_type) in [(RtpCodecKind::Video, H264), (RtpCodecKind::Audio, OPUS)] {
            let rtp_codec = codec(kind);
            engine
                .register_codec(
                    RTCRtpCodecParameters {
                        rtp_codec,
                        payload_type,
                    },
                    kind,
                )
                .unwrap();
        }
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let (state, state_reports) = watch::channel(RTCPeerConnectionState::New);
        let (gathered, gathered_reports) = watch::channel(false);
        let (packets, arrived) = mpsc::channel(4_096);
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler {
                state,
                gathered,
                packets,
            }))
            .with_runtime(Arc::new(TokioRuntime))
            .with_udp_addrs(vec![address])
            .build()
            .await
            .unwrap();
        Self {
            connection: Arc::new(connection),
            state: state_reports,
            gathered: gathered_reports,
            packets: arrived,
            video: None,
            audio: None,
            sequence: 0,
        }
    }

    /// A client that is going to send a picture and sound.
    pub(crate) async fn publisher() -> Self {
        Self::publisher_at("127.0.0.1:0").await
    }

    /// The same, with this address.
    pub(crate) async fn publisher_at(address: &'static str) -> Self {
        let mut client = Self::new(address).await;
        client.video = Some(client.add_track(RtpCodecKind::Video, 0x11).await);
        client.audio = Some(client.add_track(RtpCodecKind::Audio, 0x22).await);
        client
    }

    /// A client that is going to receive both.
    pub(crate) async fn viewer() -> Self {
        Self::viewer_at("127.0.0.1:0").await
    }

    /// The same, with this address.
    pub(crate) async fn viewer_at(address: &'static str) -> Self {
        let client = Self::new(address).await;
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            };
            client
                .connection
                .add_transceiver_from_kind(kind, Some(init))
                .await
                .unwrap();
        }
        client
    }

    async fn add_track(&self, kind: RtpCodecKind, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
        let rtp_coding_parameters = RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters,
            codec: codec(kind),
            ..Default::default()
        };
        let name = format!("{kind:?}");
        let track =
            MediaStreamTrack::new("s".into(), name.clone(), name, kind, vec![encoding.clone()]);
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec!["s".into()],
            send_encodings: Vec::new(),
        };
        let local = Arc::clone(&track) as Arc<dyn TrackLocal>;
        self.connection
            .add_transceiver_from_track(local, Some(init))
            .await
            .unwrap();
        track
    }

    /// The offer, with all candidates in it.
    pub(crate) async fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered.wait_for(|&gathered| gathered).await.unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    pub(crate) async fn accept(&self, answer: String) {
        let answer = RTCSessionDescription::answer(answer).unwrap();
        self.connection
            .set_remote_description(answer)
            .await
            .unwrap();
    }

    pub(crate) async fn connected(&mut self) {
        let connected =
            |state: &RTCPeerConnectionState| *state == RTCPeerConnectionState::Connected;
        tokio::time::timeout(Duration::from_secs(10), self.state.wait_for(connected))
            .await
            .expect("connects in time")
            .unwrap();
    }

    /// Sends one picture and the sound that belongs to it.
    pub(crate) async fn send(&mut self, number: u32, keyframe: bool) {
        let (video, audio) = (self.video.clone().unwrap(), self.audio.clone().unwrap());
        let timestamp = number * 3_000;
        if keyframe {
            let length = |nal: &[u8]| u16::try_from(nal.len()).unwrap().to_be_bytes();
            let sets = [&[0x78], &length(SPS)[..], SPS, &length(PPS), PPS].concat();
            self.send_packet(&video, H264, 0x11, timestamp, false, sets)
                .await;
        }
        let header = if keyframe { 0x65 } else { 0x41 };
        let mut slice = vec![header];
        slice.extend_from_slice(&number.to_be_bytes());
        self.send_packet(&video, H264, 0x11, timestamp, true, slice)
            .await;
        let header = rtp::Header {
            version: 2,
            payload_type: OPUS,
            sequence_number: u16::try_from(number).unwrap(),
            timestamp: number * 960,
            ssrc: 0x22,
            ..Default::default()
        };
        let payload = Bytes::from_static(b"opus");
        audio
            .write_rtp(rtp::Packet { header, payload })
            .await
            .unwrap();
    }

    async fn send_packet(
        &mut self,
        track: &TrackLocalStaticRTP,
        payload_type: u8,
        ssrc: u32,
        timestamp: u32,
        marker: bool,
        payload: Vec<u8>,
    ) {
        self.sequence += 1;
        let sequence_number = self.sequence;
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number,
            timestamp,
            ssrc,
            ..Default::default()
        };
        track
            .write_rtp(rtp::Packet {
                header,
                payload: payload.into(),
            })
            .await
            .unwrap();
    }

    /// The next video packet.
    pub(crate) async fn next_video(&mut self) -> rtp::Packet {
        loop {
            let arrived = tokio::time::timeout(Duration::from_secs(10), self.packets.recv());
            let (kind, packet) = arrived.await.expect("arrives in time").unwrap();
            if kind == RtpCodecKind::Video {
                return packet;
            }
        }
    }

    pub(crate) async fn close(self) {
        self.connection.close().await.unwrap();
    }
}
