//! WebRTC that is no browser's: aiortc and GStreamer, driven through `clients/`.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use shared::api::CreatedRoom;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::{LONG, SOON, target_dir, top_level};

/// A peer connection. Its process ends when it is dropped.
pub struct Peer {
    process: Child,
    input: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

/// What a viewer has decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Pictures.
    pub pictures: u32,
    /// Seconds of sound that was not silence.
    pub sound: f64,
    /// Width and height of the newest picture.
    pub size: (u32, u32),
}

/// What the clients report.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Report {
    State(String),
    Picture(u32, u32),
    Sound(f64),
}

impl Peer {
    /// aiortc watches a room.
    ///
    /// # Errors
    /// There is no aiortc.
    pub fn aiortc_viewer(room: &CreatedRoom) -> Result<Self> {
        Self::aiortc(&["watch", &room.links.whep])
    }

    /// aiortc publishes to a room: a green picture and silence.
    ///
    /// # Errors
    /// There is no aiortc.
    pub fn aiortc_publisher(room: &CreatedRoom) -> Result<Self> {
        Self::aiortc(&["publish", &room.links.whip, &room.stream_key])
    }

    /// GStreamer's `webrtcbin` watches a room.
    ///
    /// # Errors
    /// There is no GStreamer.
    pub fn gstreamer_viewer(room: &CreatedRoom) -> Result<Self> {
        // Its Python bindings are Debian's, for Debian's Python.
        let python = Path::new("/usr/bin/python3");
        Self::start(python, "gstreamer-viewer.py", &[&room.links.whep])
    }

    fn aiortc(arguments: &[&str]) -> Result<Self> {
        let python = target_dir().join("tools/python/bin/python");
        Self::start(&python, "aiortc-peer.py", arguments)
    }

    fn start(python: &Path, client: &str, arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(python)
            .arg(top_level().join("e2e/clients").join(client))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                let python = python.display();
                format!("{python} cannot be run: `cargo xtask setup` installs it")
            })?;
        let input = process.stdin.take().context("no input")?;
        let output = process.stdout.take().context("no output")?;
        Ok(Self {
            process,
            input,
            reports: BufReader::new(output).lines(),
        })
    }

    /// Waits until media can flow.
    ///
    /// # Errors
    /// It failed, or takes too long.
    pub async fn connects(&mut self) -> Result<()> {
        loop {
            match self.next().await? {
                Report::State(state) if state == "connected" => return Ok(()),
                Report::State(state) => ensure!(state != "failed", "the connection failed"),
                Report::Picture(..) | Report::Sound(_) => {}
            }
        }
    }

    /// Waits until it has decoded so many pictures and seconds of sound.
    ///
    /// # Errors
    /// They did not come.
    pub async fn decodes(&mut self, pictures: u32, sound: f64) -> Result<Decoded> {
        let mut decoded = Decoded::default();
        let all = async {
            while decoded.pictures < pictures || decoded.sound < sound {
                match self.next().await? {
                    Report::Picture(width, height) => {
                        decoded.pictures += 1;
                        decoded.size = (width, height);
                    }
                    Report::Sound(seconds) => decoded.sound += seconds,
                    Report::State(state) => ensure!(state != "failed", "the connection failed"),
                }
            }
            Ok(())
        };
        match timeout(LONG, all).await {
            Ok(outcome) => outcome.map(|()| decoded),
            Err(_) => Err(anyhow::anyhow!("only {decoded:?} within {LONG:?}")),
        }
    }

    /// Hangs up, and waits until it has.
    ///
    /// # Errors
    /// It complained.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.input);
        // What it still reports is read, so that it never waits for a reader.
        let end = async {
            while self.reports.next_line().await?.is_some() {}
            self.process.wait().await
        };
        let status = timeout(SOON, end).await.context("it does not hang up")??;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    async fn next(&mut self) -> Result<Report> {
        let line = timeout(LONG, self.reports.next_line()).await;
        let line = line.context("nothing happens for long")??;
        let line = line.context(
            "it has ended, as it says above: `cargo xtask setup` installs what it needs",
        )?;
        serde_json::from_str(&line).with_context(|| format!("it says {line:?}"))
    }
}
