//! The little of STUN (RFC 8489) that routing needs: whose connectivity check is this?

use rtc::crypto::RTCCryptoProvider;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::Message;

/// Magic cookie (section 5), which tells STUN from everything else on the port.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const USERNAME: u16 = 0x0006;

/// The user name fragment that a connectivity check is addressed to: the part of USERNAME before the
/// colon (RFC 8445 section 7.2.2). `None` when it is not a STUN message that carries one.
pub(in crate::webrtc) fn addressee(datagram: &[u8]) -> Option<&str> {
    // The two most significant bits are zero (section 5).
    if datagram.len() < HEADER || datagram[0] > 3 || datagram[4..8] != COOKIE {
        return None;
    }
    let mut rest = &datagram[HEADER..];
    while let Some((header, body)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let value = body.get(..length)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        rest = body.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Whether the message was made by somebody who knows the password (section 14.5).
pub(super) fn is_authentic(
    datagram: &[u8],
    password: &str,
    crypto: &dyn RTCCryptoProvider,
) -> bool {
    let mut message = Message::new();
    message.unmarshal_binary(datagram).is_ok()
        && MessageIntegrity::check(&mut message, password.as_bytes(), crypto.crypto()).is_ok()
}

#[cfg(test)]
pub(super) mod tests {
    use rtc::crypto::default_provider;
    use rtc::stun::attributes::ATTR_USERNAME;
    use rtc::stun::message::{BINDING_REQUEST, Setter};
    use rtc::stun::textattrs::TextAttribute;

    use super::*;

    /// A binding request for `ufrag`, signed with `password`.
    pub(in super::super) fn request(ufrag: &str, password: &str) -> Vec<u8> {
        let provider = default_provider().unwrap();
        let mut message = Message::new();
        let setters: [Box<dyn Setter>; 3] = [
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, format!("{ufrag}:theirs"))),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                password.to_owned(),
                provider.crypto(),
            )),
        ];
        message.build(&setters).unwrap();
        message.raw
    }

    #[test]
    fn a_check_names_its_addressee() {
        assert_eq!(addressee(&request("abcd", "secret")), Some("abcd"));
    }

    #[test]
    fn what_is_not_stun_has_no_addressee() {
        assert_eq!(addressee(&[]), None);
        assert_eq!(addressee(&[0x80; 40]), None);
        let mut check = request("abcd", "secret");
        check[4] ^= 1;
        assert_eq!(addressee(&check), None);
    }

    #[test]
    fn a_truncated_check_has_no_addressee() {
        let check = request("abcd", "secret");
        for length in 0..HEADER + 4 + 11 {
            assert_eq!(addressee(&check[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn only_who_knows_the_password_is_authentic() {
        let provider = default_provider().unwrap();
        let check = request("abcd", "secret");
        assert!(is_authentic(&check, "secret", &*provider));
        assert!(!is_authentic(&check, "guess", &*provider));
        assert!(!is_authentic(&check[..30], "secret", &*provider));
    }
}
