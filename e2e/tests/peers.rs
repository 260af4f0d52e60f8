//! WebRTC that is no browser's: watching by WHEP and publishing by WHIP.

use anyhow::{Context, Result, ensure};
use e2e::Server;
use e2e::ffmpeg::{Pull, Push};
use e2e::peers::Peer;
use shared::api::CreatedRoom;

/// Some seconds of each.
const PICTURES: u32 = 90;
const SOUND: f64 = 3.0;

/// A room that ffmpeg publishes to.
async fn live_room(server: &Server, title: &str) -> Result<(CreatedRoom, Push)> {
    let room = server.create_room(title).await?;
    let stream_key = room.links.rtmp_stream_key.as_deref().context("no RTMP")?;
    let encoder = Push::ordinary(&server.rtmp_url(stream_key))?;
    Ok((room, encoder))
}

/// Waits until `viewer` has seen and heard the room.
async fn sees_and_hears(viewer: &mut Peer) -> Result<()> {
    viewer.connects().await?;
    let decoded = viewer.decodes(PICTURES, SOUND).await?;
    println!("{decoded:?}");
    ensure!(decoded.size == (640, 360), "{decoded:?}");
    Ok(())
}

#[tokio::test]
async fn aiortc_sees_and_hears_a_room() -> Result<()> {
    let server = Server::start().await?;
    let (room, encoder) = live_room(&server, "To Python").await?;
    server.is_live(room.room.key.as_str()).await?;
    let mut viewer = Peer::aiortc_viewer(&room)?;
    sees_and_hears(&mut viewer).await?;
    viewer.stop().await?;
    encoder.stop().await?;
    server.stop().await
}

#[tokio::test]
async fn gstreamer_sees_and_hears_a_room() -> Result<()> {
    let server = Server::start().await?;
    let (room, encoder) = live_room(&server, "To GStreamer").await?;
    server.is_live(room.room.key.as_str()).await?;
    let mut viewer = Peer::gstreamer_viewer(&room)?;
    sees_and_hears(&mut viewer).await?;
    viewer.stop().await?;
    encoder.stop().await?;
    server.stop().await
}

#[tokio::test]
async fn what_aiortc_publishes_others_see_and_hear() -> Result<()> {
    let server = Server::start().await?;
    let room = server.create_room("From Python").await?;
    let mut publisher = Peer::aiortc_publisher(&room)?;
    publisher.connects().await?;
    server.is_live(room.room.key.as_str()).await?;
    let mut viewer = Pull::start(&server.rtmp_url(room.room.key.as_str()))?;
    let frames = viewer.decodes(90, 120).await?;
    let picture = frames.iter().find(|frame| !frame.is_sound);
    ensure!(picture.is_some_and(|picture| picture.width == 640));
    publisher.stop().await?;
    server.stop().await
}
