//! Gifts as toasts: one a sender and kind, growing while the combo lasts.

use shared::UnixMillis;
use shared::events::Gift;
use shared::limits::GIFT_COMBO_MS;

/// One row of gifts from one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// Unique on this page.
    pub id: u64,
    /// Who gives.
    pub name: String,
    /// Which gift; see [`shared::gift`].
    pub gift_id: u32,
    /// How many so far.
    pub combo: u32,
    sender_id: u64,
    gone_at: UnixMillis,
}

/// The toasts on the screen, the newest last.
#[derive(Clone, Debug, Default)]
pub struct GiftToasts {
    toasts: Vec<Toast>,
    next_id: u64,
}

impl GiftToasts {
    /// Most toasts at once; the one that has waited longest makes room.
    pub const CAPACITY: usize = 3;

    /// The toasts to show.
    #[must_use]
    pub fn toasts(&self) -> &[Toast] {
        &self.toasts
    }

    /// A gift came.
    pub fn add(&mut self, gift: Gift, now: UnixMillis) {
        self.sweep(now);
        let gone_at = now + GIFT_COMBO_MS;
        let same =
            |toast: &&mut Toast| toast.sender_id == gift.sender_id && toast.gift_id == gift.gift_id;
        if let Some(toast) = self.toasts.iter_mut().find(same) {
            toast.combo = gift.combo;
            toast.name = gift.name;
            toast.gone_at = gone_at;
            return;
        }
        if self.toasts.len() == Self::CAPACITY {
            self.toasts.remove(0);
        }
        self.next_id += 1;
        self.toasts.push(Toast {
            id: self.next_id,
            name: gift.name,
            gift_id: gift.gift_id,
            combo: gift.combo,
            sender_id: gift.sender_id,
            gone_at,
        });
    }

    /// Takes away what has been shown long enough; returns when the next one has, if any is left.
    pub fn sweep(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        self.toasts.retain(|toast| toast.gone_at > now);
        self.toasts.iter().map(|toast| toast.gone_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gift(sender_id: u64, gift_id: u32, combo: u32) -> Gift {
        Gift {
            room_key: "r".parse().unwrap(),
            sender_id,
            gift_id,
            gift_count: 1,
            name: format!("sender {sender_id}"),
            combo,
            at: 0,
            author: None,
            extra: Default::default(),
        }
    }

    #[test]
    fn a_combo_grows_in_one_toast() {
        let mut toasts = GiftToasts::default();
        for combo in 1..=3 {
            toasts.add(gift(7, 1, combo), 1_000);
        }
        assert_eq!(toasts.toasts().len(), 1);
        assert_eq!(toasts.toasts()[0].combo, 3);
    }

    #[test]
    fn another_sender_or_gift_is_another_toast() {
        let mut toasts = GiftToasts::default();
        toasts.add(gift(7, 1, 1), 0);
        toasts.add(gift(7, 2, 1), 0);
        toasts.add(gift(8, 1, 1), 0);
        assert_eq!(toasts.toasts().len(), 3);
    }

    #[test]
    fn a_crowd_of_givers_never_covers_the_picture() {
        let mut toasts = GiftToasts::default();
        for sender in 0..100 {
            toasts.add(gift(sender, 1, 1), 0);
        }
        let senders: Vec<_> = toasts
            .toasts()
            .iter()
            .map(|toast| toast.sender_id)
            .collect();
        assert_eq!(senders, [97, 98, 99]);
    }

    #[test]
    fn a_toast_leaves_when_its_combo_has_ended() {
        let mut toasts = GiftToasts::default();
        toasts.add(gift(7, 1, 1), 1_000);
        assert_eq!(
            toasts.sweep(1_000 + GIFT_COMBO_MS - 1),
            Some(1_000 + GIFT_COMBO_MS)
        );
        assert_eq!(toasts.sweep(1_000 + GIFT_COMBO_MS), None);
        assert!(toasts.toasts().is_empty());
    }
}
