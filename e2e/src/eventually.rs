//! Waiting for what will be true soon.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::{Instant, sleep};

/// For what takes one round trip, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(10);
/// For what takes time-outs, retries or a video encoder to warm up.
pub const LONG: Duration = Duration::from_secs(40);

const BETWEEN_PROBES: Duration = Duration::from_millis(100);
/// Stretches of time that are looked at before something counts as never so.
const STRETCHES: u32 = 3;

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

/// Looks at stretches of time until one is as it should be: other programs on a busy machine may spoil one
/// or two, but not what is wrong in each.
///
/// # Errors
/// What was wrong with the last of three stretches.
pub async fn in_a_calm_stretch<T>(
    what: &str,
    mut stretch: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    for _ in 1..STRETCHES {
        match stretch().await {
            Ok(value) => return Ok(value),
            Err(error) => println!("{what}: not in this stretch: {error:#}"),
        }
    }
    let last = stretch().await;
    last.with_context(|| format!("not in any of {STRETCHES} stretches: {what}"))
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

    #[tokio::test]
    async fn one_calm_stretch_of_three_is_enough() {
        let mut stretches = 0;
        let third = in_a_calm_stretch("still water", async || {
            stretches += 1;
            ensure!(stretches == 3, "waves");
            Ok(stretches)
        });
        assert_eq!(third.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_is_wrong_in_each_stretch_is_a_failure() {
        let mut stretches = 0;
        let never = in_a_calm_stretch("still water", async || -> Result<()> {
            stretches += 1;
            anyhow::bail!("waves")
        });
        let error = format!("{:#}", never.await.unwrap_err());
        assert_eq!(error, "not in any of 3 stretches: still water: waves");
        assert_eq!(stretches, 3);
    }
}
