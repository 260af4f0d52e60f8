//! The player's keyboard shortcuts.

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortcut {
    /// Play or pause.
    PlayPause,
    /// Full screen, or back.
    Fullscreen,
    /// The picture as wide as the window, or back.
    Theatre,
    /// Sound on or off.
    Mute,
    /// Louder or quieter by this much of the full volume.
    Volume(f64),
}

/// What has the focus, by the keys that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The page itself.
    Page,
    /// Something to press: the space bar is its own.
    Button,
    /// Something to scroll or slide: the arrows and the space bar are its own.
    Slider,
    /// Somewhere to type or choose: every key is its own.
    Field,
}

/// What `key` (a `KeyboardEvent.key`) does, if anything; `modified` is whether Ctrl, Alt or Meta is
/// held, which makes it the browser's.
#[must_use]
pub fn of_key(key: &str, focus: Focus, modified: bool) -> Option<Shortcut> {
    if modified || focus == Focus::Field {
        return None;
    }
    let arrows_are_free = focus != Focus::Slider;
    match key {
        "k" | "K" => Some(Shortcut::PlayPause),
        "f" | "F" => Some(Shortcut::Fullscreen),
        "t" | "T" => Some(Shortcut::Theatre),
        "m" | "M" => Some(Shortcut::Mute),
        " " if focus == Focus::Page => Some(Shortcut::PlayPause),
        "ArrowUp" if arrows_are_free => Some(Shortcut::Volume(0.1)),
        "ArrowDown" if arrows_are_free => Some(Shortcut::Volume(-0.1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_drive_the_player() {
        assert_eq!(of_key(" ", Focus::Page, false), Some(Shortcut::PlayPause));
        assert_eq!(
            of_key("ArrowDown", Focus::Page, false),
            Some(Shortcut::Volume(-0.1))
        );
        assert_eq!(of_key("t", Focus::Page, false), Some(Shortcut::Theatre));
        assert_eq!(of_key("x", Focus::Page, false), None);
    }

    #[test]
    fn typing_is_left_alone() {
        assert_eq!(of_key("m", Focus::Field, false), None);
        assert_eq!(of_key(" ", Focus::Field, false), None);
    }

    #[test]
    fn a_button_that_was_pressed_keeps_only_the_space_bar() {
        assert_eq!(of_key(" ", Focus::Button, false), None);
        assert_eq!(of_key("m", Focus::Button, false), Some(Shortcut::Mute));
    }

    #[test]
    fn what_scrolls_keeps_its_arrows() {
        assert_eq!(of_key("ArrowUp", Focus::Slider, false), None);
        assert_eq!(
            of_key("f", Focus::Slider, false),
            Some(Shortcut::Fullscreen)
        );
    }

    #[test]
    fn the_browsers_own_shortcuts_stay_its_own() {
        assert_eq!(of_key("f", Focus::Page, true), None);
    }
}
