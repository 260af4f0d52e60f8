//! npm's `hls-parser` in its strict mode, driven through `clients/hls-parser.js`.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::{SOON, top_level};

/// A checker of playlists. Its process ends when it is dropped.
pub struct HlsParser {
    _process: Child,
    playlists: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl HlsParser {
    /// Starts it.
    ///
    /// # Errors
    /// There is no Node.js.
    pub fn start() -> Result<Self> {
        let mut process = Command::new("node")
            .arg(top_level().join("e2e/clients/hls-parser.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be run: `cargo xtask test` installs it")?;
        let playlists = process.stdin.take().context("no stdin")?;
        let stdout = process.stdout.take().context("no stdout")?;
        Ok(Self {
            _process: process,
            playlists,
            verdicts: BufReader::new(stdout).lines(),
        })
    }

    /// Checks a playlist.
    ///
    /// # Errors
    /// It breaks a rule.
    pub async fn check(&mut self, playlist: &str) -> Result<()> {
        let line = format!("{}\n", Value::from(playlist));
        self.playlists.write_all(line.as_bytes()).await?;
        let verdict = timeout(SOON, self.verdicts.next_line()).await??;
        let verdict: Value = serde_json::from_str(&verdict.context("the checker has ended")?)?;
        if verdict["ok"] != true {
            bail!("{} in\n{playlist}", verdict["error"]);
        }
        Ok(())
    }
}
