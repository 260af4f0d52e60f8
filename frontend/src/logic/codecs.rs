//! Which video codecs a browser offers, and which to offer first.

/// Sort key of a codec by its MIME type and SDP format parameters: lower is offered earlier.
///
/// H.264 constrained baseline with packetization mode 1 is what every viewer decodes and the server
/// passes on untouched (RFC 6184 section 8.1, RFC 7742 section 5). Repair formats keep their place
/// behind the codecs.
#[must_use]
pub fn rank(mime_type: &str, parameters: &str) -> u8 {
    if !mime_type.eq_ignore_ascii_case("video/h264") {
        let repair = ["video/rtx", "video/red", "video/ulpfec", "video/flexfec-03"];
        return if repair
            .iter()
            .any(|name| mime_type.eq_ignore_ascii_case(name))
        {
            21
        } else {
            20
        };
    }
    let parameter = |name: &str| {
        parameters
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    };
    let profile = match parameter("profile-level-id")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some(id) if id.starts_with("42e0") => 0,
        Some(id) if id.starts_with("4200") => 1,
        Some(id) if id.starts_with("4d00") => 2,
        Some(id) if id.starts_with("6400") => 3,
        _ => 4,
    };
    // Without the parameter the mode is 0, which cuts no slices to packets.
    profile
        + if parameter("packetization-mode") == Some("1") {
            0
        } else {
            10
        }
}

/// Whether an offer has H.264, which is all that the server takes (RFC 6184 section 8.2.1).
#[must_use]
pub fn offers_h264(sdp: &str) -> bool {
    sdp.lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:"))
        .any(|map| map.to_ascii_lowercase().contains(" h264/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h264_is_found_in_an_offer() {
        let vp8 = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 120\r\na=rtpmap:120 VP8/90000\r\n";
        assert!(!offers_h264(vp8));
        assert!(offers_h264(&format!("{vp8}a=rtpmap:126 H264/90000\r\n")));
        assert!(!offers_h264(&format!("{vp8}a=rtpmap:49 H265/90000\r\n")));
    }

    #[test]
    fn constrained_baseline_comes_first() {
        let mut offered = [
            ("video/VP8", ""),
            ("video/rtx", ""),
            (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
            ),
            (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
            ),
            (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
            ),
            (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            ),
        ];
        offered.sort_by_key(|(mime_type, parameters)| rank(mime_type, parameters));
        let order = offered.map(|(mime_type, parameters)| {
            parameters
                .rsplit('=')
                .next()
                .filter(|id| !id.is_empty())
                .unwrap_or(mime_type)
        });
        assert_eq!(
            order,
            [
                "42e01f",
                "42001f",
                "64001f",
                "42e01f",
                "video/VP8",
                "video/rtx"
            ],
            "the second 42e01f is the one with packetization mode 0"
        );
    }

    #[test]
    fn spelling_does_not_matter() {
        assert_eq!(
            rank(
                "VIDEO/h264",
                "Profile-Level-Id=42E01F; packetization-mode=1"
            ),
            0
        );
    }
}
