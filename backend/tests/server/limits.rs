//! Limits that the operator sets: each is kept, and whoever meets one is told in a sentence.

use std::time::Duration;

use reqwest::{Body, Method};
use serde_json::json;
use tokio::time::sleep;

use crate::sessions::{SDP, post, publish, watch};
use crate::support::{Server, Socket, refused};
use crate::webrtc_client::Client;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_the_whole_server() {
    let server = Server::start_with(&["--max-viewers", "1"]).await;
    let (one, other) = (server.create_room("r").await, server.create_room("r").await);
    let _publishers = [
        publish(&server, &one, &one.stream_key).await,
        publish(&server, &other, &other.stream_key).await,
    ];
    let _viewer = watch(&server, &one).await;
    let offer = Client::viewer().await.offer().await;
    let whep = format!("/whep/{}", other.room.key);
    let response = post(&server, &whep, "", SDP, &offer).await;
    assert!(response.headers().contains_key("retry-after"));
    let sentence = refused(response, 503).await;
    assert!(sentence.contains("as many viewers"), "{sentence}");
    let flv = format!("/live/{}.flv", other.room.key);
    let sentence = refused(server.get(&flv).await, 503).await;
    assert!(sentence.contains("as many viewers"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_of_the_whole_server() {
    let server = Server::start_with(&["--max-publishers", "1"]).await;
    let (one, other) = (server.create_room("r").await, server.create_room("r").await);
    let _publisher = publish(&server, &one, &one.stream_key).await;
    let whip = format!("/whip/{}", other.room.key);
    let response = post(&server, &whip, &other.stream_key, SDP, "v=0").await;
    assert!(response.headers().contains_key("retry-after"));
    let sentence = refused(response, 503).await;
    assert!(sentence.contains("as many broadcasts"), "{sentence}");
}

#[tokio::test]
async fn what_one_person_sends_in_a_minute() {
    let flags = [
        "--person-comments-per-minute",
        "2",
        "--person-likes-per-minute",
        "3",
        "--person-gifts-per-minute",
        "1",
    ];
    let server = Server::start_with(&flags).await;
    let room = server.create_room("r").await;
    let key = &room.room.key;
    let comment = json!({"roomKey": key, "text": "hi"});
    let like = json!({"roomKey": key, "count": 1});
    let gift = json!({"roomKey": key, "giftId": 1, "giftCount": 1});
    let mut socket = Socket::connect(&server).await;
    socket.join(&room).await;
    for (event, payload, most) in [
        ("comment", comment, 2),
        ("upvote", like, 3),
        ("gift", gift, 1),
    ] {
        for _ in 0..most {
            let answer = socket.call(event, payload.clone()).await;
            assert_eq!(answer["ok"], true, "{event}: {answer}");
        }
        let refusal = socket.call(event, payload).await;
        let sentence = refusal["error"].as_str().unwrap_or_default();
        assert!(sentence.contains("Too fast"), "{event}: {refusal}");
        let wait = refusal["retry_after_ms"].as_u64().unwrap();
        assert!((1..=60_000).contains(&wait), "{event}: {refusal}");
    }
}

#[tokio::test]
async fn the_size_of_a_message() {
    let server = Server::start_with(&["--max-message-bytes", "300"]).await;
    let room = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&room).await;
    let comment = |length: usize| json!({"roomKey": room.room.key, "text": "x".repeat(length)});
    let sentence = socket.refusal("comment", comment(280)).await;
    assert!(sentence.contains("at most 300 bytes"), "{sentence}");
    assert_eq!(socket.call("comment", comment(100)).await["ok"], true);
}

#[tokio::test]
async fn the_size_of_a_request() {
    let server = Server::start_with(&["--max-body-bytes", "100"]).await;
    let create = |title: String| {
        let request = server.request(Method::POST, "/api/rooms");
        request.json(&json!({"title": title}))
    };
    let response = create("x".repeat(100)).send().await.unwrap();
    refused(response, 413).await;
    let response = create("x".repeat(50)).send().await.unwrap();
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn the_time_of_a_request() {
    let server = Server::start_with(&["--request-seconds", "1"]).await;
    let endless = futures::stream::unfold((), async |()| {
        sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let request = server
        .request(Method::POST, "/api/rooms")
        .header("content-type", "application/json");
    let response = request.body(Body::wrap_stream(endless)).send().await;
    let sentence = refused(response.unwrap(), 408).await;
    assert!(sentence.contains("too long"), "{sentence}");
    let rooms = server.json("/api/rooms").await;
    assert_eq!(rooms, json!([]));
}
