//! Nobody is told the secrets of others: not by the API, not by events, not by the page, not by the log,
//! not by the database.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::api::{HostLink, NewHost, RotatedStreamKey};
use tokio::time::timeout;

use crate::folder::Folder;
use crate::process::Process;

/// All that can be asked for.
const LOUDEST: &[&str] = &["--log", "trace", "--create-token", "opensesame-opensesame"];
const PATHS: &[&str] = &["", "/comments", "/health"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_to_anybody_but_its_owner() {
    let folder = Folder::new();
    let mut server = Process::start_with(folder.path(), LOUDEST).await;
    let create = server.request(Method::POST, "/api/rooms");
    let create = create.bearer_auth("opensesame-opensesame");
    let made = create.json(&json!({"title": "r"})).send().await.unwrap();
    let room: shared::api::CreatedRoom = made.json().await.unwrap();
    let path = format!("/api/rooms/{}", room.room.key);
    let post = async |path: &str, secret: &str, body: Value| {
        let request = server.request(Method::POST, path).bearer_auth(secret);
        request.json(&body).send().await.unwrap()
    };
    let rotated = post(&format!("{path}/stream-key"), &room.host_token, json!({})).await;
    let rotated: RotatedStreamKey = rotated.json().await.unwrap();
    let link = post(&format!("{path}/host-link"), &room.host_token, json!({})).await;
    let link: HostLink = link.json().await.unwrap();
    let (_, invitation) = link.url.split_once("#host=").unwrap();
    let redeem = format!("{path}/host-link/redeem");
    let device = post(&redeem, "", json!({"secret": invitation})).await;
    let device: NewHost = device.json().await.unwrap();
    let secrets = [
        &room.host_token,
        &room.stream_key,
        &rotated.stream_key,
        &invitation.to_owned(),
        &device.host_token,
        &"opensesame-opensesame".to_owned(),
    ];

    let mut told = Vec::new();
    // A stranger who listens while the host does what hosts do.
    let mut stranger = server.join(&room, 1).await;
    let mut host = server.join(&room, 2).await;
    let joined = json!({"key": room.room.key, "host_token": room.host_token});
    assert_eq!(host.call("join_room", joined).await.unwrap()["ok"], true);
    let comment = json!({"roomKey": room.room.key, "text": "hello"});
    assert_eq!(host.call("comment", comment).await.unwrap()["ok"], true);
    stranger.ask("join_lobby", Value::Null).await;
    let gift = json!({"roomKey": room.room.key, "giftId": 1, "giftCount": 1});
    host.call("gift", gift).await;
    let offer = server.request(Method::POST, &format!("/whip/{}", room.room.key));
    let offer = offer.bearer_auth(&rotated.stream_key);
    let offer = offer.header("content-type", "application/sdp").body("v=0");
    told.push(offer.send().await.unwrap().text().await.unwrap());
    while let Ok(Some(event)) = timeout(Duration::from_millis(500), stranger.receive()).await {
        told.push(event);
    }
    assert!(told.iter().any(|event| event.contains("hello")), "{told:?}");
    // Refusals do not repeat what they were given.
    let wrong = post(&format!("{path}/stream-key"), &room.stream_key, json!({})).await;
    assert_eq!(wrong.status(), 403);
    told.push(wrong.text().await.unwrap());
    let again = post(&redeem, &room.host_token, json!({"secret": invitation})).await;
    assert_eq!(again.status(), 410);
    told.push(again.text().await.unwrap());
    let broken = format!(
        "GET {path}?key={} HTTP/1.1\r\nx\r\n\r\n",
        rotated.stream_key
    );
    told.push(server.send(&broken).await);
    let places = PATHS.iter().map(|end| format!("{path}{end}"));
    let pages = ["/", "/live", "/rooms", "/api/rooms", "/healthz", "/metrics"];
    let room_page = format!("/room/{}", room.room.key);
    let studio = format!("/live/{}", room.room.key);
    for place in places
        .chain(pages.map(str::to_owned))
        .chain([room_page, studio])
    {
        let response = server.request(Method::GET, &place).send().await.unwrap();
        told.push(format!("{:?}", response.headers()));
        told.push(response.text().await.unwrap());
    }
    server.signal("-TERM");
    server.ended().await;
    let log = server.log();
    assert!(log.contains("DEBUG"), "the log is at its loudest");
    told.push(log);
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        told.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for secret in secrets {
        assert!(secret.len() > 16);
        for told in &told {
            if let Some(at) = told.find(secret.as_str()) {
                let from = told[..at].rfind('\n').map_or(0, |line| line + 1);
                panic!("a secret is told in: {}", &told[from..at]);
            }
        }
    }
}
