//! Watching in Firefox.

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server};

#[tokio::test]
async fn firefox_sees_and_hears_a_broadcast_by_webrtc_and_its_comments_arrive() -> Result<()> {
    let server = Server::start_for_firefox().await?;
    let (host, viewer) = (Browser::start().await?, Browser::firefox().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("To Firefox").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.comes_by("WebRTC").await?;
    let width = watch.player("videoWidth").await?.as_u64();
    ensure!(width > Some(16), "the picture's width is {width:?}");

    viewer.click("unmute").await?;
    viewer
        .wait("the fake microphone's beeps are heard", LONG, async || {
            let stats = viewer.stats().await?;
            let energy = stats.number("inbound-rtp", "audio", "totalAudioEnergy")?;
            ensure!(energy > 0.0, "silence");
            Ok(())
        })
        .await?;

    watch.say_as("Fay", "Hello from Firefox").await?;
    studio.hears("Fay", "Hello from Firefox").await?;
    studio.say_as("Ann", "Hello, Fay").await?;
    watch.hears("Ann", "Hello, Fay").await?;
    watch.plays().await?;
    server.stop().await
}

#[tokio::test]
async fn firefox_goes_over_to_hls_where_no_media_comes_through() -> Result<()> {
    let server = Server::start_for_firefox().await?;
    let (host, viewer) = (Browser::start().await?, Browser::firefox().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Behind a wall").await?;
    viewer.block_media().await?;
    let watch = WatchPage::open(&viewer, &server, &key).await?;
    watch.is("live", LONG).await?;
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(60.0).await?;
    server.stop().await
}

#[tokio::test]
async fn a_firefox_that_has_no_h264_yet_tells_the_host_what_to_do() -> Result<()> {
    let server = Server::start_for_firefox().await?;
    let host = Browser::firefox_without_h264().await?;
    StudioPage::open(&host, &server).await?;
    host.fill("title", "Too early").await?;
    host.click("start").await?;
    host.wait("a sentence about H.264", LONG, async || {
        let sentence = host.find("error").await?.text().await?;
        ensure!(
            sentence.starts_with("This browser cannot send H.264"),
            "it says {sentence:?}"
        );
        Ok(())
    })
    .await?;
    server.stop().await
}
