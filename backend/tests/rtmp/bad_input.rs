//! What must not happen, tried. A room in which all is well notices nothing of it.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use golive::flv::amf0::Value;
use golive::rtmp::chunk::writer::{Header, put_message};
use golive::rtmp::message_type;
use shared::api::CreatedRoom;
use shared::room::RoomState;

use crate::client::{RtmpClient, nested_connect};
use crate::stream_key;
use crate::support::Server;

/// A broadcast that somebody plays.
struct Bystanders {
    made: CreatedRoom,
    encoder: RtmpClient,
    player: RtmpClient,
    time: u32,
}

impl Bystanders {
    async fn of(server: &Server) -> Self {
        let made = server.create_room("bystanders").await;
        let mut encoder = RtmpClient::on_air(server, stream_key(&made)).await;
        encoder.second(0).await;
        server.state_becomes(&made, RoomState::Live).await;
        let player = RtmpClient::play(server, made.room.key.as_str()).await;
        Self {
            made,
            encoder,
            player,
            time: 1_000,
        }
    }

    /// New pictures still arrive, and new players are still served.
    async fn notice_nothing(&mut self, server: &Server) {
        self.encoder.second(self.time).await;
        let mut newest = 0;
        while newest < self.time + 900 {
            newest = self.player.next_media(message_type::VIDEO).await.timestamp;
        }
        self.time += 1_000;
        let mut another = RtmpClient::play(server, self.made.room.key.as_str()).await;
        another.next_media(message_type::VIDEO).await;
    }
}

#[tokio::test]
async fn an_amf_bomb_is_refused() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let mut client = RtmpClient::dial(&server).await;
    client.shake_hands().await;
    // 20,000 objects within each other are 80 KB; as many as fit a command are tried, too.
    for depth in [20_000, 10_000] {
        let mut client = RtmpClient::dial(&server).await;
        client.shake_hands().await;
        client
            .message(message_type::COMMAND, 0, &nested_connect(depth))
            .await;
        client.is_cut().await;
    }
    client
        .message(message_type::COMMAND, 0, &nested_connect(20))
        .await;
    client.is_cut().await;
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn messages_that_are_interleaved_are_put_together() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let made = server.create_room("r").await;
    let mut client = RtmpClient::on_air(&server, stream_key(&made)).await;
    // A picture on chunk stream 6 and sound on chunk stream 4, 128 bytes of each in turn.
    let slice = 300_u16;
    let mut picture = vec![0x17, 1, 0, 0, 0, 0, 0];
    picture.extend_from_slice(&slice.to_be_bytes());
    picture.resize(9 + usize::from(slice), 0x65);
    let mut sound = vec![0xaf, 1];
    sound.resize(300, 0x21);
    let mut out = BytesMut::new();
    let head = |out: &mut BytesMut, stream: u8, kind: u8, length: usize| {
        out.put_u8(stream);
        out.put_uint(40, 3);
        out.put_uint(length as u64, 3);
        out.put_u8(kind);
        out.put_u32_le(1);
    };
    let (mut pictures, mut sounds) = (picture.chunks(128), sound.chunks(128));
    head(&mut out, 6, message_type::VIDEO, picture.len());
    out.put_slice(pictures.next().unwrap());
    head(&mut out, 4, message_type::AUDIO, sound.len());
    out.put_slice(sounds.next().unwrap());
    while let (Some(picture), Some(sound)) = (pictures.next(), sounds.next()) {
        out.put_u8(0xc0 | 6);
        out.put_slice(picture);
        out.put_u8(0xc0 | 4);
        out.put_slice(sound);
    }
    client.write(&out).await;
    client.second(1_000).await;
    server.state_becomes(&made, RoomState::Live).await;
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn metadata_without_an_object_is_no_reason_to_fall_over() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut client = RtmpClient::on_air(&server, stream_key(&made)).await;
    let mut body = BytesMut::new();
    Value::String("@setDataFrame".into()).put(&mut body);
    client.message(message_type::DATA, 0, &body).await;
    Value::String("onMetaData".into()).put(&mut body);
    client.message(message_type::DATA, 0, &body).await;
    client.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
}

