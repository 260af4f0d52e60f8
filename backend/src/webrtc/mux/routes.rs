//! Which peer a datagram on the shared port is for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use rtc::crypto::RTCCryptoProvider;

use super::stun;

/// Addresses one peer may send from at a time. A browser has a handful of candidates; the oldest
/// address is forgotten first.
const MAX_ADDRESSES: usize = 16;

/// Routes by ICE user name fragment until a peer's address is known, by address from then on. An address
/// is believed only once it sent a connectivity check signed with the peer's password: whoever merely
/// knows or guesses a name cannot divert anything.
pub(super) struct Routes<P> {
    crypto: Arc<dyn RTCCryptoProvider>,
    peers: HashMap<String, Peer<P>>,
    addresses: HashMap<SocketAddr, String>,
}

struct Peer<P> {
    password: String,
    port: P,
    addresses: VecDeque<SocketAddr>,
}

impl<P> Routes<P> {
    pub(super) fn new(crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self {
            crypto,
            peers: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// From now on checks for `ufrag` that are signed with `password` go to `port`.
    pub(super) fn insert(&mut self, ufrag: String, password: String, port: P) {
        self.peers.insert(
            ufrag,
            Peer {
                password,
                port,
                addresses: VecDeque::new(),
            },
        );
    }

    pub(super) fn remove(&mut self, ufrag: &str) {
        for address in self
            .peers
            .remove(ufrag)
            .into_iter()
            .flat_map(|peer| peer.addresses)
        {
            self.addresses.remove(&address);
        }
    }

    /// The port that a datagram from `from` goes to; `None` when it is nobody's.
    pub(super) fn route(&mut self, datagram: &[u8], from: SocketAddr) -> Option<&P> {
        if let Some(ufrag) = stun::addressee(datagram)
            && self.addresses.get(&from).is_none_or(|known| known != ufrag)
        {
            self.learn(ufrag, datagram, from)?;
        }
        let ufrag = self.addresses.get(&from)?;
        self.peers.get(ufrag).map(|peer| &peer.port)
    }

    /// The port of the peer that a TCP connection's first message is addressed to.
    pub(super) fn authenticate(&self, message: &[u8]) -> Option<&P> {
        let peer = self.peers.get(stun::addressee(message)?)?;
        stun::is_authentic(message, &peer.password, &*self.crypto).then_some(&peer.port)
    }

    /// Peers and addresses that are known now.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.peers.len(), self.addresses.len())
    }

    fn learn(&mut self, ufrag: &str, datagram: &[u8], from: SocketAddr) -> Option<()> {
        let peer = self.peers.get_mut(ufrag)?;
        if !stun::is_authentic(datagram, &peer.password, &*self.crypto) {
            return None;
        }
        peer.addresses.push_back(from);
        let forgotten = (peer.addresses.len() > MAX_ADDRESSES).then(|| peer.addresses.pop_front());
        if let Some(former) = self.addresses.insert(from, ufrag.to_owned())
            && let Some(former) = self.peers.get_mut(&former)
        {
            // A client that reuses its port for a new session.
            former.addresses.retain(|&address| address != from);
        }
        if let Some(Some(forgotten)) = forgotten {
            self.addresses.remove(&forgotten);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::tests::request;
    use super::*;

    fn routes() -> Routes<&'static str> {
        let mut routes = Routes::new(rtc::crypto::default_provider().unwrap());
        routes.insert("ann".into(), "ann's password".into(), "Ann");
        routes.insert("bob".into(), "bob's password".into(), "Bob");
        routes
    }

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    const MEDIA: &[u8] = &[0x80, 0x60, 1, 2, 3];

    #[test]
    fn media_follows_the_address_that_a_check_came_from() {
        let mut routes = routes();
        assert_eq!(routes.route(MEDIA, address(1)), None);
        assert_eq!(
            routes.route(&request("ann", "ann's password"), address(1)),
            Some(&"Ann")
        );
        assert_eq!(
            routes.route(&request("bob", "bob's password"), address(2)),
            Some(&"Bob")
        );
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Ann"));
        assert_eq!(routes.route(MEDIA, address(2)), Some(&"Bob"));
    }

    #[test]
    fn an_unsigned_check_diverts_nothing() {
        let mut routes = routes();
        routes.route(&request("ann", "ann's password"), address(1));
        assert_eq!(routes.route(&request("bob", "a guess"), address(1)), None);
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Ann"));
    }

    #[test]
    fn a_port_may_be_used_again_for_a_new_session() {
        let mut routes = routes();
        routes.route(&request("ann", "ann's password"), address(1));
        routes.route(&request("bob", "bob's password"), address(1));
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Bob"));
        routes.remove("ann");
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Bob"));
    }

    #[test]
    fn a_peer_that_left_leaves_nothing_behind() {
        let mut routes = routes();
        routes.route(&request("ann", "ann's password"), address(1));
        routes.remove("ann");
        routes.remove("bob");
        assert_eq!(routes.route(MEDIA, address(1)), None);
        assert_eq!(routes.len(), (0, 0));
    }

    #[test]
    fn a_peer_cannot_fill_the_table_with_addresses() {
        let mut routes = routes();
        for port in 0..1_000 {
            routes.route(&request("ann", "ann's password"), address(port));
        }
        assert_eq!(routes.len(), (2, MAX_ADDRESSES));
        assert_eq!(routes.route(MEDIA, address(0)), None);
        assert_eq!(routes.route(MEDIA, address(999)), Some(&"Ann"));
    }
}
