//! A server that takes little.

use anyhow::{Result, ensure};
use e2e::ffmpeg::Push;
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server};

#[tokio::test]
async fn a_browser_stays_below_what_the_server_takes() -> Result<()> {
    let server = Server::start_with(&["--max-bitrate", "400"]).await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Small").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    // A publisher is ended after three seconds of too much.
    host.wait("the browser has sent for 15 s", LONG, async || {
        let stats = host.stats().await?;
        let frames = stats.number("outbound-rtp", "video", "framesEncoded")?;
        ensure!(frames > 200.0, "{frames} pictures");
        let target = stats.number("outbound-rtp", "video", "targetBitrate")?;
        ensure!(target <= 320_000.0, "the browser aims at {target} bit/s");
        Ok(())
    })
    .await?;
    studio.is_live().await?;
    watch.plays().await?;
    let sessions = host.js("return window.e2e.peers.length;", vec![]).await?;
    ensure!(sessions == 1, "the browser published {sessions} times");
    server.stop().await
}

#[tokio::test]
async fn the_studio_says_why_an_encoder_was_cut_off() -> Result<()> {
    let server = Server::start_with(&["--max-bitrate", "50"]).await?;
    let host = Browser::start().await?;
    host.open(&server.url("/live")).await?;
    let studio = StudioPage::here(&host);
    let (_, url) = studio.prepares_for_software("Too much").await?;
    let encoder = Push::ordinary(&url)?;
    studio
        .says("cut-off", "and this server takes 50: please set a lower")
        .await?;
    encoder.ended().await?;
    server.stop().await
}

#[tokio::test]
async fn a_browser_that_cannot_is_cut_off_and_does_not_come_back_by_itself() -> Result<()> {
    // Less than any browser makes of a picture.
    let server = Server::start_with(&["--max-bitrate", "20"]).await?;
    let host = Browser::start().await?;
    let studio = StudioPage::open(&host, &server).await?;
    studio.go_live("Less than nothing").await?;
    host.state("studio", "error", LONG).await?;
    studio
        .says("error", "and this server takes 20: please set a lower")
        .await?;
    let sessions = host.js("return window.e2e.peers.length;", vec![]).await?;
    ensure!(sessions == 1, "the browser published {sessions} times");
    server.stop().await
}
