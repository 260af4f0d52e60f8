//! When to ask a publisher for a keyframe.

use std::time::Duration;

use super::time::MediaTime;

/// The shortest time between two requests. However many viewers come, the publisher's encoder is not
/// made to send nothing but keyframes.
pub const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// Joins the wishes of many viewers into few requests.
#[derive(Debug, Default)]
pub struct KeyframeRequests {
    wanted: bool,
    last: Option<MediaTime>,
}

/// What is to be done about the wishes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing until somebody wants one.
    Idle,
    /// Ask again at this time.
    WaitUntil(MediaTime),
    /// Send the request now.
    Send,
}

impl KeyframeRequests {
    /// A viewer needs a keyframe.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// A keyframe came: everybody who was waiting has one.
    pub fn arrived(&mut self) {
        self.wanted = false;
    }

    /// What to do at `now`.
    pub fn poll(&mut self, now: MediaTime) -> Action {
        if !self.wanted {
            return Action::Idle;
        }
        let due = self.last.map(|last| last + MIN_INTERVAL.into());
        match due.filter(|&due| now < due) {
            Some(due) => Action::WaitUntil(due),
            None => {
                self.wanted = false;
                self.last = Some(now);
                Action::Send
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> MediaTime {
        MediaTime::from_micros(ms * 1_000)
    }

    #[test]
    fn the_first_wish_is_sent_at_once() {
        let mut requests = KeyframeRequests::default();
        assert_eq!(requests.poll(ms(0)), Action::Idle);
        requests.want();
        assert_eq!(requests.poll(ms(0)), Action::Send);
        assert_eq!(requests.poll(ms(0)), Action::Idle);
    }

    #[test]
    fn wishes_within_half_a_second_become_one_request() {
        let mut requests = KeyframeRequests::default();
        requests.want();
        requests.poll(ms(0));
        for at in [10, 100, 499] {
            requests.want();
            assert_eq!(requests.poll(ms(at)), Action::WaitUntil(ms(500)));
        }
        assert_eq!(requests.poll(ms(500)), Action::Send);
        assert_eq!(requests.poll(ms(2_000)), Action::Idle);
    }

    #[test]
    fn a_keyframe_fulfils_all_wishes() {
        let mut requests = KeyframeRequests::default();
        requests.want();
        requests.poll(ms(0));
        requests.want();
        requests.arrived();
        assert_eq!(requests.poll(ms(600)), Action::Idle);
    }
}
