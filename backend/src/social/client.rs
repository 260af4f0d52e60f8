//! What the server knows about one socket.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared::limits::{COMMAND_RATE, MODERATION_RATE, ROOMS_PER_SOCKET, Rate};
use shared::person::{AuthorId, SessionId};
use shared::room::RoomKey;

use super::author::author_of;
use super::buckets::Bucket;
use super::moderation::Speaker;
use super::refusal::Refused;
use crate::limits::{Neighbour, People, Place};
use crate::random;

/// Notices of refusal to one socket.
const NOTICE_RATE: Rate = Rate {
    burst: 5,
    per_second: 1.0,
};
/// Shortest time between two lines in the log about one socket's abuse.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// One socket.
#[derive(Debug)]
pub(super) struct Client {
    /// Its number, which no other socket has.
    pub(super) number: u64,
    /// The number its gifts carry if it names none itself.
    pub(super) sender_id: u32,
    /// Where it comes from.
    pub(super) peer: Option<SocketAddr>,
    /// The same, if it tells this person from others.
    pub(super) neighbour: Option<Neighbour>,
    /// What it is known by where it names no session.
    session: String,
    /// Whether it speaks Engine.IO 3.
    pub(super) is_from_2016: bool,
    /// Its place among the sockets of its address, until it is gone.
    pub(super) place: Mutex<Option<Place>>,
    pub(super) state: Mutex<State>,
}

/// What changes about a socket.
#[derive(Debug)]
pub(super) struct State {
    memberships: Vec<Membership>,
    /// Keys of the open rooms it made.
    pub(super) created: Vec<RoomKey>,
    /// It is gone and may not leave anything behind.
    pub(super) gone: bool,
    pub(super) comments: Bucket,
    pub(super) likes: Bucket,
    pub(super) gifts: Bucket,
    pub(super) commands: Bucket,
    pub(super) moderation: Bucket,
    notices: Bucket,
    logged: Option<Instant>,
}

/// A socket's presence in a room.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) key: RoomKey,
    /// The name for its comments and gifts, which has been checked.
    pub(super) name: Option<String>,
    /// Whether it has shown the room's host token.
    pub(super) is_host: bool,
    /// Who it is there.
    pub(super) author: AuthorId,
}

impl Client {
    pub(super) fn new(
        number: u64,
        peer: Option<SocketAddr>,
        neighbour: Option<Neighbour>,
        is_from_2016: bool,
        people: &People,
    ) -> Self {
        let now = Instant::now();
        Self {
            number,
            sender_id: random::number(),
            peer,
            neighbour,
            session: random::text::<32>(),
            is_from_2016,
            place: Mutex::default(),
            state: Mutex::new(State {
                memberships: Vec::new(),
                created: Vec::new(),
                gone: false,
                comments: Bucket::new(people.comments, now),
                likes: Bucket::new(people.likes, now),
                gifts: Bucket::new(people.gifts, now),
                commands: Bucket::new(COMMAND_RATE, now),
                moderation: Bucket::new(MODERATION_RATE, now),
                notices: Bucket::new(NOTICE_RATE, now),
                logged: None,
            }),
        }
    }

    /// Whom limits of one address are for. This machine's are for nobody: either a proxy speaks for
    /// everybody here, or somebody who could do worse.
    pub(super) fn stranger(&self) -> Option<IpAddr> {
        let neighbour = Neighbour::from(self.peer?.ip());
        (!neighbour.is_this_machine()).then(|| neighbour.into())
    }

    /// Who it is in a room.
    pub(super) fn author(&self, room: &RoomKey, session: Option<&SessionId>) -> AuthorId {
        author_of(room, session.map_or(&self.session, SessionId::as_str))
    }

    /// Its presence in the room with this key.
    pub(super) fn membership(&self, key: &RoomKey) -> Option<Membership> {
        self.state.lock().membership(key).ok().cloned()
    }

    /// Who it is to the moderation of a room.
    pub(super) const fn speaker<'a>(&self, membership: &'a Membership) -> Speaker<'a> {
        Speaker {
            author: &membership.author,
            neighbour: self.neighbour,
            is_host: membership.is_host,
        }
    }

    /// The name of somebody who gave none, the same for as long as the socket lives.
    pub(super) fn guest_name(&self) -> String {
        format!("Guest-{:04x}", self.sender_id & 0xffff)
    }
}

impl State {
    /// Its presence in the room with this key.
    pub(super) fn membership(&self, key: &RoomKey) -> Result<&Membership, Refused> {
        self.memberships
            .iter()
            .find(|membership| membership.key == *key)
            .ok_or(Refused::NotJoined)
    }

    /// Enters a room, or changes how it is present there.
    pub(super) fn enter(&mut self, membership: Membership) -> Result<(), Refused> {
        let is_full = self.memberships.len() >= ROOMS_PER_SOCKET;
        match self
            .memberships
            .iter_mut()
            .find(|there| there.key == membership.key)
        {
            Some(there) => *there = membership,
            None if is_full => return Err(Refused::TooManyJoined),
            None => self.memberships.push(membership),
        }
        Ok(())
    }

    /// Leaves a room.
    pub(super) fn leave(&mut self, key: &RoomKey) {
        self.memberships.retain(|membership| membership.key != *key);
    }

    /// Whether one more notice may be sent.
    pub(super) fn may_notice(&mut self, now: Instant) -> bool {
        self.notices.take(1, now).is_ok()
    }

    /// Whether abuse is to be logged: the first of each second.
    pub(super) fn may_log(&mut self, now: Instant) -> bool {
        let due = self
            .logged
            .is_none_or(|last| now.duration_since(last) >= LOG_INTERVAL);
        if due {
            self.logged = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new(1, None, None, false, &People::usual())
    }

    fn membership(key: &str) -> Membership {
        let key = key.parse().unwrap();
        Membership {
            author: client().author(&key, None),
            key,
            name: None,
            is_host: false,
        }
    }

    #[test]
    fn a_socket_is_in_a_few_rooms_at_most() {
        let client = client();
        let mut state = client.state.lock();
        for number in 0..ROOMS_PER_SOCKET {
            state.enter(membership(&number.to_string())).unwrap();
        }
        assert_eq!(state.enter(membership("more")), Err(Refused::TooManyJoined));
        state.enter(membership("0")).unwrap();
        state.leave(&"0".parse().unwrap());
        state.enter(membership("more")).unwrap();
    }

    #[test]
    fn abuse_is_logged_once_a_second() {
        let client = client();
        let mut state = client.state.lock();
        let now = Instant::now();
        let logged = (0..10_000).filter(|_| state.may_log(now)).count();
        assert_eq!(logged, 1);
        assert!(state.may_log(now + LOG_INTERVAL));
    }

    #[test]
    fn a_flood_is_not_answered_with_a_flood_of_notices() {
        let client = client();
        let mut state = client.state.lock();
        let now = Instant::now();
        let noticed = (0..10_000).filter(|_| state.may_notice(now)).count();
        assert_eq!(noticed, 5);
    }

    #[test]
    fn a_guest_keeps_its_name() {
        let client = client();
        assert_eq!(client.guest_name(), client.guest_name());
        assert_eq!(client.guest_name().len(), "Guest-0000".len());
    }

    #[test]
    fn a_session_makes_two_sockets_the_same_author() {
        let (one, two) = (client(), client());
        let (room, session) = ("r".parse().unwrap(), "0123456789abcdef".parse().unwrap());
        assert_eq!(
            one.author(&room, Some(&session)),
            two.author(&room, Some(&session))
        );
        assert_ne!(one.author(&room, None), two.author(&room, None));
    }
}
