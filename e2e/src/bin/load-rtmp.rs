//! Loads servers with players of one broadcast by RTMP and HTTP-FLV, and tells what a player costs: Golive's,
//! and nginx's to compare with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use e2e::load::process::{CpuMeter, Process};
use e2e::load::rtmp::contestant::Contestant;
use e2e::load::rtmp::player::Source;
use e2e::load::rtmp::players::{Players, Seen};
use e2e::load::rtmp::publisher::Publisher;
use e2e::load::rtmp::slow::SlowPlayers;
use e2e::load::rtmp::window::Window;
use e2e::load::statistics::millis;
use e2e::load::table::Table;
use tokio::time::{interval, sleep};

/// Time for things to calm down before they are measured.
const SETTLE: Duration = Duration::from_secs(3);
/// Time for the last pictures to arrive.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What is expected of Golive.
const DELAY: Duration = Duration::from_millis(30);
const FIRST_PICTURE: Duration = Duration::from_millis(60);
const MEMORY_KB: f64 = 64.0;

/// Players of one broadcast of 2 Mbit/s, by RTMP and HTTP-FLV, from servers that this program starts: the
/// Golive in GOLIVE_BIN, else the release build, and nginx where it and its RTMP module are installed.
#[derive(Parser)]
struct Arguments {
    /// How many players; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [50, 200, 500])]
    players: Vec<usize>,
    /// How many of them begin each second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    joins_per_second: u32,
    /// Seconds to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Measure again with so many more players who do not keep up
    #[arg(long, value_name = "N", default_value_t = 0)]
    slow: usize,
    /// Only these servers
    #[arg(long, value_delimiter = ',', default_values_t = [Software::Nginx, Software::Golive])]
    servers: Vec<Software>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Software {
    Nginx,
    Golive,
}

impl std::fmt::Display for Software {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Golive => "golive",
        })
    }
}

/// How players come to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Rtmp,
    Flv,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
struct Contest {
    software: Software,
    protocol: Protocol,
    players: usize,
    slow: usize,
}

