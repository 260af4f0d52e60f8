//! Named steps, and how long each took.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps so far; shown as a table.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Announces a step, takes it and notes its duration, whether it succeeds or not.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = step();
        self.done.push((name, start.elapsed()));
        outcome.with_context(|| format!("step {name:?}"))
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = ("Total", self.done.iter().map(|(_, took)| took).sum());
        for (name, took) in self.done.iter().chain([&total]) {
            let seconds = took.as_secs();
            writeln!(f, "{name:<32}{:>3} min {:02} s", seconds / 60, seconds % 60)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_listed_with_their_durations_and_the_total() {
        let done = vec![
            ("Page", Duration::from_secs(61)),
            ("Server", Duration::from_millis(9_900)),
        ];
        let table = Steps { done }.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "Page                              1 min 01 s",
                "Server                            0 min 09 s",
                "Total                             1 min 10 s",
            ]
        );
    }

    #[test]
    fn a_step_that_fails_is_listed_too() {
        let mut steps = Steps::default();
        let failed: Result<()> = steps.run("Page", || anyhow::bail!("no such file"));
        assert!(failed.is_err());
        assert!(steps.to_string().starts_with("Page"));
    }
}
