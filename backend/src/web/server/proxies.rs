//! Proxies that are believed when they say whom a request is from.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::tcp::canonical;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Networks of proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl From<Vec<IpNet>> for Proxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

impl Proxies {
    /// Whether this address is a proxy's.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Whom a request on a connection from `peer` is from. Each proxy adds to the end of `X-Forwarded-For`
    /// whom it was asked by, so the last that is no proxy of ours is the client; what stands before it the
    /// client may have made up. The port of somebody behind a proxy is not known and 0.
    #[must_use]
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let peer = canonical(peer);
        if !self.trusts(peer.ip()) {
            return peer;
        }
        let said = headers.get_all(FORWARDED_FOR).iter().rev();
        let said = said.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer;
        for text in said {
            let Some(ip) = address(text.trim()) else {
                break;
            };
            client = SocketAddr::new(ip, 0);
            if !self.trusts(ip) {
                break;
            }
        }
        client
    }

    /// Whether the client reached the proxy over https.
    #[must_use]
    pub fn is_https(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        let says = headers
            .get(FORWARDED_PROTO)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
        says && self.trusts(canonical(peer).ip())
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text.parse::<IpAddr>().ok();
    let ip = ip.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    ip.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let headers = forwarded
            .iter()
            .map(|&value| (FORWARDED_FOR, value.parse().unwrap()));
        let client = Proxies::from(trusted).client(peer.parse().unwrap(), &headers.collect());
        client.to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let peer = "192.0.2.9:5000";
        assert_eq!(client(&["10.0.0.0/8"], peer, &["1.2.3.4"]), peer);
        assert_eq!(client(&[], "127.0.0.1:1", &["1.2.3.4"]), "127.0.0.1:1");
    }

    #[test]
    fn a_proxy_tells_whom_it_was_asked_by() {
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1:1", &["1.2.3.4"]),
            "1.2.3.4:0"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1:1", &[]), "10.0.0.1:1");
        assert_eq!(
            client(&["::1/128"], "[::1]:1", &["2001:db8::7"]),
            "[2001:db8::7]:0"
        );
    }

    #[test]
    fn what_the_client_made_up_is_not_believed() {
        let trusted = ["10.0.0.0/8"];
        let made_up = ["6.6.6.6, 1.2.3.4, 10.0.0.2"];
        assert_eq!(client(&trusted, "10.0.0.1:1", &made_up), "1.2.3.4:0");
        let in_two = ["6.6.6.6", "1.2.3.4"];
        assert_eq!(client(&trusted, "10.0.0.1:1", &in_two), "1.2.3.4:0");
        let nonsense = ["1.2.3.4, nonsense"];
        assert_eq!(client(&trusted, "10.0.0.1:1", &nonsense), "10.0.0.1:1");
    }

    #[test]
    fn an_ipv4_address_on_a_socket_for_both_is_one() {
        assert_eq!(client(&[], "[::ffff:192.0.2.1]:5", &[]), "192.0.2.1:5");
        let trusted = ["127.0.0.0/8"];
        assert_eq!(
            client(&trusted, "[::ffff:127.0.0.1]:5", &["1.2.3.4"]),
            "1.2.3.4:0"
        );
    }

    #[test]
    fn only_a_proxy_says_that_it_is_https() {
        let headers = HeaderMap::from_iter([(FORWARDED_PROTO, "https".parse().unwrap())]);
        let proxies = Proxies::from(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(proxies.is_https("127.0.0.1:1".parse().unwrap(), &headers));
        assert!(!proxies.is_https("192.0.2.1:1".parse().unwrap(), &headers));
        assert!(!proxies.is_https("127.0.0.1:1".parse().unwrap(), &HeaderMap::new()));
    }
}
