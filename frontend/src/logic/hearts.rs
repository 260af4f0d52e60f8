//! The hearts that float up when somebody likes.

use shared::UnixMillis;

/// One heart on its way up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heart {
    /// Unique on this page.
    pub id: u64,
    /// Where it starts, `0.0..1.0` from left to right of its lane.
    pub x: f64,
    /// How far it sways, `-1.0..1.0`.
    pub sway: f64,
    /// Its size, `0.0..1.0`.
    pub size: f64,
    /// When it starts, in milliseconds after it was made.
    pub delay_ms: u32,
    gone_at: UnixMillis,
}

/// The hearts on the screen: at most [`HeartField::CAPACITY`], whatever the crowd does.
#[derive(Clone, Debug, Default)]
pub struct HeartField {
    hearts: Vec<Heart>,
    next_id: u64,
}

impl HeartField {
    /// Most hearts at once; likes beyond it only count.
    pub const CAPACITY: usize = 16;
    /// How long one heart floats, in milliseconds. The style sheet's animation takes as long.
    pub const FLOAT_MS: u32 = 2_400;
    /// Time between the starts of hearts that came together, in milliseconds.
    const STAGGER_MS: u32 = 80;

    /// The hearts to draw.
    #[must_use]
    pub fn hearts(&self) -> &[Heart] {
        &self.hearts
    }

    /// `likes` came in; makes hearts for as many of them as there is room for.
    pub fn add(&mut self, likes: u64, now: UnixMillis, mut random: impl FnMut() -> f64) {
        self.sweep(now);
        let room = Self::CAPACITY - self.hearts.len();
        let count = usize::try_from(likes).unwrap_or(usize::MAX).min(room);
        for nth in 0..count {
            self.next_id += 1;
            let delay_ms = Self::STAGGER_MS * nth as u32;
            self.hearts.push(Heart {
                id: self.next_id,
                x: random(),
                sway: random() * 2.0 - 1.0,
                size: random(),
                delay_ms,
                gone_at: now + u64::from(delay_ms + Self::FLOAT_MS),
            });
        }
    }

    /// Takes away the hearts that have arrived; returns when the next one will, if any is left.
    pub fn sweep(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        self.hearts.retain(|heart| heart.gone_at > now);
        self.hearts.iter().map(|heart| heart.gone_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_never_makes_more_than_fit() {
        let mut field = HeartField::default();
        field.add(1_000_000, 0, || 0.5);
        field.add(5, 0, || 0.5);
        assert_eq!(field.hearts().len(), HeartField::CAPACITY);
    }

    #[test]
    fn hearts_leave_when_they_have_arrived() {
        let mut field = HeartField::default();
        field.add(2, 1_000, || 0.5);
        let first_gone = 1_000 + u64::from(HeartField::FLOAT_MS);
        assert_eq!(field.sweep(first_gone - 1), Some(first_gone));
        let second_gone = first_gone + u64::from(HeartField::STAGGER_MS);
        assert_eq!(field.sweep(first_gone), Some(second_gone));
        assert_eq!(field.sweep(second_gone), None);
        assert!(field.hearts().is_empty());
    }

    #[test]
    fn ids_are_never_used_again() {
        let mut field = HeartField::default();
        field.add(1, 0, || 0.5);
        let first = field.hearts()[0].id;
        field.add(1, 1_000_000, || 0.5);
        assert_ne!(field.hearts()[0].id, first);
    }
}
