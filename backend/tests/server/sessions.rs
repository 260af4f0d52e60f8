//! WHIP and WHEP over HTTP, with a real WebRTC client behind them.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::json;
use shared::api::CreatedRoom;
use shared::room::{Ingest, RoomState};
use tokio::time::sleep;

use crate::support::{SOON, Server, Socket, refused};
use crate::webrtc_client::Client;

pub(crate) const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A complete offer to send, in a codec that no room takes.
const VP8_ONLY: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=ssrc:1 cname:x\r\n";

pub(crate) async fn post(
    server: &Server,
    path: &str,
    secret: &str,
    kind: &str,
    body: &str,
) -> Response {
    let request = server
        .request(Method::POST, path)
        .header("content-type", kind);
    request
        .bearer_auth(secret)
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

/// Somebody who publishes or watches.
pub(crate) struct Peer {
    pub(crate) client: Client,
    /// The address of the session.
    session: String,
    etag: String,
}

async fn begin(server: &Server, path: &str, secret: &str, mut client: Client) -> Peer {
    let offer = client.offer().await;
    let response = post(server, path, secret, SDP, &offer).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["content-type"], SDP);
    let header = |name| response.headers()[name].to_str().unwrap().to_owned();
    let (session, etag) = (header("location"), header("etag"));
    assert!(session.starts_with(&format!("{path}/")) && session.len() > path.len() + 20);
    client.accept(response.text().await.unwrap()).await;
    client.connected().await;
    Peer {
        client,
        session,
        etag,
    }
}

/// A publisher whose keyframes make the room live.
pub(crate) async fn publish(server: &Server, made: &CreatedRoom, stream_key: &str) -> Peer {
    let path = format!("/whip/{}", made.room.key);
    let mut peer = begin(server, &path, stream_key, Client::publisher().await).await;
    peer.client.send(1, true).await;
    server.state_becomes(made, RoomState::Live).await;
    peer
}

pub(crate) async fn watch(server: &Server, made: &CreatedRoom) -> Peer {
    let path = format!("/whep/{}", made.room.key);
    begin(server, &path, "", Client::viewer().await).await
}

