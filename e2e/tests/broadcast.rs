//! Going live in one browser and watching in another.

use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, SOON, Server};

#[tokio::test]
async fn what_one_browser_broadcasts_another_sees_and_hears() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Cooking with Ann").await?;

    viewer.open(&studio.share_link().await?).await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    let times = "const { pageReady, firstFrame } = window.e2e; return [pageReady, firstFrame]";
    println!(
        "page ready and first frame, in ms since navigation: {}",
        viewer.js(times, vec![]).await?
    );

    ensure!(
        watch.player("muted").await? == true,
        "autoplay is only allowed muted"
    );
    viewer.click("unmute").await?;
    viewer
        .wait("one tap unmutes", SOON, async || {
            ensure!(watch.player("muted").await? == false, "still muted");
            Ok(())
        })
        .await?;
    // Chromium only decodes sound that somebody listens to.
    viewer
        .wait("the fake microphone's beeps are heard", SOON, async || {
            let stats = viewer.stats().await?;
            let energy = stats.number("inbound-rtp", "audio", "totalAudioEnergy")?;
            let bytes = stats.number("inbound-rtp", "audio", "bytesReceived")?;
            ensure!(energy > 0.0, "silence in {bytes} bytes");
            Ok(())
        })
        .await?;
    watch.plays().await?;
    server.stop().await
}

#[tokio::test]
async fn the_broadcaster_sends_at_full_quality_within_seconds() -> Result<()> {
    const CAP: f64 = 2_500_000.0;
    let server = Server::start().await?;
    let host = Browser::start().await?;
    let studio = StudioPage::open(&host, &server).await?;
    let start = Instant::now();
    studio.go_live("Full quality").await?;
    // Without feedback about congestion Chromium would stay at 300 kbit/s.
    host.wait("the send target is near its cap", LONG, async || {
        let target = host
            .stats()
            .await?
            .number("outbound-rtp", "video", "targetBitrate")?;
        ensure!(target > 0.8 * CAP, "it is {target} bit/s");
        Ok(())
    })
    .await?;
    println!(
        "the send target was near its cap {:?} after the start",
        start.elapsed()
    );
    server.stop().await
}

#[tokio::test]
async fn the_end_of_a_broadcast_is_seen_at_once() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Short").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;

    let start = Instant::now();
    studio.end().await?;
    watch.is("ended", SOON).await?;
    viewer.find("ended").await?;
    println!("the end was seen after {:?}", start.elapsed());
    server.stop().await
}

#[tokio::test]
async fn a_viewer_whose_network_lets_no_udp_through_watches_over_tcp() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Behind a firewall").await?;
    viewer.block_udp().await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.plays().await?;
    let protocols = viewer
        .js(
            "const stats = [...(await window.e2e.peers.at(-1).getStats()).values()];
             return stats.filter((s) => s.type === 'remote-candidate').map((s) => s.protocol)",
            vec![],
        )
        .await?;
    ensure!(protocols == serde_json::json!(["tcp"]), "by {protocols}");
    server.stop().await
}

#[tokio::test]
async fn lost_packets_do_not_freeze_the_picture() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Bad network").await?;
    viewer.lose_packets(5).await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    // The page has noticed, and gives packets that are sent again the time they need.
    let patient = "const [receiver] = window.e2e.peers.at(-1).getReceivers();
                   return receiver.jitterBufferTarget > 0";
    viewer
        .wait("pictures wait for lost packets", LONG, async || {
            ensure!(viewer.js(patient, vec![]).await? == true, "not yet");
            Ok(())
        })
        .await?;
    // Chromium makes them wait longer by and by, a tenth of a second each second.
    tokio::time::sleep(SOON / 2).await;

    let video = async |field: &str| viewer.stats().await?.number("inbound-rtp", "video", field);
    let sent = async || {
        host.stats()
            .await?
            .number("outbound-rtp", "video", "framesSent")
    };
    let (sent_before, decoded_before) = (sent().await?, watch.frames().await?);
    let freezes_before = video("freezeCount").await?;
    tokio::time::sleep(SOON).await;
    let (sent, decoded) = (
        sent().await? - sent_before,
        watch.frames().await? - decoded_before,
    );
    let (lost, nacks) = (video("packetsLost").await?, video("nackCount").await?);
    let freezes = video("freezeCount").await? - freezes_before;
    println!("{decoded} of {sent} pictures, {lost} packets lost, {nacks} NACKs, {freezes} freezes");
    ensure!(nacks > 0.0, "no packet was asked for again: was any lost?");
    ensure!(
        sent > 50.0,
        "the broadcaster only sent {sent} pictures in {SOON:?}"
    );
    ensure!(
        decoded > 0.8 * sent,
        "only {decoded} of {sent} pictures were seen"
    );
    ensure!(freezes <= 1.0, "{freezes} freezes in {SOON:?}");
    server.stop().await
}

#[tokio::test]
async fn a_viewer_whose_path_loses_too_much_goes_on_by_hls() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Hopeless network").await?;
    // Chromium only spoils connections that began on a network that it may spoil.
    viewer.lose_packets(0).await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.comes_by("WebRTC").await?;
    viewer.lose_packets(50).await?;
    watch.comes_by("HLS").await?;
    watch.plays_from_segments(30.0).await?;
    server.stop().await
}
