//! Whether a room is live: a state machine that is told what happened and when.

use std::time::Duration;

use shared::room::RoomState;
use tokio::time::Instant;

/// Where a room is in its life, and who is publishing to it.
#[derive(Debug)]
pub struct Lifecycle {
    grace: Duration,
    phase: Phase,
    /// The newest publication; what older ones report is no longer of interest.
    newest: PublicationId,
}

/// One publisher's time on the air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicationId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Live,
    Reconnecting {
        until: Instant,
    },
    /// The grace time ran out: whoever has the stream key may begin anew.
    Ended,
    /// The host ended the room: nobody may.
    Closed,
}

/// The host has ended this room for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The host has ended this room: please create a new one.")]
pub struct RoomClosed;

/// What a publication is to its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// A new broadcast begins.
    Begins,
    /// The broadcast goes on: its publisher came back, or another took over.
    Resumes,
}

impl Lifecycle {
    /// A room that nobody has published to. A lost publisher has `grace` to come back.
    #[must_use]
    pub const fn new(grace: Duration) -> Self {
        Self {
            grace,
            phase: Phase::Offline,
            newest: PublicationId(0),
        }
    }

    /// A room that was in `state` when the server was stopped, or `closed` for good. Its publisher is
    /// lost with the connection, and has `grace` from `now` to come back.
    #[must_use]
    pub fn restored(grace: Duration, state: RoomState, closed: bool, now: Instant) -> Self {
        let phase = match state {
            _ if closed => Phase::Closed,
            RoomState::Offline => Phase::Offline,
            RoomState::Live | RoomState::Reconnecting => Phase::Reconnecting { until: now + grace },
            RoomState::Ended => Phase::Ended,
        };
        Self {
            phase,
            ..Self::new(grace)
        }
    }

    /// What everybody may know.
    #[must_use]
    pub const fn state(&self) -> RoomState {
        match self.phase {
            Phase::Offline => RoomState::Offline,
            Phase::Live => RoomState::Live,
            Phase::Reconnecting { .. } => RoomState::Reconnecting,
            Phase::Ended | Phase::Closed => RoomState::Ended,
        }
    }

    /// Whether the host has ended the room for good.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Media flows from a publisher. One that was there before has been taken over from.
    ///
    /// # Errors
    /// [`RoomClosed`].
    pub const fn publish(&mut self) -> Result<(PublicationId, Entrance), RoomClosed> {
        let entrance = match self.phase {
            Phase::Closed => return Err(RoomClosed),
            Phase::Offline | Phase::Ended => Entrance::Begins,
            Phase::Live | Phase::Reconnecting { .. } => Entrance::Resumes,
        };
        self.phase = Phase::Live;
        self.newest.0 += 1;
        Ok((self.newest, entrance))
    }

    /// The publisher vanished; it may come back until the grace time is over.
    pub fn lost(&mut self, publication: PublicationId, now: Instant) {
        if self.is_on_air(publication) {
            self.phase = Phase::Reconnecting {
                until: now + self.grace,
            };
        }
    }

    /// The publisher stopped of its own accord.
    pub fn stopped(&mut self, publication: PublicationId) {
        if self.is_on_air(publication) {
            self.phase = Phase::Offline;
        }
    }

    /// The host ends the room for good.
    pub const fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// Time passes.
    pub fn tick(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Reconnecting { until } if until <= now) {
            self.phase = Phase::Ended;
        }
    }

    fn is_on_air(&self, publication: PublicationId) -> bool {
        self.phase == Phase::Live && self.newest == publication
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(15);

    fn live() -> (Lifecycle, PublicationId) {
        let mut room = Lifecycle::new(GRACE);
        let (publication, entrance) = room.publish().unwrap();
        assert_eq!(entrance, Entrance::Begins);
        (room, publication)
    }

    #[test]
    fn a_new_room_is_offline_and_goes_live_with_media() {
        assert_eq!(Lifecycle::new(GRACE).state(), RoomState::Offline);
        assert_eq!(live().0.state(), RoomState::Live);
    }

    #[test]
    fn a_publisher_that_stops_leaves_the_room_offline_at_once() {
        let (mut room, publication) = live();
        room.stopped(publication);
        assert_eq!(room.state(), RoomState::Offline);
    }

    #[test]
    fn a_lost_publisher_may_resume_within_the_grace_time() {
        let (mut room, publication) = live();
        let now = Instant::now();
        room.lost(publication, now);
        room.tick(now + GRACE - Duration::from_millis(1));
        assert_eq!(room.state(), RoomState::Reconnecting);
        assert_eq!(room.publish().unwrap().1, Entrance::Resumes);
        room.tick(now + GRACE * 2);
        assert_eq!(room.state(), RoomState::Live);
    }

    #[test]
    fn the_broadcast_ends_with_the_grace_time() {
        let (mut room, publication) = live();
        let now = Instant::now();
        room.lost(publication, now);
        room.tick(now + GRACE);
        assert_eq!(room.state(), RoomState::Ended);
    }

    #[test]
    fn an_ended_broadcast_may_be_followed_by_a_new_one() {
        let (mut room, publication) = live();
        let now = Instant::now();
        room.lost(publication, now);
        room.tick(now + GRACE);
        assert_eq!(room.publish().unwrap().1, Entrance::Begins);
        assert_eq!(room.state(), RoomState::Live);
    }

    #[test]
    fn a_room_that_its_host_ended_stays_ended() {
        let (mut room, publication) = live();
        room.close();
        assert_eq!(room.state(), RoomState::Ended);
        assert_eq!(room.publish(), Err(RoomClosed));
        room.stopped(publication);
        assert_eq!(room.state(), RoomState::Ended);
    }

    #[test]
    fn after_a_restart_a_live_room_waits_for_its_publisher() {
        let now = Instant::now();
        for state in [RoomState::Live, RoomState::Reconnecting] {
            let mut room = Lifecycle::restored(GRACE, state, false, now);
            assert_eq!(room.state(), RoomState::Reconnecting);
            room.tick(now + GRACE);
            assert_eq!(room.state(), RoomState::Ended);
        }
    }

    #[test]
    fn after_a_restart_what_was_over_stays_over() {
        let restored = |state, closed| Lifecycle::restored(GRACE, state, closed, Instant::now());
        assert_eq!(
            restored(RoomState::Offline, false).state(),
            RoomState::Offline
        );
        assert!(restored(RoomState::Ended, false).publish().is_ok());
        assert_eq!(restored(RoomState::Ended, true).publish(), Err(RoomClosed));
    }

    #[test]
    fn a_publisher_that_was_taken_over_from_has_no_say() {
        let (mut room, first) = live();
        let (_, entrance) = room.publish().unwrap();
        assert_eq!(entrance, Entrance::Resumes);
        room.stopped(first);
        room.lost(first, Instant::now());
        assert_eq!(room.state(), RoomState::Live);
    }
}
