//! What an offer asks for (RFC 8829, RFC 9725 section 4.2).

use std::io::Cursor;

use rtc::sdp::{MediaDescription, SessionDescription};

use super::engine::Fingerprint;
use crate::media::formats::{Formats, Obstacle};
use crate::media::stage::Tracks;

/// An offer that is refused. `Display` is a sentence for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is not SDP, or lacks what WebRTC needs.
    #[error("The SDP offer cannot be used: {0}.")]
    Invalid(String),
    /// It wants media to flow the wrong way.
    #[error("{0}")]
    Direction(&'static str),
    /// It has no codec that is sent or taken here.
    #[error("The offer has no codec in common with us: {0}.")]
    NoCommonCodec(String),
    /// Those who watch already come first.
    #[error("The server is busy with the viewers it has: please try again in a moment.")]
    Busy,
    /// It wants a picture that browsers cannot show over WebRTC.
    #[error("This broadcast cannot be watched over WebRTC now, because {0}.")]
    Unshowable(Obstacle),
    /// Something failed on our side.
    #[error("The server could not set up the connection: please try again. ({0})")]
    Internal(String),
}

/// An H.264 payload type of an offer, with its retransmission payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct H264Payload {
    pub(super) payload_type: u8,
    pub(super) fmtp: String,
    pub(super) rtx: Option<u8>,
}

impl H264Payload {
    /// `profile-level-id` (RFC 6184 section 8.1); baseline where it is absent.
    pub(super) fn profile_level_id(&self) -> String {
        parameter(&self.fmtp, "profile-level-id")
            .unwrap_or("42000a")
            .to_ascii_lowercase()
    }

    fn packetization_mode(&self) -> Option<&str> {
        parameter(&self.fmtp, "packetization-mode")
    }
}

/// The Opus payload type of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpusPayload {
    pub(super) payload_type: u8,
    pub(super) fmtp: String,
    /// How much sound its decoder prefers in a packet, in milliseconds (`ptime`, RFC 7587 section 6.1).
    pub(super) packet_ms: Option<u32>,
}

