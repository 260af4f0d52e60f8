//! How much of what a viewer is sent gets lost.

use std::time::{Duration, Instant};

/// Reports come once a second, but also with every request for lost packets: then they cover a handful.
const SPAN: Duration = Duration::from_millis(900);
/// Packets that a share of them lost has to be about.
const ENOUGH: u32 = 10;

/// Follows the counts in a viewer's reports (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    before: Option<Counts>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    at: Instant,
    newest: u32,
    lost: i32,
}

impl Loss {
    /// Takes a report: the newest sequence number with its rollovers, and the packets lost in all. Once there
    /// is enough to tell, answers with the share that was lost since it last did, from 0 to 1.
    pub(super) fn report(&mut self, now: Instant, newest: u32, lost: i32) -> Option<f32> {
        let at = now;
        let before = *self.before.get_or_insert(Counts { at, newest, lost });
        let expected = newest.wrapping_sub(before.newest);
        // More than half of the range is a step back.
        let enough = (ENOUGH..u32::MAX / 2).contains(&expected);
        if !enough || now.saturating_duration_since(before.at) < SPAN {
            return None;
        }
        self.before = Some(Counts { at, newest, lost });
        let lost = lost.wrapping_sub(before.lost).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = lost as f32 / expected as f32;
        Some(share.min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_lost_since_the_last_one() {
        let (mut loss, now) = (Loss::default(), Instant::now());
        assert_eq!(loss.report(now, 1_000, 7), None);
        assert_eq!(loss.report(now + SPAN, 1_100, 32), Some(0.25));
        assert_eq!(loss.report(now + 2 * SPAN, 1_200, 32), Some(0.0));
    }

    #[test]
    fn reports_that_come_with_requests_are_joined() {
        let (mut loss, now) = (Loss::default(), Instant::now());
        loss.report(now, 0, 0);
        assert_eq!(loss.report(now + SPAN / 3, 30, 30), None);
        assert_eq!(loss.report(now + SPAN / 2, 60, 30), None);
        assert_eq!(loss.report(now + SPAN, 100, 30), Some(0.3));
    }

    #[test]
    fn a_report_about_nothing_new_says_nothing() {
        let (mut loss, now) = (Loss::default(), Instant::now());
        loss.report(now, 0, 0);
        assert_eq!(loss.report(now + SPAN, 0, 0), None);
        assert_eq!(loss.report(now + 2 * SPAN, ENOUGH, 5), Some(0.5));
    }

    #[test]
    fn numbers_wrap_around_and_packets_that_come_twice_are_no_loss() {
        let (mut loss, now) = (Loss::default(), Instant::now());
        loss.report(now, u32::MAX - 9, 3);
        assert_eq!(loss.report(now + SPAN, 10, 2), Some(0.0));
    }

    #[test]
    fn more_is_never_lost_than_was_sent() {
        let (mut loss, now) = (Loss::default(), Instant::now());
        loss.report(now, 0, 0);
        assert_eq!(loss.report(now + SPAN, ENOUGH, i32::MAX), Some(1.0));
    }
}
