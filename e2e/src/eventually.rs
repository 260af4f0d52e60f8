//! Waiting for what will be true soon.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep};

/// For what takes one round trip, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(10);
/// For what takes time-outs, retries or a video encoder to warm up.
pub const LONG: Duration = Duration::from_secs(40);

const BETWEEN_PROBES: Duration = Duration::from_millis(100);

/// Asks `probe` again and again until it succeeds, and returns its value.
///
/// # Errors
/// What the last probe complained about, when `within` is over.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                return Err(anyhow!("not within {within:?}: {what} ({error:#})"));
            }
            Err(_) => sleep(BETWEEN_PROBES).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    #[tokio::test]
    async fn a_probe_is_repeated_until_it_succeeds() {
        let mut probes = 0;
        let third = eventually("third time", SOON, async || {
            probes += 1;
            ensure!(probes == 3, "only {probes}");
            Ok(probes)
        });
        assert_eq!(third.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failure_says_what_was_expected_and_what_was_there() {
        let never = eventually("pigs fly", Duration::ZERO, async || -> Result<()> {
            anyhow::bail!("they sit")
        });
        let error = never.await.unwrap_err().to_string();
        assert_eq!(error, "not within 0ns: pigs fly (they sit)");
    }
}
