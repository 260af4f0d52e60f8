//! How a viewer starts: from the newest keyframe on, faster than it plays, until it is live.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::fanout::Subscription;
use crate::webrtc::burst::Burst;

/// A viewer has caught up after so many steps, whatever the bit rate: 200 ms.
const STEPS: u64 = 40;
/// Packets of a step at least: 20 Mbit/s.
const MIN_PACE: usize = 10;
/// A viewer that has nothing to show asks for a keyframe this often.
const KEYFRAME_RETRY: Duration = Duration::from_secs(1);

/// A viewer on its way to live.
pub(super) struct Starting {
    bursts: Subscription<Burst>,
    /// Number of the newest burst it was sent.
    last: u64,
    /// The burst it is being sent, and the next packet of it.
    burst: Option<(Arc<Burst>, usize)>,
    /// Packets of a step, known with the first burst.
    pace: Option<usize>,
    asked: Option<Instant>,
}

/// What a viewer that starts needs next.
#[derive(Debug)]
pub(super) enum Next {
    /// These packets of a burst.
    Packets(Arc<Burst>, Range<usize>),
    /// Nothing in this step.
    Enough,
    /// A keyframe to start from.
    NeedsKeyframe,
    /// What comes to all.
    Live,
}

impl Starting {
    pub(super) fn boxed(bursts: Subscription<Burst>) -> Box<Self> {
        Box::new(Self {
            bursts,
            last: 0,
            burst: None,
            pace: None,
            asked: None,
        })
    }

    /// What comes after the `sent` packets of this step. `newest` is the number of the burst that came to
    /// all last; `backlog` counts the packets from a burst's first on.
    pub(super) fn next(
        &mut self,
        now: Instant,
        sent: usize,
        newest: Option<u64>,
        backlog: impl Fn(&Burst) -> u64,
    ) -> Next {
        if self.burst.is_none() {
            // What is newer than the newest comes to all who are live.
            if self.pace.is_some() && newest.is_some_and(|newest| self.last >= newest) {
                return Next::Live;
            }
            self.burst = self.bursts.try_next().map(|delivery| (delivery.unit, 0));
        }
        let Some((burst, from)) = &self.burst else {
            let patient = self
                .asked
                .is_some_and(|asked| now.saturating_duration_since(asked) < KEYFRAME_RETRY);
            if self.pace.is_some() || patient {
                return Next::Enough;
            }
            self.asked = Some(now);
            return Next::NeedsKeyframe;
        };
        let pace = *self.pace.get_or_insert_with(|| {
            let pace = backlog(burst) / STEPS;
            usize::try_from(pace).unwrap_or(MIN_PACE).max(MIN_PACE)
        });
        match pace.saturating_sub(sent) {
            0 => Next::Enough,
            most => {
                let end = burst.packets().min(from + most);
                Next::Packets(Arc::clone(burst), *from..end)
            }
        }
    }

    /// The burst's packets before `next` are on their way.
    pub(super) fn wrote(&mut self, burst: Arc<Burst>, next: usize) {
        self.last = burst.number;
        self.burst = (next < burst.packets()).then_some((burst, next));
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::picture;
    use super::super::testing::keyframe;
    use super::*;
    use crate::media::fanout::{Fanout, Limits, Start};

    /// A room whose newest keyframe has so many packets, and somebody who starts in it.
    fn room(packets: usize) -> (Fanout<Burst>, Box<Starting>) {
        let fanout = Fanout::new(Limits::default());
        if packets > 0 {
            fanout.publish(Arc::new(keyframe(1, packets)));
        }
        let starting = Starting::boxed(fanout.subscribe(Start::Newest {
            max_age: Duration::from_secs(1),
        }));
        (fanout, starting)
    }

    /// Packets of each step until the viewer is live or has to wait.
    fn steps(starting: &mut Starting, newest: Option<u64>, backlog: u64) -> Vec<usize> {
        let mut steps = Vec::new();
        loop {
            let mut sent = 0;
            while let Next::Packets(burst, packets) =
                starting.next(Instant::now(), sent, newest, |_| backlog)
            {
                sent += packets.len();
                starting.wrote(burst, packets.end);
            }
            if sent == 0 {
                return steps;
            }
            steps.push(sent);
        }
    }

    fn is_live(starting: &mut Starting, newest: Option<u64>) -> bool {
        matches!(starting.next(Instant::now(), 0, newest, |_| 0), Next::Live)
    }

    #[test]
    fn a_large_keyframe_goes_in_steps() {
        let (_room, mut starting) = room(25);
        assert_eq!(steps(&mut starting, Some(1), 25), [10, 10, 5]);
        assert!(is_live(&mut starting, Some(1)));
    }

    #[test]
    fn a_long_backlog_goes_faster() {
        let (_room, mut starting) = room(100);
        assert_eq!(steps(&mut starting, Some(1), 1_200), [30, 30, 30, 10]);
    }

    #[test]
    fn a_viewer_is_live_once_it_has_what_the_others_have() {
        let (room, mut starting) = room(2);
        let mut picture = picture(100, 100);
        picture.number = 2;
        room.publish(Arc::new(picture));
        assert_eq!(steps(&mut starting, None, 3), [3], "nobody else is there");
        assert!(!is_live(&mut starting, None));
        assert!(!is_live(&mut starting, Some(3)));
        assert!(is_live(&mut starting, Some(2)));
    }

    #[test]
    fn a_keyframe_is_asked_for_once_a_second() {
        let (room, mut starting) = room(0);
        let now = Instant::now();
        let mut asks = |after| {
            let next = starting.next(now + Duration::from_millis(after), 0, Some(9), |_| 0);
            matches!(next, Next::NeedsKeyframe)
        };
        let asked = [asks(0), asks(5), asks(999), asks(1_000), asks(1_005)];
        assert_eq!(asked, [true, false, false, true, false]);
        room.publish(Arc::new(keyframe(10, 3)));
        assert_eq!(steps(&mut starting, Some(10), 3), [3]);
    }
}
