//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use shared::UnixMillis;

/// Now; 0 on a machine whose clock stands before 1970.
#[must_use]
pub(crate) fn unix_millis() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
