//! Who may not speak in a room.

use serde::{Deserialize, Serialize};
use shared::UnixMillis;
use shared::events::Ban;
use shared::limits::BANS;
use shared::person::AuthorId;

use super::refusal::Refused;
use crate::limits::Neighbour;

/// The people who may not speak, by what they are recognised by.
#[derive(Clone, Debug, Default)]
pub struct Bans(Vec<Banned>);

/// A person who may not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banned {
    /// What the hosts know of it.
    pub ban: Ban,
    /// Where the person comes from, if whoever else does may not speak either.
    pub neighbour: Option<Neighbour>,
}

impl Banned {
    /// A time-out is for one person alone, a ban for everybody at their address, if that is known.
    #[must_use]
    pub fn new(mut ban: Ban, neighbour: Option<Neighbour>) -> Self {
        let neighbour = neighbour.filter(|_| ban.until.is_none());
        ban.covers_address = neighbour.is_some();
        Self { ban, neighbour }
    }
}

/// How long a person may not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Until the host says otherwise.
    ForGood,
    /// The same, because of somebody else who is or was at their address.
    ForNeighbours,
    /// Until then.
    Until(UnixMillis),
}

impl Bans {
    /// Silences a person, in place of a ban there was before.
    ///
    /// # Errors
    /// There are as many as there may be, over and above time-outs that have run out.
    pub(super) fn add(&mut self, banned: Banned) -> Result<(), Refused> {
        self.0.retain(|there| there.ban.author != banned.ban.author);
        if self.0.len() >= BANS {
            self.0.retain(|there| is_on(there, banned.ban.since));
        }
        if self.0.len() >= BANS {
            return Err(Refused::TooManyBans);
        }
        self.0.push(banned);
        Ok(())
    }

    /// Lets a person speak again.
    pub fn lift(&mut self, author: &AuthorId) -> Option<Banned> {
        let at = self
            .0
            .iter()
            .position(|there| there.ban.author == *author)?;
        Some(self.0.remove(at))
    }

    /// How long this person may not speak, if at all.
    #[must_use]
    pub fn term(
        &self,
        author: &AuthorId,
        neighbour: Option<Neighbour>,
        now: UnixMillis,
    ) -> Option<Term> {
        let on = || self.0.iter().filter(|there| is_on(there, now));
        let own = on().find(|there| there.ban.author == *author);
        let until = own.map(|own| own.ban.until);
        let is_banned_there =
            || neighbour.is_some() && on().any(|there| there.neighbour == neighbour);
        match until {
            Some(None) => Some(Term::ForGood),
            _ if is_banned_there() => Some(Term::ForNeighbours),
            until => until.flatten().map(Term::Until),
        }
    }

    /// All of them, the newest last, with time-outs that have run out.
    #[must_use]
    pub fn all(&self) -> &[Banned] {
        &self.0
    }

    /// Those that hold at `now`, the newest last.
    #[must_use]
    pub fn list(&self, now: UnixMillis) -> Vec<Ban> {
        let on = self.0.iter().filter(|there| is_on(there, now));
        on.map(|there| there.ban.clone()).collect()
    }
}

fn is_on(banned: &Banned, now: UnixMillis) -> bool {
    banned.ban.until.is_none_or(|until| now < until)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn author(name: &str) -> AuthorId {
        name.parse().unwrap()
    }

    fn neighbour(address: &str) -> Option<Neighbour> {
        Some(address.parse::<IpAddr>().unwrap().into())
    }

    fn banned(name: &str, address: &str, until: Option<UnixMillis>) -> Banned {
        let ban = Ban {
            author: author(name),
            name: name.to_owned(),
            since: 100,
            until,
            covers_address: false,
        };
        Banned::new(ban, neighbour(address))
    }

    fn bans(all: impl IntoIterator<Item = Banned>) -> Bans {
        let mut bans = Bans::default();
        for banned in all {
            bans.add(banned).unwrap();
        }
        bans
    }

    #[test]
    fn a_person_is_recognised_by_session_and_by_address() {
        let bans = bans([banned("ann", "192.0.2.7", None)]);
        let term = |name, address| bans.term(&author(name), neighbour(address), 200);
        assert_eq!(term("ann", "192.0.2.9"), Some(Term::ForGood));
        assert_eq!(term("new", "192.0.2.7"), Some(Term::ForNeighbours));
        assert_eq!(term("ben", "192.0.2.9"), None);
    }

    #[test]
    fn whose_address_is_not_known_shares_it_with_nobody() {
        let nowhere = Banned::new(banned("ann", "192.0.2.7", None).ban, None);
        assert!(!nowhere.ban.covers_address);
        assert_eq!(bans([nowhere]).term(&author("ben"), None, 200), None);
    }

    #[test]
    fn a_time_out_is_for_one_person_and_a_ban_for_their_address() {
        let timed_out = bans([banned("ann", "192.0.2.7", Some(500))]);
        let banned = bans([banned("ann", "192.0.2.7", None)]);
        let ben = |bans: &Bans| bans.term(&author("ben"), neighbour("192.0.2.7"), 200);
        assert_eq!(ben(&timed_out), None);
        assert_eq!(ben(&banned), Some(Term::ForNeighbours));
        let covers = |bans: &Bans| bans.list(200)[0].covers_address;
        assert!(covers(&banned) && !covers(&timed_out));
    }

    #[test]
    fn another_address_of_the_same_ipv6_network_does_not_help() {
        let bans = bans([banned("ann", "2001:db8:1:2::7", None)]);
        let term = |address| bans.term(&author("new"), neighbour(address), 200);
        assert_eq!(term("2001:db8:1:2:ffff::1"), Some(Term::ForNeighbours));
        assert_eq!(term("2001:db8:1:3::7"), None);
    }

    #[test]
    fn a_time_out_runs_out() {
        let bans = bans([banned("ann", "192.0.2.7", Some(500))]);
        assert_eq!(bans.term(&author("ann"), None, 499), Some(Term::Until(500)));
        assert_eq!(bans.term(&author("ann"), None, 500), None);
        assert_eq!(bans.list(500), []);
    }

    #[test]
    fn a_ban_of_the_address_outlasts_a_time_out() {
        let bans = bans([
            banned("ann", "192.0.2.7", None),
            banned("ben", "192.0.2.7", Some(500)),
        ]);
        let term = bans.term(&author("ben"), neighbour("192.0.2.7"), 200);
        assert_eq!(term, Some(Term::ForNeighbours));
    }

    #[test]
    fn a_new_ban_takes_the_place_of_the_old() {
        let mut bans = bans([
            banned("ann", "192.0.2.7", Some(500)),
            banned("ann", "192.0.2.7", None),
        ]);
        assert_eq!(bans.list(200).len(), 1);
        assert!(bans.lift(&author("ann")).is_some());
        assert_eq!(bans.term(&author("ann"), neighbour("192.0.2.7"), 200), None);
        assert_eq!(bans.lift(&author("ann")), None);
    }

    #[test]
    fn bans_are_limited_and_those_that_ran_out_make_room() {
        let mut bans = Bans::default();
        for number in 0..BANS {
            let until = (number == 0).then_some(50);
            bans.add(banned(&number.to_string(), "192.0.2.7", until))
                .unwrap();
        }
        bans.add(banned("one", "192.0.2.7", None)).unwrap();
        let refused = bans.add(banned("two", "192.0.2.7", None));
        assert_eq!(refused, Err(Refused::TooManyBans));
    }
}
