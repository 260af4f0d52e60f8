//! Encoders publish.

use std::time::Duration;

use golive::flv::TagType;
use golive::flv::amf0::{Value, object};
use shared::room::{Ingest, RoomState};
use tokio::time::timeout;

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::Server;

#[tokio::test]
async fn an_encoder_makes_its_room_live_and_its_stop_makes_it_offline_at_once() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    assert_eq!(server.room(&made).await.state, RoomState::Offline);
    encoder.second(0).await;
    let room = server.state_becomes(&made, RoomState::Live).await;
    assert_eq!(room.ingest, Some(Ingest::Rtmp));
    encoder.unpublish().await;
    server.state_becomes(&made, RoomState::Offline).await;
}

#[tokio::test]
async fn an_encoder_that_vanishes_leaves_its_room_waiting_and_may_resume() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    let begun = server.state_becomes(&made, RoomState::Live).await;
    drop(encoder);
    server.state_becomes(&made, RoomState::Reconnecting).await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    let resumed = server.state_becomes(&made, RoomState::Live).await;
    assert_eq!(resumed.started_at, begun.started_at);
}

#[tokio::test]
async fn a_wrong_stream_key_is_told_in_words_and_disturbs_nobody() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let name = format!("{}?key=wrong", made.room.key);
    let mut intruder = RtmpClient::publish(&server, &name).await;
    let (code, description) = intruder.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    let expected = format!("wrong stream key for room {}", made.room.key);
    assert!(description.contains(&expected), "{description}");
    intruder.is_cut().await;
    encoder.second(1_000).await;
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}

#[tokio::test]
async fn who_tries_stream_keys_is_soon_not_told_any_more_which_is_right() {
    let server = Server::start_with(&["--wrong-secrets-per-minute", "2"]).await;
    let made = server.create_room("r").await;
    let wrong = format!("{}?key=wrong", made.room.key);
    for _ in 0..2 {
        let (_, description) = RtmpClient::publish(&server, &wrong).await.status().await;
        assert!(description.contains("wrong stream key"), "{description}");
    }
    let mut right = RtmpClient::publish(&server, stream_key(&made)).await;
    let (code, description) = right.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        description.contains("too many wrong stream keys"),
        "{description}"
    );
}

#[tokio::test]
async fn an_encoder_that_sends_more_than_it_may_is_told_so_and_ended() {
    let server = Server::start_with(&["--max-bitrate", "1"]).await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    let mut time = 0;
    let (code, description) = loop {
        encoder.second(time).await;
        time += 1_000;
        let told = timeout(Duration::from_millis(300), encoder.status()).await;
        if let Ok(told) = told {
            break told;
        }
        assert!(time < 200_000, "nothing is said");
    };
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        description.contains("this server takes 1: please set a lower"),
        "{description}"
    );
    server.state_becomes(&made, RoomState::Reconnecting).await;
}

#[tokio::test]
async fn an_encoder_that_sends_nothing_is_told_so_and_ended() {
    let server = Server::start_with(&["--silence-seconds", "1"]).await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let (code, description) = encoder.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        description.contains("no picture and no sound"),
        "{description}"
    );
    server.state_becomes(&made, RoomState::Reconnecting).await;
}

#[tokio::test]
async fn publishers_beyond_the_most_are_told_so() {
    let server = Server::start_with(&["--max-publishers", "1"]).await;
    let (one, other) = (server.create_room("r").await, server.create_room("r").await);
    let _encoder = RtmpClient::on_air(&server, stream_key(&one)).await;
    let mut second = RtmpClient::publish(&server, stream_key(&other)).await;
    let (code, description) = second.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(description.contains("as many broadcasts"), "{description}");
}

#[tokio::test]
async fn every_other_refusal_is_told_in_words_too() {
    let server = Server::start_with(&["--legacy", "off"]).await;
    let made = server.create_room("r").await;
    let key = made.room.key.as_str();
    for (name, expected) in [
        ("nowhere?key=x", "there is no room nowhere"),
        ("not a key!?key=x", "there is no room"),
        (key, "?key="),
    ] {
        let mut encoder = RtmpClient::publish(&server, name).await;
        let (code, description) = encoder.status().await;
        assert_eq!(code, "NetStream.Publish.BadName");
        assert!(description.contains(expected), "{name}: {description}");
        encoder.is_cut().await;
    }
}

#[tokio::test]
async fn a_rotated_key_cuts_the_encoder() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let path = format!("/api/rooms/{}/stream-key", made.room.key);
    let rotated = server.request(reqwest::Method::POST, &path);
    let rotated = rotated.bearer_auth(&made.host_token).send().await.unwrap();
    assert_eq!(rotated.status(), 200);
    let (code, description) = encoder.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(description.contains("no longer valid"), "{description}");
    encoder.is_cut().await;
    let mut late = RtmpClient::publish(&server, stream_key(&made)).await;
    assert!(late.status().await.1.contains("wrong stream key"));
}

#[tokio::test]
async fn a_codec_that_nobody_could_watch_is_refused_by_its_name() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    // Enhanced RTMP: a sequence start with a FourCC; then the codec ids of old encoders.
    for (kind, body, expected) in [
        (TagType::Video, &b"\x90hvc1\x01"[..], "HEVC"),
        (TagType::Video, &b"\x90av01\x81"[..], "AV1"),
        (TagType::Video, &b"\x90vp09\x01"[..], "VP9"),
        (TagType::Video, &b"\x12\x00"[..], "H.263"),
        (TagType::Audio, &b"\x2fxx"[..], "MP3"),
        (TagType::Audio, &b"\xb2xx"[..], "Speex"),
        (TagType::Audio, &b"\xaf\x00\x2b\x11\x88\x00"[..], "HE-AAC"),
    ] {
        let mut encoder = RtmpClient::publish(&server, stream_key(&made)).await;
        assert_eq!(encoder.status().await.0, "NetStream.Publish.Start");
        encoder.message(kind as u8, 0, body).await;
        let (code, description) = encoder.status().await;
        assert_eq!(code, "NetStream.Publish.BadName");
        assert!(description.contains(expected), "{description}");
        assert!(description.contains("choose"), "{description}");
        encoder.is_cut().await;
    }
    assert_eq!(server.room(&made).await.state, RoomState::Offline);
}

#[tokio::test]
async fn what_old_encoders_ask_beside_publishing_does_them_no_harm() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::connect(&server).await;
    let name = || Value::String(stream_key(&made).to_owned());
    encoder
        .command("releaseStream", [Value::Null, name()])
        .await;
    encoder.command("FCPublish", [Value::Null, name()]).await;
    encoder.command("_checkbw", [Value::Null]).await;
    encoder.command("nonsense", [object([])]).await;
    encoder.ask_to_publish(stream_key(&made)).await;
    assert_eq!(encoder.status().await.0, "NetStream.Publish.Start");
    encoder.announce().await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
}
