//! What the host's tools and those they meet are told, in words.

use shared::UnixMillis;
use shared::limits::{WORD_CHARS, WORDS};
use shared::text::{self, Field};

use super::elapsed;

/// How long a time-out from the chat is, in seconds.
pub const TIMEOUT_SECONDS: u32 = 10 * 60;

/// What slow mode may be set to, in seconds.
pub const SLOW_MODES: [u32; 7] = [0, 5, 10, 30, 60, 120, 300];

/// A slow mode in words.
#[must_use]
pub fn slow_mode(seconds: u32) -> String {
    match seconds {
        0 => "Off".to_owned(),
        60 => "1 minute".to_owned(),
        _ if seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        _ => format!("{seconds} seconds"),
    }
}

/// How long it is until `until`: a clock within a day, else days. `None` once it is over.
#[must_use]
pub fn left(until: UnixMillis, now: UnixMillis) -> Option<String> {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let left = until.checked_sub(now).filter(|left| *left > 0)?;
    // Rounded up: while there is something left it is not 0:00.
    Some(match left {
        DAY.. => format!("{} days", left.div_ceil(DAY)),
        _ => elapsed::clock(left.div_ceil(1_000) * 1_000),
    })
}

/// Adds what a person typed, separated by commas, to the list of blocked words.
///
/// # Errors
/// A sentence, when one of them does not fit.
pub fn add_words(words: &[String], typed: &str) -> Result<Vec<String>, String> {
    let mut all = words.to_vec();
    for word in typed.split(',').filter(|word| !word.trim().is_empty()) {
        let word = text::check(Field::Word, word).map_err(|error| error.to_string())?;
        if !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    if all.len() > WORDS {
        return Err(format!("At most {WORDS} words can be blocked."));
    }
    Ok(all)
}

/// Longest list that a person can type at once.
pub const TYPED_CHARS: usize = 4 * WORD_CHARS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_modes_are_named_in_their_unit() {
        let named: Vec<_> = SLOW_MODES.into_iter().map(slow_mode).collect();
        let expected = [
            "Off",
            "5 seconds",
            "10 seconds",
            "30 seconds",
            "1 minute",
            "2 minutes",
            "5 minutes",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn what_is_left_of_a_time_out_is_never_nothing_before_its_end() {
        assert_eq!(left(600_000, 0).as_deref(), Some("10:00"));
        assert_eq!(left(600_000, 599_999).as_deref(), Some("0:01"));
        assert_eq!(left(600_000, 600_000), None);
        assert_eq!(left(36 * 60 * 60 * 1_000, 0).as_deref(), Some("2 days"));
    }

    #[test]
    fn several_words_are_added_at_once_and_each_one_once() {
        let words = add_words(&["spam".to_owned()], " eggs, spam,, bacon ").unwrap();
        assert_eq!(words, ["spam", "eggs", "bacon"]);
    }

    #[test]
    fn a_word_that_does_not_fit_is_said_to_be_too_long() {
        let error = add_words(&[], &"x".repeat(WORD_CHARS + 1)).unwrap_err();
        assert!(error.contains("at most 32"), "{error}");
        let many = vec!["x".to_owned(); WORDS];
        assert!(add_words(&many, "more").is_err());
    }
}
