//! How good the picture of a camera is to be.

/// Resolution and bit rate that go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// For slow lines and full batteries.
    Low,
    /// What every line and every device of today can do.
    #[default]
    Standard,
    /// For fast lines and fast devices.
    High,
}

impl Quality {
    /// All of them, best first, as in the list.
    pub const ALL: [Self; 3] = [Self::High, Self::Standard, Self::Low];

    /// What the list calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::High => "High: 1080p, 4.5 Mbit/s",
            Self::Standard => "Standard: 720p, 2.5 Mbit/s",
            Self::Low => "Saves data: 360p, 0.7 Mbit/s",
        }
    }

    /// Its name where it is remembered.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Standard => "standard",
            Self::Low => "low",
        }
    }

    /// The quality of this name; anything else is [`Quality::Standard`].
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|quality| quality.name() == name);
        named.unwrap_or_default()
    }

    /// Width and height to ask a camera for, in pixels.
    #[must_use]
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::High => (1_920, 1_080),
            Self::Standard => (1_280, 720),
            Self::Low => (640, 360),
        }
    }

    /// Most that the picture may use, in bits per second.
    #[must_use]
    pub const fn max_bitrate(self) -> u32 {
        match self {
            Self::High => 4_500_000,
            Self::Standard => 2_500_000,
            Self::Low => 700_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_are_remembered_by_name() {
        for quality in Quality::ALL {
            assert_eq!(Quality::of_name(quality.name()), quality);
        }
        assert_eq!(Quality::of_name("8k"), Quality::Standard);
    }

    #[test]
    fn each_quality_is_better_than_the_next_in_the_list() {
        for pair in Quality::ALL.windows(2) {
            assert!(pair[0].size() > pair[1].size());
            assert!(pair[0].max_bitrate() > pair[1].max_bitrate());
        }
    }
}
