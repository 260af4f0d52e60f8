//! Tells a publisher in the answer how much it may send.

/// The picture's share of that; the rest is for sound, and for what encoders overshoot.
const PICTURE: (u64, u64) = (4, 5);

/// Asks for a picture that fits into `most` bits per second with its sound, in the way of RFC 3890 and, for
/// those who do not know that, of RFC 8866 section 5.8 in kbit/s.
pub(super) fn limit(answer: &str, most: u64) -> String {
    let bits = most.saturating_mul(PICTURE.0) / PICTURE.1;
    let kbit = (bits / 1_000).max(1);
    let mut out = String::with_capacity(answer.len() + 64);
    let mut is_picture = false;
    for line in answer.lines() {
        out.push_str(line);
        out.push_str("\r\n");
        if let Some(media) = line.strip_prefix("m=") {
            is_picture = media.starts_with("video ");
        }
        // RFC 8866 section 5: bandwidth stands behind the connection, before all attributes.
        if is_picture && line.starts_with("c=") {
            out.push_str(&format!("b=AS:{kbit}\r\nb=TIAS:{bits}\r\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_limited_and_the_sound_is_not() {
        let answer = "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 X 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
                      m=video 9 X 102\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n";
        let expected = answer.replace(
            "102\r\nc=IN IP4 0.0.0.0\r\n",
            "102\r\nc=IN IP4 0.0.0.0\r\nb=AS:800\r\nb=TIAS:800000\r\n",
        );
        assert_eq!(limit(answer, 1_000_000), expected);
    }
}
