//! Players play by HTTP-FLV.

use futures::StreamExt;
use golive::flv::TagType;
use reqwest::Method;
use shared::room::RoomState;

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::{Server, refused};

/// A tag's type, time in ms, and body.
type Tag = (u8, u32, Vec<u8>);

/// Reads so many tags of a live room, behind the file's header.
async fn tags(server: &Server, path: &str, count: usize) -> (Vec<u8>, Vec<Tag>) {
    let response = server.get(path).await.error_for_status().unwrap();
    assert_eq!(response.headers()["content-type"], "video/x-flv");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(!response.headers().contains_key("content-length"));
    let mut stream = response.bytes_stream();
    let (mut bytes, mut tags) = (Vec::new(), Vec::new());
    let mut at = 13;
    while tags.len() < count {
        bytes.extend_from_slice(&stream.next().await.unwrap().unwrap());
        while let Some(header) = bytes.get(at..at + 11) {
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &b| n << 8 | usize::from(b));
            let (size, header): (usize, &[u8]) = (number(&header[1..4]), header);
            let time = u32::from(header[7]) << 24 | u32::try_from(number(&header[4..7])).unwrap();
            let Some(body) = bytes.get(at + 11..at + 11 + size + 4) else {
                break;
            };
            let (body, back) = body.split_at(size);
            assert_eq!(number(back), 11 + size, "a tag's size is behind it");
            tags.push((header[0], time, body.to_vec()));
            at += 11 + size + 4;
        }
    }
    (bytes[..13].to_vec(), tags)
}

#[tokio::test]
async fn a_player_gets_header_metadata_sequence_headers_and_a_keyframe_at_time_zero() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let path = format!("/live/{}.flv", made.room.key);
    let (header, tags) = tags(&server, &path, 6).await;
    assert_eq!(header, b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    let kinds: Vec<_> = tags.iter().map(|tag| tag.0).collect();
    let (script, audio, video) = (
        TagType::Script as u8,
        TagType::Audio as u8,
        TagType::Video as u8,
    );
    assert_eq!(kinds[..4], [script, video, audio, video]);
    assert_eq!(tags[1].2[..2], [0x17, 0]);
    assert_eq!(tags[2].2[..2], [0xaf, 0]);
    assert_eq!((tags[3].1, &tags[3].2[..2]), (0, &[0x17, 1][..]));
    assert!(tags[..4].iter().all(|tag| tag.1 == 0));
}

#[tokio::test]
async fn a_room_that_is_not_live_is_refused_and_pages_stay_pages() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let key = made.room.key.as_str();
    refused(server.get("/live/nowhere.flv").await, 404).await;
    refused(server.get("/live/no%20key.flv").await, 404).await;
    refused(server.get(&format!("/live/{key}.flv")).await, 409).await;
    let post = server.request(Method::POST, &format!("/live/{key}.flv"));
    refused(post.send().await.unwrap(), 405).await;
    let page = server.get(&format!("/live/{key}")).await;
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
}

#[tokio::test]
async fn players_of_all_protocols_are_counted_together() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let by_flv = server.get(&format!("/live/{}.flv", made.room.key)).await;
    let by_rtmp = RtmpClient::play(&server, made.room.key.as_str()).await;
    server.room_becomes(&made, |room| room.viewers == 2).await;
    drop(by_flv);
    server.room_becomes(&made, |room| room.viewers == 1).await;
    drop(by_rtmp);
    server.room_becomes(&made, |room| room.viewers == 0).await;
}

#[tokio::test]
async fn the_end_of_a_broadcast_ends_the_stream() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let response = server.get(&format!("/live/{}.flv", made.room.key)).await;
    let mut stream = response.bytes_stream();
    assert!(stream.next().await.unwrap().unwrap().starts_with(b"FLV"));
    encoder.unpublish().await;
    while let Some(bytes) = stream.next().await {
        bytes.expect("the stream ends as it should");
    }
}
