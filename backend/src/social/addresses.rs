//! How much may come from one address, whatever the number of sockets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared::limits::Rate;

use super::buckets::Bucket;
use super::network::Network;

/// How much may come from one address.
#[derive(Clone, Copy, Debug)]
pub struct PerAddress {
    /// Sockets at the same time.
    pub sockets: u32,
    /// Comments.
    pub comments: Rate,
}

/// What comes from each address.
#[derive(Debug)]
pub struct Addresses {
    limits: PerAddress,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    tallies: HashMap<Network, Tally>,
    /// Addresses with nothing to be held against them are forgotten when there are this many in all.
    sweep_at: usize,
}

#[derive(Debug)]
struct Tally {
    sockets: u32,
    comments: Bucket,
}

/// There are as many sockets from this address as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("There are {0} connections from your address already: please close some of them.")]
pub struct TooManySockets(u32);

/// A socket's place among those of its address; given back when dropped.
#[derive(Debug)]
pub struct Place {
    addresses: Arc<Addresses>,
    /// None where the address is not known or not limited.
    network: Option<Network>,
}

impl Addresses {
    const SWEEP_MIN: usize = 256;

    /// Nobody yet.
    #[must_use]
    pub fn new(limits: PerAddress) -> Self {
        Self {
            limits,
            known: Mutex::new(Known {
                tallies: HashMap::new(),
                sweep_at: Self::SWEEP_MIN,
            }),
        }
    }

    /// Counts one more socket. Addresses that are not known, and this machine's, are not limited.
    ///
    /// # Errors
    /// [`TooManySockets`].
    pub fn enter(
        self: &Arc<Self>,
        network: Option<Network>,
        now: Instant,
    ) -> Result<Place, TooManySockets> {
        let network = network.filter(|network| !network.is_this_machine());
        if let Some(network) = network {
            let known = &mut *self.known.lock();
            known.sweep(now);
            let tally = known.tallies.entry(network).or_insert_with(|| Tally {
                sockets: 0,
                comments: Bucket::new(self.limits.comments, now),
            });
            if tally.sockets >= self.limits.sockets {
                return Err(TooManySockets(self.limits.sockets));
            }
            tally.sockets += 1;
        }
        Ok(Place {
            addresses: Arc::clone(self),
            network,
        })
    }
}

impl Known {
    fn sweep(&mut self, now: Instant) {
        if self.tallies.len() < self.sweep_at {
            return;
        }
        self.tallies
            .retain(|_, tally| tally.sockets > 0 || !tally.comments.is_full(now));
        self.sweep_at = (self.tallies.len() * 2).max(Addresses::SWEEP_MIN);
    }
}

impl Place {
    /// Counts one more comment from the socket's address.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn comment(&self, now: Instant) -> Result<(), Duration> {
        let Some(network) = self.network else {
            return Ok(());
        };
        let mut known = self.addresses.known.lock();
        let tally = known.tallies.get_mut(&network);
        tally.map_or(Ok(()), |tally| tally.comments.take(1, now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        if let Some(tally) = self.addresses.known.lock().tallies.get_mut(&network) {
            tally.sockets = tally.sockets.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PerAddress = PerAddress {
        sockets: 2,
        comments: Rate {
            burst: 3,
            per_second: 1.0,
        },
    };

    fn addresses() -> Arc<Addresses> {
        Arc::new(Addresses::new(LIMITS))
    }

    fn network(address: &str) -> Option<Network> {
        Some(Network::of(address.parse().unwrap()))
    }

    #[test]
    fn sockets_of_one_address_are_limited_and_those_of_others_are_not_affected() {
        let (addresses, now) = (addresses(), Instant::now());
        let enter = |address| addresses.enter(network(address), now);
        let places = [enter("192.0.2.7").unwrap(), enter("192.0.2.7").unwrap()];
        assert_eq!(enter("192.0.2.7").unwrap_err(), TooManySockets(2));
        assert!(enter("192.0.2.8").is_ok());
        drop(places);
        assert!(enter("192.0.2.7").is_ok());
    }

    #[test]
    fn comments_of_one_address_share_a_bucket_that_a_new_socket_does_not_refill() {
        let (addresses, now) = (addresses(), Instant::now());
        let enter = |address| addresses.enter(network(address), now).unwrap();
        let first = enter("2001:db8::1");
        for _ in 0..3 {
            first.comment(now).unwrap();
        }
        drop(first);
        let wait = enter("2001:db8::2").comment(now);
        assert_eq!(wait, Err(Duration::from_secs(1)));
        assert_eq!(enter("192.0.2.8").comment(now), Ok(()));
    }

    #[test]
    fn what_is_not_known_or_this_machine_is_not_limited() {
        let (addresses, now) = (addresses(), Instant::now());
        for network in [None, network("127.0.0.1")] {
            let places: Vec<_> = (0..9)
                .map(|_| addresses.enter(network, now).unwrap())
                .collect();
            assert!(places.iter().all(|place| place.comment(now).is_ok()));
        }
        assert!(addresses.known.lock().tallies.is_empty());
    }

    #[test]
    fn addresses_are_forgotten_when_nothing_is_held_against_them() {
        let addresses = addresses();
        let mut now = Instant::now();
        for number in 0..10_000_u32 {
            now += Duration::from_millis(100);
            let network = Network::of(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
            let place = addresses.enter(Some(network), now).unwrap();
            place.comment(now).unwrap();
        }
        let known = addresses.known.lock().tallies.len();
        assert!(known <= 2 * Addresses::SWEEP_MIN, "{known}");
    }
}
