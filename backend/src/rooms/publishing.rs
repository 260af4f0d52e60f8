//! Who may publish to a room, and for how long.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::room::{Ingest, RoomState};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::lifecycle::RoomClosed;
use super::room::{OnAir, Owner, Room};

/// Publishers that a room may have at once: one on the air, and those that are taking over.
pub const PUBLISHERS: usize = 4;

/// How often it is looked how much a publisher sends.
const LOOK: Duration = Duration::from_secs(1);
/// Looks running at which it has to be too much.
const OVER: u32 = 3;

/// Why somebody may not publish to a room. `Display` says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Another stream key than the room's, or one that was rotated away.
    #[error("This is not the right stream key.")]
    WrongKey,
    /// No stream key at all.
    #[error("The stream key is missing.")]
    NoKey,
    /// An open room takes its creator's stream alone.
    #[error("Only the device that made this room may publish to it.")]
    NotItsMaker,
    /// An open room has no stream key that proves a take-over right.
    #[error("Somebody is publishing to this room already.")]
    Occupied,
    /// See [`RoomClosed`].
    #[error(transparent)]
    Closed(#[from] RoomClosed),
    /// As many as [`PUBLISHERS`].
    #[error("Too many publishers are connecting to this room: please try again in a moment.")]
    TooMany,
    /// All rooms together have as many publishers as they may.
    #[error("This server has as many broadcasts as it can serve: please try again later.")]
    ServerFull,
}

/// The right to publish to a room. Held for as long as the publisher's session lasts.
#[derive(Debug)]
pub struct Admission {
    room: Arc<Room>,
    /// Changes when the stream key becomes void; an open room has none.
    stream_key: Option<watch::Receiver<u64>>,
    _places: [OwnedSemaphorePermit; 2],
}

