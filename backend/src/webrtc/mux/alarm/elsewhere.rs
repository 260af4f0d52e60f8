//! A timer where the kernel has none of its own to watch: one of tokio's.

use std::io;
use std::time::Instant;

use tokio::time::sleep_until;

/// See the one for Linux.
#[derive(Debug)]
pub(super) struct Alarm;

impl Alarm {
    /// One that goes off at no time.
    ///
    /// # Errors
    /// Never.
    pub(super) const fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for a moment. Cancel safe.
    pub(super) async fn at(&mut self, moment: Instant) {
        sleep_until(moment.into()).await;
    }
}
