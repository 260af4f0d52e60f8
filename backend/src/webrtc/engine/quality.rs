//! Whether a viewer's path carries the stream.

use std::time::{Duration, Instant};

use crate::media::access_unit::TrackKind;

/// Loss that retransmissions do not keep up with.
const TOO_MUCH: f32 = 0.2;
/// Loss with which pictures are worth sending again.
const BEARABLE: f32 = 0.05;
/// How long it has to be so before something is done about it: less is a hiccup.
const PATIENCE: Duration = Duration::from_secs(4);
/// While pictures are held back a keyframe is asked for this often: many encoders make none by themselves.
const KEYFRAMES: Duration = Duration::from_secs(2);

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
    /// What the reports have spoken for without a break, and since when.
    wanted: Option<(Diet, Instant)>,
    /// A picture was held back: those after it cannot be decoded, up to the next keyframe.
    broken: bool,
    /// When a keyframe was asked for last.
    asked: Option<Instant>,
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
        let since = self.wanted.filter(|&(diet, _)| diet == wanted);
        let (_, since) = *self.wanted.insert(since.unwrap_or((wanted, now)));
        if now.saturating_duration_since(since) >= PATIENCE {
            (self.diet, self.wanted) = (wanted, None);
        }
        self.diet
    }

    /// Whether the next unit is sent.
    pub(super) fn takes(&mut self, kind: TrackKind, keyframe: bool) -> bool {
        if kind == TrackKind::Audio {
            return self.diet != Diet::Nothing;
        }
        let takes = match self.diet {
            Diet::Full => keyframe || !self.broken,
            Diet::Keyframes => keyframe,
            Diet::Nothing => false,
        };
        self.broken = !takes;
        takes
    }

    /// Whether a keyframe has to be asked for now.
    pub(super) fn wants_keyframe(&mut self, now: Instant) -> bool {
        let asked = self.asked.map(|asked| now.saturating_duration_since(asked));
        let wants = self.broken && asked.is_none_or(|ago| ago >= KEYFRAMES);
        if wants {
            self.asked = Some(now);
        }
        wants
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
        quality.diet
    }

    fn takes(quality: &mut Quality, pictures: &[bool]) -> Vec<bool> {
        let pictures = pictures.iter();
        pictures
            .map(|&keyframe| quality.takes(TrackKind::Video, keyframe))
            .collect()
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

    #[test]
    fn reports_that_contradict_each_other_change_nothing() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        after(&mut quality, now, &[0.3; 5]);
        let later = now + Duration::from_secs(5);
        let losses = [0.3, 0.3, 0.0, 0.3, 0.3, 0.0, 0.3, 0.3];
        assert_eq!(after(&mut quality, later, &losses), Diet::Keyframes);
    }

    #[test]
    fn on_a_bad_path_go_sound_and_keyframes() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        assert_eq!(takes(&mut quality, &[true, false]), [true, true]);
        after(&mut quality, now, &[0.3; 5]);
        assert_eq!(
            takes(&mut quality, &[false, true, false]),
            [false, true, false]
        );
        assert!(quality.takes(TrackKind::Audio, false));
        after(&mut quality, now + Duration::from_secs(5), &[0.3; 5]);
        assert_eq!(takes(&mut quality, &[true]), [false]);
        assert!(!quality.takes(TrackKind::Audio, false));
    }

    #[test]
    fn after_pictures_that_were_held_back_the_next_is_a_keyframe() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        after(&mut quality, now, &[0.3; 5]);
        takes(&mut quality, &[true, false]);
        after(&mut quality, now + Duration::from_secs(5), &[0.01; 5]);
        assert_eq!(
            takes(&mut quality, &[false, true, false]),
            [false, true, true]
        );
    }

    #[test]
    fn keyframes_are_asked_for_while_pictures_are_held_back() {
        let (mut quality, now) = (Quality::default(), Instant::now());
        takes(&mut quality, &[true, false]);
        assert!(!quality.wants_keyframe(now));
        after(&mut quality, now, &[0.3; 5]);
        takes(&mut quality, &[false]);
        assert!(quality.wants_keyframe(now));
        assert!(!quality.wants_keyframe(now + Duration::from_secs(1)));
        assert!(quality.wants_keyframe(now + Duration::from_secs(2)));
    }
}
