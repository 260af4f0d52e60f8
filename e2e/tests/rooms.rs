//! The list of rooms, and what leaving a page releases.

use anyhow::{Result, ensure};
use e2e::pages::{HomePage, StudioPage, WatchPage};
use e2e::{Browser, SOON, Server};

#[tokio::test]
async fn the_room_list_changes_by_itself() -> Result<()> {
    let server = Server::start().await?;
    let (host, visitor) = (Browser::start().await?, Browser::start().await?);
    let home = HomePage::open(&visitor, &server).await?;
    home.lists(&[]).await?;
    visitor.find("empty").await?;

    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Birds at the window").await?;
    home.lists(&[&key]).await?;
    let card = home.card(&key).await?;
    ensure!(
        card.contains("Birds at the window"),
        "the card says {card:?}"
    );

    studio.end().await?;
    home.lists(&[]).await?;
    server.stop().await
}

#[tokio::test]
async fn a_room_that_does_not_exist_is_said_to_be_not_found() -> Result<()> {
    let server = Server::start().await?;
    let viewer = Browser::start().await?;
    let watch = WatchPage::open(&viewer, &server, "nobody-here").await?;
    watch.is("not-found", SOON).await?;
    server.stop().await
}

#[tokio::test]
async fn leaving_the_studio_switches_the_camera_off() -> Result<()> {
    let server = Server::start().await?;
    let host = Browser::start().await?;
    HomePage::open(&host, &server).await?;
    host.click("go-live").await?;
    let studio = StudioPage::here(&host);
    studio.sees_camera().await?;
    studio.go_live("Leaving").await?;

    // Within the page: closing the tab would switch everything off anyway.
    let leave = r#"window.confirm = () => true; document.querySelector('a[href="/"]').click();"#;
    host.js(leave, vec![]).await?;
    host.wait(
        "camera, microphone and connection are released",
        SOON,
        async || {
            let script = "return { tracks: window.e2e.tracks.map((track) => track.readyState), \
                               peers: window.e2e.peers.map((peer) => peer.connectionState) }";
            let left = host.js(script, vec![]).await?;
            let all = |list: &str, state: &str| {
                let list = left[list].as_array().map(Vec::as_slice).unwrap_or_default();
                !list.is_empty() && list.iter().all(|item| item == state)
            };
            ensure!(all("tracks", "ended") && all("peers", "closed"), "{left}");
            Ok(())
        },
    )
    .await?;
    server.stop().await
}

#[tokio::test]
async fn leaving_the_watch_page_ends_its_session() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Passing by").await?;
    let home = HomePage::open(&viewer, &server).await?;
    home.lists(&[&key]).await?;
    home.enter(&key).await?;
    let watch = WatchPage::here(&viewer);
    watch.plays().await?;
    ensure!(
        server.room(&key).await?.viewers == 1,
        "the viewer is not counted"
    );

    viewer.back().await?;
    home.lists(&[&key]).await?;
    viewer
        .wait("the viewer is gone", SOON, async || {
            let viewers = server.room(&key).await?.viewers;
            ensure!(viewers == 0, "{viewers} viewers");
            let peers = "return window.e2e.peers.map((peer) => peer.connectionState)";
            let peers = viewer.js(peers, vec![]).await?;
            ensure!(
                peers == serde_json::json!(["closed"]),
                "the connection is {peers}"
            );
            Ok(())
        })
        .await?;
    server.stop().await
}
