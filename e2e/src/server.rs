//! The server, as a process of its own.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use shared::api::{CreatedRoom, RoomTitle};
use shared::room::{Room, RoomState};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::{LONG, SOON, eventually, target_dir};

/// Flags for load: all of it comes from one address.
pub const FOR_LOAD: [&str; 4] = [
    "--sessions-per-minute",
    "0",
    "--max-rtmp-connections-per-address",
    "100000",
];

/// Held by the one server that runs.
static TURN: Mutex<()> = Mutex::const_new(());

/// A running server. Killed when dropped; a server that was not [stopped](Server::stop) shows its log.
pub struct Server {
    process: Child,
    arguments: Vec<String>,
    port: u16,
    scheme: &'static str,
    rtmp: u16,
    log: PathBuf,
    stopped: bool,
    http: reqwest::Client,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    /// Starts a server on free ports.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`Server::start`], with more flags.
    pub async fn start_with(flags: &[&str]) -> Result<Self> {
        Self::launch(
            "127.0.0.1",
            &[&["--public-address=127.0.0.1"], flags].concat(),
        )
        .await
    }

    /// As [`Server::start`]; its media is at this machine's own addresses, because Firefox sends nothing
    /// to 127.0.0.1.
    pub async fn start_for_firefox() -> Result<Self> {
        Self::launch("[::]", &[]).await
    }

    async fn launch(media: &str, flags: &[&str]) -> Result<Self> {
        let turn = TURN.lock().await;
        let is_https = flags.iter().any(|flag| flag.starts_with("--tls"));
        let scheme = if is_https { "https" } else { "http" };
        let (port, rtmp) = (free_port()?, free_port()?);
        let log = log_file()?;
        File::create(&log)?;
        let own = [
            format!("--http=127.0.0.1:{port}"),
            format!("--rtmp=127.0.0.1:{rtmp}"),
            format!("--webrtc={media}:{}", free_port()?),
        ];
        let flags = flags.iter().map(|&flag| flag.to_owned());
        let arguments: Vec<_> = own.into_iter().chain(flags).collect();
        let mut server = Self {
            process: spawn(&arguments, &log)?,
            arguments,
            port,
            scheme,
            rtmp,
            log,
            stopped: false,
            http: reqwest::Client::new(),
            _turn: turn,
        };
        server.answers().await?;
        Ok(server)
    }

    /// Ends the server by SIGTERM, and starts it again as it was. Only with `--data` it remembers anything.
    pub async fn restart(&mut self) -> Result<()> {
        self.terminate().await?;
        self.process = spawn(&self.arguments, &self.log)?;
        self.answers().await
    }

    /// Kills the server as a power failure would, and starts it again as it was.
    pub async fn crash(&mut self) -> Result<()> {
        self.process.kill().await?;
        self.process = spawn(&self.arguments, &self.log)?;
        self.answers().await
    }

    async fn answers(&mut self) -> Result<()> {
        eventually("the server answers", LONG, async || {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Err(anyhow::anyhow!(
                    "the server ended at once with {status}"
                )));
            }
            // Nobody here vouches for its certificate: that is left to a browser.
            if self.scheme == "https" {
                TcpStream::connect(self.authority()).await?;
            } else {
                self.get("/healthz").await?.error_for_status()?;
            }
            Ok(Ok(()))
        })
        .await?
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// The absolute address of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// The host and port it listens on.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of RTMP.
    #[must_use]
    pub const fn rtmp_port(&self) -> u16 {
        self.rtmp
    }

    /// Where a room is played by RTMP, and the 2016 app pushes to.
    #[must_use]
    pub fn rtmp_url(&self, room: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{room}", self.rtmp)
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<reqwest::Response> {
        Ok(self.http.get(self.url(path)).timeout(SOON).send().await?)
    }

    /// A request to `path`, to be filled and sent.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).timeout(SOON)
    }

    /// `GET path`, read as JSON.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = self.get(path).await?.error_for_status()?;
        response
            .json()
            .await
            .with_context(|| format!("GET {path} is not what was expected"))
    }

    /// A room by HLS: its multivariant playlist, and the path of the folder where all the others are.
    pub async fn hls(&self, key: &str) -> Result<(String, String)> {
        let index = self.get(&format!("/live/{key}/index.m3u8")).await?;
        let index = index.error_for_status()?.text().await?;
        let video = index.lines().last().context("an empty playlist")?;
        let (name, _) = video.split_once('/').context("no folder")?;
        let folder = format!("/live/{key}/{name}");
        Ok((index, folder))
    }

    /// `POST /api/rooms`.
    pub async fn create_room(&self, title: &str) -> Result<CreatedRoom> {
        let room = RoomTitle {
            title: title.into(),
        };
        let request = self
            .request(reqwest::Method::POST, "/api/rooms")
            .json(&room);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// `GET /api/rooms/{key}`.
    pub async fn room(&self, key: &str) -> Result<Room> {
        self.json(&format!("/api/rooms/{key}")).await
    }

    /// Waits until somebody broadcasts in a room.
    pub async fn is_live(&self, key: &str) -> Result<()> {
        eventually("the room is live", LONG, async || {
            let state = self.room(key).await?.state;
            ensure!(state == RoomState::Live, "it is {state:?}");
            Ok(())
        })
        .await
    }

    /// Ends the server as an administrator would, by SIGTERM.
    ///
    /// # Errors
    /// It did not end in time or not well, or a task of it panicked while it ran.
    pub async fn stop(mut self) -> Result<()> {
        self.terminate().await?;
        let log = fs::read_to_string(&self.log)?;
        ensure!(
            !log.contains("panicked at"),
            "a task of the server panicked"
        );
        self.stopped = true;
        Ok(())
    }

    async fn terminate(&mut self) -> Result<()> {
        let pid = self.process.id().context("the server ended by itself")?;
        let kill = Command::new("kill").arg(pid.to_string()).status().await?;
        ensure!(kill.success(), "SIGTERM could not be sent");
        let status = timeout(SOON, self.process.wait())
            .await
            .context("the server still runs after SIGTERM")??;
        ensure!(
            status.success(),
            "after SIGTERM the server ended with {status}"
        );
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.stopped {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let skipped = log.lines().count().saturating_sub(100);
            eprintln!("The server's log, complete in {}:", self.log.display());
            log.lines()
                .skip(skipped)
                .for_each(|line| eprintln!("    {line}"));
        }
    }
}

/// Runs the server; what it says is added to `log`.
fn spawn(arguments: &[String], log: &Path) -> Result<Child> {
    let output = File::options().append(true).open(log)?;
    let program = program();
    Command::new(&program)
        .args(arguments)
        // Unless a flag says otherwise.
        .env("GOLIVE_DATA", "none")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!(
                "{} cannot be run: `cargo xtask build` makes it",
                program.display()
            )
        })
}

/// What to run: the environment variable `GOLIVE_BIN`, else what `cargo xtask build` has built.
fn program() -> PathBuf {
    std::env::var_os("GOLIVE_BIN")
        .map_or_else(|| target_dir().join("release/golive"), PathBuf::from)
}

/// A port that is free for both TCP and UDP.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free for both TCP and UDP")
}

/// A file of its own for each server.
fn log_file() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = target_dir().join("e2e");
    fs::create_dir_all(&directory)?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(directory.join(format!("server-{}-{number}.log", std::process::id())))
}
