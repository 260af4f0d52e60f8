//! Where people come from, as far as it tells them apart.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

/// Headers that a proxy adds.
const FORWARDED: [&str; 2] = ["forwarded", "x-forwarded-for"];

/// What one person has to themselves: an IPv4 address, or the 64 bits of an IPv6 address that their
/// network was given (RFC 6177). Within those they may choose a new address as often as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "IpAddr", into = "IpAddr")]
pub struct Network(IpAddr);

impl Network {
    /// That of `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address => address,
        })
    }

    /// Its first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// Whether this machine is meant. Limits for one address are not for it: either a proxy speaks for
    /// everybody here, or somebody who could do worse.
    #[must_use]
    pub fn is_this_machine(self) -> bool {
        // Not 127.0.0.0/8: a proxy comes from the first of those.
        self.0 == Ipv4Addr::LOCALHOST || self == Self::of(Ipv6Addr::LOCALHOST.into())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = AddrParseError;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        address.parse().map(Self::of)
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

impl From<Network> for IpAddr {
    fn from(network: Network) -> Self {
        network.0
    }
}

/// Where the request that opened a connection came from, if that can be known: behind a proxy on this
/// machine that the server was not told of, everybody would seem to be the same person.
pub(super) fn client_address(request: &Parts) -> Option<SocketAddr> {
    let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let has_passed_a_proxy = FORWARDED
        .iter()
        .any(|header| request.headers.contains_key(*header));
    let is_known = !(has_passed_a_proxy && peer.ip().to_canonical().is_loopback());
    is_known.then_some(*peer)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn an_ipv4_address_is_one_persons() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.7"));
        assert_eq!(network("192.0.2.7"), network("::ffff:192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }

    #[test]
    fn an_ipv6_person_has_64_bits_to_choose_from() {
        assert_eq!(network("2001:db8:1:2::7"), network("2001:db8:1:2:a:b:c:d"));
        assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
        assert_eq!(
            network("2001:db8:1:2::7").address().to_string(),
            "2001:db8:1:2::"
        );
    }

    #[test]
    fn this_machine_is_known_by_its_loopback_address() {
        assert!(network("127.0.0.1").is_this_machine() && network("::1").is_this_machine());
        assert!(!network("127.0.0.2").is_this_machine() && !network("192.0.2.7").is_this_machine());
    }

    fn address_of(peer: &str, forwarded: bool) -> Option<SocketAddr> {
        let mut request =
            Request::builder().extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        if forwarded {
            request = request.header("X-Forwarded-For", "192.0.2.7");
        }
        client_address(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn what_a_local_proxy_forwards_comes_from_nowhere() {
        assert!(address_of("127.0.0.1:9", false).is_some());
        assert_eq!(address_of("127.0.0.1:9", true), None);
        assert!(
            address_of("192.0.2.8:9", true).is_some(),
            "anybody could say so"
        );
    }
}
