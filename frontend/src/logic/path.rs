//! Which way a broadcast comes to a viewer.

/// The way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// WHEP: well under a second behind.
    WebRtc,
    /// LL-HLS: a second or two behind; passes wherever web pages do.
    Hls,
}

/// What the viewer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathChoice {
    /// WebRTC where it works.
    #[default]
    Automatic,
    /// WebRTC or nothing.
    WebRtc,
    /// LL-HLS from the start.
    Hls,
}

impl PathChoice {
    /// All of them, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Automatic, Self::WebRtc, Self::Hls];

    /// What the menu calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Automatic => "Automatic",
            Self::WebRtc => "Lowest delay (WebRTC)",
            Self::Hls => "Most compatible (HLS)",
        }
    }

    /// Its name where it is remembered.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::WebRtc => "webrtc",
            Self::Hls => "hls",
        }
    }

    /// The choice of this name; anything else is [`PathChoice::Automatic`].
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|choice| choice.name() == name);
        named.unwrap_or_default()
    }
}

/// What is in the way of WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// This broadcast: B-frames, or a codec that the browser lacks.
    Format,
    /// This viewer's network or browser.
    Network,
    /// Unknown; it failed too often.
    Failures,
}

/// Finds the path, and another one where that fails.
#[derive(Clone, Debug, Default)]
pub struct PathFinder {
    choice: PathChoice,
    obstacle: Option<Obstacle>,
    failures: u8,
}

impl PathFinder {
    /// So many failures in a row, and the other path is taken.
    const MOST_FAILURES: u8 = 3;

    /// The viewer's own choice from the start.
    #[must_use]
    pub fn new(choice: PathChoice) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }

    /// The path to take now.
    #[must_use]
    pub const fn path(&self) -> Path {
        match (self.choice, self.obstacle) {
            (PathChoice::WebRtc, _) | (PathChoice::Automatic, None) => Path::WebRtc,
            (PathChoice::Hls, _) | (PathChoice::Automatic, Some(_)) => Path::Hls,
        }
    }

    /// The viewer chose; what was in the way is tried again. Returns whether the path is another now.
    pub fn choose(&mut self, choice: PathChoice) -> bool {
        self.change(|finder| *finder = Self::new(choice))
    }

    /// WebRTC cannot carry this broadcast. Returns whether the path is another now.
    pub fn format_refused(&mut self) -> bool {
        self.change(|finder| finder.obstacle = Some(Obstacle::Format))
    }

    /// No packet of WebRTC comes through. Returns whether the path is another now.
    pub fn blocked(&mut self) -> bool {
        self.change(|finder| finder.obstacle = Some(Obstacle::Network))
    }

    /// A session broke. Returns whether the path is another now.
    pub fn failed(&mut self) -> bool {
        self.failures += 1;
        if self.failures < Self::MOST_FAILURES {
            return false;
        }
        self.failures = 0;
        self.change(|finder| {
            finder.obstacle = match finder.obstacle {
                None => Some(Obstacle::Failures),
                // WebRTC would be refused again.
                Some(Obstacle::Format) => Some(Obstacle::Format),
                Some(Obstacle::Network | Obstacle::Failures) => None,
            };
        })
    }

    /// A session has played for a while.
    pub fn is_steady(&mut self) {
        self.failures = 0;
    }

    /// WebRTC could carry this broadcast now. Returns whether the path is another now.
    pub fn format_suits(&mut self) -> bool {
        self.change(|finder| {
            if finder.obstacle == Some(Obstacle::Format) {
                finder.obstacle = None;
            }
        })
    }

    /// Somebody or something else broadcasts now; `suits`: what WebRTC may carry. Returns whether the path is
    /// another now.
    pub fn another_broadcast(&mut self, suits: bool) -> bool {
        self.failures = 0;
        self.change(|finder| match finder.obstacle {
            Some(Obstacle::Format) if !suits => {}
            Some(Obstacle::Network) => {}
            _ => finder.obstacle = None,
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut Self)) -> bool {
        let before = self.path();
        change(self);
        self.path() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webrtc_comes_first() {
        assert_eq!(PathFinder::default().path(), Path::WebRtc);
    }

    #[test]
    fn what_webrtc_cannot_carry_comes_by_hls_until_something_else_is_broadcast() {
        let mut finder = PathFinder::default();
        assert!(finder.format_refused());
        assert_eq!(finder.path(), Path::Hls);
        assert!(!finder.another_broadcast(false));
        assert!(finder.another_broadcast(true));
        assert_eq!(finder.path(), Path::WebRtc);
        finder.format_refused();
        assert!(finder.format_suits());
        assert_eq!(finder.path(), Path::WebRtc);
    }

    #[test]
    fn a_network_that_blocks_webrtc_blocks_the_next_broadcast_too() {
        let mut finder = PathFinder::default();
        assert!(finder.blocked());
        assert!(!finder.another_broadcast(true));
        assert!(!finder.format_suits());
        assert_eq!(finder.path(), Path::Hls);
    }

    #[test]
    fn three_failures_in_a_row_change_the_path() {
        let mut finder = PathFinder::default();
        assert_eq!(
            [finder.failed(), finder.failed(), finder.failed()],
            [false, false, true]
        );
        assert_eq!(finder.path(), Path::Hls);
    }

    #[test]
    fn failures_before_a_steady_session_are_forgotten() {
        let mut finder = PathFinder::default();
        finder.failed();
        finder.failed();
        finder.is_steady();
        assert!(!finder.failed());
    }

    #[test]
    fn where_hls_fails_as_well_webrtc_gets_another_chance() {
        let mut finder = PathFinder::default();
        finder.blocked();
        finder.failed();
        finder.failed();
        assert!(finder.failed());
        assert_eq!(finder.path(), Path::WebRtc);
    }

    #[test]
    fn failures_of_hls_do_not_make_webrtc_carry_b_frames() {
        let mut finder = PathFinder::default();
        finder.format_refused();
        for _ in 0..10 {
            assert!(!finder.failed());
        }
    }

    #[test]
    fn a_viewers_choice_holds() {
        let mut finder = PathFinder::new(PathChoice::WebRtc);
        assert!(!finder.format_refused());
        assert!(!finder.blocked());
        assert!(finder.choose(PathChoice::Hls));
        assert!(!finder.another_broadcast(true));
        assert_eq!(finder.path(), Path::Hls);
        assert!(finder.choose(PathChoice::Automatic));
        assert_eq!(finder.path(), Path::WebRtc);
    }

    #[test]
    fn choices_are_remembered_by_name() {
        for choice in PathChoice::ALL {
            assert_eq!(PathChoice::of_name(choice.name()), choice);
        }
        assert_eq!(PathChoice::of_name("pigeon"), PathChoice::Automatic);
    }
}
