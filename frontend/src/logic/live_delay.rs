//! How a player of segments stays close to live.

/// Where the player is; all in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Behind the newest that the server has.
    pub behind: f64,
    /// How far behind the server wants players to be.
    pub target: f64,
    /// Fetched and not played yet.
    pub buffered: f64,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Play at this rate.
    Rate(f64),
    /// Too far behind to catch up: go to the newest.
    Jump,
}

/// Fastest playback: more would be heard.
pub const FASTEST: f64 = 1.08;
/// With less in the buffer than this nothing is hurried, in seconds.
const BUFFER_FLOOR: f64 = 0.4;
/// Catching up begins this much behind the target, in seconds, and ends at [`CLOSE`].
const LATE: f64 = 0.5;
/// See [`LATE`].
const CLOSE: f64 = 0.1;
/// This much behind the target catching up would take a minute, in seconds.
const LOST: f64 = 5.0;
/// From this much behind the target on a viewer may want to jump, in seconds.
const WORTH_A_JUMP: f64 = 2.5;

/// The pace at `position` for a player whose rate is `rate`: one that is catching up goes on until it is
/// close, so that the rate does not flutter.
#[must_use]
pub fn pace(rate: f64, position: Position) -> Pace {
    let excess = position.behind - position.target;
    if excess > LOST {
        return Pace::Jump;
    }
    let enough = if rate > 1.0 { CLOSE } else { LATE };
    if position.buffered < BUFFER_FLOOR || excess < enough || !excess.is_finite() {
        return Pace::Rate(1.0);
    }
    // In steps of a hundredth: each change of the rate costs the browser's audio resampler a little.
    let hurry = (excess * 0.05).clamp(0.02, FASTEST - 1.0);
    Pace::Rate(1.0 + (hurry * 100.0).round() / 100.0)
}

/// The pace of a player that has just begun: nobody misses what it skips, so it goes to where it belongs.
#[must_use]
pub fn first_pace(position: Position) -> Pace {
    if position.behind - position.target > LATE {
        Pace::Jump
    } else {
        Pace::Rate(1.0)
    }
}

/// Whether to offer a way back to live.
#[must_use]
pub fn is_late(position: Position) -> bool {
    position.behind - position.target > WORTH_A_JUMP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(behind: f64, buffered: f64) -> Position {
        Position {
            behind,
            target: 1.0,
            buffered,
        }
    }

    #[test]
    fn a_player_on_time_plays_at_the_normal_rate() {
        assert_eq!(pace(1.0, at(1.0, 1.0)), Pace::Rate(1.0));
        assert_eq!(pace(1.0, at(1.4, 1.4)), Pace::Rate(1.0), "a little late");
        assert_eq!(pace(1.0, at(0.2, 1.0)), Pace::Rate(1.0), "early");
    }

    #[test]
    fn a_late_player_hurries_until_it_is_close() {
        let Pace::Rate(rate) = pace(1.0, at(1.6, 1.6)) else {
            panic!("it jumps");
        };
        assert!(rate > 1.0);
        assert!(matches!(pace(rate, at(1.3, 1.3)), Pace::Rate(rate) if rate > 1.0));
        assert_eq!(pace(rate, at(1.05, 1.05)), Pace::Rate(1.0));
    }

    #[test]
    fn nobody_plays_faster_than_the_fastest() {
        for tenths in 0..60 {
            let position = at(f64::from(tenths) / 10.0, 5.0);
            if let Pace::Rate(rate) = pace(1.0, position) {
                assert!((1.0..=FASTEST).contains(&rate), "{rate} at {position:?}");
            }
        }
        assert_eq!(pace(1.0, at(6.0, 5.0)), Pace::Rate(FASTEST));
    }

    #[test]
    fn a_short_buffer_is_not_hurried() {
        assert_eq!(pace(1.05, at(3.0, 0.3)), Pace::Rate(1.0));
    }

    #[test]
    fn a_player_that_slept_jumps() {
        assert_eq!(pace(1.0, at(60.0, 0.0)), Pace::Jump);
    }

    #[test]
    fn a_player_that_begins_too_late_jumps_at_once() {
        assert_eq!(first_pace(at(2.0, 1.0)), Pace::Jump);
        assert_eq!(first_pace(at(1.2, 1.0)), Pace::Rate(1.0));
        assert_eq!(first_pace(at(f64::NAN, 1.0)), Pace::Rate(1.0));
    }

    #[test]
    fn unknown_delays_change_nothing() {
        assert_eq!(pace(1.0, at(f64::NAN, 2.0)), Pace::Rate(1.0));
        assert!(!is_late(at(f64::NAN, 2.0)));
    }

    #[test]
    fn drift_is_undone_and_stays_undone() {
        // An hour of a player whose clock is slow by a thousandth, in steps of half a second.
        let (mut rate, mut behind) = (1.0, 1.0);
        for _ in 0..7_200 {
            if let Pace::Rate(next) = pace(rate, at(behind, behind)) {
                rate = next;
            }
            behind += 0.5 * (1.0 - rate * 0.999);
            assert!(behind < 1.6, "{behind} s behind");
        }
    }
}
