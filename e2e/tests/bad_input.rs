//! What must be refused, in words, while nobody else notices.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::socket_io::{SocketIo, Transport, Version, accepted};
use e2e::{Browser, Server};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use shared::api::Problem;
use shared::limits;

const SDP: &str = "application/sdp";

/// A complete offer to send, but only in codecs that no room takes.
const NO_COMMON_CODEC: &str = "v=0\r\n\
    o=- 1 2 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\n\
    a=mid:0\r\n\
    a=sendonly\r\n\
    a=rtcp-mux\r\n\
    a=rtpmap:96 VP8/90000\r\n\
    a=ssrc:1 cname:x\r\n";

/// Sends a request and checks that it is refused with one of `expected` and a sentence.
async fn refused(request: RequestBuilder, expected: &[u16]) -> Result<()> {
    let response = request.send().await?;
    let (url, status) = (response.url().path().to_owned(), response.status());
    ensure!(
        expected.contains(&status.as_u16()),
        "{url}: {status}, not one of {expected:?}"
    );
    let kind = response.headers().get("content-type").cloned();
    ensure!(
        kind.as_ref()
            .is_some_and(|kind| kind == "application/problem+json"),
        "{url}: {status} comes as {kind:?}"
    );
    let problem: Problem = response.json().await?;
    ensure!(problem.status == status.as_u16(), "{url}: {problem:?}");
    ensure!(
        problem.detail.split(' ').count() > 2,
        "{url}: no sentence in {problem:?}"
    );
    Ok(())
}

#[tokio::test]
async fn requests_that_cannot_be_served_are_refused_in_words() -> Result<()> {
    let server = Server::start().await?;
    let made = server.create_room("Target").await?;
    let (whip, whep) = (
        format!("/whip/{}", made.room.key),
        format!("/whep/{}", made.room.key),
    );
    let post = |path: &str, kind: &str, key: &str, body: &str| {
        let request = server
            .request(Method::POST, path)
            .header("Content-Type", kind);
        request.bearer_auth(key).body(body.to_owned())
    };
    let key = made.stream_key.as_str();
    refused(post(&whip, "text/plain", key, NO_COMMON_CODEC), &[415]).await?;
    refused(post(&whip, SDP, key, ""), &[400]).await?;
    refused(post(&whip, SDP, key, "v=0\r\nnonsense"), &[400, 422]).await?;
    refused(post(&whip, SDP, key, NO_COMMON_CODEC), &[400, 406, 422]).await?;
    refused(post(&whip, SDP, "wrong", NO_COMMON_CODEC), &[401, 403]).await?;
    let another = server.create_room("Another").await?;
    for secret in [&another.stream_key, &another.host_token] {
        refused(post(&whip, SDP, secret, NO_COMMON_CODEC), &[401, 403]).await?;
    }
    refused(post("/whip/unknown", SDP, key, NO_COMMON_CODEC), &[404]).await?;
    refused(post("/whep/unknown", SDP, key, NO_COMMON_CODEC), &[404]).await?;
    refused(post(&whep, SDP, key, NO_COMMON_CODEC), &[400, 406, 409]).await?;
    for session in [format!("{whip}/not-mine"), format!("{whep}/not-mine")] {
        refused(server.request(Method::DELETE, &session), &[401, 403, 404]).await?;
    }
    refused(server.request(Method::GET, "/api/rooms/unknown"), &[404]).await?;
    refused(server.request(Method::GET, "/api/nothing-here"), &[404]).await?;
    for title in ["", "   ", "tab\there", &"x".repeat(limits::TITLE_CHARS + 1)] {
        let title = json!({ "title": title });
        refused(
            server.request(Method::POST, "/api/rooms").json(&title),
            &[400, 422],
        )
        .await?;
    }
    let room = format!("/api/rooms/{}", made.room.key);
    let not_the_host = server
        .request(Method::DELETE, &room)
        .bearer_auth(&made.stream_key);
    refused(not_the_host, &[401, 403]).await?;
    server.room(made.room.key.as_str()).await?;
    server.stop().await
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Mine").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;

    for path in [
        format!("/whip/{key}/0"),
        format!("/whep/{key}/0"),
        format!("/whip/{key}"),
    ] {
        let answer = server.request(Method::DELETE, &path).send().await?;
        ensure!(
            answer.status().is_client_error(),
            "DELETE {path}: {}",
            answer.status()
        );
    }
    let takeover = server
        .request(Method::POST, &format!("/whip/{key}"))
        .header("Content-Type", SDP)
        .bearer_auth("not the stream key")
        .body(NO_COMMON_CODEC);
    let answer = takeover.send().await?.status();
    ensure!(
        [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer),
        "{answer}"
    );
    watch.plays().await?;
    server.stop().await
}

#[tokio::test]
async fn a_flood_of_likes_is_refused_and_disturbs_nobody() -> Result<()> {
    const FLOOD: u32 = 10_000;
    let server = Server::start().await?;
    let (loud, calm) = (
        server.create_room("Loud").await?,
        server.create_room("Calm").await?,
    );
    let (loud, calm) = (json!(loud.room.key), json!(calm.room.key));
    let mut abuser = SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    let mut guest = SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    accepted(&abuser.call("join_room", loud.clone()).await?)?;
    accepted(&guest.call("join_room", calm.clone()).await?)?;

    abuser.flood("upvote", loud.clone(), FLOOD).await?;
    let start = Instant::now();
    let comment = json!({"roomKey": calm, "text": "still there?"});
    accepted(&guest.call("comment", comment).await?)?;
    let delay = start.elapsed();
    println!("a comment in another room took {delay:?} during the flood");
    ensure!(
        delay < Duration::from_secs(1),
        "a comment in another room took {delay:?}"
    );

    let notice = abuser.next("notice").await?;
    ensure!(
        notice[0]["event"] == "upvote" && notice[0]["error"].is_string(),
        "{notice:?}"
    );
    let likes = server.room(loud.as_str().unwrap_or_default()).await?.likes;
    println!("{likes} of {FLOOD} likes were counted");
    let allowed = u64::from(limits::LIKE_RATE.burst) * 5;
    ensure!((1..allowed).contains(&likes), "{likes} likes were counted");
    server.stop().await
}

#[tokio::test]
async fn a_socket_that_joins_a_thousand_rooms_is_refused() -> Result<()> {
    let server = Server::start().await?;
    let mut keys = Vec::new();
    for number in 0..=limits::ROOMS_PER_SOCKET {
        keys.push(
            server
                .create_room(&format!("Room {number}"))
                .await?
                .room
                .key,
        );
    }
    let mut collector = SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    let (last, allowed) = keys
        .split_last()
        .ok_or_else(|| anyhow::anyhow!("no rooms"))?;
    for key in allowed {
        accepted(&collector.call("join_room", json!(key)).await?)?;
    }
    let refusal = collector.call("join_room", json!(last)).await?;
    ensure!(refusal["error"].is_string(), "one room too many: {refusal}");

    collector.flood("join_room", json!(last), 1_000).await?;
    collector.next("notice").await?;
    let like = json!({"roomKey": allowed[0], "count": 1});
    accepted(&collector.call("upvote", like).await?)?;
    server.stop().await
}