/// What came out of it.
#[derive(Clone, Debug)]
struct Figures {
    /// Percent of a core.
    cpu: f64,
    own_cpu: f64,
    /// Bytes.
    memory_before: u64,
    memory: u64,
    memory_peak: u64,
    /// Pictures that were sent, to all players together.
    sent: u64,
    seen: Seen,
    /// Slow players who were given up.
    given_up: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!("CPU is in percent of one core, the server's and this program's own.");
    let table = Table::new(&[
        "server     ",
        "players",
        "slow",
        "CPU %",
        "each  ",
        "delay p50 ms",
        "p99 ms ",
        "first p50 ms",
        "p99 ms ",
        "connected p50 ms",
        "lost",
        "restarts",
        "memory MiB",
        "peak  ",
        "each KiB",
        "own CPU %",
    ]);
    let mut failures = Vec::new();
    for &players in &arguments.players {
        failures.extend(compare(&arguments, &table, players).await?);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Measures every server with so many players, one after the other. Answers what went wrong.
async fn compare(arguments: &Arguments, table: &Table, players: usize) -> Result<Vec<String>> {
    // nginx's CPU, with as many slow players as Golive had.
    let mut nginx = HashMap::new();
    let (mut verdicts, mut failures) = (Vec::new(), Vec::new());
    for contest in contests(arguments, players) {
        let Some(mut figures) = measure(arguments, contest).await? else {
            println!(
                "nginx is left out: it or its RTMP module (Debian: nginx, libnginx-mod-rtmp) is not here."
            );
            continue;
        };
        table.row(&contest.cells(&mut figures));
        match contest.software {
            Software::Nginx => {
                nginx.insert(contest.slow, figures.cpu);
            }
            Software::Golive => {
                failures.extend(contest.failures(&figures));
                verdicts.extend(contest.verdicts(&mut figures, nginx.get(&contest.slow)));
            }
        }
    }
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    println!();
    Ok(failures)
}

fn contests(arguments: &Arguments, players: usize) -> Vec<Contest> {
    let mut contests = Vec::new();
    for (software, protocol) in [
        (Software::Nginx, Protocol::Rtmp),
        (Software::Golive, Protocol::Rtmp),
        (Software::Golive, Protocol::Flv),
    ] {
        let slow = (arguments.slow > 0).then_some(arguments.slow);
        for slow in [Some(0), slow].into_iter().flatten() {
            if arguments.servers.contains(&software) {
                contests.push(Contest {
                    software,
                    protocol,
                    players,
                    slow,
                });
            }
        }
    }
    contests
}

/// Measures one server, which is started for it. `None` where it is not installed.
async fn measure(arguments: &Arguments, contest: Contest) -> Result<Option<Figures>> {
    let contestant = match contest.software {
        Software::Golive => Some(Contestant::golive().await?),
        Software::Nginx => Contestant::nginx().await?,
    };
    let Some(contestant) = contestant else {
        return Ok(None);
    };
    let window = Arc::default();
    let publisher = Publisher::start(&contestant.publish, Arc::clone(&window)).await?;
    sleep(SETTLE).await;
    let figures = load(arguments, contest, &contestant, &publisher, &window).await?;
    publisher.stop().await?;
    contestant.stop().await?;
    Ok(Some(figures))
}

async fn load(
    arguments: &Arguments,
    contest: Contest,
    contestant: &Contestant,
    publisher: &Publisher,
    window: &Arc<Window>,
) -> Result<Figures> {
    let source = match (contest.protocol, &contestant.flv) {
        (Protocol::Flv, Some(flv)) => flv,
        _ => &contestant.rtmp,
    };
    let memory_before = contestant.process.resident()?;
    let (players, mut slow) = join(arguments, contest, source, window).await?;
    sleep(SETTLE).await;
    let (cpu, own_cpu) = (
        CpuMeter::start(contestant.process)?,
        CpuMeter::start(Process::this()?)?,
    );
    window.open();
    let mut memory_peak = 0;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.tick().await;
    for _ in 0..arguments.seconds {
        seconds.tick().await;
        memory_peak = memory_peak.max(contestant.process.resident()?);
    }
    let (cpu, own_cpu) = (cpu.percent()?, own_cpu.percent()?);
    window.close();
    let memory = contestant.process.resident()?;
    sleep(AFTERMATH).await;
    Ok(Figures {
        cpu,
        own_cpu,
        memory_before,
        memory,
        memory_peak: memory_peak.max(memory),
        sent: publisher.pictures() * u64::try_from(contest.players)?,
        seen: players.seen(),
        given_up: slow.given_up(),
    })
}

async fn join(
    arguments: &Arguments,
    contest: Contest,
    source: &Source,
    window: &Arc<Window>,
) -> Result<(Players, SlowPlayers)> {
    let slow = SlowPlayers::begin(source, contest.slow).await?;
    let rate = arguments.joins_per_second;
    let players = Players::begin(source, contest.players, rate, window).await?;
    Ok((players, slow))
}

impl Contest {
    fn name(self) -> String {
        let protocol = match self.protocol {
            Protocol::Rtmp => "RTMP",
            Protocol::Flv => "FLV",
        };
        format!("{} {protocol}", self.software)
    }

    /// A player's share, whether it keeps up or not.
    fn each(self, total: f64) -> f64 {
        total / ratio((self.players + self.slow) as u64, 1).max(1.0)
    }

    /// In KiB.
    fn memory_each(self, figures: &Figures) -> f64 {
        let grown = figures.memory.saturating_sub(figures.memory_before);
        self.each(ratio(grown, 1 << 10))
    }

    fn cells(self, figures: &mut Figures) -> Vec<String> {
        let memory_each = self.memory_each(figures);
        let seen = &mut figures.seen;
        vec![
            self.name(),
            self.players.to_string(),
            self.slow.to_string(),
            format!("{:.1}", figures.cpu),
            format!("{:.4}", self.each(figures.cpu)),
            millis(seen.delays.percentile(50.0)),
            millis(seen.delays.percentile(99.0)),
            millis(seen.first_from_play.percentile(50.0)),
            millis(seen.first_from_play.percentile(99.0)),
            millis(seen.first_from_connect.percentile(50.0)),
            lost(figures).to_string(),
            figures.seen.restarts.to_string(),
            format!("{:.1}", ratio(figures.memory, 1 << 20)),
            format!("{:.1}", ratio(figures.memory_peak, 1 << 20)),
            format!("{memory_each:.1}"),
            format!("{:.1}", figures.own_cpu),
        ]
    }

    /// What no server may do.
    fn failures(self, figures: &Figures) -> Vec<String> {
        let (name, players) = (self.name(), self.players);
        let mut failures = Vec::new();
        if lost(figures) > 0 {
            let lost = lost(figures);
            failures.push(format!(
                "{name}, {players} players: {lost} pictures are lost"
            ));
        }
        if figures.seen.restarts > 0 {
            let why = figures.seen.ended.as_deref().unwrap_or("nobody knows why");
            let restarts = figures.seen.restarts;
            failures.push(format!(
                "{name}, {players} players: {restarts} streams ended by themselves: {why}"
            ));
        }
        failures
    }

    /// What is expected of Golive, and whether it is so.
    fn verdicts(self, figures: &mut Figures, nginx: Option<&f64>) -> Vec<String> {
        let memory = self.memory_each(figures) * 1.024;
        let (cpu, given_up) = (figures.cpu, figures.given_up);
        let seen = &mut figures.seen;
        let delay = seen.delays.percentile(50.0);
        let first = seen.first_from_play.percentile(50.0);
        let within = |time: Option<Duration>, bar| time.is_some_and(|time| time <= bar);
        let mut name = format!("{}, {} players", self.name(), self.players);
        if self.slow > 0 {
            name += &format!(" and {} slow ones, {given_up} of them given up", self.slow);
        }
        let mut verdicts = vec![
            (
                format!("median delay {} ms, at most 30", millis(delay)),
                within(delay, DELAY),
            ),
            (
                format!("median first picture {} ms, at most 60", millis(first)),
                within(first, FIRST_PICTURE),
            ),
            (
                format!("memory {memory:.1} kB each, less than 64"),
                memory < MEMORY_KB,
            ),
        ];
        if let Some(nginx) = nginx {
            let share = cpu / nginx;
            let verdict = format!("CPU {share:.2} of nginx's, at most 1");
            verdicts.insert(0, (verdict, share <= 1.0));
        }
        let verdicts = verdicts.into_iter().map(|(bar, met)| {
            let met = if met { "met" } else { "NOT MET" };
            format!("{name}: {bar}: {met}")
        });
        verdicts.collect()
    }
}

/// Pictures that were sent and never came.
fn lost(figures: &Figures) -> u64 {
    figures.sent.saturating_sub(figures.seen.pictures)
}

/// `of / by`.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here needs more than 52 bits"
)]
fn ratio(of: u64, by: u64) -> f64 {
    of as f64 / by.max(1) as f64
}
