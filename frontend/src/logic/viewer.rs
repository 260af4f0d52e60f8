//! How a viewer's connection comes, goes and comes back.

use shared::room::RoomState;

use super::backoff::{Backoff, jittered};

/// What the viewer sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Asking for the stream; no frame yet.
    #[default]
    Connecting,
    /// The room is there, its broadcaster is not.
    Waiting,
    /// The room sends what browsers cannot show live; it may change.
    Unplayable,
    /// Frames arrive.
    Live,
    /// Frames stopped and are expected back.
    Reconnecting(Lost),
    /// The broadcast is over. Only the room's host can change that, by starting again.
    Ended,
    /// There is no such room.
    NotFound,
    /// Nothing more can be tried without the person; the sentence says what to do.
    Failed(String),
}

/// Whose connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The broadcaster's.
    Host,
    /// This viewer's own.
    Network,
}

impl Phase {
    /// Whether there is nothing more to try.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ended | Self::NotFound | Self::Failed(_))
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The page was opened.
    Opened,
    /// The first frame of a session, or sound of one without a picture.
    Playing,
    /// The server refused the session with this HTTP status.
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's sentence.
        detail: String,
        /// `Retry-After`, in milliseconds.
        retry_after_ms: Option<u32>,
    },
    /// The server did not answer.
    Unreachable,
    /// The session broke, or brings no frames any more.
    PeerLost,
    /// The room is in this state.
    Room(RoomState),
    /// The wait that [`Command::Retry`] asked for is over.
    RetryDue,
}

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start a session in place of the one there may be.
    Connect,
    /// End the session.
    Disconnect,
    /// Let go of the session, which the server has ended itself.
    Forget,
    /// Send [`Event::RetryDue`] after so many milliseconds, in place of a wait there may be.
    Retry(u32),
}

/// The state machine of one viewer.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    phase: Phase,
    room: Option<RoomState>,
    played: bool,
    backoff: Backoff,
}

impl Viewer {
    /// Wait for a room that is not live, when the server does not name one, in milliseconds. The
    /// `room` event normally comes first.
    const WAITING_MS: u32 = 5_000;

    /// Between attempts at a room that browsers cannot show, in milliseconds.
    const UNPLAYABLE_MS: u32 = 5_000;

    /// What the viewer sees now.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes in what happened; returns what to do, in order. `random` is `0.0..1.0`.
    pub fn handle(&mut self, event: Event, random: f64) -> Vec<Command> {
        if matches!(
            (&self.phase, &event),
            (Phase::Ended, Event::Room(RoomState::Live))
        ) {
            *self = Self {
                phase: Phase::Waiting,
                ..Self::default()
            };
        }
        if self.phase.is_final() {
            return Vec::new();
        }
        match event {
            Event::Opened | Event::RetryDue => vec![Command::Connect],
            Event::Playing => self.playing(),
            Event::Refused {
                status,
                detail,
                retry_after_ms,
            } => self.refused(status, detail, retry_after_ms, random),
            Event::Unreachable => self.try_again(0, random),
            Event::PeerLost => {
                let mut commands = vec![Command::Disconnect];
                commands.extend(self.try_again(0, random));
                commands
            }
            Event::Room(state) => self.room_is(state, random),
        }
    }

    fn playing(&mut self) -> Vec<Command> {
        self.backoff.reset();
        self.played = true;
        // A frame that was still in the jitter buffer does not mean that the broadcaster is back.
        if self.room != Some(RoomState::Reconnecting) {
            self.phase = Phase::Live;
        }
        Vec::new()
    }

    fn refused(
        &mut self,
        status: u16,
        detail: String,
        retry_after_ms: Option<u32>,
        random: f64,
    ) -> Vec<Command> {
        match status {
            // The room went live while the request was under way.
            409 if self.room == Some(RoomState::Live) => self.try_again(0, random),
            409 => {
                self.phase = match self.room {
                    Some(RoomState::Reconnecting) => Phase::Reconnecting(Lost::Host),
                    _ => Phase::Waiting,
                };
                let wait = retry_after_ms.unwrap_or(Self::WAITING_MS);
                // At least what the server asked for, and not all at once.
                vec![Command::Retry(
                    wait.saturating_add(jittered(wait / 2, random)),
                )]
            }
            404 if self.room != Some(RoomState::Ended) => {
                self.phase = Phase::NotFound;
                vec![Command::Disconnect]
            }
            404 | 410 => {
                self.phase = Phase::Ended;
                vec![Command::Disconnect]
            }
            // The other reason for this status, a codec that this browser lacks, does not pass.
            406 if detail.contains("B-frames") => {
                self.phase = Phase::Unplayable;
                let wait = Self::UNPLAYABLE_MS;
                vec![
                    Command::Disconnect,
                    Command::Retry(wait + jittered(wait / 5, random)),
                ]
            }
            408 | 425 | 429 | 500.. => self.try_again(retry_after_ms.unwrap_or(0), random),
            _ => {
                self.phase = Phase::Failed(detail);
                vec![Command::Disconnect]
            }
        }
    }

