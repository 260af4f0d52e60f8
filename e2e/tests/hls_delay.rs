//! How late a viewer sees by LL-HLS, by a clock in the picture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::clock::{AS_OBS_DOES, ClockPush, Look, ORDINARY, requests, seen, watch};
use e2e::pages::WatchPage;
use e2e::{Browser, LONG, Server};

/// How long it is watched; longer where this many seconds are in the environment variable.
const A_WHILE: Duration = Duration::from_secs(20);
const SECONDS: &str = "GOLIVE_HLS_SECONDS";
/// The most that a picture may be late, in seconds.
const LATEST: f64 = 2.0;
/// Longest time in which the picture may stand still, in seconds.
const STANDSTILL: f64 = 0.5;
/// What a player may take to settle after it has begun or the publisher has changed.
const SETTLE: Duration = Duration::from_secs(5);

/// Longest time without a newer picture, in seconds.
fn standstill(looks: &[Look]) -> f64 {
    let (mut longest, mut newest) = (0.0_f64, None::<Look>);
    for look in looks {
        // When what is seen was made.
        let made = |look: &Look| look.at - look.delay * 1_000.0;
        match newest {
            Some(before) if made(look) <= made(&before) + 1.0 => {
                longest = longest.max((look.at - before.at) / 1_000.0);
            }
            _ => newest = Some(*look),
        }
    }
    longest
}

/// Watches for a while: the picture is close to live all the time and never stands still.
async fn stays_close(viewer: &Browser, publisher: u8, time: Duration) -> Result<()> {
    let (start, mut looks, mut waits) = (Instant::now(), Vec::new(), 0);
    seen(viewer).await?;
    while start.elapsed() < time {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (more, waited) = seen(viewer).await?;
        looks.extend(more);
        waits += waited;
    }
    let mut delays: Vec<_> = looks.iter().map(|look| look.delay).collect();
    delays.sort_by(f64::total_cmp);
    let middle = delays.get(delays.len() / 2).context("no clock was seen")?;
    let (least, most) = (delays.first().copied(), delays.last().copied());
    let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
    let standstill = standstill(&looks);
    println!(
        "publisher {publisher}, {} looks in {time:?}: {least:.2} to {most:.2} s late, {middle:.2} s in the \
         middle; {waits} waits, at most {standstill:.2} s without a new picture",
        looks.len(),
    );
    // What it takes to find out why.
    if most >= LATEST || waits > 0 || standstill >= STANDSTILL {
        for look in &looks {
            println!("{:.0} {:.2} s late", look.at, look.delay);
        }
        println!("{}", requests(viewer).await?.join("\n"));
    }
    ensure!(looks.iter().all(|look| look.publisher == publisher));
    ensure!(most < LATEST, "{most:.2} s late");
    ensure!(waits == 0 && standstill < STANDSTILL, "it stalled");
    Ok(())
}

/// How long to watch.
fn time() -> Result<Duration> {
    let seconds = std::env::var(SECONDS).ok();
    let seconds = seconds.map(|seconds| seconds.parse()).transpose()?;
    Ok(seconds.map_or(A_WHILE, Duration::from_secs))
}

/// Opens a room's page in a browser, which plays it by HLS, and begins to look at the clock.
async fn open(viewer: &Browser, server: &Server, key: &str) -> Result<()> {
    viewer.block_media().await?;
    let page = WatchPage::open(viewer, server, key).await?;
    page.is("live", LONG).await?;
    page.comes_by("HLS").await?;
    page.plays_from_segments(30.0).await?;
    watch(viewer).await?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}

#[tokio::test]
async fn the_picture_is_less_than_two_seconds_late_and_another_publisher_does_not_stop_it()
-> Result<()> {
    let server = Server::start().await?;
    let room = server.create_room("A clock").await?;
    let url = server.rtmp_url(room.links.rtmp_stream_key.as_deref().context("no key")?);
    let first = ClockPush::start(&url, ORDINARY, 1)?;
    let viewer = Browser::start().await?;
    open(&viewer, &server, room.room.key.as_str()).await?;
    stays_close(&viewer, 1, time()?).await?;

    // Takes over while the first still sends.
    let second = ClockPush::start(&url, ORDINARY, 2)?;
    let (changed, mut looks) = (Instant::now(), Vec::new());
    viewer
        .wait("the second publisher is seen", LONG, async || {
            looks.extend(seen(&viewer).await?.0);
            ensure!(looks.iter().any(|look| look.publisher == 2));
            Ok(())
        })
        .await?;
    println!(
        "seen {:?} after it began to publish, {:.2} s without a new picture",
        changed.elapsed(),
        standstill(&looks),
    );
    tokio::time::sleep(SETTLE).await;
    stays_close(&viewer, 2, time()? / 2).await?;
    first.stop().await?;
    second.stop().await?;
    server.stop().await
}

/// Broadcasts a clock with these frames, and watches it for a while.
async fn watched(
    frames: &str,
    viewer: impl Future<Output = Result<Browser>>,
) -> Result<(Server, ClockPush, Browser)> {
    let server = Server::start().await?;
    let room = server.create_room("A clock").await?;
    let url = server.rtmp_url(room.links.rtmp_stream_key.as_deref().context("no key")?);
    let push = ClockPush::start(&url, frames, 3)?;
    let viewer = viewer.await?;
    open(&viewer, &server, room.room.key.as_str()).await?;
    stays_close(&viewer, 3, time()?).await?;
    Ok((server, push, viewer))
}

#[tokio::test]
async fn keyframes_that_are_far_apart_do_not_make_it_later() -> Result<()> {
    let (server, push, _) = watched(AS_OBS_DOES, Browser::start()).await?;
    push.stop().await?;
    server.stop().await
}

/// Watches a clock with workers that are late by so many milliseconds.
async fn watched_with_slow_workers(late: u32) -> Result<()> {
    let viewer = async {
        let viewer = Browser::start().await?;
        viewer.slow_workers(late).await?;
        Ok(viewer)
    };
    let (server, push, _) = watched(ORDINARY, viewer).await?;
    push.stop().await?;
    server.stop().await
}

/// What hls.js removed from the buffer while its worker had a part took the part with it.
#[tokio::test]
async fn a_part_that_a_busy_machine_has_half_of_is_not_lost() -> Result<()> {
    watched_with_slow_workers(120).await
}

/// hls.js did not fetch the last part of a segment when the one before it was ready only after the segment's
/// end: for longer than a part lasts.
#[tokio::test]
async fn the_last_part_of_a_segment_that_is_over_is_not_left_out() -> Result<()> {
    watched_with_slow_workers(250).await
}

#[tokio::test]
async fn a_browser_without_room_for_what_was_played_plays_on() -> Result<()> {
    let (server, push, viewer) = watched(ORDINARY, Browser::with_little_room()).await?;
    let gone = "const { buffered } = document.querySelector('[data-test=\"player\"]'); return buffered.start(0);";
    let gone = viewer.js(gone, vec![]).await?;
    ensure!(gone.as_f64() > Some(5.0), "all is kept from {gone} s on");
    push.stop().await?;
    server.stop().await
}
