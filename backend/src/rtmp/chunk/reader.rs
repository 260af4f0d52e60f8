//! Reads messages out of chunks, within bounds.

/// Chunks that cannot be read, or claim too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A message is longer than its kind may be.
    #[error("a message of {length} bytes is longer than the {limit} that are allowed")]
    TooLong {
        /// What it claimed.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Too many chunk streams.
    #[error("more than {limit} chunk streams are in use")]
    TooManyStreams {
        /// What is allowed.
        limit: usize,
    },
    /// Too many bytes in messages that were begun and not ended.
    #[error("more than {limit} bytes lie in unfinished messages")]
    TooMuchUnfinished {
        /// What is allowed.
        limit: usize,
    },
    /// A chunk refers to a header that never came.
    #[error("a chunk stream begins without a header")]
    NoHeader,
    /// A chunk size outside 1 to 2^31 - 1.
    #[error("the chunk size {0} is not allowed")]
    ChunkSize(u32),
}
