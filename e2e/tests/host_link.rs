//! A broadcast that is run from two devices.

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, SOON, Server};

#[tokio::test]
async fn whoever_opens_the_hosts_link_runs_the_broadcast_too() -> Result<()> {
    let server = Server::start().await?;
    let (host, phone) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Four hands").await?;
    let link = studio.host_link().await?;

    phone.open(&link).await?;
    let second = StudioPage::here(&phone);
    second.is_live().await?;
    WatchPage::here(&phone).plays().await?;
    let address = phone.js("return location.href", vec![]).await?;
    ensure!(
        address == server.url(&format!("/live/{key}")),
        "the secret stays in the address: {address}"
    );
    ensure!(
        phone.js("return window.e2e.tracks.length", vec![]).await? == 0,
        "it uses the camera"
    );
    second.says("origin", "another device").await?;
    second.say("from the phone").await?;
    studio.hears("Host", "from the phone").await?;
    second.moderate("from the phone", "delete").await?;
    studio.shows_comments(&[]).await?;
    // It is a host's for good, not for once.
    phone.reload().await?;
    second.is_live().await?;

    let stranger = Browser::start().await?;
    stranger.open(&link).await?;
    stranger.state("studio", "error", SOON).await?;
    StudioPage::here(&stranger)
        .says("stale-link", "please make a new one")
        .await?;

    second.end().await?;
    host.state("studio", "ended", LONG).await?;
    server.stop().await
}

#[tokio::test]
async fn the_second_device_says_who_was_lost() -> Result<()> {
    let server = Server::start().await?;
    let (host, phone) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    studio.go_live("A phone in the river").await?;
    phone.open(&studio.host_link().await?).await?;
    let second = StudioPage::here(&phone);
    second.says("origin", "another device").await?;
    host.kill();
    second.says("banner", "connection was lost").await?;
    second.says("origin", "another device").await?;
    server.stop().await
}

#[tokio::test]
async fn a_link_that_the_network_kept_from_the_server_is_tried_again() -> Result<()> {
    let server = Server::start().await?;
    let (host, phone) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    studio.go_live("Bad reception").await?;
    let link = studio.host_link().await?;

    phone.block_requests(&["*/host-link/redeem"]).await?;
    phone.open(&link).await?;
    phone.state("studio", "error", SOON).await?;
    let second = StudioPage::here(&phone);
    second.says("error", "try again").await?;
    phone.block_requests(&[]).await?;
    phone.click("try-again").await?;
    second.is_live().await?;
    server.stop().await
}
