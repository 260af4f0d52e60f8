//! What is negotiated with a peer: codecs, feedback, header extensions, interceptors.
//!
//! Codecs are registered exactly as the offer wrote them, so that every payload type is the offerer's
//! own and nothing is lost to different spellings of the same profile.

use std::time::Duration;

use rtc::interceptor::{
    NackGeneratorBuilder, ReceiverReportBuilder, Registry, Slot, TwccReceiverBuilder,
};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability,
    RtpCodecKind, TYPE_RTCP_FB_TRANSPORT_CC,
};
use rtc::sdp::extmap::TRANSPORT_CC_URI;

use super::burst::MAX_PAIR;
use super::sdp::{H264Payload, Offer, OpusPayload};
use crate::media::h264::VideoFormat;

/// H.264's RTP clock, in Hz (RFC 6184 section 8.2.1).
pub(super) const VIDEO_CLOCK: u32 = 90_000;
/// Opus's RTP clock, in Hz, whatever the sampling rate (RFC 7587 section 4.1).
pub(super) const AUDIO_CLOCK: u32 = 48_000;

/// Profiles of H.264 that are taken from publishers: constrained baseline, baseline, main, high.
const PROFILES: [&str; 4] = ["42", "4d", "64", "58"];

type Error = rtc::shared::error::Error;

/// For a publisher: everything of the offer that we take, in the offerer's order.
pub(super) fn for_publisher(offer: &Offer) -> Result<(MediaEngine, Registry), Error> {
    let mut engine = MediaEngine::default();
    let feedback = ["goog-remb", "ccm fir", "nack", "nack pli"];
    let known = |h264: &&H264Payload| {
        let profile = h264.profile_level_id();
        profile.get(..2).is_some_and(|idc| PROFILES.contains(&idc))
    };
    for h264 in offer.h264().filter(known) {
        register_h264(&mut engine, h264, &feedback)?;
    }
    if let Some(opus) = offer.opus() {
        register_opus(&mut engine, opus)?;
    }
    // What sends media would need more: to send it again, and to report it.
    let registry = Registry::new()
        .with(Slot::NackGenerator, NackGeneratorBuilder::new().build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build());
    let registry = configure_transport_feedback(registry, &mut engine)?;
    Ok((engine, registry))
}

/// Without transport-wide feedback Chrome never sends more than 300 kbit/s. Of sound it would tell nothing
/// true: that may wait for the picture before it is looked at.
fn configure_transport_feedback(
    registry: Registry,
    engine: &mut MediaEngine,
) -> Result<Registry, Error> {
    let feedback = RTCPFeedback {
        typ: TYPE_RTCP_FB_TRANSPORT_CC.to_owned(),
        parameter: String::new(),
    };
    engine.register_feedback(feedback, RtpCodecKind::Video);
    let extension = RTCRtpHeaderExtensionCapability {
        uri: TRANSPORT_CC_URI.to_owned(),
    };
    engine.register_header_extension(extension, RtpCodecKind::Video, None)?;
    Ok(registry.with(Slot::TwccReceiver, TwccReceiverBuilder::new().build()))
}

/// What a viewer is sent: the payload types it has for the room's codecs.
#[derive(Clone, Debug, Default)]
pub(super) struct ViewerCodecs {
    pub(super) h264: Option<H264Payload>,
    pub(super) opus: Option<OpusPayload>,
}

impl OpusPayload {
    /// Whether its decoder said that two sounds in one packet are welcome. Every decoder has to take them
    /// (RFC 7587 section 4.2), but some have room for 20 ms only.
    pub(super) fn takes_pairs(&self) -> bool {
        self.packet_ms
            .is_some_and(|ms| Duration::from_millis(ms.into()) >= MAX_PAIR)
    }
}

