//! What a title, a name or a comment may look like. The page and the server ask the same function.

use crate::limits;

/// The fields a person fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A room's title.
    Title,
    /// A person's name in the chat.
    Name,
    /// A comment's text.
    Comment,
    /// A word that nobody may say.
    Word,
}

impl Field {
    /// Longest accepted text, in Unicode scalar values.
    #[must_use]
    pub const fn max_chars(self) -> usize {
        match self {
            Self::Title => limits::TITLE_CHARS,
            Self::Name => limits::NAME_CHARS,
            Self::Comment => limits::COMMENT_CHARS,
            Self::Word => limits::WORD_CHARS,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Name => "name",
            Self::Comment => "comment",
            Self::Word => "word",
        }
    }
}

/// Why a text was refused. `Display` is a sentence for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("The {} is empty: please type something.", .0.noun())]
    Empty(Field),
    /// Too many characters.
    #[error("The {} has {actual} characters; at most {} are allowed.", .field.noun(), .field.max_chars())]
    TooLong {
        /// Which text.
        field: Field,
        /// How many Unicode scalar values it has after trimming.
        actual: usize,
    },
    /// A control character, or one that reorders the text around it.
    #[error("The {} contains an invisible control character: please remove it.", .0.noun())]
    ControlCharacter(Field),
}

/// Trims `text` and checks it against the rules of `field`.
///
/// Markup is not looked at: text is shown as text, so `<b>` is four harmless characters.
///
/// # Errors
/// [`TextError`] when nothing is left, too much is left, or it holds control characters.
pub fn check(field: Field, text: &str) -> Result<&str, TextError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TextError::Empty(field));
    }
    if text.chars().any(is_forbidden) {
        return Err(TextError::ControlCharacter(field));
    }
    let actual = text.chars().count();
    if actual > field.max_chars() {
        return Err(TextError::TooLong { field, actual });
    }
    Ok(text)
}

/// Control characters (Unicode category Cc), and the bidirectional overrides and isolates (UAX #9) with
/// which one person's text could rearrange the line it is shown in.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_is_trimmed() {
        assert_eq!(check(Field::Comment, "  hi there \n"), Ok("hi there"));
    }

    #[test]
    fn markup_is_just_text() {
        let markup = "<img src=x onerror=alert(1)>";
        assert_eq!(check(Field::Comment, markup), Ok(markup));
    }

    #[test]
    fn an_empty_text_is_refused() {
        assert_eq!(
            check(Field::Name, " \t "),
            Err(TextError::Empty(Field::Name))
        );
    }

    #[test]
    fn length_is_counted_in_characters_not_bytes() {
        let longest = "ü".repeat(limits::NAME_CHARS);
        assert_eq!(check(Field::Name, &longest), Ok(longest.as_str()));
        let longer = longest + "ü";
        let error = check(Field::Name, &longer).unwrap_err();
        assert_eq!(
            error,
            TextError::TooLong {
                field: Field::Name,
                actual: 33
            }
        );
        assert_eq!(
            error.to_string(),
            "The name has 33 characters; at most 32 are allowed."
        );
    }

    #[test]
    fn control_and_reordering_characters_are_refused() {
        for bad in ["a\0b", "a\u{1b}[31mb", "a\nb", "a\u{202e}b", "a\u{2066}b"] {
            let error = check(Field::Title, bad);
            assert_eq!(
                error,
                Err(TextError::ControlCharacter(Field::Title)),
                "{bad:?}"
            );
        }
    }
}
