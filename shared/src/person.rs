//! People, who have no accounts: a browser's session, and the author that a room makes of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a browser chose at random to be known by again: 16 to 64 of `A-Z a-z 0-9 _ -`.
///
/// Whoever has it is that person, so it is its browser's secret. `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// Not a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A session is 16 to 64 letters, digits, '-' or '_'.")]
pub struct InvalidSession;

/// A person in one room, in public: not to be guessed, and it tells neither session nor address.
/// 1 to 32 of `A-Z a-z 0-9`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuthorId(String);

/// Not an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("An author is 1 to 32 letters or digits.")]
pub struct InvalidAuthor;

impl SessionId {
    /// The session as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthorId {
    /// The author as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidSession;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (16..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidSession)
        }
    }
}

impl TryFrom<String> for AuthorId {
    type Error = InvalidAuthor;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = text.bytes().all(|b| b.is_ascii_alphanumeric());
        if (1..=32).contains(&text.len()) && is_allowed {
            Ok(Self(text))
        } else {
            Err(InvalidAuthor)
        }
    }
}

impl FromStr for SessionId {
    type Err = InvalidSession;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl FromStr for AuthorId {
    type Err = InvalidAuthor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<SessionId> for String {
    fn from(session: SessionId) -> Self {
        session.0
    }
}

impl From<AuthorId> for String {
    fn from(author: AuthorId) -> Self {
        author.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

impl fmt::Display for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_checked_when_they_arrive() {
        for bad in ["", "too-short", "0123456789abcde/", &"x".repeat(65)] {
            assert_eq!(bad.parse::<SessionId>(), Err(InvalidSession), "{bad:?}");
        }
        assert!("0123456789_ABC-z".parse::<SessionId>().is_ok());
    }

    #[test]
    fn authors_are_checked_when_they_arrive() {
        for bad in ["", "a b", "ü", &"x".repeat(33)] {
            assert_eq!(bad.parse::<AuthorId>(), Err(InvalidAuthor), "{bad:?}");
        }
        assert!("Ab9".parse::<AuthorId>().is_ok());
    }

    #[test]
    fn debug_output_does_not_tell_a_session() {
        let session: SessionId = "0123456789abcdef".parse().unwrap();
        assert_eq!(format!("{session:?}"), "SessionId([redacted])");
    }
}
