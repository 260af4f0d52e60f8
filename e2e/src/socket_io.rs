//! Socket.IO's own client in each of its major versions, driven through `clients/socket-io.js`.

use std::collections::VecDeque;
use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout_at;

use crate::{SOON, Server, top_level};

/// Which client.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// 1.4.8, of the time of the first app. Engine.IO 3.
    V1,
    /// 2.5.0, the last that speaks Engine.IO 3.
    V2,
    /// 4.8.4, which the page uses. Engine.IO 4.
    V4,
}

/// How it connects.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// HTTP long-polling, with no upgrade.
    Polling,
    /// WebSocket at once.
    WebSocket,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "1",
            Self::V2 => "2",
            Self::V4 => "4",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        })
    }
}

/// A connected client. Its process ends when it is dropped.
pub struct SocketIo {
    _process: Child,
    commands: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    /// Reports that nobody has asked for yet.
    inbox: VecDeque<Value>,
}

impl SocketIo {
    /// Starts a client and waits until it is connected.
    pub async fn connect(server: &Server, version: Version, transport: Transport) -> Result<Self> {
        let mut process = Command::new("node")
            .arg("clients/socket-io.js")
            .args([version.to_string(), server.url(""), transport.to_string()])
            .current_dir(top_level().join("e2e"))
            .env("NODE_NO_WARNINGS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be run")?;
        let commands = process.stdin.take().context("no input")?;
        let reports = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut client = Self {
            _process: process,
            commands,
            reports,
            inbox: VecDeque::new(),
        };
        client.next("connect").await?;
        Ok(client)
    }

    /// Sends an event.
    pub async fn emit(&mut self, event: &str, argument: Value) -> Result<()> {
        self.command(json!({ "emit": [event, argument] })).await
    }

    /// Sends an event and returns its acknowledgement.
    pub async fn call(&mut self, event: &str, argument: Value) -> Result<Value> {
        self.command(json!({ "call": [event, argument] })).await?;
        let mut ack = self
            .report(&format!("the acknowledgement of {event}"), SOON, |report| {
                report.get("ack").is_some()
            })
            .await?;
        Ok(ack["ack"][0].take())
    }

    /// Sends an event many times, as fast as the client can.
    pub async fn flood(&mut self, event: &str, argument: Value, times: u32) -> Result<()> {
        self.command(json!({ "flood": [event, argument], "times": times }))
            .await?;
        self.report("the flood is sent", SOON, |report| {
            report.get("flooded").is_some()
        })
        .await?;
        Ok(())
    }

    /// Says goodbye.
    pub async fn disconnect(&mut self) -> Result<()> {
        self.command(json!({ "disconnect": true })).await
    }

    /// Waits for the next event of this name and returns its arguments. Others are kept.
    pub async fn next(&mut self, event: &str) -> Result<Vec<Value>> {
        self.next_within(event, SOON).await
    }

    /// As [`SocketIo::next`], with a time limit.
    pub async fn next_within(&mut self, event: &str, within: Duration) -> Result<Vec<Value>> {
        let mut report = self
            .report(&format!("the event {event:?}"), within, |report| {
                report["event"] == event
            })
            .await?;
        Ok(serde_json::from_value(report["args"].take())?)
    }

    async fn command(&mut self, command: Value) -> Result<()> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        Ok(())
    }

    async fn report(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + within;
        let mut read = 0;
        loop {
            if let Some(found) = self.inbox.iter().skip(read).position(&wanted) {
                return self.inbox.remove(read + found).context("found");
            }
            read = self.inbox.len();
            let line = timeout_at(deadline, self.reports.next_line())
                .await
                .with_context(|| {
                    format!(
                        "not within {within:?}: {what}. Received instead: {:?}",
                        self.inbox
                    )
                })??;
            let line = line.with_context(|| format!("the client ended before {what}"))?;
            self.inbox.push_back(serde_json::from_str(&line)?);
        }
    }
}

/// Checks that an acknowledgement says `ok`.
///
/// # Errors
/// It says something else.
pub fn accepted(ack: &Value) -> Result<()> {
    ensure!(ack["ok"] == true, "refused: {ack}");
    Ok(())
}
