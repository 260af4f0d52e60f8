//! Viewers that stop reading.

use std::time::Duration;

use bytes::Bytes;
use golive::flv::body::Body;
use golive::rtmp::message_type;
use shared::room::RoomState;
use tokio::time::{Instant, interval, timeout};

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::{SOON, Server};

/// Between two pictures, in ms.
const PICTURE: u32 = 40;
/// Of one picture: 16 Mbit/s, so that what the system keeps for a connection is soon full.
const BYTES: u32 = 80_000;

/// A picture of one NAL unit (ISO/IEC 14496-15 section 5.3.4.2), a keyframe or not.
fn picture(keyframe: bool) -> Bytes {
    let mut data = BYTES.to_be_bytes().to_vec();
    data.resize(data.len() + BYTES as usize, 0x88);
    data[4] = if keyframe { 0x65 } else { 0x41 };
    data.into()
}

#[tokio::test]
async fn viewers_that_stop_reading_are_cut_and_the_others_notice_nothing() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    let (keyframe, other) = (picture(true), picture(false));
    let sending = async {
        let mut beat = interval(Duration::from_millis(PICTURE.into()));
        for number in 0.. {
            beat.tick().await;
            let is_keyframe = number % 25 == 0;
            let data = if is_keyframe { &keyframe } else { &other };
            let body = Body::picture(is_keyframe, 0, data.clone());
            encoder.body(number * PICTURE, &body).await;
        }
    };
    let watching = async {
        server.state_becomes(&made, RoomState::Live).await;
        let mut good = RtmpClient::play(&server, made.room.key.as_str()).await;
        let _stuck = RtmpClient::play(&server, made.room.key.as_str()).await;
        let flv = server.get(&format!("/live/{}.flv", made.room.key)).await;
        server.room_becomes(&made, |room| room.viewers == 3).await;
        let (began, mut longest) = (Instant::now(), Duration::ZERO);
        // For half a minute, and then until both are gone.
        loop {
            let waited = Instant::now();
            good.next_media(message_type::VIDEO).await;
            longest = longest.max(waited.elapsed());
            let is_over = began.elapsed() > Duration::from_secs(30);
            if is_over && server.room(&made).await.viewers == 1 {
                break;
            }
        }
        drop(flv);
        longest
    };
    let longest = tokio::select! {
        () = sending => unreachable!("it goes on for ever"),
        longest = timeout(SOON * 12, watching) => longest.expect("those that are stuck are cut"),
    };
    assert!(
        longest < Duration::from_secs(3),
        "the good one waited {longest:?}"
    );
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}
