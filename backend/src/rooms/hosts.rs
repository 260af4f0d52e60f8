//! Who may act as a room's host: one device or several, each with a token of its own.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::secret::{Host, HostToken, Invitation, LinkSecret, SecretHash};

/// Devices that can be a room's host. One more takes the place of the oldest but the first.
pub const DEVICES: usize = 16;
/// Links to another device that are good at once. One more takes the place of the oldest.
pub const LINKS: usize = 4;
/// How long such a link is good.
pub const LINK_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The tokens of a room's hosts, and the links that give one more.
pub struct Hosts(Mutex<State>);

struct State {
    /// Oldest first.
    tokens: Vec<SecretHash<Host>>,
    /// Oldest first. Not kept over a restart: they are short-lived.
    links: Vec<Link>,
}

struct Link {
    secret: SecretHash<Invitation>,
    until: Instant,
}

/// A link was used already, is too old, or never was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "This link was used already or has expired: please make a new one on the device that is the host."
)]
pub struct StaleLink;

impl Hosts {
    /// The hosts with these tokens.
    #[must_use]
    pub const fn new(tokens: Vec<SecretHash<Host>>) -> Self {
        let links = Vec::new();
        Self(Mutex::new(State { tokens, links }))
    }

    /// Whether this is a host's token; how long it takes tells nothing about it.
    #[must_use]
    pub fn know(&self, presented: &str) -> bool {
        let state = self.0.lock();
        // No short cut: every token is looked at.
        let known = state.tokens.iter().filter(|hash| hash.matches(presented));
        known.count() > 0
    }

    /// What is kept of the tokens.
    #[must_use]
    pub fn tokens(&self) -> Vec<SecretHash<Host>> {
        self.0.lock().tokens.clone()
    }

    /// Makes the secret of a link that gives another device a token, once.
    #[must_use]
    pub fn invite(&self, now: Instant) -> LinkSecret {
        let secret = LinkSecret::generate();
        let mut state = self.0.lock();
        state.links.retain(|link| link.until > now);
        if state.links.len() >= LINKS {
            state.links.remove(0);
        }
        state.links.push(Link {
            secret: secret.hash(),
            until: now + LINK_LIFETIME,
        });
        secret
    }

    /// Gives a device a token for the secret of a link, which is void from then on.
    ///
    /// # Errors
    /// [`StaleLink`].
    pub fn redeem(&self, presented: &str, now: Instant) -> Result<HostToken, StaleLink> {
        let mut state = self.0.lock();
        state.links.retain(|link| link.until > now);
        let mut links = state.links.iter();
        let at = links
            .position(|link| link.secret.matches(presented))
            .ok_or(StaleLink)?;
        state.links.remove(at);
        if state.tokens.len() >= DEVICES {
            // The first is of whoever made the room.
            state.tokens.remove(1);
        }
        let token = HostToken::generate();
        state.tokens.push(token.hash());
        Ok(token)
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hosts([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> (Hosts, String) {
        let token = HostToken::generate();
        (Hosts::new(vec![token.hash()]), token.reveal())
    }

    #[test]
    fn a_link_gives_a_token_of_its_own_once() {
        let (hosts, first) = hosts();
        let now = Instant::now();
        let link = hosts.invite(now).reveal();
        let second = hosts.redeem(&link, now).unwrap().reveal();
        assert_ne!(first, second);
        assert!(hosts.know(&first) && hosts.know(&second));
        assert_eq!(hosts.redeem(&link, now).unwrap_err(), StaleLink);
    }

    #[test]
    fn a_link_is_good_for_its_time_alone() {
        let (hosts, _) = hosts();
        let now = Instant::now();
        let (early, late) = (hosts.invite(now).reveal(), hosts.invite(now).reveal());
        let just = now + LINK_LIFETIME - Duration::from_millis(1);
        assert!(hosts.redeem(&early, just).is_ok());
        let refused = hosts.redeem(&late, now + LINK_LIFETIME);
        assert_eq!(refused.unwrap_err(), StaleLink);
    }

    #[test]
    fn a_wrong_secret_leaves_the_link_good() {
        let (hosts, token) = hosts();
        let now = Instant::now();
        let link = hosts.invite(now).reveal();
        assert!(hosts.redeem("guess", now).is_err() && hosts.redeem(&token, now).is_err());
        assert!(!hosts.know(&link));
        assert!(hosts.redeem(&link, now).is_ok());
    }

    #[test]
    fn old_links_and_devices_make_place_but_the_first_device_stays() {
        let (hosts, first) = hosts();
        let now = Instant::now();
        let links: Vec<_> = (0..=LINKS).map(|_| hosts.invite(now).reveal()).collect();
        assert!(hosts.redeem(&links[0], now).is_err() && hosts.redeem(&links[1], now).is_ok());
        let more = || {
            let link = hosts.invite(now).reveal();
            hosts.redeem(&link, now).unwrap().reveal()
        };
        let devices: Vec<_> = (0..DEVICES).map(|_| more()).collect();
        assert_eq!(hosts.tokens().len(), DEVICES);
        assert!(hosts.know(&first) && !hosts.know(&devices[0]));
        assert!(hosts.know(&devices[DEVICES - 1]));
    }
}
