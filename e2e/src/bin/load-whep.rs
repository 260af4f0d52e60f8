//! Loads a server with viewers of one broadcast, and tells what a viewer costs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::load::audience::Audience;
use e2e::load::floor;
use e2e::load::peer::Identity;
use e2e::load::process::{CpuMeter, Process};
use e2e::load::publisher::Publisher;
use e2e::load::session::Endpoint;
use e2e::load::statistics::millis;
use e2e::load::table::Table;
use e2e::server::FOR_LOAD;
use e2e::{LONG, Server, eventually};
use shared::room::{Room, RoomState};
use tokio::time::sleep;

/// Time for things to calm down before they are measured.
const SETTLE: Duration = Duration::from_secs(2);
/// And for a broadcast, which begins with sound that never waits.
const SETTLE_BROADCAST: Duration = Duration::from_secs(6);
/// Time for the allocator to give back what viewers that left had in use.
const AFTERMATH: Duration = Duration::from_secs(12);
/// Looks at the memory, for longer than from one keyframe to the next.
const LOOKS: usize = 25;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Rounds of viewers who come and go for which a row is written.
const ROWS: usize = 6;
/// Memory may be this much more after everybody has gone: what the allocator's threads keep for themselves
/// of what they had in use.
const KEPT: f64 = 1.10;
/// And this much more than when everybody had gone for the first time.
const GROWTH: f64 = 1.02;

/// Viewers who watch one broadcast by WHEP, from a server that this program starts: the one in
/// GOLIVE_BIN, else the release build.
#[derive(Parser)]
struct Arguments {
    /// How many viewers; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [50, 150, 300, 600, 1_000])]
    viewers: Vec<usize>,
    /// How many of them join each second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    joins_per_second: u32,
    /// Seconds to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many viewers decrypt what they are sent, and ask again for what they miss; the others read only
    /// the headers, so that this program leaves the server something of the machine
    #[arg(long, default_value_t = 50)]
    thorough: usize,
    /// Let the viewers come and go so many times instead, and fail if anything is left of them
    #[arg(long, value_name = "TIMES")]
    churn: Option<usize>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let broadcast = Broadcast::start().await?;
    match arguments.churn {
        Some(times) => churn(&broadcast, &arguments, times).await?,
        None => series(&broadcast, &arguments).await?,
    }
    broadcast.end().await
}

/// A server with one broadcast.
struct Broadcast {
    server: Server,
    process: Process,
    identity: Identity,
    publisher: Publisher,
    key: String,
    entrance: Endpoint,
}

impl Broadcast {
    async fn start() -> Result<Self> {
        let server = Server::start_with(&FOR_LOAD).await?;
        let process = Process::new(server.pid().context("the server ended by itself")?)?;
        let identity = Identity::generate()?;
        let created = server.create_room("Load").await?;
        let key = created.room.key.to_string();
        let whip = server.url(&format!("/whip/{key}"));
        let whip = Endpoint::new(&whip, Some(&created.stream_key))?;
        let publisher = Publisher::start(&whip, &identity).await?;
        let entrance = Endpoint::new(&server.url(&format!("/whep/{key}")), None)?;
        let broadcast = Self {
            server,
            process,
            identity,
            publisher,
            key,
            entrance,
        };
        broadcast
            .room("live", |room| room.state == RoomState::Live)
            .await?;
        sleep(SETTLE_BROADCAST).await;
        Ok(broadcast)
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
        let thorough = arguments.thorough;
        let audience =
            Audience::join(&self.entrance, &self.identity, count, rate, thorough).await?;
        if let Some(failure) = audience.failures.first() {
            let failures = audience.failures.len();
            eprintln!("{failures} viewers could not join; the first one: {failure:#}");
        }
        Ok(audience)
    }

    async fn leave(&self, audience: Audience) -> Result<()> {
        let given_up = audience.leave().await?;
        if given_up > 0 {
            eprintln!("The server had given up {given_up} viewers who were still there.");
        }
        self.room("everybody has left", |room| room.viewers == 0)
            .await
    }

    async fn end(self) -> Result<()> {
        self.publisher.stop().await?;
        self.server.stop().await
    }
}

async fn series(broadcast: &Broadcast, arguments: &Arguments) -> Result<()> {
    println!(
        "CPU is in percent of one core, the server's and this program's own: the server's for each viewer, \
         and what each adds to the broadcast alone. The floor is the same bytes encrypted and sent in a bare \
         loop."
    );
    let table = Table::new(&[
        "viewers",
        "joined",
        "join p50 ms",
        "p99 ms",
        "pictures/s sent",
        "seen",
        "packets/s",
        "lost %",
        "server CPU %",
        "each",
        "floor",
        "ratio",
        "added",
        "ratio",
        "memory MiB",
        "each KiB",
        "files",
        "own CPU %",
    ]);
    for &viewers in &arguments.viewers {
        // Beside each audience: the machine is not the same all day.
        let alone = measure(broadcast, arguments, &table, 0, None).await?;
        measure(broadcast, arguments, &table, viewers, Some(alone)).await?;
    }
    Ok(())
}

/// What the server needs.
#[derive(Clone, Copy)]
struct Needs {
    /// Percent of one core.
    cpu: f64,
    /// Bytes.
    memory: u64,
}

