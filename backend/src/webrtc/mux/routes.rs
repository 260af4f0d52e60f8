//! Which peer a datagram on the shared port is for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rtc::crypto::RTCCryptoProvider;

use super::stun;

/// Addresses one peer may send from at a time. A browser has a handful of candidates; the oldest
/// address is forgotten first.
const MAX_ADDRESSES: usize = 16;

/// The routes, which all sockets' readers share.
pub(super) struct Shared<P> {
    routes: Mutex<Routes<P>>,
    /// The routes' [`Routes::changes`].
    changes: AtomicU64,
}

/// What one reader knows of the routes, so that nothing of those whom it knows needs a lock on its way.
pub(super) struct Known<P> {
    /// The peer that an address is: its user name fragment and its port.
    peers: HashMap<SocketAddr, (String, Weak<P>)>,
    /// As of so many changes.
    changes: u64,
}

impl<P> Default for Known<P> {
    fn default() -> Self {
        Self {
            peers: HashMap::new(),
            changes: 0,
        }
    }
}

impl<P> Shared<P> {
    pub(super) fn new(routes: Routes<P>) -> Self {
        Self {
            routes: Mutex::new(routes),
            changes: AtomicU64::new(0),
        }
    }

    /// Reads or changes the routes.
    pub(super) fn with<R>(&self, look: impl FnOnce(&mut Routes<P>) -> R) -> R {
        let mut routes = self.routes.lock();
        let seen = look(&mut routes);
        self.changes.store(routes.changes, Ordering::Release);
        seen
    }

    /// As [`Routes::route`], without a lock where the reader knows the way. It does not for a check that is
    /// addressed to another than before: that may be somebody's who uses another's former address.
    pub(super) fn route(
        &self,
        known: &mut Known<P>,
        datagram: &[u8],
        from: SocketAddr,
    ) -> Option<Arc<P>> {
        let changes = self.changes.load(Ordering::Acquire);
        if known.changes != changes {
            known.peers.clear();
            known.changes = changes;
        }
        if let Some((ufrag, port)) = known.peers.get(&from)
            && stun::addressee(datagram).is_none_or(|addressee| addressee == ufrag)
            && let Some(port) = port.upgrade()
        {
            return Some(port);
        }
        let (ufrag, port) = self.with(|routes| {
            let port = routes.route(datagram, from).map(Arc::clone)?;
            let ufrag = routes.addresses.get(&from)?;
            Some((ufrag.clone(), port))
        })?;
        known.peers.insert(from, (ufrag, Arc::downgrade(&port)));
        Some(port)
    }
}

/// Routes by ICE user name fragment until a peer's address is known, by address from then on. An address
/// is believed only once it sent a connectivity check signed with the peer's password: whoever merely
/// knows or guesses a name cannot divert anything.
pub(super) struct Routes<P> {
    crypto: Arc<dyn RTCCryptoProvider>,
    peers: HashMap<String, Peer<P>>,
    addresses: HashMap<SocketAddr, String>,
    /// How often an address that was somebody's is no longer.
    changes: u64,
}

struct Peer<P> {
    password: String,
    port: Arc<P>,
    addresses: VecDeque<SocketAddr>,
}

impl<P> Routes<P> {
    pub(super) fn new(crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self {
            crypto,
            peers: HashMap::new(),
            addresses: HashMap::new(),
            changes: 0,
        }
    }

    /// From now on checks for `ufrag` that are signed with `password` go to `port`.
    pub(super) fn insert(&mut self, ufrag: String, password: String, port: P) {
        self.peers.insert(
            ufrag,
            Peer {
                password,
                port: Arc::new(port),
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
            self.forget(address);
        }
    }

    /// The port that a datagram from `from` goes to; `None` when it is nobody's.
    pub(super) fn route(&mut self, datagram: &[u8], from: SocketAddr) -> Option<&Arc<P>> {
        if let Some(ufrag) = stun::addressee(datagram)
            && self.addresses.get(&from).is_none_or(|known| known != ufrag)
        {
            self.learn(ufrag, datagram, from)?;
        }
        let ufrag = self.addresses.get(&from)?;
        self.peers.get(ufrag).map(|peer| &peer.port)
    }

    /// The port of the peer that a TCP connection's first message is addressed to.
    pub(super) fn authenticate(&self, message: &[u8]) -> Option<&Arc<P>> {
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
            self.changes += 1;
        }
        if let Some(Some(forgotten)) = forgotten {
            self.forget(forgotten);
        }
        Some(())
    }

    fn forget(&mut self, address: SocketAddr) {
        self.addresses.remove(&address);
        self.changes += 1;
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
            Some(&"Ann".into())
        );
        assert_eq!(
            routes.route(&request("bob", "bob's password"), address(2)),
            Some(&"Bob".into())
        );
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Ann".into()));
        assert_eq!(routes.route(MEDIA, address(2)), Some(&"Bob".into()));
    }

    #[test]
    fn an_unsigned_check_diverts_nothing() {
        let mut routes = routes();
        routes.route(&request("ann", "ann's password"), address(1));
        assert_eq!(routes.route(&request("bob", "a guess"), address(1)), None);
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Ann".into()));
    }

    #[test]
    fn a_port_may_be_used_again_for_a_new_session() {
        let mut routes = routes();
        routes.route(&request("ann", "ann's password"), address(1));
        routes.route(&request("bob", "bob's password"), address(1));
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Bob".into()));
        routes.remove("ann");
        assert_eq!(routes.route(MEDIA, address(1)), Some(&"Bob".into()));
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
        assert_eq!(routes.route(MEDIA, address(999)), Some(&"Ann".into()));
    }

    /// The port that a reader who knows this finds for media from an address.
    fn media(
        shared: &Shared<&'static str>,
        known: &mut Known<&'static str>,
        port: u16,
    ) -> Option<&'static str> {
        let found = shared.route(known, MEDIA, address(port));
        found.map(|found| *found)
    }

    #[test]
    fn a_reader_finds_what_it_knows_without_the_lock() {
        let (shared, mut known) = (Shared::new(routes()), Known::default());
        let check = request("ann", "ann's password");
        shared.route(&mut known, &check, address(1));
        let _held = shared.routes.lock();
        assert_eq!(media(&shared, &mut known, 1), Some("Ann"));
        let again = shared.route(&mut known, &check, address(1));
        assert_eq!(again.as_deref(), Some(&"Ann"), "nor do later checks");
    }

    #[test]
    fn a_reader_learns_that_an_address_is_anothers_now() {
        let (shared, mut known) = (Shared::new(routes()), Known::default());
        let check = request("ann", "ann's password");
        shared.route(&mut known, &check, address(1));
        let check = request("bob", "bob's password");
        shared.route(&mut Known::default(), &check, address(1));
        assert_eq!(media(&shared, &mut known, 1), Some("Bob"));
    }

    #[test]
    fn a_reader_keeps_nobody_who_left() {
        let (shared, mut known) = (Shared::new(routes()), Known::default());
        let check = request("ann", "ann's password");
        let port = shared.route(&mut known, &check, address(1)).unwrap();
        shared.with(|routes| routes.remove("ann"));
        assert_eq!(Arc::strong_count(&port), 1);
        assert_eq!(media(&shared, &mut known, 1), None);
        assert!(known.peers.is_empty());
    }
}
