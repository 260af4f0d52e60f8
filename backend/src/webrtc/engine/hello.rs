//! What a ClientHello offers, before the handshake begins (RFC 6347 section 4.2.2, RFC 5764 section 4.1.1).

/// Of records and of messages in them.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
/// Version and random bytes.
const BEGINNING: usize = 2 + 32;
const USE_SRTP: u16 = 14;

/// Whether the datagram begins with a ClientHello that names this SRTP profile. One that is spread over
/// several datagrams may hide it.
pub(super) fn offers(datagram: &[u8], profile: u16) -> bool {
    extension(datagram, USE_SRTP).is_some_and(|mut extension| {
        let profiles = take(&mut extension, 2).unwrap_or_default();
        profiles
            .chunks_exact(2)
            .any(|named| named == profile.to_be_bytes())
    })
}

fn extension(datagram: &[u8], wanted: u16) -> Option<&[u8]> {
    let (record, message) = datagram.split_at_checked(RECORD_HEADER)?;
    let (header, body) = message.split_at_checked(MESSAGE_HEADER)?;
    if record.first() != Some(&HANDSHAKE) || header.first() != Some(&CLIENT_HELLO) {
        return None;
    }
    let mut rest = body.get(BEGINNING..)?;
    // Session, cookie, cipher suites, compression methods.
    for length in [1, 1, 2, 1] {
        take(&mut rest, length)?;
    }
    rest = rest.get(2..)?;
    while let Some((kind, behind)) = rest.split_first_chunk::<2>() {
        rest = behind;
        let extension = take(&mut rest, 2)?;
        if u16::from_be_bytes(*kind) == wanted {
            return Some(extension);
        }
    }
    None
}

/// Takes off what lies behind its length, of so many bytes.
fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_at_checked(bytes)?;
    let length = length
        .iter()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    let (taken, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With one extension that does not matter, and these profiles.
    fn hello(profiles: &[u8]) -> Vec<u8> {
        let mut hello = vec![0; RECORD_HEADER + MESSAGE_HEADER + BEGINNING];
        (hello[0], hello[RECORD_HEADER]) = (HANDSHAKE, CLIENT_HELLO);
        hello.extend_from_slice(&[0, 3, 1, 2, 3, 0, 2, 0xc0, 0x2b, 1, 0]);
        let length = u8::try_from(profiles.len()).unwrap();
        let srtp = [0, 14, 0, length + 3, 0, length];
        hello.extend_from_slice(&[0, 5 + 7 + length, 0, 23, 0, 1, 9]);
        hello.extend_from_slice(&srtp);
        hello.extend_from_slice(profiles);
        hello.push(0);
        hello
    }

    #[test]
    fn a_profile_is_found_wherever_the_client_names_it() {
        assert!(offers(&hello(&[0, 1, 0, 7]), 7));
        assert!(offers(&hello(&[0, 7, 0, 1]), 7));
        assert!(!offers(&hello(&[0, 1, 0, 8]), 7));
        assert!(!offers(&hello(&[7, 0]), 7));
    }

    #[test]
    fn what_is_cut_off_or_no_hello_offers_nothing() {
        let whole = hello(&[0, 7]);
        for length in 0..whole.len() - 1 {
            assert!(!offers(&whole[..length], 7), "{length}");
        }
        let mut other = whole;
        other[RECORD_HEADER] = 2;
        assert!(!offers(&other, 7));
    }
}