    fn try_again(&mut self, at_least_ms: u32, random: f64) -> Vec<Command> {
        self.phase = match self.room {
            Some(RoomState::Reconnecting) => Phase::Reconnecting(Lost::Host),
            _ if self.played => Phase::Reconnecting(Lost::Network),
            _ => Phase::Connecting,
        };
        vec![Command::Retry(
            at_least_ms.saturating_add(self.backoff.next_ms(random)),
        )]
    }

    fn room_is(&mut self, state: RoomState, random: f64) -> Vec<Command> {
        self.room = Some(state);
        match (state, &self.phase) {
            (RoomState::Live, Phase::Waiting | Phase::Unplayable) => {
                self.phase = Phase::Connecting;
                vec![Command::Connect]
            }
            // The banner stays until the new session's first frame.
            (RoomState::Live, Phase::Reconnecting(Lost::Host)) => vec![Command::Connect],
            (RoomState::Live, _) => Vec::new(),
            (RoomState::Reconnecting, _) => {
                self.phase = Phase::Reconnecting(Lost::Host);
                Vec::new()
            }
            (RoomState::Offline, Phase::Waiting) => Vec::new(),
            (RoomState::Offline, _) => {
                self.phase = Phase::Waiting;
                let wait = Self::WAITING_MS;
                vec![
                    Command::Forget,
                    Command::Retry(wait + jittered(wait / 2, random)),
                ]
            }
            (RoomState::Ended, _) => {
                self.phase = Phase::Ended;
                vec![Command::Forget]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after_ms: Option<u32>) -> Event {
        Event::Refused {
            status,
            detail: "A sentence.".into(),
            retry_after_ms,
        }
    }

    fn watching() -> Viewer {
        let mut viewer = Viewer::default();
        assert_eq!(viewer.handle(Event::Opened, 0.0), [Command::Connect]);
        assert_eq!(viewer.handle(Event::Room(RoomState::Live), 0.0), []);
        assert_eq!(viewer.handle(Event::Playing, 0.0), []);
        assert_eq!(viewer.phase(), &Phase::Live);
        viewer
    }

    #[test]
    fn an_early_viewer_waits_and_connects_when_the_room_goes_live() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        assert_eq!(
            viewer.handle(refused(409, Some(2_000)), 0.0),
            [Command::Retry(2_500)]
        );
        assert_eq!(viewer.phase(), &Phase::Waiting);
        assert_eq!(viewer.handle(Event::Room(RoomState::Offline), 0.0), []);
        assert_eq!(
            viewer.handle(Event::Room(RoomState::Live), 0.0),
            [Command::Connect]
        );
        assert_eq!(viewer.phase(), &Phase::Connecting);
    }

    #[test]
    fn a_refusal_that_crossed_with_going_live_is_tried_again_soon() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        viewer.handle(Event::Room(RoomState::Live), 0.0);
        assert_eq!(
            viewer.handle(refused(409, Some(5_000)), 1.0),
            [Command::Retry(600)]
        );
    }

    #[test]
    fn a_lost_broadcaster_keeps_the_last_frame_until_it_is_back() {
        let mut viewer = watching();
        assert_eq!(viewer.handle(Event::Room(RoomState::Reconnecting), 0.0), []);
        assert_eq!(viewer.phase(), &Phase::Reconnecting(Lost::Host));
        viewer.handle(Event::Playing, 0.0);
        assert_eq!(
            viewer.phase(),
            &Phase::Reconnecting(Lost::Host),
            "a stale frame"
        );
        assert_eq!(
            viewer.handle(Event::Room(RoomState::Live), 0.0),
            [Command::Connect]
        );
        viewer.handle(Event::Playing, 0.0);
        assert_eq!(viewer.phase(), &Phase::Live);
    }