#[tokio::test]
async fn times_that_step_back_do_not_for_players() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(10_000).await;
    server.state_becomes(&made, RoomState::Live).await;
    let mut player = RtmpClient::play(&server, made.room.key.as_str()).await;
    let mut last = player.next_media(message_type::VIDEO).await.timestamp;
    for from in [11_000, 0, 1_000, 4_294_967_000, 500] {
        encoder.second(from).await;
        for _ in 0..25 {
            let timestamp = player.next_media(message_type::VIDEO).await.timestamp;
            assert!(
                (last..last + 10_000).contains(&timestamp),
                "{last} to {timestamp}"
            );
            last = timestamp;
        }
    }
}

#[tokio::test]
async fn media_before_publishing_cuts_the_connection() {
    let server = Server::start().await;
    let mut client = RtmpClient::connect(&server).await;
    client.picture(0, true).await;
    client.is_cut().await;
}

#[tokio::test]
async fn publishing_twice_is_refused_and_the_first_goes_on() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let other = server.create_room("other").await;
    bystanders.encoder.ask_to_publish(stream_key(&other)).await;
    let (code, _) = bystanders.encoder.status().await;
    assert_eq!(code, "NetStream.Publish.BadName");
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn messages_that_claim_too_much_are_refused_before_they_come() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let made = server.create_room("r").await;
    for kind in [
        message_type::VIDEO,
        message_type::DATA,
        message_type::COMMAND,
    ] {
        let mut client = RtmpClient::on_air(&server, stream_key(&made)).await;
        // In one chunk, at that.
        let chunk_size = (16_u32 << 20).to_be_bytes();
        client
            .message(message_type::SET_CHUNK_SIZE, 0, &chunk_size)
            .await;
        let mut out = BytesMut::new();
        out.put_slice(&[6, 0, 0, 0, 0xff, 0xff, 0xff, kind, 1, 0, 0, 0]);
        out.put_slice(&[0; 64]);
        client.write(&out).await;
        client.is_cut().await;
    }
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn metadata_of_megabytes_cuts_the_connection() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let made = server.create_room("r").await;
    let mut client = RtmpClient::on_air(&server, stream_key(&made)).await;
    let mut body = BytesMut::new();
    Value::String("onMetaData".into()).put(&mut body);
    Value::EcmaArray(vec![(
        "encoder".into(),
        "x".repeat(3 << 20).as_str().into(),
    )])
    .put(&mut body);
    let mut out = BytesMut::new();
    let header = Header {
        chunk_stream: 4,
        timestamp: 0,
        message_type: message_type::DATA,
        stream_id: 1,
    };
    put_message(&mut out, header, &[&body], 128);
    // The server cuts it before all of it is written.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &out).await;
    client.is_cut().await;
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn random_bytes_are_no_handshake_and_no_chunks() {
    let server = Server::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let mut seed = 7_u32;
    let mut random = |count: usize| -> Vec<u8> {
        let next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        std::iter::repeat_with(next).take(count).collect()
    };
    for _ in 0..20 {
        let mut client = RtmpClient::dial(&server).await;
        client.shake_hands().await;
        // The server may have cut the connection before all of it is written.
        let bytes = random(20_000);
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &bytes).await;
        let mut client = RtmpClient::dial(&server).await;
        client.write(&random(1_000)).await;
    }
    bystanders.notice_nothing(&server).await;
}

#[tokio::test]
async fn whoever_says_nothing_or_dribbles_is_cut_in_time() {
    let server = Server::start().await;
    let began = Instant::now();
    let silent = RtmpClient::dial(&server).await;
    let mut half_open = RtmpClient::dial(&server).await;
    half_open.write(&[3; 700]).await;
    let mut dribbling = RtmpClient::dial(&server).await;
    let dribble = async {
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut dribbling.stream, &[3])
                .await
                .is_err()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let quiet = async {
        for mut client in [silent, half_open] {
            let mut said = Vec::new();
            let end = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut said);
            let end = tokio::time::timeout(Duration::from_secs(15), end).await;
            assert!(end.is_ok(), "the server does not let go");
        }
    };
    tokio::join!(dribble, quiet);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}