/// An offer that passed the checks which do not depend on what it is for.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) sdp: String,
    pub(super) session: SessionDescription,
    /// Sections that are not rejected, in their order.
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    kind: String,
    sends: bool,
    receives: bool,
    h264: Vec<H264Payload>,
    opus: Option<OpusPayload>,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`OfferError::Invalid`]: one bad m-section refuses the whole offer (RFC 9725 section 4.4.1).
    pub(super) fn parse(sdp: &str) -> Result<Self, OfferError> {
        if sdp.trim().is_empty() {
            return Err(invalid("it is empty"));
        }
        let session = SessionDescription::unmarshal(&mut Cursor::new(sdp.as_bytes()))
            .map_err(|error| invalid(&format!("it is not valid SDP ({error})")))?;
        let mut sections = Vec::new();
        for (index, media) in session.media_descriptions.iter().enumerate() {
            // Port 0 means rejected, unless BUNDLE says that the section shares another's port
            // (RFC 8843 section 6).
            if media.media_name.port.value != 0 || media.has_attribute("bundle-only") {
                check_transport(&session, media, index)?;
                sections.push(Section::read(&session, media)?);
            }
        }
        if sections.is_empty() {
            return Err(invalid("it has no media section"));
        }
        Ok(Self {
            sdp: sdp.to_owned(),
            session,
            sections,
        })
    }

    /// The client's ICE user name fragment: bundled sections have the same.
    pub(super) fn ufrag(&self) -> Option<&str> {
        self.anywhere("ice-ufrag").next()
    }

    /// SHA-256 of the client's certificate (RFC 8122 section 5).
    ///
    /// # Errors
    /// [`OfferError::Invalid`]: the hash is one that every client can make.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, OfferError> {
        let read = |value: &str| {
            let (hash, digits) = value.trim().split_once(' ')?;
            let bytes = digits
                .trim()
                .split(':')
                .map(|byte| u8::from_str_radix(byte, 16).ok())
                .collect::<Option<Vec<_>>>()?;
            let bytes = hash.eq_ignore_ascii_case("sha-256").then_some(bytes)?;
            bytes.try_into().ok().map(Fingerprint)
        };
        self.anywhere("fingerprint")
            .find_map(read)
            .ok_or_else(|| invalid("it has no DTLS fingerprint made with sha-256"))
    }

    /// Checks that the client begins the DTLS handshake, or may do so (RFC 8842 section 5.2).
    ///
    /// # Errors
    /// [`OfferError::Invalid`].
    pub(super) fn check_setup(&self) -> Result<(), OfferError> {
        match self.anywhere("setup").next() {
            Some("passive" | "holdconn") => Err(invalid("a=setup has to be actpass or active")),
            _ => Ok(()),
        }
    }

    /// The values of an attribute in the sections that are not rejected, then in the session's part.
    fn anywhere<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let media = self.session.media_descriptions.iter();
        let taken = media
            .filter(|media| media.media_name.port.value != 0 || media.has_attribute("bundle-only"));
        let attributes = taken
            .flat_map(|media| &media.attributes)
            .chain(&self.session.attributes);
        attributes
            .filter(move |attribute| attribute.key == key)
            .filter_map(|attribute| attribute.value.as_deref())
    }

    /// The H.264 payload types, in the offerer's order.
    pub(super) fn h264(&self) -> impl Iterator<Item = &H264Payload> {
        self.sections.iter().flat_map(|section| &section.h264)
    }

    /// The Opus payload type.
    pub(super) fn opus(&self) -> Option<&OpusPayload> {
        self.sections
            .iter()
            .find_map(|section| section.opus.as_ref())
    }

    /// What a WHIP offer is going to send.
    ///
    /// # Errors
    /// [`OfferError::Direction`] if it sends nothing, [`OfferError::NoCommonCodec`] if we could not
    /// take what it sends.
    pub(super) fn publishes(&self) -> Result<Tracks, OfferError> {
        if !self.sections.iter().all(|section| section.sends) {
            return Err(OfferError::Direction(
                "A broadcast has to send: mark every media section of the offer sendonly.",
            ));
        }
        let tracks = Tracks {
            video: self.has("video"),
            audio: self.has("audio"),
        };
        self.check_codecs(tracks, "we take H.264 (packetization-mode 1) and Opus")?;
        Ok(tracks)
    }

    /// Which tracks of a room a WHEP offer is going to be sent.
    ///
    /// # Errors
    /// [`OfferError::Direction`] if it does not receive, [`OfferError::NoCommonCodec`] if it could not
    /// decode what the room sends, [`OfferError::Unshowable`] if nobody could over WebRTC.
    pub(super) fn watches(&self, formats: &Formats) -> Result<Tracks, OfferError> {
        if !self.sections.iter().all(|section| section.receives) {
            return Err(OfferError::Direction(
                "A viewer has to receive: mark every media section of the offer recvonly.",
            ));
        }
        let mut sends = Vec::new();
        if let Some(video) = &formats.video {
            sends.push(format!("H.264 ({})", video.profile_level_id()));
        }
        if let Some(audio) = &formats.audio {
            sends.push(audio.codec_name().to_owned());
        }
        let tracks = Tracks {
            video: formats.video.is_some() && self.has("video"),
            audio: formats.audio.is_some() && self.has("audio"),
        };
        let sends = format!("this room sends {}", sends.join(" and "));
        if !tracks.video && !tracks.audio {
            return Err(OfferError::NoCommonCodec(sends));
        }
        self.check_codecs(tracks, &sends)?;
        match formats.obstacle() {
            Some(obstacle) if tracks.video => Err(OfferError::Unshowable(obstacle)),
            _ => Ok(tracks),
        }
    }

    /// What the offer could take besides these tracks.
    pub(super) fn wants_beyond(&self, tracks: Tracks) -> Tracks {
        Tracks {
            video: !tracks.video && self.has("video"),
            audio: !tracks.audio && self.has("audio"),
        }
    }

    fn has(&self, kind: &str) -> bool {
        self.sections.iter().any(|section| section.kind == kind)
    }

    fn check_codecs(&self, tracks: Tracks, instead: &str) -> Result<(), OfferError> {
        let missing = (tracks.video && self.h264().next().is_none())
            || (tracks.audio && self.opus().is_none());
        if missing {
            Err(OfferError::NoCommonCodec(instead.to_owned()))
        } else {
            Ok(())
        }
    }
}

