//! The player's keyboard shortcuts.

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortcut {
    /// Play or pause.
    PlayPause,
    /// Full screen, or back.
    Fullscreen,
    /// Sound on or off.
    Mute,
    /// Louder or quieter by this much of the full volume.
    Volume(f64),
}

/// What `key` (a `KeyboardEvent.key`) does, if anything.
///
/// `typing` is whether the focus is where keys write or choose something, and `modified` whether
/// Ctrl, Alt or Meta is held: both leave the key to whom it belongs.
#[must_use]
pub fn of_key(key: &str, typing: bool, modified: bool) -> Option<Shortcut> {
    if typing || modified {
        return None;
    }
    match key {
        " " | "k" | "K" => Some(Shortcut::PlayPause),
        "f" | "F" => Some(Shortcut::Fullscreen),
        "m" | "M" => Some(Shortcut::Mute),
        "ArrowUp" => Some(Shortcut::Volume(0.1)),
        "ArrowDown" => Some(Shortcut::Volume(-0.1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_drive_the_player() {
        assert_eq!(of_key(" ", false, false), Some(Shortcut::PlayPause));
        assert_eq!(
            of_key("ArrowDown", false, false),
            Some(Shortcut::Volume(-0.1))
        );
        assert_eq!(of_key("x", false, false), None);
    }

    #[test]
    fn typing_is_left_alone() {
        assert_eq!(of_key("m", true, false), None);
        assert_eq!(of_key("f", false, true), None, "Ctrl+F is the browser's");
    }
}