/// Measures with so many viewers, and says what the server needed. `alone` is what it needs without any.
async fn measure(
    broadcast: &Broadcast,
    arguments: &Arguments,
    table: &Table,
    viewers: usize,
    alone: Option<Needs>,
) -> Result<Needs> {
    // Half before the audience and half after: the machine is not the same all day. Not beside it, as they
    // would slow each other down.
    let half = Duration::from_secs(arguments.seconds) / 2;
    let floor = async || match viewers {
        0 => Ok(None),
        _ => floor::measure(viewers, half).await.map(Some),
    };
    let floor_before = floor().await?;
    let audience = broadcast.audience(viewers, arguments).await?;
    sleep(SETTLE).await;
    let (cpu, own_cpu) = (
        CpuMeter::start(broadcast.process)?,
        CpuMeter::start(Process::this()?)?,
    );
    let (before, sent) = (audience.received(), broadcast.publisher.pictures());
    let began = Instant::now();
    sleep(Duration::from_secs(arguments.seconds)).await;
    let (cpu, own_cpu) = (cpu.percent()?, own_cpu.percent()?);
    let (after, sent) = (audience.received(), broadcast.publisher.pictures() - sent);
    let seconds = began.elapsed().as_secs_f64();
    let (memory, files) = (
        broadcast.process.resident()?,
        broadcast.process.open_files()?,
    );

    let joined = u64::try_from(audience.len())?;
    let mut joins = audience.join_times();
    broadcast.leave(audience).await?;
    let floor = floor_before
        .zip(floor().await?)
        .map(|(before, after)| f64::midpoint(before, after));
    let floors = |cpu: f64| cell(floor.map(|floor| format!("{:.2}", cpu / floor)));
    let each = |total: u64| ratio(total, joined);
    let needs = Needs { cpu, memory };
    let alone = alone.unwrap_or(needs);
    let (added, added_memory) = (cpu - alone.cpu, memory.saturating_sub(alone.memory));
    table.row(&[
        viewers.to_string(),
        joined.to_string(),
        millis(joins.percentile(50.0)),
        millis(joins.percentile(99.0)),
        format!("{:.1}", ratio(sent, 1) / seconds),
        format!("{:.1}", each(after.pictures - before.pictures) / seconds),
        format!("{:.1}", each(after.packets - before.packets) / seconds),
        format!(
            "{:.3}",
            ratio(after.lost, after.lost + after.packets) * 100.0
        ),
        format!("{cpu:.1}"),
        format!("{:.3}", cpu * ratio(1, joined)),
        cell(floor.map(|floor| format!("{:.3}", floor * ratio(1, joined)))),
        floors(cpu),
        format!("{:.3}", added * ratio(1, joined)),
        floors(added),
        format!("{:.1}", mebibytes(memory)),
        format!("{:.0}", each(added_memory) / 1024.0),
        files.to_string(),
        format!("{own_cpu:.1}"),
    ]);
    Ok(needs)
}

/// Viewers come and go; nothing may be left of them.
async fn churn(broadcast: &Broadcast, arguments: &Arguments, times: usize) -> Result<()> {
    let viewers = arguments.viewers.iter().copied().max().unwrap_or_default();
    let table = Table::new(&["round", "viewers", "resident MiB", "own MiB", "files"]);
    let report = async |round: usize, viewers: usize| -> Result<(u64, usize)> {
        let process = broadcast.process;
        let (resident, files) = (least(process).await?, process.open_files()?);
        table.row(&[
            round.to_string(),
            viewers.to_string(),
            format!("{:.2}", mebibytes(resident)),
            format!("{:.2}", mebibytes(process.anonymous()?)),
            files.to_string(),
        ]);
        Ok((resident, files))
    };
    let before = report(0, 0).await?;
    let (mut first, mut last) = (None, before);
    for round in 1..=times {
        // Evenly among all, and the last.
        let is_shown = (round * ROWS) % times < ROWS;
        let audience = broadcast.audience(viewers, arguments).await?;
        ensure!(audience.len() == viewers, "not everybody could join");
        if is_shown {
            report(round, viewers).await?;
        }
        broadcast.leave(audience).await?;
        if is_shown {
            sleep(AFTERMATH).await;
            last = report(round, 0).await?;
            first.get_or_insert(last);
        }
    }
    check_left(last, before, KEPT)?;
    check_left(last, first.unwrap_or(before), GROWTH)?;
    println!("Nothing is left.");
    Ok(())
}

/// Resident memory, in bytes: the least of some looks. What the room keeps comes and goes with the keyframes.
async fn least(process: Process) -> Result<u64> {
    let mut least = process.resident()?;
    for _ in 0..LOOKS {
        sleep(BETWEEN_LOOKS).await;
        least = least.min(process.resident()?);
    }
    Ok(least)
}

/// Whether the server has given back what its viewers made it take.
fn check_left(
    (memory, files): (u64, usize),
    (memory_before, files_before): (u64, usize),
    tolerance: f64,
) -> Result<()> {
    ensure!(
        files <= files_before,
        "{} files of the server are left open",
        files - files_before
    );
    ensure!(
        ratio(memory, memory_before) <= tolerance,
        "the server keeps {:.2} MiB more than before",
        mebibytes(memory - memory_before)
    );
    Ok(())
}

/// What a table shows where something may be unknown.
fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

fn mebibytes(bytes: u64) -> f64 {
    ratio(bytes, 1 << 20)
}

/// `of / by`; nothing by nothing is nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here needs more than 52 bits"
)]
fn ratio(of: u64, by: u64) -> f64 {
    of as f64 / by.max(1) as f64
}
