//! The gifts there are. The 2016 app knows the first three by number and brings its own pictures.

/// One kind of gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// `giftId` on the wire.
    pub id: u32,
    /// What it is called.
    pub name: &'static str,
    /// What it looks like.
    pub emoji: &'static str,
}

/// Every gift, in the order in which the page offers them.
pub const GIFTS: [Gift; 6] = [
    Gift {
        id: 1,
        name: "Rose",
        emoji: "🌹",
    },
    Gift {
        id: 2,
        name: "Coffee",
        emoji: "☕",
    },
    Gift {
        id: 3,
        name: "Present",
        emoji: "🎁",
    },
    Gift {
        id: 4,
        name: "Balloon",
        emoji: "🎈",
    },
    Gift {
        id: 5,
        name: "Rocket",
        emoji: "🚀",
    },
    Gift {
        id: 6,
        name: "Crown",
        emoji: "👑",
    },
];

/// The gift with this `giftId`, if there is one.
#[must_use]
pub fn by_id(id: u32) -> Option<Gift> {
    GIFTS.into_iter().find(|gift| gift.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_found() {
        for gift in GIFTS {
            assert_eq!(by_id(gift.id), Some(gift));
        }
        assert_eq!(by_id(0), None);
    }
}
