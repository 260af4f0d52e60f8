//! Durations as people read them on a clock.

use shared::UnixMillis;

/// `0:07`, `12:34`, `1:02:03`.
#[must_use]
pub fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The time from `since` to `now` on a clock; `0:00` while the two clocks disagree.
#[must_use]
pub fn between(since: UnixMillis, now: UnixMillis) -> String {
    clock(now.saturating_sub(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_show_only_when_there_are_any() {
        assert_eq!(clock(7_999), "0:07");
        assert_eq!(clock(754_000), "12:34");
        assert_eq!(clock(3_723_000), "1:02:03");
    }

    #[test]
    fn a_start_in_the_future_is_zero() {
        assert_eq!(between(10_000, 9_000), "0:00");
    }
}
