//! Loads a server with players of LL-HLS, who wait for each playlist and load each part, and then with
//! requests for segments beside nginx, which serves the same bytes from disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::load::hls::connection::Connection;
use e2e::load::hls::disk::{self, Cost};
use e2e::load::hls::player::{Players, Rendition};
use e2e::load::process::{CpuMeter, Process};
use e2e::load::rtmp::contestant::Contestant;
use e2e::load::rtmp::publisher::Publisher;
use e2e::load::statistics::millis;
use e2e::load::table::Table;
use e2e::{LONG, eventually};
use tokio::time::sleep;

/// Time for things to calm down before they are measured.
const SETTLE: Duration = Duration::from_secs(3);
/// Requests for segments that wait for their answers at once.
const CONNECTIONS: usize = 20;
/// What is expected: so many of nginx's requests per second of CPU.
const SHARE: f64 = 0.5;

/// Players of one broadcast of 2 Mbit/s by LL-HLS, from the Golive in GOLIVE_BIN, else the release build;
/// and segments of it beside nginx.
#[derive(Parser)]
struct Arguments {
    /// How many players of the picture; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000])]
    players: Vec<usize>,
    /// Seconds to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds of requests for segments, to each server in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let contestant = Contestant::golive().await?;
    let publisher = Publisher::start(&contestant.publish, Arc::default()).await?;
    let rendition = find(
        contestant.http.context("Golive serves HTTP")?,
        contestant.room(),
    )
    .await?;
    println!("CPU is in percent of one core, the server's and this program's own.");
    let table = Table::new(&[
        "players",
        "requests/s",
        "Mbit/s",
        "CPU %",
        "requests/CPU s",
        "part p50 ms",
        "p99 ms",
        "longest gap ms",
        "memory MiB",
        "own CPU %",
    ]);
    let mut players = Players::default();
    let mut present = 0;
    for &count in &arguments.players {
        let more = count.saturating_sub(present);
        players
            .join(&rendition, more, Duration::from_millis(2))
            .await;
        present += more;
        sleep(SETTLE).await;
        table.row(&measure(&arguments, present, &players, contestant.process).await?);
    }
    players.stop().await?;
    let verdict = compare(&arguments, &rendition, contestant.process).await;
    publisher.stop().await?;
    contestant.stop().await?;
    verdict
}

/// Where the picture of a room is played.
async fn find(host: SocketAddr, key: &str) -> Result<Rendition> {
    let index = eventually("the room plays by HLS", LONG, async || {
        let mut connection = Connection::open(host).await?;
        let reply = connection.get(&format!("/live/{key}/index.m3u8")).await?;
        ensure!(reply.status == 200, "{}", reply.status);
        Ok(String::from_utf8(reply.body)?)
    });
    let index = index.await?;
    let last = index.lines().last().context("an empty playlist")?;
    let (name, _) = last.split_once('/').context("no folder")?;
    Ok(Rendition {
        host,
        folder: format!("/live/{key}/{name}"),
        kind: "video",
    })
}

async fn measure(
    arguments: &Arguments,
    count: usize,
    players: &Players,
    process: Process,
) -> Result<Vec<String>> {
    let (cpu, own_cpu) = (
        CpuMeter::start(process)?,
        CpuMeter::start(Process::this()?)?,
    );
    drop(players.take());
    sleep(Duration::from_secs(arguments.seconds)).await;
    let mut seen = players.take();
    let (cpu, own_cpu) = (cpu.percent()?, own_cpu.percent()?);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let per_second = |count: u64| count as f64 / arguments.seconds as f64;
    let requests = per_second(seen.requests);
    Ok(vec![
        count.to_string(),
        format!("{requests:.0}"),
        format!("{:.0}", per_second(seen.bytes) * 8.0 / 1e6),
        format!("{cpu:.1}"),
        format!("{:.0}", requests / cpu * 100.0),
        millis(seen.parts.percentile(50.0)),
        millis(seen.parts.percentile(99.0)),
        millis(Some(seen.longest_gap)),
        (process.resident()? >> 20).to_string(),
        format!("{own_cpu:.1}"),
    ])
}

/// Segments from Golive and from nginx, in turn, so that both meet the same machine.
async fn compare(arguments: &Arguments, rendition: &Rendition, process: Process) -> Result<()> {
    let Rendition { host, folder, kind } = rendition;
    let playlist = Connection::open(*host)
        .await?
        .get(&format!("{folder}/{kind}.m3u8"))
        .await?;
    let playlist = String::from_utf8(playlist.body)?;
    let segments = playlist
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    // The newest: they are kept while this lasts.
    let mut paths: Vec<_> = segments.map(|name| format!("{folder}/{name}")).collect();
    paths.drain(..paths.len().saturating_sub(3));
    ensure!(!paths.is_empty(), "no segment is complete");
    let Some(nginx) = disk::copy(*host, &paths).await? else {
        println!("nginx is left out: it is not here (Debian: nginx).");
        return Ok(());
    };
    let table = Table::new(&["server ", "requests", "GiB   ", "CPU s", "requests/CPU s"]);
    let time = Duration::from_secs(2);
    let mut best = [0.0_f64; 2];
    for _ in 0..arguments.rounds {
        let golive = disk::ask(*host, process, &paths, CONNECTIONS, time).await?;
        let other = disk::ask(nginx.address, nginx.worker, &paths, CONNECTIONS, time).await?;
        for (place, (name, cost)) in [("golive", golive), ("nginx", other)].iter().enumerate() {
            table.row(&row(name, cost));
            if let Some(best) = best.get_mut(place) {
                *best = best.max(cost.per_cpu_second());
            }
        }
    }
    nginx.stop().await?;
    let [golive, nginx] = best;
    let share = golive / nginx;
    println!(
        "Golive answers {share:.2} of nginx's requests per second of CPU (expected: {SHARE})."
    );
    ensure!(share >= SHARE, "segments cost too much CPU");
    Ok(())
}

fn row(name: &str, cost: &Cost) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let gib = cost.bytes as f64 / f64::from(1 << 30);
    vec![
        name.to_owned(),
        cost.requests.to_string(),
        format!("{gib:.2}"),
        format!("{:.2}", cost.cpu.as_secs_f64()),
        format!("{:.0}", cost.per_cpu_second()),
    ]
}
