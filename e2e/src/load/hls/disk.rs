//! Segments asked for as fast as they are answered: from a server, and from nginx that has them on disk.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use super::connection::Connection;
use crate::load::process::{CpuMeter, Process};
use crate::nginx::{Installed, Nginx};

/// What answering cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// The server's time on cores.
    pub cpu: Duration,
}

impl Cost {
    /// Requests that a second of one core answers.
    #[must_use]
    pub fn per_cpu_second(&self) -> f64 {
        let requests = u32::try_from(self.requests).unwrap_or(u32::MAX);
        f64::from(requests) / self.cpu.as_secs_f64()
    }
}

/// An nginx that serves what `host` serves at these paths, from disk. `None` where it is not installed.
///
/// # Errors
/// It cannot be started, or the media cannot be loaded.
pub async fn copy(host: SocketAddr, paths: &[String]) -> Result<Option<Nginx>> {
    let Some(installed) = Installed::find().await? else {
        return Ok(None);
    };
    let nginx = installed
        .start(|address, directory| {
            let directory = directory.display();
            format!(
                "\
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000;
    keepalive_requests 1000000;
    server {{
        listen {address} backlog=4096;
        root {directory}/media;
    }}
}}
"
            )
        })
        .await?;
    let mut connection = Connection::open(host).await?;
    for path in paths {
        let reply = connection.get(path).await?;
        ensure!(reply.status == 200, "{} for {path}", reply.status);
        let file = nginx
            .directory
            .join("media")
            .join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().context("a file without a folder")?)?;
        fs::write(file, reply.body)?;
    }
    Ok(Some(nginx))
}

/// Asks for these paths in turn over so many connections.
///
/// # Errors
/// A request was not answered with 200.
pub async fn ask(
    host: SocketAddr,
    process: Process,
    paths: &[String],
    connections: usize,
    time: Duration,
) -> Result<Cost> {
    let (until, cpu) = (Instant::now() + time, CpuMeter::start(process)?);
    let mut tasks = JoinSet::new();
    for first in 0..connections {
        let paths = paths.to_vec();
        tasks.spawn(async move {
            let mut connection = Connection::open(host).await?;
            let (mut requests, mut bytes) = (0, 0);
            for path in paths.iter().cycle().skip(first % paths.len()) {
                if Instant::now() >= until {
                    break;
                }
                let reply = connection.get(path).await?;
                ensure!(reply.status == 200, "{} for {path}", reply.status);
                requests += 1;
                bytes += reply.body.len() as u64;
            }
            Ok((requests, bytes))
        });
    }
    let mut cost = Cost {
        requests: 0,
        bytes: 0,
        cpu: Duration::ZERO,
    };
    while let Some(done) = tasks.join_next().await {
        let (requests, bytes) = done??;
        cost.requests += requests;
        cost.bytes += bytes;
    }
    cost.cpu = cpu.spent()?;
    Ok(cost)
}
