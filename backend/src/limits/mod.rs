//! What one address may do: how many connections it may have, and how often it may ask for something; and
//! what one person may.

pub mod flags;
mod people;
mod places;
mod rates;

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use people::People;
pub use places::{Place, Places};
pub use rates::Rates;

/// What is counted for each address.
#[derive(Debug)]
pub struct Strangers {
    /// Rooms that are made.
    pub rooms: Rates,
    /// Attempts to publish or to watch by WebRTC.
    pub sessions: Rates,
    /// Secrets that are not right.
    pub wrong_secrets: Rates,
    /// Socket.IO connections.
    pub sockets: Arc<Places>,
    /// Comments.
    pub comments: Rates,
    /// Proxies: whoever seems to come from one did not say through whom else they came.
    pub proxies: Vec<IpNet>,
}

impl Strangers {
    /// Who is at `ip`, if it tells people apart: behind this machine's own addresses and those of proxies
    /// there may be anybody.
    #[must_use]
    pub fn neighbour(&self, ip: IpAddr) -> Option<Neighbour> {
        let ip = ip.to_canonical();
        let is_shared = ip.is_loopback() || self.proxies.iter().any(|proxy| proxy.contains(&ip));
        (!is_shared).then(|| ip.into())
    }
}

/// Whom a limit is for: one IPv4 address, or the /64 of an IPv6 address, which one subscriber has all of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "IpAddr", into = "IpAddr")]
pub struct Neighbour(IpAddr);

impl Neighbour {
    /// Whether this machine is meant.
    #[must_use]
    pub fn is_this_machine(self) -> bool {
        // Not all of 127.0.0.0/8: proxies come from the first of those.
        self.0 == Ipv4Addr::LOCALHOST || self == Self::from(IpAddr::from(Ipv6Addr::LOCALHOST))
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Neighbour {
    type Err = AddrParseError;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        address.parse().map(|ip: IpAddr| ip.into())
    }
}

impl From<IpAddr> for Neighbour {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let mut segments = ip.segments();
                segments[4..].fill(0);
                IpAddr::from(segments)
            }
            ip => ip,
        })
    }
}

impl From<Neighbour> for IpAddr {
    fn from(neighbour: Neighbour) -> Self {
        neighbour.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscribers_addresses_count_as_one() {
        let neighbour = |text: &str| Neighbour::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(neighbour("2001:db8::1"), neighbour("2001:db8::ffff:2"));
        assert_ne!(neighbour("2001:db8::1"), neighbour("2001:db8:0:1::1"));
        assert_eq!(neighbour("::ffff:192.0.2.1"), neighbour("192.0.2.1"));
        assert_ne!(neighbour("192.0.2.1"), neighbour("192.0.2.2"));
    }

    #[test]
    fn this_machine_is_known_by_its_loopback_address() {
        let is_here =
            |text: &str| Neighbour::from(text.parse::<IpAddr>().unwrap()).is_this_machine();
        assert!(is_here("127.0.0.1") && is_here("::1"));
        assert!(!is_here("127.0.0.2") && !is_here("192.0.2.7") && !is_here("2001:db8::1"));
    }

    #[test]
    fn a_neighbour_is_kept_as_an_address() {
        let neighbour: Neighbour = serde_json::from_str("\"2001:db8::7\"").unwrap();
        assert_eq!(serde_json::to_string(&neighbour).unwrap(), "\"2001:db8::\"");
    }
}
