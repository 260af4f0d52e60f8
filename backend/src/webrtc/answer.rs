//! The answer to a viewer's offer (RFC 8829 section 5.3): ours to send, all on one ICE-lite transport.

use std::fmt::Write;
use std::net::SocketAddr;

use rtc::sdp::MediaDescription;

use super::candidates::candidates;
use super::codecs::ViewerCodecs;
use super::engine::{AUDIO_SSRC, CNAME, Credentials, RTX_SSRC, VIDEO_SSRC};
use super::sdp::Offer;

/// Feedback that is listened to, where it is offered.
const FEEDBACK: [&str; 3] = ["nack", "nack pli", "ccm fir"];

/// Our side of a viewer's transport.
pub(super) struct Transport<'a> {
    pub(super) credentials: &'a Credentials,
    /// SHA-256 of our certificate, as RFC 8122 section 5 writes it.
    pub(super) fingerprint: &'a str,
    pub(super) advertised: &'a [SocketAddr],
}

/// Answers each section of the offer in its place: the first of each kind that has a codec is sent, the
/// others are rejected.
pub(super) fn write(offer: &Offer, codecs: &ViewerCodecs, transport: &Transport<'_>) -> String {
    let (mut video, mut audio) = (codecs.h264.is_some(), codecs.opus.is_some());
    let (mut bundle, mut sections) = (String::new(), String::new());
    for media in &offer.session.media_descriptions {
        let free = match media.media_name.media.as_str() {
            "video" => &mut video,
            "audio" => &mut audio,
            _ => &mut false,
        };
        let rejected = media.media_name.port.value == 0 && !media.has_attribute("bundle-only");
        if std::mem::take(free) && !rejected {
            if let Some(mid) = media.attribute("mid").flatten() {
                let _ = write!(bundle, " {mid}");
            }
            accept(&mut sections, media, codecs, transport);
        } else {
            reject(&mut sections, media);
        }
    }
    // Names the session; six bytes are less than 2^62 (RFC 8829 section 5.2.1).
    let mut id = [0; 8];
    let _ = getrandom::fill(&mut id[2..]);
    format!(
        "v=0\r\no=- {id} 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{bundle}\r\na=ice-lite\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\n{sections}",
        id = u64::from_be_bytes(id),
        fingerprint = transport.fingerprint,
    )
}

fn reject(out: &mut String, media: &MediaDescription) {
    section(out, media, 0, "0");
    out.push_str("a=inactive\r\n");
}

fn section(out: &mut String, media: &MediaDescription, port: u16, formats: &str) {
    let name = &media.media_name;
    let protocol = name.protos.join("/");
    let _ = write!(
        out,
        "m={} {port} {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n",
        name.media
    );
    if let Some(mid) = media.attribute("mid").flatten() {
        let _ = write!(out, "a=mid:{mid}\r\n");
    }
}

fn accept(
    out: &mut String,
    media: &MediaDescription,
    codecs: &ViewerCodecs,
    transport: &Transport<'_>,
) {
    // Writing to a String cannot fail.
    if media.media_name.media == "video"
        && let Some(h264) = &codecs.h264
    {
        let pt = h264.payload_type;
        let mut formats = pt.to_string();
        if let Some(rtx) = h264.rtx {
            let _ = write!(formats, " {rtx}");
        }
        section(out, media, 9, &formats);
        let _ = write!(out, "a=rtpmap:{pt} H264/90000\r\n");
        format_parameters(out, pt, &h264.fmtp);
        for feedback in FEEDBACK {
            if offers_feedback(media, pt, feedback) {
                let _ = write!(out, "a=rtcp-fb:{pt} {feedback}\r\n");
            }
        }
        if let Some(rtx) = h264.rtx {
            let _ = write!(
                out,
                "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n\
                 a=ssrc-group:FID {VIDEO_SSRC} {RTX_SSRC}\r\n"
            );
        }
        // Chromium takes the first source for the picture.
        source(out, VIDEO_SSRC, "video");
        if h264.rtx.is_some() {
            source(out, RTX_SSRC, "video");
        }
    } else if let Some(opus) = &codecs.opus {
        let pt = opus.payload_type;
        section(out, media, 9, &pt.to_string());
        let _ = write!(out, "a=rtpmap:{pt} opus/48000/2\r\n");
        format_parameters(out, pt, &opus.fmtp);
        source(out, AUDIO_SSRC, "audio");
    }
    let Credentials {
        ufrag, password, ..
    } = transport.credentials;
    let _ = write!(
        out,
        "a=msid:{CNAME} {kind}\r\na=sendonly\r\na=rtcp-mux\r\na=setup:passive\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n",
        kind = media.media_name.media,
    );
    candidates(out, transport.advertised);
}

