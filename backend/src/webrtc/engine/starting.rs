//! How a viewer starts: from the newest keyframe on, faster than it plays, until it is live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::fanout::Subscription;
use crate::webrtc::feed::RtpUnit;

/// A viewer has caught up after so many steps, whatever the bit rate: 200 ms.
const STEPS: u64 = 40;
/// Packets of a step at least: 20 Mbit/s.
const MIN_PACE: usize = 10;
/// A viewer that has nothing to show asks for a keyframe this often.
const KEYFRAME_RETRY: Duration = Duration::from_secs(1);

/// A viewer on its way to live.
pub(super) struct Starting {
    units: Subscription<RtpUnit>,
    /// Number of the newest unit it was sent.
    last: u64,
    /// The unit it is being sent, and the next packet of it.
    unit: Option<(Arc<RtpUnit>, usize)>,
    /// Packets of a step, known with the first unit.
    pace: Option<usize>,
    asked: Option<Instant>,
}

/// What a viewer that starts needs next.
#[derive(Debug)]
pub(super) enum Next {
    /// These packets of a unit: the first, and how many at most.
    Packets(Arc<RtpUnit>, usize, usize),
    /// Nothing in this step.
    Enough,
    /// A keyframe to start from.
    NeedsKeyframe,
    /// What comes to all.
    Live,
}

impl Starting {
    pub(super) fn boxed(units: Subscription<RtpUnit>) -> Box<Self> {
        Box::new(Self {
            units,
            last: 0,
            unit: None,
            pace: None,
            asked: None,
        })
    }

    /// What comes after the `sent` packets of this step. `newest` is the number of the unit that came to
    /// all last; `backlog` counts the packets from a unit's first on.
    pub(super) fn next(
        &mut self,
        now: Instant,
        sent: usize,
        newest: Option<u64>,
        backlog: impl Fn(&RtpUnit) -> u64,
    ) -> Next {
        if self.unit.is_none() {
            // What is newer than the newest comes to all who are live.
            if self.pace.is_some() && newest.is_some_and(|newest| self.last >= newest) {
                return Next::Live;
            }
            self.unit = self.units.try_next().map(|delivery| (delivery.unit, 0));
        }
        let Some((unit, from)) = &self.unit else {
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
            let pace = backlog(unit) / STEPS;
            usize::try_from(pace).unwrap_or(MIN_PACE).max(MIN_PACE)
        });
        match pace.saturating_sub(sent) {
            0 => Next::Enough,
            most => Next::Packets(Arc::clone(unit), *from, most),
        }
    }

    /// The unit's packets before `next` are on their way.
    pub(super) fn wrote(&mut self, unit: Arc<RtpUnit>, next: usize) {
        self.last = unit.number;
        self.unit = (next < unit.payloads.len()).then_some((unit, next));
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::picture;
    use super::super::testing::keyframe;
    use super::*;
    use crate::media::fanout::{Fanout, Limits, Start};

    /// A room whose newest keyframe has so many packets, and somebody who starts in it.
    fn room(packets: usize) -> (Fanout<RtpUnit>, Box<Starting>) {
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
            while let Next::Packets(unit, from, most) =
                starting.next(Instant::now(), sent, newest, |_| backlog)
            {
                let next = unit.payloads.len().min(from + most);
                sent += next - from;
                starting.wrote(unit, next);
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
        let mut unit = picture(100, 100);
        unit.number = 2;
        room.publish(Arc::new(unit));
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
