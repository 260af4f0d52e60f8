//! When a socket is read that nobody is woken for.
//!
//! To be woken for a report costs several times what is done with it. A worker that sends a broadcast to many
//! is awake with each picture anyway. So while nobody there waits for an answer its socket is not watched: it
//! is read after each burst or, where the publisher's packets come to it, when the next picture should be
//! there. Network cards moderate their interrupts for the same reason.

use std::mem;
use std::time::{Duration, Instant};

use super::beat::Beat;
use crate::media::time::MediaTime;

/// A socket is watched for so long after somebody came or asked for something.
const ATTENTION: Duration = Duration::from_secs(3);
/// A socket is watched again if no burst came for so long. While they come this timer must not be due within
/// 64 ms: for those tokio may wake the thread once more, before they are due.
const PATIENCE: Duration = Duration::from_millis(200);
/// What may pass from reading a picture to its burst, which is made on the same thread.
const CHAIN: Duration = Duration::from_millis(2);
/// A publisher's packets come to a socket if the last of them is no older than this.
const FED: Duration = Duration::from_millis(200);

/// How a socket is read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whenever something comes.
    Watched,
    /// After the next burst, or at this moment if none comes before.
    At(Instant),
}

/// Decides how a worker's socket is read.
#[derive(Debug)]
pub(super) struct Moderation {
    state: State,
    attentive_until: Instant,
    /// When the last packet of a publisher came.
    fed: Option<Instant>,
    beat: Beat,
    /// What came meanwhile is to be read.
    look: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Watched,
    /// Left alone until then.
    Resting(Instant),
    /// A picture should have been read, and make a burst until then.
    Expecting(Instant),
}

impl Moderation {
    /// The socket is watched at first.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: State::Watched,
            attentive_until: now,
            fed: None,
            beat: Beat::default(),
            look: false,
        }
    }

    /// How the socket is read now.
    pub(super) fn reading(&self) -> Reading {
        match self.state {
            State::Watched => Reading::Watched,
            State::Resting(until) | State::Expecting(until) => Reading::At(until),
        }
    }

    /// Somebody waits for an answer, or soon will.
    pub(super) fn attend(&mut self, now: Instant) {
        self.attentive_until = now + ATTENTION;
        self.state = State::Watched;
    }

    /// A publisher's packet was read.
    pub(super) fn feed(&mut self, now: Instant) {
        self.fed = Some(now);
    }

    /// A burst is sent to many; if a picture is in it, that is `at` this time of its broadcast.
    pub(super) fn burst(&mut self, now: Instant, at: Option<MediaTime>) {
        let until = if self.is_fed(now) {
            let Some(at) = at else { return };
            if matches!(self.state, State::Resting(_)) {
                // What is read here and what is sent have nothing to do with each other.
                self.beat = Beat::default();
                return self.attend(now);
            }
            self.beat.picture(now, at, self.state == State::Watched);
            self.beat.next().filter(|&next| next > now)
        } else {
            self.look = true;
            Some(now + PATIENCE)
        };
        self.state = match until.filter(|_| now >= self.attentive_until) {
            Some(until) => State::Resting(until),
            None => State::Watched,
        };
    }

    /// It is the moment that [`Moderation::reading`] named.
    pub(super) fn is_due(&mut self, now: Instant) {
        self.state = match self.state {
            State::Resting(_) if self.is_fed(now) => {
                self.look = true;
                State::Expecting(now + CHAIN)
            }
            _ => State::Watched,
        };
    }

    /// Whether to read now what came meanwhile; says so once.
    pub(super) fn takes_a_look(&mut self) -> bool {
        mem::take(&mut self.look)
    }

    fn is_fed(&self, now: Instant) -> bool {
        self.fed.is_some_and(|fed| now < fed + FED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_micros(33_333);

    /// A worker's time, and how its socket is read.
    struct Worker {
        start: Instant,
        moderation: Moderation,
    }

    impl Worker {
        fn new() -> Self {
            let start = Instant::now();
            let moderation = Moderation::new(start);
            Self { start, moderation }
        }

        /// A picture's burst of a publisher at another socket.
        fn burst(&mut self, number: u32) -> Reading {
            self.burst_at(self.start + INTERVAL * number, number)
        }

        /// The same of a publisher at this one: its packets come, are read and sent.
        fn picture(&mut self, number: u32) -> Reading {
            let comes = self.start + INTERVAL * number;
            let mut now = comes;
            while let Reading::At(at) = self.moderation.reading()
                && !matches!(self.moderation.state, State::Expecting(until) if until > comes)
            {
                now = comes.max(at);
                self.moderation.is_due(at);
            }
            self.moderation.feed(now);
            self.burst_at(now, number)
        }

        fn burst_at(&mut self, now: Instant, number: u32) -> Reading {
            let at = MediaTime::from(INTERVAL * number);
            self.moderation.burst(now, Some(at));
            self.moderation.reading()
        }
    }

    #[test]
    fn a_socket_is_watched_while_nothing_is_sent() {
        assert_eq!(Worker::new().moderation.reading(), Reading::Watched);
    }

    #[test]
    fn with_each_burst_what_came_is_read_and_the_socket_left_alone() {
        let mut worker = Worker::new();
        for number in 0..3 {
            let until = worker.start + INTERVAL * number + PATIENCE;
            assert_eq!(worker.burst(number), Reading::At(until));
            assert!(worker.moderation.takes_a_look());
            assert!(!worker.moderation.takes_a_look(), "once");
        }
    }

    #[test]
    fn without_bursts_it_is_watched_again() {
        let mut worker = Worker::new();
        worker.burst(0);
        worker.moderation.is_due(worker.start + PATIENCE);
        assert_eq!(worker.moderation.reading(), Reading::Watched);
    }

    #[test]
    fn it_is_watched_while_somebody_waits_for_an_answer() {
        let mut worker = Worker::new();
        worker.burst(0);
        worker.moderation.attend(worker.start);
        for number in 0..90 {
            assert_eq!(worker.burst(number), Reading::Watched, "{number}");
        }
        assert_ne!(worker.burst(91), Reading::Watched);
    }

    #[test]
    fn a_publishers_packets_are_read_when_its_next_picture_should_be_there() {
        let mut worker = Worker::new();
        for number in 0..100 {
            worker.picture(number);
        }
        let Reading::At(at) = worker.moderation.reading() else {
            panic!("it is watched");
        };
        let next = worker.start + INTERVAL * 100;
        let off = at.max(next) - at.min(next);
        assert!(off < Duration::from_millis(3), "{off:?}");
        worker.moderation.takes_a_look();
        worker.moderation.is_due(at);
        assert!(worker.moderation.takes_a_look());
    }

    #[test]
    fn a_picture_that_is_not_there_in_time_is_waited_for() {
        let mut worker = Worker::new();
        for number in 0..100 {
            worker.picture(number);
        }
        for _ in 0..2 {
            let Reading::At(at) = worker.moderation.reading() else {
                panic!("it is watched");
            };
            worker.moderation.is_due(at);
        }
        assert_eq!(worker.moderation.reading(), Reading::Watched);
    }

    #[test]
    fn a_publisher_whose_packets_are_not_what_is_sent_is_not_kept_waiting() {
        let mut worker = Worker::new();
        worker.picture(0);
        worker.picture(1);
        assert_ne!(worker.picture(2), Reading::Watched);
        let early = worker.start + INTERVAL * 2 + INTERVAL / 2;
        assert_eq!(worker.burst_at(early, 3), Reading::Watched);
        assert_eq!(worker.picture(4), Reading::Watched);
    }
}
