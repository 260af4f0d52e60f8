//! What changes for a viewer when many others watch.

use anyhow::{Result, ensure};
use e2e::load::audience::Audience;
use e2e::load::peer::Identity;
use e2e::load::session::Endpoint;
use e2e::pages::{StudioPage, WatchPage};
use e2e::server::FOR_LOAD;
use e2e::{Browser, SOON, Server};

/// Enough for two sounds to share a packet.
const CROWD: usize = 30;
/// Samples of 20 ms of sound.
const SOUND: f64 = 960.0;

/// Samples that a packet of sound brings in the next seconds.
async fn samples_in_a_packet(viewer: &Browser) -> Result<f64> {
    let look = async || {
        let stats = viewer.stats().await?;
        let samples = stats.number("inbound-rtp", "audio", "totalSamplesReceived")?;
        let packets = stats.number("inbound-rtp", "audio", "packetsReceived")?;
        anyhow::Ok((samples, packets))
    };
    let before = look().await?;
    tokio::time::sleep(SOON / 2).await;
    let after = look().await?;
    ensure!(after.1 > before.1, "no sound comes");
    Ok((after.0 - before.0) / (after.1 - before.1))
}

#[tokio::test]
async fn sound_shares_packets_only_while_many_watch() -> Result<()> {
    let server = Server::start_with(&FOR_LOAD).await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("A crowd").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    // Chromium only decodes sound that somebody listens to.
    viewer.click("unmute").await?;
    watch.plays().await?;
    let alone = samples_in_a_packet(&viewer).await?;

    let endpoint = Endpoint::new(&server.url(&format!("/whep/{key}")), None)?;
    let crowd = Audience::join(&endpoint, &Identity::generate()?, CROWD, 30, 0).await?;
    ensure!(crowd.len() == CROWD, "{:?}", crowd.failures);
    let among_many = samples_in_a_packet(&viewer).await?;
    let energy = async || {
        let stats = viewer.stats().await?;
        stats.number("inbound-rtp", "audio", "totalAudioEnergy")
    };
    let quiet = energy().await?;
    viewer
        .wait("the beeps are still heard", SOON, async || {
            ensure!(energy().await? > quiet, "silence");
            Ok(())
        })
        .await?;
    watch.plays().await?;

    crowd.leave().await?;
    let alone_again = samples_in_a_packet(&viewer).await?;
    println!("{alone:.0}, {among_many:.0} and {alone_again:.0} samples in a packet");
    ensure!(alone < 1.2 * SOUND && alone_again < 1.2 * SOUND);
    ensure!(among_many > 1.3 * SOUND);
    server.stop().await
}
