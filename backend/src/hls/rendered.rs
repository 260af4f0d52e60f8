//! A playlist as it is sent, made once for all who ask.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A playlist as it is sent.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Plain.
    pub text: Bytes,
    /// The same, compressed.
    pub gzip: Bytes,
    /// Stands for the text: another text has another one.
    pub tag: u64,
}

impl Rendered {
    pub(super) fn new(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory does not fail.
        let gzip = encoder
            .write_all(text.as_bytes())
            .and_then(|()| encoder.finish())
            .unwrap_or_default();
        Self {
            text: text.into(),
            gzip: gzip.into(),
            tag: hasher.finish(),
        }
    }
}
