//! Socket.IO clients of every age, and the 2016 app, which tells no protocol version.

use anyhow::{Result, ensure};
use e2e::app_2016::AppSocket;
use e2e::socket_io::{SocketIo, Transport, Version, accepted};
use e2e::{SOON, Server, eventually};
use serde_json::{Value, json};

/// Keys and titles in `GET /rooms`.
async fn rooms(server: &Server) -> Result<Vec<(String, String)>> {
    let rooms: Vec<Value> = server.json("/rooms").await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(rooms
        .iter()
        .map(|room| (text(&room["key"]), text(&room["title"])))
        .collect())
}

async fn is_listed(server: &Server, key: &str, listed: bool) -> Result<()> {
    eventually(
        &format!("GET /rooms lists {key}: {listed}"),
        SOON,
        async || {
            let rooms = rooms(server).await?;
            ensure!(
                rooms.iter().any(|room| room.0 == key) == listed,
                "listed are {rooms:?}"
            );
            Ok(())
        },
    )
    .await
}

/// A comment that says `text`; further members may be there.
fn says(comment: &Value, key: &str, text: &str) -> Result<()> {
    ensure!(
        comment["roomKey"] == key && comment["text"] == text,
        "{comment}"
    );
    Ok(())
}

fn is_gift(gift: &Value, key: &str) -> Result<()> {
    let expected = json!({ "roomKey": key, "senderId": 7, "giftId": 1, "giftCount": 3 });
    for (member, value) in expected.as_object().into_iter().flatten() {
        ensure!(gift[member] == *value, "{member} of {gift}");
    }
    Ok(())
}

/// The whole life of a room between two clients of one version over one transport.
async fn a_room_lives(version: Version, transport: Transport) -> Result<()> {
    let server = Server::start().await?;
    let mut creator = SocketIo::connect(&server, version, transport).await?;
    let mut guest = SocketIo::connect(&server, version, transport).await?;
    accepted(
        &creator
            .call("create_room", json!({"key": "r1", "title": "Hello"}))
            .await?,
    )?;
    ensure!(
        rooms(&server).await? == [("r1".into(), "Hello".into())],
        "GET /rooms"
    );
    accepted(&creator.call("join_room", json!("r1")).await?)?;
    accepted(&guest.call("join_room", json!("r1")).await?)?;

    guest.emit("upvote", json!("r1")).await?;
    if matches!(version, Version::V4) {
        let likes = creator.next("likes").await?;
        ensure!(
            likes[0]["total"] == 1 && likes[0]["roomKey"] == "r1",
            "{likes:?}"
        );
    } else {
        ensure!(
            creator.next("upvote").await?.is_empty(),
            "a like of 2016 says nothing"
        );
    }

    guest
        .emit("comment", json!({"roomKey": "r1", "text": "hello"}))
        .await?;
    for client in [&mut creator, &mut guest] {
        says(&client.next("comment").await?[0], "r1", "hello")?;
    }
    let gift = json!({"roomKey": "r1", "senderId": 7, "giftId": 1, "giftCount": 3});
    guest.emit("gift", gift).await?;
    for client in [&mut creator, &mut guest] {
        is_gift(&client.next("gift").await?[0], "r1")?;
    }

    let refusal = guest.call("close_room", json!("r1")).await?;
    ensure!(
        refusal["error"].is_string(),
        "somebody else closed the room: {refusal}"
    );
    is_listed(&server, "r1", true).await?;
    accepted(&creator.call("close_room", json!("r1")).await?)?;
    is_listed(&server, "r1", false).await?;
    server.stop().await
}

#[tokio::test]
async fn version_1_over_polling() -> Result<()> {
    a_room_lives(Version::V1, Transport::Polling).await
}

#[tokio::test]
async fn version_1_over_websocket() -> Result<()> {
    a_room_lives(Version::V1, Transport::WebSocket).await
}

#[tokio::test]
async fn version_2_over_polling() -> Result<()> {
    a_room_lives(Version::V2, Transport::Polling).await
}

#[tokio::test]
async fn version_2_over_websocket() -> Result<()> {
    a_room_lives(Version::V2, Transport::WebSocket).await
}

#[tokio::test]
async fn version_4_over_polling() -> Result<()> {
    a_room_lives(Version::V4, Transport::Polling).await
}

#[tokio::test]
async fn version_4_over_websocket() -> Result<()> {
    a_room_lives(Version::V4, Transport::WebSocket).await
}

