//! The 2016 app: it pushes without a secret, before it has made its room.

use serde_json::json;
use shared::room::RoomState;

use crate::client::RtmpClient;
use crate::support::{Server, Socket};

async fn state(server: &Server, key: &str) -> RoomState {
    let room = server.json(&format!("/api/rooms/{key}")).await;
    serde_json::from_value(room["state"].clone()).unwrap()
}

async fn becomes_live(server: &Server, key: &str) {
    while state(server, key).await != RoomState::Live {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_push_waits_for_its_room_to_be_made() {
    let server = Server::start().await;
    let mut app = RtmpClient::publish(&server, "phone").await;
    let waited = app.next_within(std::time::Duration::from_millis(300)).await;
    assert!(waited.is_err(), "{waited:?}");
    let mut socket = Socket::connect_2016(&server).await;
    socket
        .emit("create_room", json!({"key": "phone", "title": "t"}))
        .await;
    assert_eq!(app.status().await.0, "NetStream.Publish.Start");
    app.announce().await;
    app.second(0).await;
    becomes_live(&server, "phone").await;
    // A 2016 player knows the key alone.
    let mut player = RtmpClient::play(&server, "phone").await;
    assert_eq!(player.status().await.0, "NetStream.Play.Reset");
}

#[tokio::test]
async fn another_address_may_not_publish_and_the_first_stays() {
    let server = Server::start().await;
    let mut socket = Socket::connect_2016(&server).await;
    socket
        .call("create_room", json!({"key": "phone", "title": "t"}))
        .await;
    let mut stranger = RtmpClient::dial_from(&server, "127.0.0.2:0")
        .await
        .connected()
        .await;
    stranger.ask_to_publish("phone").await;
    let (code, description) = stranger.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        description.contains("device that made this room"),
        "{description}"
    );
    let mut app = RtmpClient::on_air(&server, "phone").await;
    app.second(0).await;
    becomes_live(&server, "phone").await;
    let mut second = RtmpClient::publish(&server, "phone").await;
    assert!(second.status().await.1.contains("already"));
}

#[tokio::test]
async fn with_legacy_off_a_push_without_a_secret_is_refused_at_once() {
    let server = Server::start_with(&["--legacy", "off"]).await;
    let mut app = RtmpClient::publish(&server, "phone").await;
    assert!(app.status().await.1.contains("there is no room phone"));
}
