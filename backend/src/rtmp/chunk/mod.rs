//! The chunk stream (section 5.3): messages cut into chunks, those of several chunk streams interleaved.

pub mod reader;
#[cfg(test)]
mod tests;
pub mod writer;