impl Section {
    fn read(session: &SessionDescription, media: &MediaDescription) -> Result<Self, OfferError> {
        let kind = media.media_name.media.clone();
        if kind != "video" && kind != "audio" {
            return Err(invalid(&format!(
                "only video and audio are served here, not {kind}"
            )));
        }
        let (sends, receives) = direction(session, media);
        let codecs = media.codecs();
        let named = |name: &str| {
            let mut found: Vec<_> = media
                .media_name
                .formats
                .iter()
                .filter_map(|payload_type| codecs.get(&payload_type.parse().ok()?))
                .filter(|codec| codec.name.eq_ignore_ascii_case(name))
                .collect();
            found.dedup_by_key(|codec| codec.payload_type);
            found
        };
        // Read from the lines themselves: the parser cuts parameters off at the first space.
        let fmtp = |payload_type: u8| {
            let lines = media
                .attributes
                .iter()
                .filter(|attribute| attribute.key == "fmtp");
            let mut lines = lines.filter_map(|line| line.value.as_deref()?.split_once(' '));
            let of_type = lines.find(|(of, _)| of.parse() == Ok(payload_type));
            of_type
                .map(|(_, parameters)| parameters.trim().to_owned())
                .unwrap_or_default()
        };
        let rtx = named("rtx");
        let h264 = named("H264").into_iter().map(|codec| H264Payload {
            payload_type: codec.payload_type,
            fmtp: fmtp(codec.payload_type),
            rtx: rtx
                .iter()
                .map(|rtx| rtx.payload_type)
                .find(|&rtx| parameter(&fmtp(rtx), "apt") == Some(&codec.payload_type.to_string())),
        });
        let (mut h264, open): (Vec<_>, Vec<_>) = h264
            .filter(|h264| matches!(h264.packetization_mode(), Some("1") | None))
            .partition(|h264| h264.packetization_mode().is_some());
        if h264.is_empty() {
            // RFC 6184 section 8.1 reads it as 0, but whoever leaves it open takes what it gets, as
            // GStreamer's whepsrc does.
            h264 = open;
        }
        let opus = named("opus").first().map(|codec| OpusPayload {
            payload_type: codec.payload_type,
            fmtp: fmtp(codec.payload_type),
            packet_ms: media
                .attribute("ptime")
                .and_then(|value| value?.trim().parse().ok()),
        });
        Ok(Self {
            sends,
            receives,
            h264,
            opus,
            kind,
        })
    }
}

/// BUNDLE, rtcp-mux, ICE credentials and a fingerprint: what every section needs (RFC 8829
/// section 5.2.1, RFC 9725 section 4.4.1).
fn check_transport(
    session: &SessionDescription,
    media: &MediaDescription,
    index: usize,
) -> Result<(), OfferError> {
    let anywhere = |key| media.has_attribute(key) || session.has_attribute(key);
    let section = index + 1;
    let require = |present: bool, what: &str| {
        if present {
            Ok(())
        } else {
            Err(invalid(&format!("media section {section} lacks {what}")))
        }
    };
    if session.media_descriptions.len() > 1 {
        let group = session
            .attribute("group")
            .map(String::as_str)
            .unwrap_or_default();
        let mut bundled = group.split_ascii_whitespace();
        let is_bundle = bundled.next() == Some("BUNDLE");
        let mid = media.attribute("mid").flatten();
        let has_mid = mid.is_some_and(|mid| is_bundle && bundled.any(|other| other == mid));
        require(has_mid, "a place in the BUNDLE group")?;
    }
    require(
        media.has_attribute("rtcp-mux") || media.has_attribute("bundle-only"),
        "rtcp-mux",
    )?;
    require(
        anywhere("ice-ufrag") && anywhere("ice-pwd"),
        "ICE credentials",
    )?;
    require(anywhere("fingerprint"), "a DTLS fingerprint")
}

