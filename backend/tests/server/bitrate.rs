//! A publisher by WebRTC that sends more than it may.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::api::CreatedRoom;
use shared::room::RoomState;
use tokio::time::timeout;

use crate::support::{Server, Socket};
use crate::webrtc_client::Client;

/// The answer to a publisher's offer.
async fn publish(server: &Server, room: &CreatedRoom, client: &mut Client) -> String {
    let path = format!("/whip/{}", room.room.key);
    let request = server.request(Method::POST, &path);
    let request = request
        .bearer_auth(&room.stream_key)
        .header("content-type", "application/sdp");
    let answer = request.body(client.offer().await).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_browser_is_asked_to_stay_below_the_limit() {
    for (limit, asked) in [("1000", Some("b=TIAS:800000")), ("0", None)] {
        let server = Server::start_with(&["--max-bitrate", limit]).await;
        let room = server.create_room("r").await;
        let answer = publish(&server, &room, &mut Client::publisher().await).await;
        let found = answer.lines().find(|line| line.starts_with("b=TIAS"));
        assert_eq!(found, asked, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_is_cut_off_and_its_host_is_told_why() {
    let server = Server::start_with(&["--max-bitrate", "1"]).await;
    let room = server.create_room("r").await;
    let mut host = Socket::connect(&server).await;
    let as_host = json!({"key": room.room.key, "host_token": room.host_token});
    assert_eq!(host.call("join_room", as_host).await["ok"], true);
    let mut guest = Socket::connect(&server).await;
    guest.join(&room).await;
    let mut client = Client::publisher().await;
    let answer = publish(&server, &room, &mut client).await;
    client.accept(answer).await;
    client.connected().await;
    let mut told = None;
    // Some 4 kbit/s.
    for number in 0..6_000 {
        client.send(number, number % 10 == 0).await;
        let notice = timeout(Duration::from_millis(20), host.next("notice")).await;
        if let Ok(notice) = notice {
            told = Some(notice);
            break;
        }
    }
    let told = told.expect("the host is told");
    let sentence = told["error"].as_str().unwrap();
    assert!(
        sentence.starts_with("The broadcast was cut off, because the encoder sends"),
        "{sentence}"
    );
    assert!(sentence.contains("this server takes 1:"), "{sentence}");
    server.state_becomes(&room, RoomState::Reconnecting).await;
    let others = guest.all_within_a_moment("notice").await;
    assert_eq!(others, [] as [Value; 0]);
}
