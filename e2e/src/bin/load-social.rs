//! Loads a server with a busy chat: how many events a second it delivers, and what likes cost.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::load::crowd::Crowd;
use e2e::load::process::{CpuMeter, Process};
use e2e::load::statistics::millis;
use e2e::load::table::Table;
use e2e::{Server, eventually, target_dir};
use shared::limits::{COMMENT_RATE, LIKE_RATE};
use tokio::time::{Instant, sleep};

/// A comment that takes longer is not delivered in time.
const IN_TIME: Duration = Duration::from_secs(1);
/// How long late comments are waited for.
const LATE: Duration = Duration::from_secs(3);
/// Each step has so much more comments than the one before it.
const STEP: f64 = 1.25;
/// As a page sends them that gathers quick taps.
const LIKES_PER_UPVOTE: u32 = 2;

/// People in one room who comment and like, over Socket.IO, at a server that this program starts: the
/// one in GOLIVE_BIN, else the release build.
#[derive(Parser)]
struct Arguments {
    /// How many people
    #[arg(long, default_value_t = 500)]
    sockets: usize,
    /// How many of them join each second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    joins_per_second: u32,
    /// Comments a second to begin with
    #[arg(long, default_value_t = 100.0)]
    comments: f64,
    /// Seconds of each step
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Likes a second
    #[arg(long, default_value_t = 1_000)]
    likes: u32,
    /// Keep what is said on the disk, as servers do unless they are told otherwise
    #[arg(long)]
    kept: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = target_dir().join("e2e/load-social-data");
    // What an earlier run left behind when it was interrupted.
    let _ = fs::remove_dir_all(&folder);
    let data = format!("--data={}", folder.display());
    let flags: &[&str] = if arguments.kept { &[&data] } else { &[] };
    let server = Server::start_with(flags).await?;
    let process = Process::new(server.pid().context("the server ended by itself")?)?;
    let room = server.create_room("Load").await?.room;
    let crowd = Crowd::gather(
        &server.authority(),
        &room.key,
        arguments.sockets,
        arguments.joins_per_second,
    )
    .await?;
    let memory = process.resident()? / 1024;
    println!(
        "{} sockets in a room; the server needs {memory} KiB",
        crowd.len()
    );
    likes(&crowd, process, &arguments).await?;
    comments(&crowd, process, &arguments).await?;
    drop(crowd);
    server.stop().await?;
    let _ = fs::remove_dir_all(&folder);
    Ok(())
}

/// Likes are so aggregated that they cost next to nothing.
async fn likes(crowd: &Crowd, process: Process, arguments: &Arguments) -> Result<()> {
    let idle = CpuMeter::start(process)?;
    sleep(Duration::from_secs_f64(arguments.seconds)).await;
    let idle = idle.percent()?;

    let people = u32::try_from(crowd.len())?;
    let per_second = f64::from(arguments.likes) / f64::from(LIKES_PER_UPVOTE);
    let each = f64::from(arguments.likes) / f64::from(people);
    ensure!(
        each <= LIKE_RATE.per_second,
        "a socket may like {} times a second, not {each:.1}",
        LIKE_RATE.per_second
    );
    let count = rounded(per_second * arguments.seconds);
    crowd.take_heard()?;
    let cpu = CpuMeter::start(process)?;
    let began = Instant::now();
    crowd.like(count, LIKES_PER_UPVOTE, per_second).await?;
    let (cpu, took) = (cpu.percent()?, began.elapsed().as_secs_f64());
    sleep(IN_TIME).await;
    let heard = crowd.take_heard()?;

    let sent = u64::try_from(count)? * u64::from(LIKES_PER_UPVOTE);
    ensure!(
        heard.notices == 0,
        "likes were refused: {:?}",
        heard.first_notice
    );
    ensure!(
        heard.likes == sent * u64::from(people),
        "{sent} likes were sent, but {people} people saw {} in all",
        heard.likes
    );
    println!(
        "{} likes/s in {per_second:.0} upvotes/s: {:.0} events to each in {took:.1} s, \
         server CPU {cpu:.1} % of a core ({idle:.1} % without)",
        arguments.likes,
        ratio(heard.likes_events, f64::from(people)),
    );
    Ok(())
}

