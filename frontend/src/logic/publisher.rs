//! How a broadcast starts, survives a lost connection and ends.

use shared::UnixMillis;
use shared::room::{Ingest, RoomState};

use super::backoff::Backoff;

/// How long the server keeps a room whose broadcaster was lost, by default, in milliseconds.
pub const GRACE_MS: u64 = 15_000;
/// How soon a session that was cut off is lost, in milliseconds.
const CUT_OFF_MS: u64 = 10_000;

/// Where the broadcast is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Choosing camera, microphone and title.
    #[default]
    Setup,
    /// Starting for the first time.
    Connecting,
    /// Media is flowing.
    Live,
    /// The connection was lost; the room waits until about `until`.
    Reconnecting {
        /// End of the grace time.
        until: UnixMillis,
    },
    /// Streaming software has taken the room over from this page.
    TakenOver,
    /// The person ended it; the server is being told.
    Ending,
    /// It is over.
    Ended(Why),
    /// It cannot go on by itself; the sentence says what to do.
    Failed(String),
}

impl Phase {
    /// Whether leaving now would interrupt a broadcast.
    #[must_use]
    pub const fn is_on_air(&self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::Live | Self::Reconnecting { .. } | Self::Ending
        )
    }
}

/// Why a broadcast is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The person ended it here.
    Here,
    /// The room was ended from elsewhere, or the grace time ran out.
    Elsewhere,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The person pressed "Start".
    Start,
    /// The page was opened again on a room that is still going.
    Resume,
    /// Media is flowing to the server.
    Connected,
    /// The server refused with this HTTP status.
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's sentence.
        detail: String,
    },
    /// The server did not answer.
    Unreachable,
    /// Neither server nor network, but this browser is in the way; a sentence.
    Broken(String),
    /// The media connection broke.
    PeerLost,
    /// The server cut a publisher of the room off, and would do so again; a sentence says why.
    CutOff(String),
    /// The room is in this state, and its media arrives like this.
    Room(RoomState, Option<Ingest>),
    /// The wait that [`Command::Retry`] asked for is over.
    RetryDue,
    /// Another window of this browser took the broadcast over.
    TakenOver,
    /// The person confirmed the end.
    End,
    /// The server knows of the end (or cannot be told).
    EndDone,
    /// Back to the set-up of a new broadcast.
    Reset,
}

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish in place of the session there may be, creating the room first if there is none.
    Publish,
    /// Close the connection and leave the room to its grace time.
    Drop,
    /// End the session and the room, then send [`Event::EndDone`].
    End,
    /// Send [`Event::RetryDue`] after so many milliseconds, in place of a wait there may be.
    Retry(u32),
}

/// The state machine of one broadcast.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    phase: Phase,
    backoff: Backoff,
    /// The server called the room live by a browser since this session was started; only then is its
    /// word that the broadcaster was lost, or taken over from, about this session.
    confirmed: bool,
    /// When a publisher was cut off and why: this session, if it is lost now, else software that tried to
    /// take over.
    cut_off: Option<(UnixMillis, String)>,
}

impl Publisher {
    /// Where the broadcast is now.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes in what happened at `now`; returns what to do, in order. `random` is `0.0..1.0`.
    pub fn handle(&mut self, event: Event, now: UnixMillis, random: f64) -> Vec<Command> {
        match event {
            Event::Reset => {
                *self = Self::default();
                vec![Command::Drop]
            }
            Event::EndDone if self.phase == Phase::Ending => {
                self.phase = Phase::Ended(Why::Here);
                Vec::new()
            }
            _ if matches!(self.phase, Phase::Ending | Phase::Ended(_)) => Vec::new(),
            Event::EndDone => Vec::new(),
            Event::Start => {
                self.phase = Phase::Connecting;
                self.publish()
            }
            Event::Resume => {
                self.phase = Phase::Reconnecting {
                    until: now + GRACE_MS,
                };
                self.publish()
            }
            Event::Connected => {
                self.backoff.reset();
                self.phase = Phase::Live;
                Vec::new()
            }
            Event::Refused { status, detail } => self.refused(status, detail, random),
            Event::Unreachable => self.unreachable(random),
            Event::Broken(sentence) => self.fail(sentence),
            Event::TakenOver => self.fail(
                "This broadcast goes on in another window of this browser. To bring it back here, \
                 try again."
                    .into(),
            ),
            Event::CutOff(sentence) => self.cut_off(sentence, now),
            Event::PeerLost => self.peer_lost(now, random),
            Event::Room(state, ingest) => self.room_is(state, ingest, now, random),
            Event::RetryDue => match self.phase {
                Phase::Reconnecting { .. } => self.publish(),
                _ => Vec::new(),
            },
            Event::End => {
                self.phase = Phase::Ending;
                vec![Command::End]
            }
        }
    }

