//! WHEP: a viewer watches (draft-ietf-wish-whep).
//!
//! A viewer's task takes shared packets from its room's [`feed`], gives them the viewer's payload types
//! and sequence numbers, and hands them to its peer connection.

mod feed;
mod packetizer;

use std::sync::Arc;
use std::time::Duration;

use rtc::media_stream::MediaStreamTrack;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::peer_connection::RTCPeerConnectionState;

pub(super) use self::feed::Feeds;
use self::feed::RtpUnit;
use super::codecs::{ViewerCodecs, h264_codec, opus_codec};
use super::peer::{Peer, internal, is_over};
use super::sdp::OfferError;
use super::session::{End, Reporter};
use crate::media::access_unit::TrackKind;
use crate::media::stage::{Formats, Stage, Tracks};

/// Time a viewer has from its offer to the end of the DTLS handshake.
const CONNECT: Duration = Duration::from_secs(15);
/// A viewer that has nothing to show asks for a keyframe this often.
const KEYFRAME_RETRY: Duration = Duration::from_secs(1);

/// One track on its way to one viewer.
pub(super) struct Sending {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
}

/// The tracks a viewer is sent.
#[derive(Default)]
pub(super) struct Sendings {
    video: Option<Sending>,
    audio: Option<Sending>,
}

impl Sendings {
    /// Adds the tracks to the peer connection, before the offer is applied.
    pub(super) async fn add(peer: &Peer, codecs: &ViewerCodecs) -> Result<Self, OfferError> {
        let mut sendings = Self::default();
        if let Some(h264) = &codecs.h264 {
            let (codec, payload_type) = (h264_codec(h264, &[]), h264.payload_type);
            let rtx = h264.rtx.is_some();
            let sending = Sending::add(peer, RtpCodecKind::Video, codec, payload_type, rtx);
            sendings.video = Some(sending.await?);
        }
        if let Some(opus) = &codecs.opus {
            let (codec, payload_type) = (opus_codec(opus), opus.payload_type);
            let sending = Sending::add(peer, RtpCodecKind::Audio, codec, payload_type, false);
            sendings.audio = Some(sending.await?);
        }
        Ok(sendings)
    }

    async fn send(&mut self, unit: &RtpUnit) -> Result<(), rtc::shared::error::Error> {
        let sending = match unit.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        match sending {
            Some(sending) => sending.send(unit).await,
            None => Ok(()),
        }
    }