impl Admission {
    /// Lets whoever has the room's stream key publish.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn with_key(room: &Arc<Room>, presented: &str) -> Result<Self, NotAllowed> {
        let stream_key = room.check_stream_key(presented);
        Self::new(room, Some(stream_key.ok_or(NotAllowed::WrongKey)?))
    }

    /// Lets whoever is a host of the room publish: a device that joined later has no stream key.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn with_host_token(room: &Arc<Room>, presented: &str) -> Result<Self, NotAllowed> {
        let version = room.check_publishing_host(presented);
        Self::new(room, Some(version.ok_or(NotAllowed::WrongKey)?))
    }

    /// Lets the maker of an open room publish without a secret, which 2016 clients do not know: from the
    /// address that made the room, and only while nobody else does.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn to_open_room(room: &Arc<Room>, peer: IpAddr) -> Result<Self, NotAllowed> {
        match room.owner() {
            Owner::Host(_) => Err(NotAllowed::NoKey),
            Owner::Socket { address, .. } if *address != Some(peer.to_canonical()) => {
                Err(NotAllowed::NotItsMaker)
            }
            Owner::Socket { .. } if room.state() == RoomState::Live => Err(NotAllowed::Occupied),
            Owner::Socket { .. } => Self::new(room, None),
        }
    }

    fn new(room: &Arc<Room>, stream_key: Option<watch::Receiver<u64>>) -> Result<Self, NotAllowed> {
        if room.is_closed() {
            return Err(RoomClosed.into());
        }
        let places = room.publisher_place()?;
        Ok(Self {
            room: Arc::clone(room),
            stream_key,
            _places: places,
        })
    }

    /// The room.
    #[must_use]
    pub const fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Watches what the publisher sends.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ceiling {
            room: Arc::clone(&self.room),
            look,
            over: 0,
        }
    }

    /// The publisher's media flows.
    ///
    /// # Errors
    /// [`RoomClosed`].
    pub fn go_live(&self, ingest: Ingest) -> Result<OnAir, RoomClosed> {
        self.room.go_live(ingest)
    }

    /// Waits until the publisher is no longer welcome: its stream key is void, or its room was ended.
    /// Cancel safe.
    pub async fn revoked(&mut self) {
        let mut changes = self.room.changes();
        let ended = async {
            while !self.room.is_closed() {
                // An error means that the room is gone.
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let void = async {
            match &mut self.stream_key {
                // An error means that the room is gone.
                Some(stream_key) => drop(stream_key.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = void => {}
            () = ended => {}
        }
    }
}

/// What a publisher may send.
#[derive(Debug)]
pub struct Ceiling {
    room: Arc<Room>,
    look: Interval,
    over: u32,
}

impl Ceiling {
    /// Waits until the publisher has sent more than it may, for several seconds: the measured rate is that
    /// of the last five, and it has to be too much a few times running. Says why the publisher is ended.
    /// Cancel safe.
    pub async fn exceeded(&mut self) -> TooMuch {
        let Some(most) = self.room.bitrate() else {
            return std::future::pending().await;
        };
        loop {
            self.look.tick().await;
            let measured = self.room.stage().measured().unwrap_or_default();
            let sent = measured.video_bitrate.unwrap_or_default()
                + measured.audio_bitrate.unwrap_or_default();
            self.over = if sent > most { self.over + 1 } else { 0 };
            if self.over >= OVER {
                return TooMuch {
                    sent_kbit: sent / 1_000,
                    most_kbit: most / 1_000,
                };
            }
        }
    }
}

/// A publisher sends more than it may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the encoder sends {sent_kbit} kbit/s and this server takes {most_kbit}: please set a lower bitrate or quality"
)]
pub struct TooMuch {
    sent_kbit: u64,
    most_kbit: u64,
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Limits, Registry};
    use super::*;

    const MAKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn registry() -> Registry {
        let limits = Limits {
            rooms: 10,
            viewers: 10,
            viewers_per_room: 10,
            publishers: PUBLISHERS + 1,
            bitrate: None,
            grace: Duration::from_secs(15),
        };
        Registry::new(limits, |_| {})
    }

    fn open_room(registry: &Registry) -> Arc<Room> {
        let key = "open".parse().unwrap();
        registry.create_open(key, "r", 1, Some(MAKER)).unwrap()
    }

    #[tokio::test]
    async fn the_stream_key_admits_and_another_does_not() {
        let (room, secrets) = registry().create("r").unwrap();
        assert!(Admission::with_key(&room, &secrets.stream_key.reveal()).is_ok());
        let refused = Admission::with_key(&room, "another").unwrap_err();
        assert_eq!(refused, NotAllowed::WrongKey);
    }

    #[tokio::test]
    async fn a_room_with_a_host_wants_its_stream_key() {
        let (room, _) = registry().create("r").unwrap();
        let refused = Admission::to_open_room(&room, MAKER).unwrap_err();
        assert_eq!(refused, NotAllowed::NoKey);
    }

    #[tokio::test]
    async fn an_open_room_admits_its_makers_address_alone() {
        let registry = registry();
        let room = open_room(&registry);
        let stranger = "192.0.2.8".parse().unwrap();
        let refused = Admission::to_open_room(&room, stranger).unwrap_err();
        assert_eq!(refused, NotAllowed::NotItsMaker);
        assert!(Admission::to_open_room(&room, MAKER).is_ok());
        assert!(Admission::to_open_room(&room, "::ffff:192.0.2.7".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn in_an_open_room_the_first_stays() {
        let registry = registry();
        let room = open_room(&registry);
        let first = Admission::to_open_room(&room, MAKER).unwrap();
        let _on_air = first.go_live(Ingest::Rtmp).unwrap();
        let refused = Admission::to_open_room(&room, MAKER).unwrap_err();
        assert_eq!(refused, NotAllowed::Occupied);
    }

    #[tokio::test]
    async fn publishers_that_connect_at_once_are_limited() {
        let (room, secrets) = registry().create("r").unwrap();
        let key = secrets.stream_key.reveal();
        let admit = || Admission::with_key(&room, &key);
        let admitted: Vec<_> = (0..PUBLISHERS).map(|_| admit().unwrap()).collect();
        assert_eq!(admit().unwrap_err(), NotAllowed::TooMany);
        drop(admitted);
        assert!(admit().is_ok());
    }

    #[tokio::test]
    async fn publishers_of_all_rooms_are_limited() {
        let registry = registry();
        let admit = || {
            let (room, secrets) = registry.create("r").unwrap();
            Admission::with_key(&room, &secrets.stream_key.reveal())
        };
        let admitted: Vec<_> = (0..=PUBLISHERS).map(|_| admit().unwrap()).collect();
        assert_eq!(admit().unwrap_err(), NotAllowed::ServerFull);
        drop(admitted);
        assert!(admit().is_ok());
    }

    #[tokio::test]
    async fn a_rotated_key_and_an_ended_room_revoke_the_admission() {
        let (room, secrets) = registry().create("r").unwrap();
        let mut admission = Admission::with_key(&room, &secrets.stream_key.reveal()).unwrap();
        let patience = Duration::from_millis(20);
        let waited = tokio::time::timeout(patience, admission.revoked()).await;
        assert!(waited.is_err());
        let key = room.rotate_stream_key().reveal();
        admission.revoked().await;
        let mut admission = Admission::with_key(&room, &key).unwrap();
        room.close();
        admission.revoked().await;
    }
}
