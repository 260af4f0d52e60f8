//! A server that restarts under a broadcast.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server, target_dir};

#[tokio::test]
async fn broadcaster_and_viewer_come_back_by_themselves() -> Result<()> {
    let data = target_dir().join(format!("e2e/data-{}", std::process::id()));
    let flag = data.to_str().context("the folder's name is not UTF-8")?;
    let mut server = Server::start_with(&["--data", flag]).await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Still here").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.say_as("Ann", "before").await?;
    studio.hears("Ann", "before").await?;

    server.restart().await?;

    watch.is("live", LONG).await?;
    watch.plays().await?;
    studio.is_live().await?;
    ensure!(studio.share_link().await?.ends_with(&key), "another room");
    watch.shows_comments(&["before"]).await?;
    watch.say("after").await?;
    studio.shows_comments(&["before", "after"]).await?;
    studio.end().await?;
    watch.is("ended", LONG).await?;
    server.stop().await?;
    fs::remove_dir_all(data)?;
    Ok(())
}
