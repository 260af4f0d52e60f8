//! A server that restarts under a broadcast.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e::ffmpeg::{Pull, Tenacious};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server, eventually, target_dir};
use shared::room::{Ingest, Room, RoomState};

/// A folder for one test's data.
fn data(test: &str) -> PathBuf {
    target_dir().join(format!("e2e/data-{test}-{}", std::process::id()))
}

async fn start_with(data: &std::path::Path) -> Result<Server> {
    let flag = data.to_str().context("the folder's name is not UTF-8")?;
    Server::start_with(&["--data", flag]).await
}

#[tokio::test]
async fn broadcaster_and_viewer_come_back_by_themselves() -> Result<()> {
    let data = data("browser");
    let mut server = start_with(&data).await?;
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

/// Waits until the room's encoder is on the air.
async fn is_live(server: &Server, key: &str) -> Result<Room> {
    eventually("live by RTMP", LONG, async || {
        let room = server.room(key).await?;
        ensure!(
            room.state == RoomState::Live && room.ingest == Some(Ingest::Rtmp),
            "{room:?}"
        );
        Ok(room)
    })
    .await
}

/// A broadcast of an encoder with a viewer in a browser and a player, under which the server goes away and
/// comes again.
async fn an_encoder_comes_back(test: &str, crash: bool) -> Result<()> {
    let data = data(test);
    let mut server = start_with(&data).await?;
    let viewer = Browser::start().await?;
    let made = server.create_room("Still here").await?;
    let key = made.room.key.as_str();
    let stream_key = made.links.rtmp_stream_key.as_deref().context("no RTMP")?;
    let encoder = Tenacious::publishing(&server.rtmp_url(stream_key));
    let before = is_live(&server, key).await?;
    let watch = WatchPage::watch(&viewer, &server, key).await?;
    watch.say_as("Ann", "before").await?;
    let mut pull = Pull::start(&server.rtmp_url(key))?;
    pull.decodes(30, 30).await?;
    let attempts = encoder.attempts();

    if crash {
        server.crash().await?;
    } else {
        server.restart().await?;
    }

    // The same room, and still the same broadcast: no address has to be given to anybody again.
    let after = is_live(&server, key).await?;
    ensure!(
        (&after.title, after.created_at, after.started_at)
            == (&before.title, before.created_at, before.started_at),
        "{before:?} has become {after:?}"
    );
    ensure!(encoder.attempts() > attempts, "the encoder noticed nothing");
    watch.is("live", LONG).await?;
    watch.plays().await?;
    watch.shows_comments(&["before"]).await?;
    watch.say("after").await?;
    watch.shows_comments(&["before", "after"]).await?;
    // A player's connection is lost with the server; where it begins again, there is the broadcast.
    drop(pull);
    Pull::start(&server.rtmp_url(key))?.decodes(30, 30).await?;
    eventually("viewers are counted anew", LONG, async || {
        let room = server.room(key).await?;
        ensure!(room.viewers == 1 && room.peak_viewers >= 1, "{room:?}");
        Ok(())
    })
    .await?;
    drop(encoder);
    server.stop().await?;
    fs::remove_dir_all(data)?;
    Ok(())
}

#[tokio::test]
async fn an_encoder_and_its_viewers_come_back_after_a_restart() -> Result<()> {
    an_encoder_comes_back("encoder", false).await
}

#[tokio::test]
async fn an_encoder_and_its_viewers_come_back_after_a_crash() -> Result<()> {
    an_encoder_comes_back("crash", true).await
}
