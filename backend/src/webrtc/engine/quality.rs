//! Whether a viewer's path carries the stream.

use std::time::{Duration, Instant};

/// Loss that retransmissions do not keep up with.
const TOO_MUCH: f32 = 0.2;
/// Loss with which pictures are worth sending again.
const BEARABLE: f32 = 0.05;
/// How long it has to be so before something is done about it: less is a hiccup.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a viewer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Diet {
    /// Everything.
    #[default]
    Full,
    /// Sound, and of the pictures the keyframes.
    Keyframes,
    /// Nothing: not even that arrives.
    Nothing,
}

/// Follows what a viewer reports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quality {
    diet: Diet,
    /// Since when the reports have spoken for a change without a break.
    since: Option<Instant>,
}

impl Quality {
    /// Takes a report: the share of packets that was lost, from 0 to 1.
    pub(super) fn report(&mut self, now: Instant, lost: f32) -> Diet {
        let wanted = match self.diet {
            Diet::Full if lost > TOO_MUCH => Diet::Keyframes,
            Diet::Keyframes if lost > TOO_MUCH => Diet::Nothing,
            Diet::Keyframes if lost < BEARABLE => Diet::Full,
            same => same,
        };
        if wanted == self.diet {
            self.since = None;
        } else if now.saturating_duration_since(*self.since.get_or_insert(now)) >= PATIENCE {
            *self = Self {
                diet: wanted,
                since: None,
            };
        }
        self.diet
    }

    /// What the viewer is sent now.
    pub(super) const fn diet(&self) -> Diet {
        self.diet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The diet after a report of this loss each second.
    fn after(quality: &mut Quality, from: Instant, losses: &[f32]) -> Diet {
        for (second, &lost) in (0..).zip(losses) {
            quality.report(from + Duration::from_secs(second), lost);
        }
        quality.diet()
    }

    #[test]
    fn a_hiccup_changes_nothing() {
        let losses = [0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5];
        assert_eq!(
            after(&mut Quality::default(), Instant::now(), &losses),
            Diet::Full
        );
    }

    #[test]
    fn a_path_that_stays_bad_gets_keyframes_then_nothing() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        assert_eq!(after(&mut quality, now, &[0.3; 5]), Diet::Keyframes);
        let later = now + Duration::from_secs(5);
        assert_eq!(after(&mut quality, later, &[0.3; 5]), Diet::Nothing);
    }

    #[test]
    fn a_path_that_recovers_gets_everything_again() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        after(&mut quality, now, &[0.3; 5]);
        let later = now + Duration::from_secs(5);
        assert_eq!(after(&mut quality, later, &[0.1; 9]), Diet::Keyframes);
        let later = now + Duration::from_secs(20);
        assert_eq!(after(&mut quality, later, &[0.01; 5]), Diet::Full);
    }
}