async fn end(server: &Server, session: &str, secret: &str) -> Response {
    server
        .request(Method::DELETE, session)
        .bearer_auth(secret)
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_makes_its_room_live_and_its_end_makes_it_offline_at_once() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    let peer = publish(&server, &made, &made.stream_key).await;
    let room = server.room(&made).await;
    assert_eq!(room.ingest, Some(Ingest::Whip));
    assert!(room.started_at.is_some());
    assert_eq!(socket.next("room").await["state"], "live");
    assert_eq!(
        end(&server, &peer.session, &made.stream_key).await.status(),
        200
    );
    assert_eq!(socket.next("room").await["state"], "offline");
    refused(end(&server, &peer.session, &made.stream_key).await, 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_are_counted_while_they_watch() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let publisher = publish(&server, &made, &made.stream_key).await;
    let (first, second) = (watch(&server, &made).await, watch(&server, &made).await);
    server.room_becomes(&made, |room| room.viewers == 2).await;
    assert_eq!(end(&server, &first.session, "").await.status(), 200);
    let room = server.room_becomes(&made, |room| room.viewers == 1).await;
    assert_eq!(room.peak_viewers, 2);
    end(&server, &publisher.session, &made.stream_key).await;
    server.room_becomes(&made, |room| room.viewers == 0).await;
    refused(end(&server, &second.session, "").await, 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_publisher_has_a_grace_time_and_may_resume() {
    let server = Server::start_with(&["--grace-seconds", "1"]).await;
    let made = server.create_room("r").await;
    let peer = publish(&server, &made, &made.stream_key).await;
    peer.client.close().await;
    // Noticed when nothing has come for a while.
    server.state_becomes(&made, RoomState::Reconnecting).await;
    let _back = publish(&server, &made, &made.stream_key).await;
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_publisher_with_the_key_takes_over_without_a_break() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    let first = publish(&server, &made, &made.stream_key).await;
    assert_eq!(socket.next("room").await["state"], "live");
    let _second = publish(&server, &made, &made.stream_key).await;
    // The first is off the stage: its session ends by itself.
    let gone = async {
        let trickle = || {
            let request = server
                .request(Method::PATCH, &first.session)
                .bearer_auth(&made.stream_key);
            request
                .header("content-type", FRAGMENT)
                .header("if-match", &first.etag)
                .send()
        };
        while trickle().await.unwrap().status() != 404 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, gone)
        .await
        .expect("the first session ends");
    for room in socket.all_within_a_moment("room").await {
        assert_eq!(room["state"], "live");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_cuts_its_publisher_and_the_new_one_resumes() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let _peer = publish(&server, &made, &made.stream_key).await;
    let rotate = server.request(
        Method::POST,
        &format!("/api/rooms/{}/stream-key", made.room.key),
    );
    let answer = rotate.bearer_auth(&made.host_token).send().await.unwrap();
    let new: serde_json::Value = answer.json().await.unwrap();
    server.state_becomes(&made, RoomState::Reconnecting).await;
    let whip = format!("/whip/{}", made.room.key);
    refused(
        post(&server, &whip, &made.stream_key, SDP, VP8_ONLY).await,
        403,
    )
    .await;
    let _back = publish(&server, &made, new["stream_key"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_ends_publisher_and_viewers_with_the_room() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let publisher = publish(&server, &made, &made.stream_key).await;
    let viewer = watch(&server, &made).await;
    server.room_becomes(&made, |room| room.viewers == 1).await;
    let path = format!("/api/rooms/{}", made.room.key);
    end(&server, &path, &made.host_token)
        .await
        .error_for_status()
        .unwrap();
    server.room_becomes(&made, |room| room.viewers == 0).await;
    assert_eq!(server.room(&made).await.state, RoomState::Ended);
    for (session, secret) in [
        (publisher.session, made.stream_key.as_str()),
        (viewer.session, ""),
    ] {
        refused(end(&server, &session, secret).await, 404).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_room_takes_no_more_viewers() {
    let server = Server::start_with(&["--max-viewers-per-room", "1"]).await;
    let made = server.create_room("r").await;
    let _publisher = publish(&server, &made, &made.stream_key).await;
    let _viewer = watch(&server, &made).await;
    let offer = Client::viewer().await.offer().await;
    let whep = format!("/whep/{}", made.room.key);
    let response = post(&server, &whep, "", SDP, &offer).await;
    assert!(response.headers().contains_key("retry-after"));
    refused(response, 503).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_are_taken_and_restarts_refused_without_harm() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let peer = publish(&server, &made, &made.stream_key).await;
    let patch = |kind: &str, if_match: Option<&str>, body: &str| {
        let request = server
            .request(Method::PATCH, &peer.session)
            .header("content-type", kind);
        let request = request.bearer_auth(&made.stream_key).body(body.to_owned());
        match if_match {
            Some(if_match) => request.header("if-match", if_match).send(),
            None => request.send(),
        }
    };
    let etag = Some(peer.etag.as_str());
    let candidate = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    assert_eq!(
        patch(FRAGMENT, etag, candidate).await.unwrap().status(),
        204
    );
    refused(patch(FRAGMENT, None, candidate).await.unwrap(), 428).await;
    refused(
        patch(FRAGMENT, Some("\"stale\""), candidate).await.unwrap(),
        412,
    )
    .await;
    refused(patch(SDP, etag, candidate).await.unwrap(), 415).await;
    refused(patch(FRAGMENT, Some("*"), candidate).await.unwrap(), 422).await;
    let restart = "a=ice-ufrag:other\r\na=ice-pwd:otherotherotherotherother\r\n";
    refused(patch(FRAGMENT, etag, restart).await.unwrap(), 422).await;
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_ends_a_session_that_is_not_theirs() {
    let server = Server::start().await;
    let (made, other) = (
        server.create_room("mine").await,
        server.create_room("other").await,
    );
    let peer = publish(&server, &made, &made.stream_key).await;
    let id = peer.session.rsplit('/').next().unwrap();
    let delete = server.request(Method::DELETE, &peer.session);
    let response = delete.send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    refused(response, 401).await;
    refused(end(&server, &peer.session, &other.stream_key).await, 403).await;
    let elsewhere = format!("/whip/{}/{id}", other.room.key);
    refused(end(&server, &elsewhere, &other.stream_key).await, 404).await;
    let as_viewer = format!("/whep/{}/{id}", made.room.key);
    refused(end(&server, &as_viewer, "").await, 404).await;
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}

#[tokio::test]
async fn an_offer_that_cannot_be_served_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let (whip, key) = (format!("/whip/{}", made.room.key), made.stream_key.as_str());
    refused(post(&server, &whip, key, "text/plain", VP8_ONLY).await, 415).await;
    refused(post(&server, &whip, key, SDP, "").await, 400).await;
    refused(post(&server, &whip, key, SDP, "v=0\r\nnonsense").await, 400).await;
    refused(post(&server, &whip, key, SDP, VP8_ONLY).await, 406).await;
    let receives = VP8_ONLY.replace("sendonly", "recvonly");
    refused(post(&server, &whip, key, SDP, &receives).await, 400).await;
    refused(
        post(&server, &whip, key, SDP, &"x".repeat(70_000)).await,
        413,
    )
    .await;
    refused(post(&server, &whip, "wrong", SDP, VP8_ONLY).await, 403).await;
    // A host may publish, too, but not in any codec.
    refused(
        post(&server, &whip, &made.host_token, SDP, VP8_ONLY).await,
        406,
    )
    .await;
    refused(
        post(&server, "/whip/unknown", key, SDP, VP8_ONLY).await,
        404,
    )
    .await;
    assert_eq!(server.room(&made).await, made.room);
}

#[tokio::test]
async fn a_room_that_is_not_live_asks_its_viewers_to_wait() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let response = post(
        &server,
        &format!("/whep/{}", made.room.key),
        "",
        SDP,
        VP8_ONLY,
    )
    .await;
    assert!(response.headers().contains_key("retry-after"));
    refused(response, 409).await;
    refused(post(&server, "/whep/unknown", "", SDP, VP8_ONLY).await, 404).await;
}

#[tokio::test]
async fn options_say_what_may_be_posted_and_from_where() {
    let server = Server::start().await;
    for path in ["/whip/abc", "/whep/abc"] {
        let request = server
            .request(Method::OPTIONS, path)
            .header("origin", "https://elsewhere");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["accept-post"], SDP);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn too_many_publishers_at_once_are_refused() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let whip = format!("/whip/{}", made.room.key);
    for _ in 0..4 {
        let offer = Client::publisher().await.offer().await;
        assert_eq!(
            post(&server, &whip, &made.stream_key, SDP, &offer)
                .await
                .status(),
            201
        );
    }
    let offer = Client::publisher().await.offer().await;
    refused(
        post(&server, &whip, &made.stream_key, SDP, &offer).await,
        503,
    )
    .await;
    assert_eq!(
        server.json("/api/rooms").await[0]["state"],
        json!("offline")
    );
}
