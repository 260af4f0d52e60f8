//! What one address may do, and who says which address that is.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{SOON, Server, Socket, refused};

fn new_room(server: &Server) -> RequestBuilder {
    let request = server.request(Method::POST, "/api/rooms");
    request.json(&json!({"title": "r"}))
}

/// As from somebody behind a proxy on this machine.
fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("x-forwarded-for", address)
}

fn retry_after(response: &Response) -> u64 {
    let wait = response.headers()["retry-after"].to_str().unwrap();
    wait.parse().unwrap()
}

#[tokio::test]
async fn who_makes_too_many_rooms_has_to_wait_and_others_have_not() {
    let server = Server::start_with(&["--rooms-per-minute", "2"]).await;
    for _ in 0..2 {
        let made = from(new_room(&server), "192.0.2.1").send().await.unwrap();
        assert_eq!(made.status(), 201);
    }
    let third = from(new_room(&server), "192.0.2.1").send().await.unwrap();
    assert!((1..=60).contains(&retry_after(&third)));
    let sentence = refused(third, 429).await;
    assert!(
        sentence.contains("Too many rooms from your address"),
        "{sentence}"
    );
    let other = from(new_room(&server), "192.0.2.2").send().await.unwrap();
    assert_eq!(other.status(), 201);
    let itself = new_room(&server).send().await.unwrap();
    assert_eq!(itself.status(), 201);
}

#[tokio::test]
async fn an_address_that_nobody_trustworthy_tells_is_not_believed() {
    let flags = ["--rooms-per-minute", "1", "--trusted-proxy", "192.0.2.0/24"];
    let server = Server::start_with(&flags).await;
    let first = from(new_room(&server), "198.51.100.1")
        .send()
        .await
        .unwrap();
    assert_eq!(first.status(), 201);
    let second = from(new_room(&server), "198.51.100.2")
        .send()
        .await
        .unwrap();
    refused(second, 429).await;
}

#[tokio::test]
async fn links_are_secure_only_if_somebody_trustworthy_says_so() {
    for (trusted, scheme) in [("127.0.0.1", "https://"), ("192.0.2.1", "http://")] {
        let server = Server::start_with(&["--trusted-proxy", trusted]).await;
        let request = new_room(&server).header("x-forwarded-proto", "https");
        let created: Value = request.send().await.unwrap().json().await.unwrap();
        let watch = created["links"]["watch"].as_str().unwrap();
        assert!(watch.starts_with(scheme), "{watch}");
    }
}

#[tokio::test]
async fn open_rooms_count_as_rooms() {
    let server = Server::start_with(&["--rooms-per-minute", "1"]).await;
    let mut socket = Socket::connect(&server).await;
    let made = socket
        .call("create_room", json!({"key": "one", "title": "r"}))
        .await;
    assert_eq!(made["ok"], true, "{made}");
    let second = socket
        .call("create_room", json!({"key": "two", "title": "r"}))
        .await;
    assert!(second["retry_after_ms"].as_u64().unwrap() > 0, "{second}");
    socket.lives().await;
}

#[tokio::test]
async fn who_tries_secrets_is_soon_not_told_any_more_which_is_right() {
    let server = Server::start_with(&["--wrong-secrets-per-minute", "3"]).await;
    let room = server.create_room("r").await;
    let path = format!("/api/rooms/{}", room.room.key);
    let rename = |secret: &str| {
        let request = server.request(Method::PATCH, &path).bearer_auth(secret);
        from(request, "192.0.2.1").json(&json!({"title": "n"}))
    };
    for _ in 0..3 {
        refused(rename("wrong").send().await.unwrap(), 403).await;
    }
    let right = rename(&room.host_token).send().await.unwrap();
    assert!(retry_after(&right) > 0);
    refused(right, 429).await;
    let from_elsewhere = server
        .request(Method::PATCH, &path)
        .bearer_auth(&room.host_token);
    let from_elsewhere = from_elsewhere.json(&json!({"title": "n"}));
    assert_eq!(from_elsewhere.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn wrong_host_tokens_over_sockets_are_wrong_secrets_too() {
    let server = Server::start_with(&["--wrong-secrets-per-minute", "2"]).await;
    let room = server.create_room("r").await;
    let mut socket = Socket::connect_from(&server, "192.0.2.1").await;
    let join = |token: &str| json!({"key": room.room.key, "host_token": token});
    for _ in 0..2 {
        let sentence = socket.refusal("join_room", join("wrong")).await;
        assert!(sentence.contains("not the room's host token"), "{sentence}");
    }
    let right = socket.call("join_room", join(&room.host_token)).await;
    let sentence = right["error"].as_str().unwrap();
    assert!(sentence.contains("Too many wrong secrets"), "{sentence}");
    assert!(right["retry_after_ms"].as_u64().unwrap() > 0, "{right}");
    // Nor by HTTP, and a socket that shows none comes in.
    let path = format!("/api/rooms/{}/health", room.room.key);
    let request = server.request(Method::GET, &path);
    let health = from(request.bearer_auth(&room.host_token), "192.0.2.1");
    refused(health.send().await.unwrap(), 429).await;
    socket.join(&room).await;
    let mut other = Socket::connect_from(&server, "192.0.2.2").await;
    let joined = other.call("join_room", join(&room.host_token)).await;
    assert_eq!(joined["ok"], true, "{joined}");
}

#[tokio::test]
async fn who_asks_for_too_many_sessions_has_to_wait() {
    let server = Server::start_with(&["--sessions-per-minute", "2"]).await;
    let room = server.create_room("r").await;
    let watch = || {
        let path = format!("/whep/{}", room.room.key);
        from(server.request(Method::POST, &path), "192.0.2.1")
            .header("content-type", "application/sdp")
            .body("v=0")
    };
    for _ in 0..2 {
        refused(watch().send().await.unwrap(), 409).await;
    }
    let third = watch().send().await.unwrap();
    assert_eq!(third.headers()["access-control-allow-origin"], "*");
    refused(third, 429).await;
}

#[tokio::test]
async fn connections_beyond_the_most_are_closed_and_places_come_back() {
    let flags = ["--max-connections", "3", "--max-rtmp-connections", "3"];
    let server = Server::start_with(&flags).await;
    let address = server.authority();
    for address in [address, server.rtmp().to_string()] {
        let held = [
            TcpStream::connect(&address).await.unwrap(),
            TcpStream::connect(&address).await.unwrap(),
            TcpStream::connect(&address).await.unwrap(),
        ];
        let mut fourth = TcpStream::connect(&address).await.unwrap();
        let closed = timeout(SOON, fourth.read(&mut [0])).await.unwrap();
        assert!(matches!(closed, Ok(0) | Err(_)), "{address} {closed:?}");
        drop(held);
        let comes_back = async {
            loop {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                let mut byte = [0];
                let read = stream.read(&mut byte);
                if timeout(Duration::from_millis(200), read).await.is_err() {
                    return;
                }
            }
        };
        timeout(SOON, comes_back).await.unwrap();
    }
}
