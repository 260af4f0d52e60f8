//! Loads a server with viewers of one broadcast, and tells what a viewer costs.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use e2e::load::audience::Audience;
use e2e::load::peer::Identity;
use e2e::load::process::{CpuMeter, Process};
use e2e::load::publisher::Publisher;
use e2e::load::session::Endpoint;
use e2e::load::statistics::millis;
use e2e::{LONG, Server, eventually};
use shared::room::{Room, RoomState};
use tokio::time::sleep;

/// Time for things to calm down before they are measured.
const SETTLE: Duration = Duration::from_secs(2);
/// Memory may be this much more after everybody has gone.
const TOLERANCE: f64 = 1.10;

/// Viewers who watch one broadcast by WHEP, from a server that this program starts: the one in
/// GOLIVE_BIN, else the release build.
#[derive(Parser)]
struct Arguments {
    /// How many viewers; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [50, 150, 300])]
    viewers: Vec<usize>,
    /// How many of them join each second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    joins_per_second: u32,
    /// Seconds to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Let the viewers come and go so many times instead, and fail if anything is left of them
    #[arg(long, value_name = "TIMES")]
    churn: Option<usize>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let stage = Stage::set().await?;
    match arguments.churn {
        Some(times) => churn(&stage, &arguments, times).await?,
        None => series(&stage, &arguments).await?,
    }
    stage.clear().await
}

/// A server with one broadcast.
struct Stage {
    server: Server,
    process: Process,
    identity: Identity,
    publisher: Publisher,
    key: String,
    entrance: Endpoint,
}

impl Stage {
    async fn set() -> Result<Self> {
        let server = Server::start().await?;
        let process = Process::new(server.pid().context("the server ended by itself")?)?;
        let identity = Identity::generate()?;
        let created = server.create_room("Load").await?;
        let key = created.room.key.to_string();
        let whip = server.url(&format!("/whip/{key}"));
        let whip = Endpoint::new(&whip, Some(&created.stream_key))?;
        let publisher = Publisher::start(&whip, &identity).await?;
        let entrance = Endpoint::new(&server.url(&format!("/whep/{key}")), None)?;
        let stage = Self {
            server,
            process,
            identity,
            publisher,
            key,
            entrance,
        };
        stage
            .room("live", |room| room.state == RoomState::Live)
            .await?;
        sleep(SETTLE).await;
        Ok(stage)
    }

    /// Waits until the room is as expected.
    async fn room(&self, what: &str, expected: impl Fn(&Room) -> bool) -> Result<()> {
        eventually(what, LONG, async || {
            let room = self.server.room(&self.key).await?;
            ensure!(expected(&room), "{room:?}");
            Ok(())
        })
        .await
    }

    async fn audience(&self, count: usize, arguments: &Arguments) -> Result<Audience> {
        let rate = arguments.joins_per_second;
        let audience = Audience::join(&self.entrance, &self.identity, count, rate).await?;
        if let Some(failure) = audience.failures.first() {
            let failures = audience.failures.len();
            eprintln!("{failures} viewers could not join; the first one: {failure:#}");
        }
        Ok(audience)
    }

    async fn leave(&self, audience: Audience) -> Result<()> {
        audience.leave().await?;
        self.room("everybody has left", |room| room.viewers == 0)
            .await
    }

    async fn clear(self) -> Result<()> {
        self.publisher.stop().await?;
        self.server.stop().await
    }
}

async fn series(stage: &Stage, arguments: &Arguments) -> Result<()> {
    println!(
        "viewers joined dropped | join ms p50   p99 | packets/s pictures/s  lost % | \
         server CPU % of a core, each | memory MiB, KiB each | files | this program's CPU %"
    );
    let alone = row(stage, arguments, 0, None).await?;
    for &viewers in &arguments.viewers {
        row(stage, arguments, viewers, Some(alone)).await?;
    }
    Ok(())
}

/// Measures with so many viewers, prints a line, and says how much memory the server needed, in bytes.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here needs more than 52 bits"
)]
async fn row(
    stage: &Stage,
    arguments: &Arguments,
    viewers: usize,
    alone: Option<u64>,
) -> Result<u64> {
    let audience = stage.audience(viewers, arguments).await?;
    sleep(SETTLE).await;
    let (cpu, own_cpu) = (
        CpuMeter::start(stage.process)?,
        CpuMeter::start(Process::this()?)?,
    );
    let before = audience.received();
    sleep(Duration::from_secs(arguments.seconds)).await;
    let (cpu, own_cpu) = (cpu.percent()?, own_cpu.percent()?);
    let after = audience.received();
    let (memory, files) = (stage.process.resident()?, stage.process.open_files()?);

    let joined = audience.len();
    let each = 1.0 / joined.max(1) as f64;
    let rate = each / arguments.seconds as f64;
    let mut joins = audience.join_times();
    println!(
        "{viewers:7} {joined:6} {:7} | {:>11} {:>5} | {:9.1} {:10.2} {:7.3} | \
         {cpu:20.1}, {:5.3} | {:10.1}, {:8.0} | {files:5} | {own_cpu:18.1}",
        audience.disconnected(),
        millis(joins.percentile(50.0)),
        millis(joins.percentile(99.0)),
        (after.packets - before.packets) as f64 * rate,
        (after.pictures - before.pictures) as f64 * rate,
        after.lost as f64 / (after.lost + after.packets).max(1) as f64 * 100.0,
        cpu * each,
        memory as f64 / f64::from(1 << 20),
        alone.map_or(0.0, |alone| memory.saturating_sub(alone) as f64 * each
            / 1024.0),
    );
    stage.leave(audience).await?;
    Ok(memory)
}

/// Viewers come and go; nothing may be left of them.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here needs more than 52 bits"
)]
async fn churn(stage: &Stage, arguments: &Arguments, times: usize) -> Result<()> {
    let viewers = arguments.viewers.iter().copied().max().unwrap_or_default();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (memory, files) = (stage.process.resident()?, stage.process.open_files()?);
    println!("            memory MiB | files");
    println!("before      {:10.1} | {files:5}", mib(memory));
    for round in 1..=times {
        let audience = stage.audience(viewers, arguments).await?;
        ensure!(audience.len() == viewers, "not everybody could join");
        let (memory, files) = (stage.process.resident()?, stage.process.open_files()?);
        println!("{viewers:5} watch {:10.1} | {files:5}", mib(memory));
        stage.leave(audience).await?;
        sleep(SETTLE).await;
        let (memory, files) = (stage.process.resident()?, stage.process.open_files()?);
        println!("round {round:5} {:10.1} | {files:5}", mib(memory));
    }
    let (memory_after, files_after) = (stage.process.resident()?, stage.process.open_files()?);
    ensure!(
        files_after <= files,
        "{} files of the server are left open",
        files_after - files
    );
    if memory_after as f64 > memory as f64 * TOLERANCE {
        bail!(
            "the server keeps {:.1} MiB more than before",
            mib(memory_after - memory)
        );
    }
    println!("Nothing is left.");
    Ok(())
}
