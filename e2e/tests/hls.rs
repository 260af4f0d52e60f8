//! Watching by LL-HLS, where WebRTC cannot be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server};

/// How long the delay is watched.
const A_WHILE: Duration = Duration::from_secs(15);
/// Farthest behind live that a player of parts may be, in seconds.
const MOST_BEHIND: f64 = 2.0;

/// Seconds behind live that the page's badge shows.
async fn delay(viewer: &Browser) -> Result<f64> {
    let badge = viewer.text("path-badge").await?;
    let seconds = badge.split_whitespace().find_map(|part| part.parse().ok());
    seconds.with_context(|| format!("the badge says {badge:?}"))
}

#[tokio::test]
async fn a_viewer_whose_network_lets_no_media_through_watches_by_hls() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Behind a wall").await?;
    viewer.block_media().await?;
    let watch = WatchPage::open(&viewer, &server, &key).await?;
    watch.is("live", LONG).await?;
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(30.0).await?;

    let stalls = "return document.querySelector('[data-test=\"player\"]').e2eStalls";
    viewer
        .js(
            "const video = document.querySelector('[data-test=\"player\"]');
             video.e2eStalls = 0;
             video.addEventListener('waiting', () => { video.e2eStalls += 1; });",
            vec![],
        )
        .await?;
    // A machine that is busy with other things may stop it once: then it comes back.
    let worst = viewer
        .wait(
            "the player is close to live for a while",
            LONG,
            async || {
                let (start, mut worst) = (Instant::now(), 0.0_f64);
                while start.elapsed() < A_WHILE {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    worst = worst.max(delay(&viewer).await?);
                    ensure!(worst < MOST_BEHIND, "{worst} s behind live");
                }
                Ok(worst)
            },
        )
        .await?;
    let stalls = viewer.js(stalls, vec![]).await?;
    println!("at most {worst} s behind live in {A_WHILE:?}, {stalls} stalls until then");
    server.stop().await
}

#[tokio::test]
async fn a_viewer_may_choose_the_path() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Both ways").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.comes_by("WebRTC").await?;

    watch.choose_path("hls").await?;
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(30.0).await?;
    viewer.reload().await?;
    watch.comes_by("HLS").await?;

    watch.choose_path("automatic").await?;
    watch.comes_by("WebRTC").await?;
    watch.plays().await?;
    server.stop().await
}

#[tokio::test]
async fn hls_plays_on_when_the_broadcaster_reloads() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Another publisher").await?;
    viewer.block_media().await?;
    let watch = WatchPage::open(&viewer, &server, &key).await?;
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(30.0).await?;

    host.reload().await?;
    studio.is_live().await?;
    watch.is("live", LONG).await?;
    watch.plays_from_segments(50.0).await?;
    server.stop().await
}
