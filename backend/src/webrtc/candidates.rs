//! The addresses an answer names (RFC 8839 section 5.1).

use std::net::SocketAddr;

/// Replaces the virtual addresses in an answer by those where the server is really reached: each by UDP,
/// and by TCP (RFC 6544) at a lower priority.
pub(super) fn advertise(answer: &str, addresses: &[SocketAddr]) -> String {
    let mut out = String::with_capacity(answer.len() + 128 * addresses.len());
    let mut sections = answer.split_inclusive("\r\nm=").peekable();
    while let Some(section) = sections.next() {
        let (body, next) = match sections.peek() {
            Some(_) => (section.strip_suffix("m=").unwrap_or(section), "m="),
            None => (section, ""),
        };
        let is_media = !out.is_empty();
        for line in body.lines().filter(|line| !is_candidate(line)) {
            out.push_str(line);
            out.push_str("\r\n");
        }
        if is_media {
            candidates(&mut out, addresses);
        }
        out.push_str(next);
    }
    out
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("a=candidate:") || line == "a=end-of-candidates"
}

/// Writes the lines for these addresses.
pub(super) fn candidates(out: &mut String, addresses: &[SocketAddr]) {
    use std::fmt::Write;
    for (index, address) in addresses.iter().enumerate() {
        let (ip, port) = (address.ip(), address.port());
        // RFC 8445 section 5.1.2: type preference 126 for UDP hosts, less for TCP.
        let local = 65_535 - u32::try_from(index).unwrap_or(0).min(65_535);
        let (udp, tcp) = (
            (126 << 24) | (local << 8) | 255,
            (90 << 24) | (local << 8) | 255,
        );
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "a=candidate:{udp_id} 1 udp {udp} {ip} {port} typ host\r\n\
             a=candidate:{tcp_id} 1 tcp {tcp} {ip} {port} typ host tcptype passive\r\n",
            udp_id = 2 * index + 1,
            tcp_id = 2 * index + 2,
        );
    }
    out.push_str("a=end-of-candidates\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_advertised_addresses_in_every_section() {
        let answer = "v=0\r\na=ice-lite\r\nm=audio 9 X 1\r\na=mid:0\r\n\
            a=candidate:1 1 udp 1 127.0.0.1 4 typ host\r\na=end-of-candidates\r\n\
            m=video 9 X 2\r\na=mid:1\r\n";
        let address = SocketAddr::from(([203, 0, 113, 7], 8189));
        let ours = "a=candidate:1 1 udp 2130706431 203.0.113.7 8189 typ host\r\n\
            a=candidate:2 1 tcp 1526726655 203.0.113.7 8189 typ host tcptype passive\r\n\
            a=end-of-candidates\r\n";
        assert_eq!(
            advertise(answer, &[address]),
            format!(
                "v=0\r\na=ice-lite\r\nm=audio 9 X 1\r\na=mid:0\r\n{ours}\
                 m=video 9 X 2\r\na=mid:1\r\n{ours}"
            )
        );
    }
}
