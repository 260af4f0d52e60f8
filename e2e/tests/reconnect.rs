//! A broadcaster who is lost, and comes back or not.

use anyhow::{Result, ensure};
use e2e::pages::{HomePage, StudioPage, WatchPage};
use e2e::{Browser, LONG, SOON, Server};
use shared::room::RoomState;

#[tokio::test]
async fn a_broadcaster_who_closes_the_tab_and_comes_back_resumes_the_room() -> Result<()> {
    let server = Server::start_with(&["--grace-seconds", "60"]).await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Back soon").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;

    host.close_tab().await?;
    watch.is("reconnecting", LONG).await?;
    viewer.find("banner").await?;
    ensure!(
        server.room(&key).await?.state == RoomState::Reconnecting,
        "the API says otherwise"
    );

    let studio = StudioPage::open_again(&host, &server, &key).await?;
    studio.is_live().await?;
    watch.is("live", LONG).await?;
    watch.plays().await?;
    ensure!(studio.share_link().await?.ends_with(&key), "another room");
    server.stop().await
}

#[tokio::test]
async fn a_broadcaster_who_reloads_the_page_stays_on_air() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Reload").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;

    host.reload().await?;
    studio.is_live().await?;
    watch.is("live", LONG).await?;
    watch.plays().await?;
    server.stop().await
}

#[tokio::test]
async fn a_broadcaster_who_vanishes_and_stays_away_ends_the_room() -> Result<()> {
    let server = Server::start_with(&["--grace-seconds", "4"]).await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Power cut").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;

    host.kill();
    watch.is("reconnecting", LONG).await?;
    watch.is("ended", LONG).await?;
    HomePage::open(&viewer, &server).await?.lists(&[]).await?;
    ensure!(
        server.room(&key).await?.state == RoomState::Ended,
        "the API says otherwise"
    );
    server.stop().await
}

#[tokio::test]
async fn a_viewer_who_comes_too_early_waits_for_the_broadcast() -> Result<()> {
    let server = Server::start().await?;
    let viewer = Browser::start().await?;
    let room = server.create_room("Later").await?.room;
    let watch = WatchPage::open(&viewer, &server, room.key.as_str()).await?;
    watch.is("waiting", SOON).await?;
    server.stop().await
}