/// Version 1 encodes what it polls as UTF-8 twice, and expects the same of the server.
#[tokio::test]
async fn every_alphabet_survives_every_client() -> Result<()> {
    let server = Server::start().await?;
    let mut clients = Vec::new();
    for version in [Version::V1, Version::V2, Version::V4] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            clients.push(SocketIo::connect(&server, version, transport).await?);
        }
    }
    accepted(
        &clients[0]
            .call("create_room", json!({"key": "r1", "title": "Grüße 🌹"}))
            .await?,
    )?;
    for client in &mut clients {
        accepted(&client.call("join_room", json!("r1")).await?)?;
    }
    ensure!(
        rooms(&server).await? == [("r1".into(), "Grüße 🌹".into())],
        "GET /rooms"
    );
    for sender in 0..clients.len() {
        let text = format!("grüß dich 🌹 {sender}");
        let comment = json!({"roomKey": "r1", "text": text});
        accepted(&clients[sender].call("comment", comment).await?)?;
        for client in &mut clients {
            says(&client.next("comment").await?[0], "r1", &text)?;
        }
    }
    server.stop().await
}

#[tokio::test]
async fn the_2016_app_works_although_it_tells_no_protocol_version() -> Result<()> {
    let server = Server::start().await?;
    let mut broadcaster = AppSocket::broadcaster(&server).await?;
    let mut audience = AppSocket::audience(&server).await?;
    broadcaster
        .emit("create_room", json!({"key": "r1", "title": "Hello"}))
        .await?;
    is_listed(&server, "r1", true).await?;
    broadcaster.emit("join_room", json!("r1")).await?;
    // The app asks for no acknowledgement: what comes back tells that it is in the room.
    broadcaster.emit("upvote", json!("r1")).await?;
    broadcaster.next("upvote").await?;
    audience.emit("join_room", json!("r1")).await?;

    audience.emit("upvote", json!("r1")).await?;
    ensure!(
        broadcaster.next("upvote").await?.is_empty(),
        "a like of 2016 says nothing"
    );
    audience
        .emit("comment", json!({"roomKey": "r1", "text": "hi"}))
        .await?;
    says(&broadcaster.next("comment").await?[0], "r1", "hi")?;
    says(&audience.next("comment").await?[0], "r1", "hi")?;
    let gift = json!({"roomKey": "r1", "senderId": 7, "giftId": 1, "giftCount": 3});
    audience.emit("gift", gift).await?;
    is_gift(&broadcaster.next("gift").await?[0], "r1")?;
    is_gift(&audience.next("gift").await?[0], "r1")?;

    broadcaster.emit("close_room", json!("r1")).await?;
    is_listed(&server, "r1", false).await?;
    server.stop().await
}

#[tokio::test]
async fn an_open_room_dies_with_its_creators_socket() -> Result<()> {
    let server = Server::start().await?;
    let mut creator = SocketIo::connect(&server, Version::V1, Transport::WebSocket).await?;
    accepted(
        &creator
            .call("create_room", json!({"key": "r1", "title": "Hello"}))
            .await?,
    )?;
    is_listed(&server, "r1", true).await?;
    creator.disconnect().await?;
    is_listed(&server, "r1", false).await?;
    server.stop().await
}

#[tokio::test]
async fn old_and_new_clients_share_a_room() -> Result<()> {
    let server = Server::start().await?;
    let mut old = SocketIo::connect(&server, Version::V1, Transport::Polling).await?;
    let mut new = SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    accepted(
        &old.call("create_room", json!({"key": "r1", "title": "Hello"}))
            .await?,
    )?;
    for client in [&mut old, &mut new] {
        accepted(&client.call("join_room", json!("r1")).await?)?;
    }
    new.emit("upvote", json!({"roomKey": "r1", "count": 2}))
        .await?;
    old.next("upvote").await?;
    old.next("upvote").await?;
    ensure!(new.next("likes").await?[0]["total"] == 2, "two likes");
    server.stop().await
}

#[tokio::test]
async fn without_legacy_clients_only_the_new_protocol_is_spoken() -> Result<()> {
    let server = Server::start_with(&["--legacy", "off"]).await?;
    ensure!(
        AppSocket::audience(&server).await.is_err(),
        "the app was let in"
    );
    ensure!(
        server.get("/rooms").await?.status() == 404,
        "GET /rooms is there"
    );
    SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    server.stop().await
}
