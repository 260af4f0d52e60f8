//! What viewers add to the offer that their WebRTC stack made.

/// How much sound viewers of ours have in a packet, in milliseconds: two of the usual 20 ms. The server sends
/// such packets only to those who ask for them.
pub const PTIME_MS: u32 = 40;

/// The offer, with the wish for [`PTIME_MS`] of sound in a packet (RFC 8866 section 6.4, RFC 7587
/// section 6.1).
#[must_use]
pub fn with_ptime(offer: &str) -> String {
    let mut wished = String::with_capacity(offer.len() + 16);
    let mut is_audio = false;
    for line in offer.split_inclusive('\n') {
        if line.starts_with("m=") {
            is_audio = line.starts_with("m=audio ");
        } else if is_audio && line.starts_with("a=") {
            wished.push_str(&format!("a=ptime:{PTIME_MS}\r\n"));
            is_audio = false;
        }
        wished.push_str(line);
    }
    wished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_is_the_first_attribute_of_the_sound() {
        let offer = "v=0\r\na=group:BUNDLE 0 1\r\nm=video 9 X 98\r\na=mid:0\r\n\
            m=audio 9 X 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\n";
        let wished = with_ptime(offer);
        assert_eq!(wished, offer.replace("a=mid:1", "a=ptime:40\r\na=mid:1"));
    }

    #[test]
    fn an_offer_without_sound_stays_as_it_is() {
        let offer = "v=0\r\na=group:BUNDLE 0\r\nm=video 9 X 98\r\na=mid:0\r\n";
        assert_eq!(with_ptime(offer), offer);
    }
}