    /// Waits until the viewer asks for a keyframe (RFC 4585 section 6.3.1, RFC 5104 section 4.3.1).
    async fn keyframe_wanted(&self) {
        let Some(video) = &self.video else {
            return std::future::pending().await;
        };
        while let Some(TrackLocalEvent::OnRtcpPacket(packets)) = video.track.poll().await {
            let wanted = packets.iter().any(|packet| {
                let packet = packet.as_any();
                packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>()
            });
            if wanted {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Sending {
    async fn add(
        peer: &Peer,
        kind: RtpCodecKind,
        codec: RTCRtpCodec,
        payload_type: u8,
        rtx: bool,
    ) -> Result<Self, OfferError> {
        let (label, ssrc) = match kind {
            RtpCodecKind::Video => ("video", 0x1000),
            _ => ("audio", 0x2000),
        };
        let rtx = rtx.then_some(RTCRtpRtxParameters { ssrc: ssrc + 1 });
        let rtp_coding_parameters = RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx,
            ..Default::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters,
            codec,
            ..Default::default()
        };
        let track = MediaStreamTrack::new(
            "golive".to_owned(),
            label.to_owned(),
            label.to_owned(),
            kind,
            vec![encoding],
        );
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec!["golive".to_owned()],
            send_encodings: Vec::new(),
        };
        let local = Arc::clone(&track) as Arc<dyn TrackLocal>;
        let added = peer
            .connection
            .add_transceiver_from_track(local, Some(init))
            .await;
        added.map_err(|error| internal(&error))?;
        Ok(Self {
            track,
            ssrc,
            payload_type,
            sequence: 0,
        })
    }

    async fn send(&mut self, unit: &RtpUnit) -> Result<(), rtc::shared::error::Error> {
        let last = unit.payloads.len().saturating_sub(1);
        for (index, payload) in unit.payloads.iter().enumerate() {
            let header = rtp::Header {
                version: 2,
                marker: index == last && unit.kind == TrackKind::Video,
                payload_type: self.payload_type,
                sequence_number: self.sequence,
                timestamp: unit.timestamp,
                ssrc: self.ssrc,
                ..Default::default()
            };
            self.sequence = self.sequence.wrapping_add(1);
            // Waits for this viewer's connection only; if it stays behind, the feed moves it ahead.
            self.track
                .write_rtp(rtp::Packet {
                    header,
                    payload: payload.clone(),
                })
                .await?;
        }
        Ok(())
    }
}

/// What a viewer watches, and with what.
pub(super) struct View {
    pub(super) stage: Arc<Stage>,
    pub(super) sendings: Sendings,
    /// Tracks that the viewer would take but the room did not have when it came.
    pub(super) missing: Tracks,
}

/// Serves a viewer until it ends, then frees everything.
pub(super) async fn serve(mut peer: Peer, view: View, feeds: Arc<Feeds>, reporter: Reporter) {
    let end = match connect(&mut peer, &reporter).await {
        Ok(()) => play(&mut peer, view, &feeds, &reporter).await,
        Err(end) => end,
    };
    reporter.ended(end);
    peer.close().await;
}

async fn connect(peer: &mut Peer, reporter: &Reporter) -> Result<(), End> {
    let deadline = Instant::now() + CONNECT;
    let settled = |state| state == RTCPeerConnectionState::Connected || is_over(state);
    tokio::select! {
        () = reporter.close.cancelled() => Err(End::Closed),
        () = sleep_until(deadline) => Err(End::Lost),
        state = peer.state.reaches(settled) => match state {
            RTCPeerConnectionState::Connected => Ok(()),
            _ => Err(End::Lost),
        },
    }
}

async fn play(peer: &mut Peer, view: View, feeds: &Feeds, reporter: &Reporter) -> End {
    let View {
        stage,
        mut sendings,
        missing,
    } = view;
    reporter.connected();
    let feed = feeds.of(&stage);
    let mut formats = stage.formats();
    let mut units = feed.subscribe();
    let mut has_picture = false;
    let mut retry = interval(KEYFRAME_RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = reporter.close.cancelled() => return End::Closed,
            _ = peer.state.reaches(is_over) => return End::Lost,
            end = outgrown(&mut formats, sendings.video.is_some(), missing) => return end,
            () = sendings.keyframe_wanted() => stage.request_keyframe(),
            delivery = units.next() => {
                let Some(delivery) = delivery else { return End::Closed };
                if delivery.skipped > 0 {
                    tracing::debug!(units = delivery.skipped, "a slow viewer jumped ahead");
                }
                has_picture = true;
                if let Err(error) = sendings.send(&delivery.unit).await {
                    tracing::debug!(%error, "sending to a viewer");
                    return End::Lost;
                }
            }
            // The first tick comes at once, so a viewer without a fresh keyframe asks for one.
            _ = retry.tick(), if !has_picture => stage.request_keyframe(),
        }
    }
}

/// Waits until the room has become what this session cannot show, for ever if it never does.
async fn outgrown(
    formats: &mut watch::Receiver<Formats>,
    shows_picture: bool,
    missing: Tracks,
) -> End {
    let outgrown = |formats: &Formats| {
        if shows_picture && formats.b_frames {
            Some(End::BFrames)
        } else if (missing.video && formats.video.is_some())
            || (missing.audio && formats.audio.is_some())
        {
            tracing::debug!("the room has a new track: the viewer has to come again");
            Some(End::Lost)
        } else {
            None
        }
    };
    loop {
        let end = outgrown(&formats.borrow_and_update());
        if let Some(end) = end {
            return end;
        }
        if formats.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