/// RFC 5576 section 4.1; some clients tell tracks apart by `msid` here.
fn source(out: &mut String, ssrc: u32, track: &str) {
    let _ = write!(
        out,
        "a=ssrc:{ssrc} cname:{CNAME}\r\na=ssrc:{ssrc} msid:{CNAME} {track}\r\n"
    );
}

fn format_parameters(out: &mut String, payload_type: u8, parameters: &str) {
    if !parameters.is_empty() {
        let _ = write!(out, "a=fmtp:{payload_type} {parameters}\r\n");
    }
}

/// Whether the offer has this feedback for the payload type, or for all of them (RFC 4585 section 4.2).
fn offers_feedback(media: &MediaDescription, payload_type: u8, feedback: &str) -> bool {
    let lines = media.attributes.iter().filter(|a| a.key == "rtcp-fb");
    let mut lines = lines.filter_map(|line| line.value.as_deref()?.split_once(' '));
    lines.any(|(of, offered)| {
        (of == "*" || of.parse() == Ok(payload_type)) && offered.trim() == feedback
    })
}

#[cfg(test)]
mod tests {
    use super::super::sdp::tests::offer;
    use super::*;

    fn answer(sdp: &str, video: bool, audio: bool) -> String {
        let offer = Offer::parse(sdp).unwrap();
        let mut codecs = ViewerCodecs::choose(&offer, None);
        codecs.h264 = codecs.h264.filter(|_| video);
        codecs.opus = codecs.opus.filter(|_| audio);
        let credentials = Credentials {
            ufrag: "ours".into(),
            password: "secret".into(),
            remote_ufrag: "theirs".into(),
        };
        let transport = Transport {
            credentials: &credentials,
            fingerprint: "AA:BB",
            advertised: &[([203, 0, 113, 7], 8189).into()],
        };
        write(&offer, &codecs, &transport)
    }

    #[test]
    fn both_tracks_are_sent_on_one_transport() {
        let feedback = "a=rtcp-fb:98 nack\r\na=rtcp-fb:* nack pli\r\na=rtcp-fb:97 ccm fir\r\n";
        let sdp = offer("recvonly") + feedback;
        let answer = answer(&sdp, true, true);
        for line in [
            "a=group:BUNDLE 0 1",
            "a=ice-lite",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=video 9 UDP/TLS/RTP/SAVPF 98 99",
            "a=fmtp:99 apt=98",
            "a=rtcp-fb:98 nack",
            "a=rtcp-fb:98 nack pli",
            "a=ssrc-group:FID 4096 4097",
        ] {
            assert!(answer.lines().any(|own| own == line), "{line} in\n{answer}");
        }
        assert_eq!(answer.matches("a=sendonly").count(), 2);
        assert_eq!(answer.matches("a=setup:passive").count(), 2);
        assert_eq!(answer.matches("tcptype passive").count(), 2);
        assert!(!answer.contains("ccm fir"), "it is not offered for 98");
    }

    #[test]
    fn the_picture_is_named_before_its_retransmissions() {
        let answer = answer(&offer("recvonly"), true, true);
        let mut sources = answer.lines().filter(|line| line.starts_with("a=ssrc:"));
        let picture = sources.find(|line| !line.contains("8192"));
        assert_eq!(picture, Some("a=ssrc:4096 cname:golive"), "{answer}");
    }

    #[test]
    fn a_track_that_the_room_lacks_is_rejected_in_its_place() {
        let answer = answer(&offer("recvonly"), true, false);
        assert!(answer.contains("a=group:BUNDLE 1\r\n"), "{answer}");
        let (audio, video) = answer.split_once("m=video").unwrap();
        assert!(audio.contains("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"));
        assert!(audio.contains("a=inactive"));
        assert!(video.starts_with(" 9 "));
    }
}
