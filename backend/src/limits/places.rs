//! How many connections there may be, in all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Neighbour;

/// Places for connections.
#[derive(Debug)]
pub struct Places {
    in_all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by: HashMap<Neighbour, usize>,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    /// Whose it is, if that counts.
    by: Option<Neighbour>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// There are as many connections as there may be.
    #[error("there are too many connections")]
    InAll,
    /// One address has as many as it may have.
    #[error("there are too many connections from this address")]
    OfOne,
}

impl Places {
    /// As many places, all of them free.
    #[must_use]
    pub fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            in_all,
            per_address,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a connection from `ip`; without one, it counts among all of them only.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn take(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<Place, NoPlace> {
        let mut taken = self.taken.lock();
        if taken.in_all >= self.in_all {
            return Err(NoPlace::InAll);
        }
        let by = ip.map(Neighbour::from);
        if let Some(by) = by {
            let own = taken.by.entry(by).or_default();
            if *own >= self.per_address {
                return Err(NoPlace::OfOne);
            }
            *own += 1;
        }
        taken.in_all += 1;
        drop(taken);
        Ok(Place {
            places: Arc::clone(self),
            by,
        })
    }

    /// How many one address may have.
    #[must_use]
    pub const fn per_address(&self) -> usize {
        self.per_address
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.lock().in_all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.in_all -= 1;
        let Some(by) = self.by else { return };
        if let Some(own) = taken.by.get_mut(&by) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn one_address_leaves_places_to_the_others() {
        let places = Places::new(9, 2);
        let _two = [places.take(Some(A)).unwrap(), places.take(Some(A)).unwrap()];
        assert_eq!(places.take(Some(A)).unwrap_err(), NoPlace::OfOne);
        assert!(places.take(Some(B)).is_ok());
        assert!(places.take(None).is_ok());
    }

    #[test]
    fn there_are_no_more_than_so_many() {
        let places = Places::new(2, 9);
        let _two = [places.take(Some(A)).unwrap(), places.take(None).unwrap()];
        assert_eq!(places.take(Some(B)).unwrap_err(), NoPlace::InAll);
    }

    #[test]
    fn a_place_that_is_given_back_leaves_nothing_behind() {
        let places = Places::new(1, 1);
        drop(places.take(Some(A)).unwrap());
        assert_eq!(places.taken(), 0);
        assert!(places.taken.lock().by.is_empty());
        assert!(places.take(Some(A)).is_ok());
    }
}
