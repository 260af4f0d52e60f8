//! How a viewer's connection comes, goes and comes back.

#[cfg(test)]
mod tests;

use shared::room::{Ingest, RoomState};

use super::backoff::{Backoff, jittered};
use super::path::{Path, PathChoice, PathFinder};

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
    /// Nothing of the session's media came through.
    Blocked,
    /// Too much of the media of a session that is over was lost on the way, says the server.
    Unfit,
    /// This browser cannot play what comes on the present path; a sentence.
    Impossible(String),
    /// The session has brought frames for a while.
    Steady,
    /// The viewer wants this path.
    Choose(PathChoice),
    /// The room is in this state, and its media arrives like this.
    Room(RoomState, Option<Ingest>),
    /// Whether WebRTC can carry what the room broadcasts.
    WebRtcSuits(bool),
    /// The wait that [`Command::Retry`] asked for is over.
    RetryDue,
}

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start a session on this path in place of the one there may be. One of HLS plays on until one of
    /// WebRTC is there.
    Connect(Path),
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
    ingest: Option<Ingest>,
    /// WebRTC cannot carry what the room broadcasts, by what it said last.
    unsuited: bool,
    played: bool,
    backoff: Backoff,
    paths: PathFinder,
}

impl Viewer {
    /// Wait for a room that is not live, when the server does not name one, in milliseconds. The
    /// `room` event normally comes first.
    const WAITING_MS: u32 = 5_000;

    /// A viewer who wants this path.
    #[must_use]
    pub fn new(choice: PathChoice) -> Self {
        Self {
            paths: PathFinder::new(choice),
            ..Self::default()
        }
    }

    /// What the viewer sees now.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes in what happened; returns what to do, in order. `random` is `0.0..1.0`.
    pub fn handle(&mut self, event: Event, random: f64) -> Vec<Command> {
        if matches!(
            (&self.phase, &event),
            (Phase::Ended, Event::Room(RoomState::Live, _))
        ) {
            self.phase = Phase::Waiting;
            self.played = false;
            self.backoff.reset();
        }
        if let Event::Choose(choice) = event {
            return self.choose(choice);
        }
        if let Event::WebRtcSuits(suits) = event {
            return self.webrtc_suits(suits);
        }
        if self.phase.is_final() {
            return Vec::new();
        }
        match event {
            Event::Opened | Event::RetryDue => vec![self.connect()],
            Event::Playing => self.playing(),
            Event::Refused {
                status,
                detail,
                retry_after_ms,
            } => self.refused(status, detail, retry_after_ms, random),
            Event::Unreachable => self.try_again(0, random),
            Event::PeerLost => self.lost(random),
            Event::Blocked if self.paths.blocked() => vec![Command::Disconnect, self.connect()],
            Event::Unfit if self.paths.blocked() => vec![Command::Disconnect, self.connect()],
            Event::Unfit => Vec::new(),
            Event::Blocked => self.lost(random),
            Event::Impossible(detail) => {
                if self.paths.blocked() {
                    return vec![Command::Disconnect, self.connect()];
                }
                self.phase = Phase::Failed(detail);
                vec![Command::Disconnect]
            }
            Event::Steady => {
                self.paths.is_steady();
                Vec::new()
            }
            Event::Room(state, ingest) => self.room_is(state, ingest, random),
            // Dealt with above: they are heard in every phase.
            Event::Choose(_) | Event::WebRtcSuits(_) => Vec::new(),
        }
    }

    const fn connect(&self) -> Command {
        Command::Connect(self.paths.path())
    }

    fn choose(&mut self, choice: PathChoice) -> Vec<Command> {
        let is_another = self.paths.choose(choice);
        match self.phase {
            Phase::Waiting | Phase::Ended | Phase::NotFound => return Vec::new(),
            Phase::Failed(_) | Phase::Unplayable => self.phase = Phase::Connecting,
            _ if !is_another => return Vec::new(),
            _ => {}
        }
        vec![self.connect()]
    }

    fn webrtc_suits(&mut self, suits: bool) -> Vec<Command> {
        let was_unsuited = std::mem::replace(&mut self.unsuited, !suits);
        let is_another_path = suits && was_unsuited && self.paths.format_suits();
        match self.phase {
            Phase::Unplayable if suits => self.phase = Phase::Connecting,
            Phase::Waiting | Phase::Ended | Phase::NotFound | Phase::Failed(_) => {
                return Vec::new();
            }
            _ if is_another_path => {}
            _ => return Vec::new(),
        }
        vec![self.connect()]
    }

    fn lost(&mut self, random: f64) -> Vec<Command> {
        let is_hosts = self.room == Some(RoomState::Reconnecting);
        if !is_hosts && self.paths.failed() {
            return vec![Command::Disconnect, self.connect()];
        }
        let mut commands = vec![Command::Disconnect];
        commands.extend(self.try_again(0, random));
        commands
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
            406 if self.paths.format_refused() => vec![self.connect()],
            // The other reason for this status, a codec that this browser lacks, does not pass.
            406 if let Some(wait) = retry_after_ms => {
                self.phase = Phase::Unplayable;
                vec![
                    Command::Disconnect,
                    Command::Retry(wait.saturating_add(jittered(wait / 5, random))),
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

    fn room_is(&mut self, state: RoomState, ingest: Option<Ingest>, random: f64) -> Vec<Command> {
        let is_another_path = state == RoomState::Live
            && self.is_another_broadcast(ingest)
            && self.paths.another_broadcast(!self.unsuited);
        self.room = Some(state);
        self.ingest = ingest.or(self.ingest);
        match (state, &self.phase) {
            (RoomState::Live, Phase::Waiting | Phase::Unplayable) => {
                self.phase = Phase::Connecting;
                vec![self.connect()]
            }
            _ if is_another_path => vec![self.connect()],
            (RoomState::Live, Phase::Reconnecting(Lost::Host)) => match self.paths.path() {
                // The banner stays until the new session's first frame.
                Path::WebRtc => vec![self.connect()],
                // The playlist goes on with the new broadcast.
                Path::Hls => {
                    self.phase = Phase::Live;
                    Vec::new()
                }
            },
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

    /// Whether a room that is live now was not, or got its media by other means, when it was last heard of.
    fn is_another_broadcast(&self, ingest: Option<Ingest>) -> bool {
        match self.room {
            None => false,
            Some(RoomState::Live) => {
                matches!((self.ingest, ingest), (Some(old), Some(new)) if old != new)
            }
            Some(_) => true,
        }
    }
}
