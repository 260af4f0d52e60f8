//! Words that nobody may say in a room.

use shared::limits::WORDS;
use shared::text::{self, Field};

use super::refusal::Refused;

/// A list of words, and whether a text has one of them.
///
/// Case does not matter, nor do characters that cannot be seen. In scripts that have cases, and thus
/// put spaces between words, only whole words are found: who bans "ass" has nothing against "class".
#[derive(Clone, Debug, Default)]
pub struct WordFilter {
    words: Vec<String>,
    folded: Vec<String>,
}

impl WordFilter {
    /// A list of these words, each once.
    ///
    /// # Errors
    /// Too many, or one that is empty or too long.
    pub(super) fn new(words: &[String]) -> Result<Self, Refused> {
        if words.len() > WORDS {
            return Err(Refused::TooManyWords);
        }
        let mut filter = Self::default();
        for word in words {
            let word = text::check(Field::Word, word)?;
            let folded = fold(word);
            if !folded.is_empty() && !filter.folded.contains(&folded) {
                filter.words.push(word.to_owned());
                filter.folded.push(folded);
            }
        }
        Ok(filter)
    }

    /// The words, as they were given.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether `text` has one of them.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return false;
        }
        let text = fold(text);
        self.folded.iter().any(|word| contains_word(&text, word))
    }
}

/// Case folding as far as the standard library knows it: by way of the upper case, so that "ß" is "ss"
/// and "ς" is "σ".
fn fold(text: &str) -> String {
    text.chars()
        .filter(|&char| !is_invisible(char))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Soft hyphen, zero-width characters and marks of direction: with these a word would look the same.
const fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, found)| {
        let (before, after) = (&text[..start], &text[start + found.len()..]);
        let joins = |outside: Option<char>, inside: Option<char>| {
            outside.is_some_and(continues) && inside.is_some_and(continues)
        };
        !joins(before.chars().next_back(), word.chars().next())
            && !joins(after.chars().next(), word.chars().next_back())
    })
}

/// Whether a word goes on beside this character: a digit, or a letter of a script with cases.
fn continues(char: char) -> bool {
    char.is_numeric() || char.is_lowercase()
}

#[cfg(test)]
mod tests {
    use shared::limits::WORD_CHARS;
    use shared::text::TextError;

    use super::*;

    #[track_caller]
    fn filter(words: &[&str]) -> WordFilter {
        let words: Vec<_> = words.iter().copied().map(str::to_owned).collect();
        WordFilter::new(&words).unwrap()
    }

    #[test]
    fn a_word_is_found_in_any_case() {
        let filter = filter(&["Straße", "ΟΔΟΣ"]);
        for text in ["STRASSE!", "eine straße", "οδός, οδος"] {
            assert!(filter.finds(text), "{text}");
        }
        assert!(!filter.finds("street"));
    }

    #[test]
    fn a_part_of_another_word_is_not_that_word() {
        let filter = filter(&["ass", "buy now"]);
        for text in ["class", "assume", "ass1", "buy nowhere"] {
            assert!(!filter.finds(text), "{text}");
        }
        for text in ["an ass.", "ass", "«ass»", "please BUY NOW", "class ass"] {
            assert!(filter.finds(text), "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_searched_through() {
        assert!(filter(&["馬鹿"]).finds("お前は馬鹿だ"));
        assert!(filter(&["🍆"]).finds("hot🍆stuff"));
    }

    #[test]
    fn invisible_characters_do_not_hide_a_word() {
        assert!(filter(&["spam"]).finds("s\u{200b}p\u{ad}am"));
    }

    #[test]
    fn an_empty_list_finds_nothing() {
        assert!(!WordFilter::default().finds("anything"));
    }

    #[test]
    fn words_are_kept_once_and_as_they_were_given() {
        assert_eq!(
            filter(&[" Spam ", "SPAM", "eggs"]).words(),
            ["Spam", "eggs"]
        );
    }

    #[test]
    fn a_list_is_limited() {
        let words = |count, chars| vec!["w".repeat(chars); count];
        assert!(WordFilter::new(&words(WORDS, WORD_CHARS)).is_ok());
        let refused = WordFilter::new(&words(WORDS + 1, 1)).unwrap_err();
        assert_eq!(refused, Refused::TooManyWords);
        for (word, error) in [
            ("  ".to_owned(), TextError::Empty(Field::Word)),
            (
                "a\u{0}b".to_owned(),
                TextError::ControlCharacter(Field::Word),
            ),
        ] {
            assert_eq!(WordFilter::new(&[word]).unwrap_err(), Refused::Text(error));
        }
        assert!(WordFilter::new(&words(1, WORD_CHARS + 1)).is_err());
    }
}