    #[test]
    fn a_lost_network_backs_off_until_frames_are_back() {
        let mut viewer = watching();
        let lost = viewer.handle(Event::PeerLost, 1.0);
        assert_eq!(lost, [Command::Disconnect, Command::Retry(600)]);
        assert_eq!(viewer.phase(), &Phase::Reconnecting(Lost::Network));
        assert_eq!(viewer.handle(Event::RetryDue, 1.0), [Command::Connect]);
        assert_eq!(
            viewer.handle(Event::Unreachable, 1.0),
            [Command::Retry(1_200)]
        );
        viewer.handle(Event::RetryDue, 1.0);
        viewer.handle(Event::Playing, 1.0);
        assert_eq!(viewer.phase(), &Phase::Live);
        let lost = viewer.handle(Event::PeerLost, 1.0);
        assert_eq!(
            lost,
            [Command::Disconnect, Command::Retry(600)],
            "the back-off started over"
        );
    }

    #[test]
    fn an_overloaded_server_is_given_the_time_it_asks_for() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        let commands = viewer.handle(refused(503, Some(3_000)), 1.0);
        assert_eq!(commands, [Command::Retry(3_600)]);
        assert_eq!(viewer.phase(), &Phase::Connecting);
    }

    #[test]
    fn the_end_is_final() {
        let mut viewer = watching();
        assert_eq!(
            viewer.handle(Event::Room(RoomState::Ended), 0.0),
            [Command::Forget]
        );
        assert_eq!(viewer.phase(), &Phase::Ended);
        assert_eq!(viewer.handle(Event::RetryDue, 0.0), []);
        assert_eq!(viewer.handle(Event::Playing, 0.0), []);
        assert_eq!(viewer.phase(), &Phase::Ended);
    }

    #[test]
    fn a_host_who_starts_again_is_seen_again() {
        let mut viewer = watching();
        viewer.handle(Event::Room(RoomState::Ended), 0.0);
        assert_eq!(
            viewer.handle(Event::Room(RoomState::Live), 0.0),
            [Command::Connect]
        );
        assert_eq!(viewer.phase(), &Phase::Connecting);
    }

    #[test]
    fn an_unknown_room_is_not_tried_again() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        assert_eq!(
            viewer.handle(refused(404, None), 0.0),
            [Command::Disconnect]
        );
        assert_eq!(viewer.phase(), &Phase::NotFound);
    }

    #[test]
    fn a_room_that_ended_before_is_told_as_ended() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        viewer.handle(refused(410, None), 0.0);
        assert_eq!(viewer.phase(), &Phase::Ended);
    }

    #[test]
    fn what_no_retry_can_mend_is_told() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        viewer.handle(refused(406, None), 0.0);
        assert_eq!(viewer.phase(), &Phase::Failed("A sentence.".into()));
    }

    #[test]
    fn a_broadcaster_who_stops_leaves_viewers_waiting() {
        let mut viewer = watching();
        let commands = viewer.handle(Event::Room(RoomState::Offline), 0.0);
        assert_eq!(commands[0], Command::Forget);
        assert_eq!(viewer.phase(), &Phase::Waiting);
    }

    #[test]
    fn a_room_with_b_frames_is_tried_again_until_they_are_gone() {
        let mut viewer = Viewer::default();
        viewer.handle(Event::Opened, 0.0);
        viewer.handle(Event::Room(RoomState::Live), 0.0);
        let refused = || Event::Refused {
            status: 406,
            detail: "The encoder sends B-frames.".into(),
            retry_after_ms: None,
        };
        assert_eq!(
            viewer.handle(refused(), 0.0),
            [Command::Disconnect, Command::Retry(5_500)]
        );
        assert_eq!(viewer.phase(), &Phase::Unplayable);
        assert_eq!(viewer.handle(Event::RetryDue, 0.0), [Command::Connect]);
        viewer.handle(refused(), 0.0);
        viewer.handle(Event::Room(RoomState::Reconnecting), 0.0);
        assert_eq!(
            viewer.handle(Event::Room(RoomState::Live), 0.0),
            [Command::Connect]
        );
        viewer.handle(Event::Playing, 0.0);
        assert_eq!(viewer.phase(), &Phase::Live);
    }
}
