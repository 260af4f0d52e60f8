//! The studio on another device: a link that makes it a host, once.

use reqwest::{Method, Response};
use serde_json::json;
use shared::api::{CreatedRoom, HostLink, NewHost};

use crate::sessions::publish;
use crate::support::{Server, Socket, refused};

async fn post(server: &Server, room: &CreatedRoom, what: &str, secret: &str) -> Response {
    let path = format!("/api/rooms/{}/{what}", room.room.key);
    let request = server.request(Method::POST, &path).bearer_auth(secret);
    request.send().await.unwrap()
}

/// The secret in a new link.
async fn link(server: &Server, room: &CreatedRoom) -> String {
    let response = post(server, room, "host-link", &room.host_token).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let link: HostLink = response.json().await.unwrap();
    let page = format!("http://{}/live/{}#host=", server.authority(), room.room.key);
    link.url.strip_prefix(&page).unwrap().to_owned()
}

async fn redeem(server: &Server, room: &CreatedRoom, secret: &str) -> Response {
    let path = format!("/api/rooms/{}/host-link/redeem", room.room.key);
    let request = server.request(Method::POST, &path);
    let request = request.json(&json!({"secret": secret}));
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_device_becomes_a_host_beside_the_first() {
    let server = Server::start().await;
    let room = server.create_room("r").await;
    let secret = link(&server, &room).await;
    let device: NewHost = redeem(&server, &room, &secret).await.json().await.unwrap();
    assert_eq!(device.room.key, room.room.key);
    assert!(device.links.rtmp_stream_key.is_none());
    assert_ne!(device.host_token, room.host_token);
    for token in [&room.host_token, &device.host_token] {
        let mut socket = Socket::connect(&server).await;
        let join = json!({"key": room.room.key, "host_token": token});
        assert_eq!(socket.call("join_room", join).await["ok"], true);
    }
    // It broadcasts with its own token: nobody has the stream key but the first device.
    publish(&server, &room, &device.host_token).await;
}

#[tokio::test]
async fn a_link_is_good_once_and_in_its_own_room() {
    let server = Server::start().await;
    let (room, other) = (server.create_room("r").await, server.create_room("o").await);
    let secret = link(&server, &room).await;
    let sentence = refused(redeem(&server, &other, &secret).await, 410).await;
    assert!(sentence.contains("new one"), "{sentence}");
    assert_eq!(redeem(&server, &room, &secret).await.status(), 200);
    refused(redeem(&server, &room, &secret).await, 410).await;
    refused(redeem(&server, &room, &room.host_token).await, 410).await;
}

#[tokio::test]
async fn only_a_host_makes_links_and_not_for_a_room_that_is_over() {
    let server = Server::start().await;
    let room = server.create_room("r").await;
    refused(
        post(&server, &room, "host-link", &room.stream_key).await,
        403,
    )
    .await;
    let path = format!("/api/rooms/{}", room.room.key);
    refused(
        server
            .request(Method::POST, &format!("{path}/host-link"))
            .send()
            .await
            .unwrap(),
        401,
    )
    .await;
    let secret = link(&server, &room).await;
    let end = server.request(Method::DELETE, &path);
    end.bearer_auth(&room.host_token).send().await.unwrap();
    refused(redeem(&server, &room, &secret).await, 410).await;
    refused(
        post(&server, &room, "host-link", &room.host_token).await,
        410,
    )
    .await;
}

#[tokio::test]
async fn guesses_are_wrong_secrets_as_others_are() {
    let server = Server::start_with(&["--wrong-secrets-per-minute", "2"]).await;
    let room = server.create_room("r").await;
    let secret = link(&server, &room).await;
    for _ in 0..2 {
        refused(redeem(&server, &room, "guess").await, 410).await;
    }
    let right = redeem(&server, &room, &secret).await;
    assert!(right.headers().contains_key("retry-after"));
    refused(right, 429).await;
}