impl ViewerCodecs {
    /// Chooses from an offer: the room's own profile if it is there, else constrained baseline, else
    /// the first. Decoders take more than they name, and every room may change its profile.
    pub(super) fn choose(offer: &Offer, video: Option<&VideoFormat>) -> Self {
        let sent = video.map(VideoFormat::profile_level_id).unwrap_or_default();
        let rank = |h264: &&H264Payload| {
            let offered = h264.profile_level_id();
            (
                offered.get(..2) != sent.get(..2),
                !offered.starts_with("42e0"),
            )
        };
        Self {
            h264: offer.h264().min_by_key(rank).cloned(),
            opus: offer.opus().cloned(),
        }
    }
}

fn h264_codec(h264: &H264Payload, feedback: &[&str]) -> RTCRtpCodec {
    let feedback = feedback.iter().map(|line| {
        let (typ, parameter) = line.split_once(' ').unwrap_or((line, ""));
        RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        }
    });
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: VIDEO_CLOCK,
        channels: 0,
        sdp_fmtp_line: h264.fmtp.clone(),
        rtcp_feedback: feedback.collect(),
    }
}

fn opus_codec(opus: &OpusPayload) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: AUDIO_CLOCK,
        channels: 2,
        sdp_fmtp_line: opus.fmtp.clone(),
        rtcp_feedback: Vec::new(),
    }
}

fn register_h264(
    engine: &mut MediaEngine,
    h264: &H264Payload,
    feedback: &[&str],
) -> Result<(), Error> {
    let payload_type = h264.payload_type;
    let rtp_codec = h264_codec(h264, feedback);
    engine.register_codec(
        RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        },
        RtpCodecKind::Video,
    )?;
    let Some(rtx) = h264.rtx else { return Ok(()) };
    let rtp_codec = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: VIDEO_CLOCK,
        channels: 0,
        sdp_fmtp_line: format!("apt={payload_type}"),
        rtcp_feedback: Vec::new(),
    };
    engine.register_codec(
        RTCRtpCodecParameters {
            rtp_codec,
            payload_type: rtx,
        },
        RtpCodecKind::Video,
    )
}

fn register_opus(engine: &mut MediaEngine, opus: &OpusPayload) -> Result<(), Error> {
    let (rtp_codec, payload_type) = (opus_codec(opus), opus.payload_type);
    engine.register_codec(
        RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        },
        RtpCodecKind::Audio,
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::sdp::tests::offer;
    use super::*;

    fn choose(sps: &'static [u8]) -> u8 {
        let high = "a=rtpmap:102 H264/90000\r\n\
            a=fmtp:102 packetization-mode=1;profile-level-id=640c1f\r\n";
        let sdp = offer("recvonly").replace(" 98 99", " 102 98 99") + high;
        let video = VideoFormat {
            sps: Bytes::from_static(sps),
            pps: Vec::new(),
            width: 1,
            height: 1,
            reorder_frames: None,
            has_rare_colours: false,
        };
        let offer = Offer::parse(&sdp).unwrap();
        ViewerCodecs::choose(&offer, Some(&video))
            .h264
            .unwrap()
            .payload_type
    }

    #[test]
    fn a_viewer_is_sent_the_payload_type_of_the_rooms_profile() {
        assert_eq!(choose(&[0x67, 0x64, 0x00, 0x1f]), 102);
        assert_eq!(choose(&[0x67, 0x42, 0xc0, 0x1f]), 98);
    }

    #[test]
    fn two_sounds_in_a_packet_are_for_those_who_ask_for_them() {
        let takes_pairs = |packet_ms| {
            OpusPayload {
                payload_type: 111,
                fmtp: String::new(),
                packet_ms,
            }
            .takes_pairs()
        };
        assert!(takes_pairs(Some(40)) && takes_pairs(Some(60)));
        assert!(!takes_pairs(None) && !takes_pairs(Some(20)));
    }

    #[test]
    fn a_viewer_without_the_rooms_profile_is_sent_constrained_baseline() {
        assert_eq!(choose(&[0x67, 0x4d, 0x00, 0x1f]), 98);
    }
}
