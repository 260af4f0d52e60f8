//! Unguessable names.

/// 32 letters and digits that nobody mistakes for each other; five random bits choose one.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// `LENGTH` random characters, five bits each, fit for URLs.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret can be made then.
#[must_use]
pub(crate) fn text<const LENGTH: usize>() -> String {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes.into_iter().map(letter).collect()
}

/// The letter or digit that the low five bits of `byte` choose.
#[must_use]
pub(crate) fn letter(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte % 32)])
}

/// A random number.
///
/// # Panics
/// As [`text`].
#[must_use]
pub(crate) fn number() -> u32 {
    getrandom::u32().expect("the operating system gives random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_differ() {
        let (a, b) = (text::<32>(), text::<32>());
        assert_eq!(a.len(), 32);
        assert_ne!(a, b);
        assert!(a.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