    fn publish(&mut self) -> Vec<Command> {
        self.confirmed = false;
        vec![Command::Publish]
    }

    fn fail(&mut self, sentence: String) -> Vec<Command> {
        self.phase = Phase::Failed(sentence);
        vec![Command::Drop]
    }

    fn refused(&mut self, status: u16, detail: String, random: f64) -> Vec<Command> {
        match (&self.phase, status) {
            (Phase::Reconnecting { .. }, 404 | 410) => {
                self.phase = Phase::Ended(Why::Elsewhere);
                vec![Command::Drop]
            }
            (Phase::Reconnecting { .. }, 408 | 409 | 425 | 429 | 500..) => self.retry(random),
            _ => self.fail(detail),
        }
    }

    fn unreachable(&mut self, random: f64) -> Vec<Command> {
        match self.phase {
            Phase::Reconnecting { .. } => self.retry(random),
            _ => self.fail(
                "The server cannot be reached: please check your connection and try again.".into(),
            ),
        }
    }

    fn cut_off(&mut self, sentence: String, now: UnixMillis) -> Vec<Command> {
        match self.phase {
            Phase::Reconnecting { .. } => self.fail(sentence),
            Phase::Live => {
                self.cut_off = Some((now, sentence));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn peer_lost(&mut self, now: UnixMillis, random: f64) -> Vec<Command> {
        match self.phase {
            Phase::Live => {
                if let Some((at, sentence)) = self.cut_off.take()
                    && now.saturating_sub(at) < CUT_OFF_MS
                {
                    return self.fail(sentence);
                }
                self.phase = Phase::Reconnecting {
                    until: now + GRACE_MS,
                }
            }
            Phase::Reconnecting { .. } => {}
            Phase::Connecting => {
                return self.fail(
                    "The server answered, but picture and sound do not get through: a firewall \
                     may be in the way. Please try another network."
                        .into(),
                );
            }
            _ => return Vec::new(),
        }
        let mut commands = vec![Command::Drop];
        commands.extend(self.retry(random));
        commands
    }

    fn retry(&mut self, random: f64) -> Vec<Command> {
        vec![Command::Retry(self.backoff.next_ms(random))]
    }

    fn room_is(
        &mut self,
        state: RoomState,
        ingest: Option<Ingest>,
        now: UnixMillis,
        random: f64,
    ) -> Vec<Command> {
        match (state, &self.phase) {
            // Two publishers must not take the room from each other for ever: software was started on
            // purpose, a reconnecting page was not.
            (RoomState::Live, Phase::Live | Phase::Reconnecting { .. })
                if ingest == Some(Ingest::Rtmp) =>
            {
                if self.confirmed || self.phase != Phase::Live {
                    self.phase = Phase::TakenOver;
                    vec![Command::Drop]
                } else {
                    // News of the time before this page took the room back.
                    Vec::new()
                }
            }
            (RoomState::Live, _) if ingest == Some(Ingest::Rtmp) => Vec::new(),
            (RoomState::Live, _) => {
                self.confirmed = true;
                Vec::new()
            }
            (RoomState::Reconnecting, Phase::Live) if self.confirmed => self.peer_lost(now, random),
            // Whoever has the stream key may begin anew.
            (RoomState::Ended, Phase::Setup | Phase::TakenOver) => Vec::new(),
            (RoomState::Ended, _) => {
                self.phase = Phase::Ended(Why::Elsewhere);
                vec![Command::Drop]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Event {
        Event::Refused {
            status,
            detail: "A sentence.".into(),
        }
    }

    fn room(state: RoomState) -> Event {
        Event::Room(state, Some(Ingest::Whip))
    }

    fn software() -> Event {
        Event::Room(RoomState::Live, Some(Ingest::Rtmp))
    }

    fn live() -> Publisher {
        let mut publisher = Publisher::default();
        assert_eq!(publisher.handle(Event::Start, 0, 0.0), [Command::Publish]);
        publisher.handle(room(RoomState::Live), 0, 0.0);
        assert_eq!(publisher.handle(Event::Connected, 0, 0.0), []);
        assert_eq!(publisher.phase(), &Phase::Live);
        publisher
    }

    #[test]
    fn a_lost_connection_is_published_again_within_the_grace_time() {
        let mut publisher = live();
        let commands = publisher.handle(Event::PeerLost, 1_000, 1.0);
        assert_eq!(commands, [Command::Drop, Command::Retry(600)]);
        assert_eq!(publisher.phase(), &Phase::Reconnecting { until: 16_000 });
        assert_eq!(
            publisher.handle(Event::RetryDue, 1_600, 1.0),
            [Command::Publish]
        );
        assert_eq!(
            publisher.handle(Event::Unreachable, 1_700, 1.0),
            [Command::Retry(1_200)]
        );
        assert_eq!(
            publisher.handle(Event::RetryDue, 2_900, 1.0),
            [Command::Publish]
        );
        publisher.handle(Event::Connected, 3_000, 1.0);
        assert_eq!(publisher.phase(), &Phase::Live);
    }

    fn cut_off() -> Event {
        Event::CutOff("Too much.".into())
    }

    #[test]
    fn what_the_server_cut_off_is_not_published_again_by_itself() {
        let failed = Phase::Failed("Too much.".into());
        let mut publisher = live();
        assert_eq!(publisher.handle(cut_off(), 0, 0.0), []);
        assert_eq!(publisher.handle(Event::PeerLost, 50, 0.0), [Command::Drop]);
        assert_eq!(publisher.phase(), &failed);
        // The loss may be noticed first.
        let mut publisher = live();
        publisher.handle(Event::PeerLost, 0, 0.0);
        assert_eq!(publisher.handle(cut_off(), 50, 0.0), [Command::Drop]);
        assert_eq!(publisher.phase(), &failed);
    }

    #[test]
    fn software_that_was_cut_off_does_not_end_what_this_page_sends() {
        let mut publisher = live();
        publisher.handle(cut_off(), 0, 0.0);
        assert_eq!(publisher.phase(), &Phase::Live);
        publisher.handle(Event::PeerLost, 60_000, 0.0);
        assert_eq!(publisher.phase(), &Phase::Reconnecting { until: 75_000 });
        let mut software = Publisher::default();
        assert_eq!(software.handle(cut_off(), 0, 0.0), []);
        assert_eq!(software.phase(), &Phase::Setup);
    }

    #[test]
    fn the_countdown_does_not_start_over_with_each_attempt() {
        let mut publisher = live();
        publisher.handle(Event::PeerLost, 1_000, 0.0);
        publisher.handle(Event::RetryDue, 2_000, 0.0);
        publisher.handle(Event::PeerLost, 9_000, 0.0);
        assert_eq!(publisher.phase(), &Phase::Reconnecting { until: 16_000 });
    }

    #[test]
    fn the_server_may_notice_the_loss_first() {
        let mut publisher = live();
        publisher.handle(room(RoomState::Live), 0, 0.0);
        publisher.handle(room(RoomState::Reconnecting), 5_000, 0.0);
        assert_eq!(publisher.phase(), &Phase::Reconnecting { until: 20_000 });
    }

    #[test]
    fn old_news_of_a_loss_does_not_break_the_new_session() {
        let mut publisher = Publisher::default();
        assert_eq!(publisher.handle(Event::Resume, 0, 0.0), [Command::Publish]);
        publisher.handle(Event::Connected, 100, 0.0);
        assert_eq!(
            publisher.handle(room(RoomState::Reconnecting), 110, 0.0),
            []
        );
        assert_eq!(publisher.phase(), &Phase::Live);
    }

    #[test]
    fn a_failed_start_is_told_and_can_be_tried_again() {
        let mut publisher = Publisher::default();
        publisher.handle(Event::Start, 0, 0.0);
        assert_eq!(publisher.handle(refused(503), 0, 0.0), [Command::Drop]);
        assert_eq!(publisher.phase(), &Phase::Failed("A sentence.".into()));
        assert_eq!(publisher.handle(Event::Start, 0, 0.0), [Command::Publish]);
    }

    #[test]
    fn a_room_that_is_gone_ends_the_reconnecting() {
        let mut publisher = live();
        publisher.handle(Event::PeerLost, 0, 0.0);
        publisher.handle(refused(404), 16_000, 0.0);
        assert_eq!(publisher.phase(), &Phase::Ended(Why::Elsewhere));
    }

    #[test]
    fn a_key_that_was_rotated_is_not_tried_again() {
        let mut publisher = live();
        publisher.handle(Event::PeerLost, 0, 0.0);
        assert_eq!(publisher.handle(refused(401), 0, 0.0), [Command::Drop]);
        assert!(matches!(publisher.phase(), Phase::Failed(_)));
    }

    #[test]
    fn two_windows_do_not_fight_over_one_broadcast() {
        let mut publisher = live();
        assert_eq!(publisher.handle(Event::TakenOver, 0, 0.0), [Command::Drop]);
        assert_eq!(publisher.handle(Event::RetryDue, 0, 0.0), []);
    }

    #[test]
    fn ending_is_told_to_the_server_once() {
        let mut publisher = live();
        assert_eq!(publisher.handle(Event::End, 0, 0.0), [Command::End]);
        assert_eq!(publisher.handle(Event::End, 0, 0.0), []);
        assert_eq!(publisher.handle(Event::PeerLost, 0, 0.0), []);
        assert_eq!(publisher.handle(room(RoomState::Ended), 0, 0.0), []);
        publisher.handle(Event::EndDone, 0, 0.0);
        assert_eq!(publisher.phase(), &Phase::Ended(Why::Here));
    }

    #[test]
    fn a_new_broadcast_starts_from_the_set_up() {
        let mut publisher = live();
        publisher.handle(room(RoomState::Ended), 0, 0.0);
        publisher.handle(Event::Reset, 0, 0.0);
        assert_eq!(publisher.phase(), &Phase::Setup);
        assert_eq!(publisher.handle(Event::Start, 0, 0.0), [Command::Publish]);
    }

    #[test]
    fn software_that_takes_over_is_not_fought() {
        let mut publisher = live();
        assert_eq!(publisher.handle(software(), 0, 0.0), [Command::Drop]);
        assert_eq!(publisher.phase(), &Phase::TakenOver);
        assert_eq!(publisher.handle(Event::PeerLost, 0, 0.0), []);
        assert_eq!(publisher.handle(Event::RetryDue, 0, 0.0), []);
    }

    #[test]
    fn a_page_that_reconnects_leaves_the_room_to_software() {
        let mut publisher = live();
        publisher.handle(Event::PeerLost, 0, 0.0);
        publisher.handle(Event::RetryDue, 600, 0.0);
        assert_eq!(publisher.handle(software(), 700, 0.0), [Command::Drop]);
        assert_eq!(publisher.phase(), &Phase::TakenOver);
    }

    #[test]
    fn the_room_can_be_taken_back_from_software() {
        let mut publisher = live();
        publisher.handle(software(), 0, 0.0);
        assert_eq!(publisher.handle(Event::Start, 0, 0.0), [Command::Publish]);
        assert_eq!(publisher.handle(software(), 0, 0.0), []);
        publisher.handle(Event::Connected, 0, 0.0);
        assert_eq!(publisher.handle(software(), 0, 0.0), [], "old news");
        publisher.handle(room(RoomState::Live), 0, 0.0);
        assert_eq!(publisher.phase(), &Phase::Live);
        assert_eq!(publisher.handle(software(), 0, 0.0), [Command::Drop]);
    }
}
