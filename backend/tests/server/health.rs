//! What the host is told of its broadcast.

use std::time::Duration;

use reqwest::{Method, Response};
use shared::api::CreatedRoom;
use shared::health::{AdviceCode, Health, Verdict};
use shared::room::Ingest;

use crate::sessions::publish;
use crate::support::{Server, refused};

async fn ask(server: &Server, room: &CreatedRoom, secret: Option<&str>) -> Response {
    let path = format!("/api/rooms/{}/health", room.room.key);
    let mut request = server.request(Method::GET, &path);
    if let Some(secret) = secret {
        request = request.bearer_auth(secret);
    }
    request.send().await.unwrap()
}

async fn health(server: &Server, room: &CreatedRoom) -> Health {
    let response = ask(server, room, Some(&room.host_token)).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.error_for_status().unwrap().json().await.unwrap()
}

#[tokio::test]
async fn only_the_host_is_told() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let nobody = ask(&server, &made, None).await;
    assert_eq!(nobody.headers()["www-authenticate"], "Bearer");
    refused(nobody, 401).await;
    refused(ask(&server, &made, Some(&made.stream_key)).await, 403).await;
    let unknown = server.request(Method::GET, "/api/rooms/unknown/health");
    refused(unknown.send().await.unwrap(), 404).await;
}

#[tokio::test]
async fn a_room_that_nobody_publishes_to_is_waiting() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    assert_eq!(health(&server, &made).await, Health::waiting());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_measured() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut publisher = publish(&server, &made, &made.stream_key).await;
    for number in 2..=60 {
        publisher.client.send(number, number % 30 == 0).await;
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let measured = health(&server, &made).await;
    assert_eq!(measured.ingest, Some(Ingest::Whip));
    assert!(measured.uptime_ms > Some(1_000), "{measured:?}");
    let video = measured.video.as_ref().expect("a picture");
    assert_eq!((video.codec.as_str(), video.b_frames), ("H.264", false));
    assert_eq!(video.profile, "Constrained Baseline");
    assert!(
        video.fps.is_some_and(|fps| (15.0..=40.0).contains(&fps)),
        "{video:?}"
    );
    assert!(video.bitrate > Some(0), "{video:?}");
    let audio = measured.audio.as_ref().expect("sound");
    let (rate, channels) = (audio.sample_rate, audio.channels);
    assert_eq!((audio.codec.as_str(), rate, channels), ("Opus", 48_000, 2));
    // The test's pictures are a few bytes each; that, and nothing else, is what it is told.
    let codes: Vec<_> = measured.advice.iter().map(|advice| advice.code).collect();
    assert_eq!(codes, [AdviceCode::LowBitrate], "{measured:?}");
    assert_eq!(measured.verdict, Verdict::Warning);

    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let stalled = health(&server, &made).await;
    assert_eq!(stalled.verdict, Verdict::Bad);
    assert_eq!(stalled.advice[0].code, AdviceCode::Stalled);
}