/// Whether a section sends and whether it receives (RFC 8866 section 6.7).
fn direction(session: &SessionDescription, media: &MediaDescription) -> (bool, bool) {
    let marked = |key| media.has_attribute(key) || session.has_attribute(key);
    if media.has_attribute("sendrecv") {
        (true, true)
    } else if marked("sendonly") {
        (true, false)
    } else if marked("recvonly") {
        (false, true)
    } else if marked("inactive") {
        (false, false)
    } else {
        (true, true)
    }
}

/// A format parameter's value (`a=fmtp`).
fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| {
            key.trim()
                .eq_ignore_ascii_case(name)
                .then_some(value.trim())
        })
}

fn invalid(why: &str) -> OfferError {
    OfferError::Invalid(why.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::media::access_unit::AudioFormat;
    use crate::media::h264::VideoFormat;

    const HEADER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0 1\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 \
        00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
        a=setup:actpass\r\n";
    const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=rtcp-mux\r\na=rtpmap:111 OPUS/48000/2\r\na=fmtp:111 minptime=10\r\n";
    const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
        a=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n\
        a=fmtp:97 packetization-mode=0;profile-level-id=42e01f\r\na=rtpmap:98 H264/90000\r\n\
        a=fmtp:98 level-asymmetry-allowed=1; packetization-mode=1; profile-level-id=42E01F\r\n\
        a=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n";

    /// An offer with both sections going `direction`.
    pub(in super::super) fn offer(direction: &str) -> String {
        format!("{HEADER}{AUDIO}a={direction}\r\n{VIDEO}a={direction}\r\n")
    }

    fn formats() -> Formats {
        let sps = Bytes::from_static(&[0x67, 0x64, 0x00, 0x1f]);
        let pps = vec![Bytes::from_static(&[0x68])];
        let video = VideoFormat {
            sps,
            pps,
            width: 1280,
            height: 720,
            reorder_frames: Some(0),
            has_rare_colours: false,
        };
        Formats {
            video: Some(Arc::new(video)),
            audio: Some(AudioFormat::Opus { channels: 2 }),
            b_frames: false,
        }
    }

    fn why(sdp: &str) -> String {
        Offer::parse(sdp).unwrap_err().to_string()
    }

    #[test]
    fn codecs_are_found_with_their_payload_types() {
        let offer = Offer::parse(&offer("sendonly")).unwrap();
        let h264: Vec<_> = offer.h264().collect();
        assert_eq!(h264.len(), 1, "packetization-mode 0 is not used");
        assert_eq!((h264[0].payload_type, h264[0].rtx), (98, Some(99)));
        assert_eq!(h264[0].profile_level_id(), "42e01f");
        assert_eq!(
            offer.opus().unwrap().payload_type,
            111,
            "upper case is fine"
        );
    }

    #[test]
    fn how_much_sound_a_packet_may_hold_is_found() {
        let offer = offer("recvonly");
        let sound = |sdp: &str| Offer::parse(sdp).unwrap().opus().unwrap().packet_ms;
        assert_eq!(sound(&offer), None);
        assert_eq!(sound(&shared::sdp::with_ptime(&offer)), Some(40));
    }

    #[test]
    fn a_packetization_mode_that_is_left_open_is_taken_where_there_is_none_better() {
        let payload_types = |sdp: &str| {
            let offer = Offer::parse(sdp).unwrap();
            let types: Vec<_> = offer.h264().map(|h264| h264.payload_type).collect();
            types
        };
        let (open, both) = (offer("recvonly"), offer("recvonly"));
        let open = open.replace("packetization-mode=1; ", "");
        assert_eq!(payload_types(&open), [98]);
        let both = both.replace("packetization-mode=0;", "");
        assert_eq!(payload_types(&both), [98]);
    }

    #[test]
    fn a_broadcast_has_to_send() {
        for direction in ["recvonly", "inactive"] {
            let offer = Offer::parse(&offer(direction)).unwrap();
            assert!(
                matches!(offer.publishes(), Err(OfferError::Direction(_))),
                "{direction}"
            );
        }
        for direction in ["sendonly", "sendrecv"] {
            let offer = Offer::parse(&offer(direction)).unwrap();
            assert_eq!(
                offer.publishes(),
                Ok(Tracks {
                    video: true,
                    audio: true
                })
            );
        }
    }

    #[test]
    fn a_viewer_has_to_receive() {
        let sends = Offer::parse(&offer("sendonly")).unwrap();
        assert!(matches!(
            sends.watches(&formats()),
            Err(OfferError::Direction(_))
        ));
        let receives = Offer::parse(&offer("recvonly")).unwrap();
        assert_eq!(
            receives.watches(&formats()),
            Ok(Tracks {
                video: true,
                audio: true
            })
        );
    }

    #[test]
    fn a_viewer_is_sent_only_what_there_is() {
        let offer = Offer::parse(&offer("recvonly")).unwrap();
        let sound = Formats {
            video: None,
            ..formats()
        };
        assert_eq!(
            offer.watches(&sound),
            Ok(Tracks {
                video: false,
                audio: true
            })
        );
    }

    #[test]
    fn a_viewer_without_the_codec_is_told_what_the_room_sends() {
        let sdp = offer("recvonly").replace("H264", "VP9");
        let error = Offer::parse(&sdp).unwrap().watches(&formats()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The offer has no codec in common with us: this room sends H.264 (64001f) and Opus."
        );
    }

    #[test]
    fn a_picture_with_b_frames_is_refused_and_its_sound_is_not() {
        let b_frames = Formats {
            b_frames: true,
            ..formats()
        };
        let both = Offer::parse(&offer("recvonly")).unwrap();
        let error = both.watches(&b_frames).unwrap_err().to_string();
        assert!(
            error.contains("B-frames") && error.contains("bframes=0"),
            "{error}"
        );
        let sound = offer("recvonly").replace("m=video 9", "m=video 0");
        let tracks = Offer::parse(&sound).unwrap().watches(&b_frames);
        assert_eq!(
            tracks,
            Ok(Tracks {
                video: false,
                audio: true
            })
        );
    }

    #[test]
    fn a_picture_in_rare_colours_is_refused_with_what_to_choose() {
        let mut rare = formats();
        Arc::make_mut(rare.video.as_mut().unwrap()).has_rare_colours = true;
        let both = Offer::parse(&offer("recvonly")).unwrap();
        let error = both.watches(&rare).unwrap_err();
        assert_eq!(error, OfferError::Unshowable(Obstacle::Colours));
        assert!(error.to_string().contains("NV12"), "{error}");
    }

    #[test]
    fn a_broadcast_without_our_codec_is_told_what_we_take() {
        let sdp = offer("sendonly").replace("H264", "VP9");
        let error = Offer::parse(&sdp).unwrap().publishes().unwrap_err();
        assert!(error.to_string().contains("we take H.264"), "{error}");
    }

    #[test]
    fn what_is_no_sdp_is_refused() {
        assert!(why("").contains("it is empty"));
        assert!(why("hello").contains("not valid SDP"));
        assert!(why(HEADER).contains("no media section"));
        for cut in (0..offer("sendonly").len()).step_by(7) {
            // Whatever the parser says, it has to say something.
            let _ = Offer::parse(&offer("sendonly")[..cut]);
        }
    }

    #[test]
    fn what_webrtc_needs_has_to_be_there() {
        let whole = offer("sendonly");
        for (without, named) in [
            ("a=rtcp-mux\r\n", "rtcp-mux"),
            ("a=group:BUNDLE 0 1\r\n", "BUNDLE"),
            ("a=ice-ufrag:abcd\r\n", "ICE credentials"),
        ] {
            assert!(why(&whole.replace(without, "")).contains(named));
        }
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=rtcp-mux\r\n";
        assert!(why(&format!("{HEADER}{data}")).contains("not application"));
    }

    #[test]
    fn a_rejected_section_does_not_count() {
        let sdp = offer("sendonly").replace("m=video 9", "m=video 0");
        let tracks = Offer::parse(&sdp).unwrap().publishes();
        assert_eq!(
            tracks,
            Ok(Tracks {
                video: false,
                audio: true
            })
        );
    }

    #[test]
    fn a_bundled_section_with_port_zero_counts() {
        let sdp = offer("sendonly").replace("m=video 9", "m=video 0") + "a=bundle-only\r\n";
        let tracks = Offer::parse(&sdp).unwrap().publishes();
        assert_eq!(
            tracks,
            Ok(Tracks {
                video: true,
                audio: true
            })
        );
    }
}
