//! Players play by RTMP.

use golive::flv::amf0;
use golive::rtmp::message_type;
use shared::room::RoomState;

use crate::client::{RtmpClient, SPS_720P};
use crate::stream_key;
use crate::support::{SOON, Server};

#[tokio::test]
async fn a_player_gets_metadata_sequence_headers_and_the_newest_keyframe_first() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    encoder.second(1_000).await;
    server.state_becomes(&made, RoomState::Live).await;

    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    assert_eq!(player.status().await.0, "NetStream.Play.Reset");
    assert_eq!(player.status().await.0, "NetStream.Play.Start");
    let mut came = Vec::new();
    while came.len() < 4 {
        let message = player.next().await.unwrap();
        let is_access = |body: &[u8]| body.windows(3).any(|word| word == b"Rtm");
        if [8, 9, 18].contains(&message.message_type) && !is_access(&message.body) {
            came.push(message);
        }
    }
    let metadata = amf0::read(&came[0].body).unwrap();
    assert_eq!(metadata[0].as_str(), Some("onMetaData"));
    assert_eq!(metadata[1].get("width").unwrap().as_number(), Some(640.0));
    assert_eq!(came[1].body[..2], [0x17, 0], "a video sequence header");
    assert_eq!(came[2].body[..2], [0xaf, 0], "an audio sequence header");
    assert_eq!(came[3].body[..2], [0x17, 1], "a keyframe");
    // What is live follows.
    let before = came[3].timestamp;
    encoder.second(2_000).await;
    let mut newest = before;
    while newest < before + 1_500 {
        newest = player.next_media(message_type::VIDEO).await.timestamp;
    }
    let room = server.room_becomes(&made, |room| room.viewers == 1).await;
    assert_eq!(room.peak_viewers, 1);
    drop(player);
    server.room_becomes(&made, |room| room.viewers == 0).await;
}

#[tokio::test]
async fn where_nothing_is_played_a_player_is_told_so() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    for key in ["nowhere", made.room.key.as_str(), "not a key!"] {
        let mut player = RtmpClient::play(&server, key).await;
        assert_eq!(player.status().await.0, "NetStream.Play.StreamNotFound");
        player.is_cut().await;
    }
}

#[tokio::test]
async fn the_end_of_a_broadcast_is_told_and_ends_the_connection() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    player.next_media(message_type::VIDEO).await;
    encoder.unpublish().await;
    let (mut notified, mut eof) = (false, false);
    while let Some(message) = player.next().await {
        notified |= message.message_type == message_type::COMMAND
            && message
                .body
                .windows(15)
                .any(|word| word == b"UnpublishNotify");
        // User control event 1 (section 7.1.7).
        eof |= message.message_type == message_type::USER_CONTROL && message.body[..2] == [0, 1];
    }
    assert!(notified && eof);
}

#[tokio::test]
async fn a_player_that_reads_nothing_holds_up_nobody() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let stuck = RtmpClient::play(&server, made.room.key.as_str()).await;
    let stuck_by_flv = server.get(&format!("/live/{}.flv", made.room.key)).await;
    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    player.next_media(message_type::VIDEO).await;
    // Far more than the system keeps for a connection that is not read.
    let huge = vec![0x65; 400_000];
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.extend_from_slice(&u32::try_from(huge.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&huge);
    let began = std::time::Instant::now();
    for n in 0..60 {
        encoder
            .message(message_type::VIDEO, 1_000 + n * 40, &body)
            .await;
        player.next_media(message_type::VIDEO).await;
    }
    assert!(began.elapsed() < SOON);
    drop((stuck, stuck_by_flv));
}

#[tokio::test]
async fn another_resolution_comes_with_a_sequence_header_of_its_own() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    player.next_media(message_type::VIDEO).await;
    encoder.announce_picture(1_000, SPS_720P).await;
    encoder.second(1_000).await;
    loop {
        let message = player.next().await.unwrap();
        if message.message_type == message_type::VIDEO && message.body[1] == 0 {
            let has_sps = message
                .body
                .windows(SPS_720P.len())
                .any(|word| word == SPS_720P);
            assert!(has_sps);
            return;
        }
    }
}
