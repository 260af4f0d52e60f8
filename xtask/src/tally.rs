//! How many tests passed and failed, over all test programs of a `cargo test`.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::Shell;

/// Tests that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    /// Runs a `cargo test`, whose output is shown as it comes, and counts.
    ///
    /// # Errors
    /// It failed for another reason than a failed test, most often because something does not compile.
    pub(crate) fn of(sh: &Shell, command: &str) -> Result<Self> {
        println!("$ {command}");
        let mut words = command.split_whitespace();
        let program = words.next().context("no command")?;
        let mut child = Command::from(sh.cmd(program).args(words))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut tally = Self::default();
        for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
            let line = line?;
            println!("{line}");
            tally += Self::of_line(&line).unwrap_or_default();
        }
        let status = child.wait()?;
        ensure!(
            status.success() || tally.failed > 0,
            "`{command}` ended with {status}"
        );
        Ok(tally)
    }

    /// Reads a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; ...`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = counts.split("; ");
        Some(Self {
            passed: counts.next()?.strip_suffix(" passed")?.parse().ok()?,
            failed: counts.next()?.strip_suffix(" failed")?.parse().ok()?,
        })
    }

    pub(crate) const fn all_passed(self) -> bool {
        self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_test_program_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            Tally::of_line(line),
            Some(Tally {
                passed: 12,
                failed: 3
            })
        );
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "",
            "test result",
            "test keys_are_checked ... ok",
            "running 3 tests",
        ] {
            assert_eq!(Tally::of_line(line), None, "{line:?}");
        }
    }
}