/// More and more comments, until they come too late.
async fn comments(crowd: &Crowd, process: Process, arguments: &Arguments) -> Result<()> {
    let table = Table::new(&[
        "comments/s",
        "delivered/s",
        "missing",
        "delay p50 ms",
        "p99 ms",
        "acknowledged p50 ms",
        "p99 ms",
        "server CPU %",
        "own CPU %",
    ]);
    // What everybody may say in one step, if their buckets are full at its beginning; half of what
    // flows back, since nobody's last comment comes at the very end.
    let most = ratio(crowd.len(), arguments.seconds)
        * (f64::from(COMMENT_RATE.burst) + COMMENT_RATE.per_second * arguments.seconds / 2.0);
    let refill = f64::from(COMMENT_RATE.burst) / COMMENT_RATE.per_second;
    let mut best = None;
    let mut rate = arguments.comments;
    while rate <= most {
        let step = step(crowd, process, &table, rate, arguments.seconds).await?;
        if !step.is_in_time {
            break;
        }
        best = Some(step.delivered);
        rate *= STEP;
        sleep(Duration::from_secs_f64(refill)).await;
    }
    if rate > most {
        println!("More than {most:.0} comments/s are not allowed to so many sockets.");
    }
    match best {
        Some(best) => println!("{best:.0} events/s are delivered in time."),
        None => println!("Not even the first step is delivered in time."),
    }
    Ok(())
}

struct Step {
    is_in_time: bool,
    /// Comments that arrived at somebody, each second.
    delivered: f64,
}

async fn step(
    crowd: &Crowd,
    process: Process,
    table: &Table,
    rate: f64,
    seconds: f64,
) -> Result<Step> {
    let count = rounded(rate * seconds);
    let expected = count * crowd.len();
    crowd.take_heard()?;
    let (cpu, own_cpu) = (
        CpuMeter::start(process)?,
        CpuMeter::start(Process::this()?)?,
    );
    let began = Instant::now();
    crowd.comment(count, rate).await?;
    let all = eventually("everything is delivered", LATE, async || {
        let heard = crowd.comments_heard();
        ensure!(heard == expected, "{heard} of {expected}");
        Ok(())
    });
    // What is still missing then is seen below.
    let _ = all.await;
    let took = began.elapsed().as_secs_f64();
    let (cpu, own_cpu) = (cpu.percent()?, own_cpu.percent()?);
    let acknowledged = eventually("all is acknowledged", LATE, async || {
        let acks = crowd.acks_heard();
        ensure!(acks == count, "{acks} of {count}");
        Ok(())
    });
    let _ = acknowledged.await;
    let mut heard = crowd.take_heard()?;
    ensure!(
        heard.notices == 0,
        "comments were refused: {:?}",
        heard.first_notice
    );
    let delivered = heard.comments.ended();
    heard.comments.add_missing(expected - delivered);
    let acknowledged = heard.acks.ended();
    heard.acks.add_missing(count - acknowledged);
    let (p50, p99) = (
        heard.comments.percentile(50.0),
        heard.comments.percentile(99.0),
    );
    let step = Step {
        is_in_time: p99.is_some_and(|p99| p99 <= IN_TIME),
        delivered: ratio(delivered, took),
    };
    table.row(&[
        format!("{rate:.0}"),
        format!("{:.0}", step.delivered),
        (expected - delivered).to_string(),
        millis(p50),
        millis(p99),
        millis(heard.acks.percentile(50.0)),
        millis(heard.acks.percentile(99.0)),
        format!("{cpu:.1}"),
        format!("{own_cpu:.1}"),
    ]);
    Ok(step)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are small and positive"
)]
fn rounded(count: f64) -> usize {
    count.round() as usize
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn ratio(count: usize, by: f64) -> f64 {
    count as f64 / by
}
