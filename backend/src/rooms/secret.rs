//! Secrets of a room: shown once to their owner, kept as hashes.

use std::fmt;
use std::marker::PhantomData;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::random;

/// Marks the secret that lets an encoder publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {}

/// Marks the secret that proves who owns a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {}

/// Marks the secret that makes another device a host, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invitation {}

/// Lets an encoder publish to a room.
pub type StreamKey = Secret<Stream>;

/// Proves who owns a room.
pub type HostToken = Secret<Host>;

/// Makes another device a host of a room, once.
pub type LinkSecret = Secret<Invitation>;

/// A secret of one kind. `Debug` does not tell it.
pub struct Secret<Kind> {
    text: String,
    kind: PhantomData<Kind>,
}

impl<Kind> Secret<Kind> {
    /// A new secret of 160 random bits.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            text: random::text::<32>(),
            kind: PhantomData,
        }
    }

    /// What the server keeps of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash<Kind> {
        SecretHash {
            digest: digest(&self.text),
            kind: PhantomData,
        }
    }

    /// The secret itself, for its owner only.
    #[must_use]
    pub fn reveal(self) -> String {
        self.text
    }
}

impl<Kind> fmt::Debug for Secret<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// The SHA-256 of a secret.
///
/// Salt, stretching and keys make up for secrets that people choose. These are 160 random bits: there is
/// no list to try and no time to try them all in, even for whoever has the database.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash<Kind> {
    digest: [u8; 32],
    kind: PhantomData<Kind>,
}

impl<Kind> SecretHash<Kind> {
    /// A hash that was kept.
    #[must_use]
    pub(crate) const fn from_bytes(digest: [u8; 32]) -> Self {
        Self {
            digest,
            kind: PhantomData,
        }
    }

    /// The hash, to be kept.
    #[must_use]
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether `presented` is the secret; takes equally long whatever it is.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        self.digest.ct_eq(&digest(presented)).into()
    }
}

impl<Kind> fmt::Debug for SecretHash<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Whether two secrets that are not stored, but given to the program, are the same.
#[must_use]
pub fn same(expected: &str, presented: &str) -> bool {
    digest(expected).ct_eq(&digest(presented)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_only() {
        let (mine, other) = (StreamKey::generate(), StreamKey::generate());
        let hash = mine.hash();
        assert!(hash.matches(&mine.reveal()));
        assert!(!hash.matches(&other.reveal()));
        assert!(!hash.matches(""));
    }

    #[test]
    fn debug_output_does_not_tell_a_secret() {
        let token = HostToken::generate();
        let shown = format!("{token:?} {:?}", token.hash());
        assert_eq!(shown, "Secret([redacted]) SecretHash([redacted])");
    }
}
