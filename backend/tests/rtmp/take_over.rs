//! From browser to encoder and back: one room, one address, one audience.

use golive::rtmp::message_type;
use reqwest::Method;
use shared::api::CreatedRoom;
use shared::room::{Ingest, RoomState};

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::Server;
use crate::webrtc_client::Client;

async fn publish_by_whip(server: &Server, made: &CreatedRoom) -> Client {
    let mut client = Client::publisher().await;
    let offer = client.offer().await;
    let request = server
        .request(Method::POST, &format!("/whip/{}", made.room.key))
        .header("content-type", "application/sdp")
        .bearer_auth(&made.stream_key)
        .body(offer);
    let response = request.send().await.unwrap().error_for_status().unwrap();
    client.accept(response.text().await.unwrap()).await;
    client.connected().await;
    client
}

#[tokio::test]
async fn a_room_goes_from_browser_to_encoder_and_back_while_a_player_plays_on() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut browser = publish_by_whip(&server, &made).await;
    for n in 0..10 {
        browser.send(n, n == 0).await;
    }
    let begun = server.state_becomes(&made, RoomState::Live).await;
    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    // The feed asks for keyframes while somebody plays; this browser sends one in time.
    browser.send(10, true).await;
    browser.send(11, false).await;
    let first = player.next_media(message_type::VIDEO).await;

    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(50_000).await;
    let rtmp = |room: &shared::room::Room| room.ingest == Some(Ingest::Rtmp);
    let taken = server.room_becomes(&made, rtmp).await;
    assert_eq!(taken.state, RoomState::Live);
    assert_eq!(taken.started_at, begun.started_at);
    let second = player.next_media(message_type::VIDEO).await;
    assert!(second.timestamp >= first.timestamp);

    let mut browser = publish_by_whip(&server, &made).await;
    for n in 0..10 {
        browser.send(n, n == 0).await;
    }
    let whip = |room: &shared::room::Room| room.ingest == Some(Ingest::Whip);
    server.room_becomes(&made, whip).await;
    let (code, description) = encoder.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(description.contains("taken over"), "{description}");
    let mut last = second.timestamp;
    for _ in 0..10 {
        let timestamp = player.next_media(message_type::VIDEO).await.timestamp;
        assert!(
            timestamp >= last,
            "time steps back from {last} to {timestamp}"
        );
        last = timestamp;
    }
}
