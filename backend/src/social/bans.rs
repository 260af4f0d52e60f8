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
    /// Where the person comes from: whoever else does may not speak either.
    pub neighbour: Option<Neighbour>,
}

/// How long a person may not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Until the host says otherwise.
    ForGood,
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
        let theirs = self.0.iter().filter(|there| {
            is_on(there, now)
                && (there.ban.author == *author
                    || (neighbour.is_some() && there.neighbour == neighbour))
        });
        // The longest of them; none stands for the longest of all.
        let until = theirs
            .map(|there| there.ban.until.unwrap_or(UnixMillis::MAX))
            .max()?;
        Some(if until == UnixMillis::MAX {
            Term::ForGood
        } else {
            Term::Until(until)
        })
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
        Banned {
            ban: Ban {
                author: author(name),
                name: name.to_owned(),
                since: 100,
                until,
            },
            neighbour: neighbour(address),
        }
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
        assert_eq!(term("new", "192.0.2.7"), Some(Term::ForGood));
        assert_eq!(term("ben", "192.0.2.9"), None);
    }

    #[test]
    fn whose_address_is_not_known_shares_it_with_nobody() {
        let mut nowhere = banned("ann", "192.0.2.7", None);
        nowhere.neighbour = None;
        assert_eq!(bans([nowhere]).term(&author("ben"), None, 200), None);
    }

    #[test]
    fn another_address_of_the_same_ipv6_network_does_not_help() {
        let bans = bans([banned("ann", "2001:db8:1:2::7", None)]);
        let term = |address| bans.term(&author("new"), neighbour(address), 200);
        assert_eq!(term("2001:db8:1:2:ffff::1"), Some(Term::ForGood));
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
    fn the_longer_of_two_bans_counts() {
        let bans = bans([
            banned("ann", "192.0.2.7", None),
            banned("ben", "192.0.2.7", Some(500)),
        ]);
        let term = bans.term(&author("ben"), neighbour("192.0.2.7"), 200);
        assert_eq!(term, Some(Term::ForGood));
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
