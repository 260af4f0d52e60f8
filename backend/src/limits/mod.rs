//! What one address may do: how many connections it may have, and how often it may ask for something.

pub mod flags;
mod places;
mod rates;

use std::net::IpAddr;

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
}

/// Whom a limit is for: one IPv4 address, or the /64 of an IPv6 address, which one subscriber has all of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Neighbour(IpAddr);

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
}
