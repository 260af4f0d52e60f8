//! What an encoder pushes is packaged for HLS before anybody watches.

use std::time::{Duration, Instant};

use shared::room::RoomState;
use tokio::time::sleep;

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::Server;

#[tokio::test]
async fn who_watches_keyframes_that_are_far_apart_does_not_wait_for_one() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    // Two groups of pictures and half of a third; after that nothing comes any more.
    for at in (0..20_000).step_by(40) {
        encoder.picture(at, at % 8_000 == 0).await;
        encoder.sound(at).await;
        if at % 1_000 == 0 {
            // Whoever is more than 1.5 s late jumps to the newest keyframe.
            sleep(Duration::from_millis(50)).await;
        }
    }
    server.state_becomes(&made, RoomState::Live).await;

    let index = server
        .get(&format!("/live/{}/index.m3u8", made.room.key))
        .await;
    let index = index.error_for_status().unwrap().text().await.unwrap();
    let video = index.lines().last().unwrap();
    let playlist = server
        .get(&format!("/live/{}/{video}", made.room.key))
        .await;
    let playlist = playlist.error_for_status().unwrap().text().await.unwrap();
    assert!(playlist.contains("#EXT-X-TARGETDURATION:8\n"), "{playlist}");
    assert_eq!(playlist.matches("#EXTINF:8.0").count(), 2, "{playlist}");
}

/// A room with three seconds of media, and the path of its picture's playlist.
async fn three_seconds(server: &Server) -> (RtmpClient, String) {
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(server, stream_key(&made)).await;
    for second in 0..3 {
        encoder.second(1_000 * second).await;
    }
    let index = server
        .get(&format!("/live/{}/index.m3u8", made.room.key))
        .await;
    let index = index.error_for_status().unwrap().text().await.unwrap();
    let path = format!("/live/{}/{}", made.room.key, index.lines().last().unwrap());
    (encoder, path)
}

#[tokio::test]
async fn a_part_beyond_the_end_of_a_segment_is_the_first_of_the_next() {
    let server = Server::start().await;
    let (mut encoder, path) = three_seconds(&server).await;
    let beyond = format!("{path}?_HLS_msn=0&_HLS_part=99");
    let there = server.get(&beyond).await.error_for_status().unwrap();
    assert!(there.text().await.unwrap().contains("video-1.0.m4s"));

    // Where that end is shows when the segment is complete.
    let beyond = format!("{path}?_HLS_msn=1&_HLS_part=99");
    let media = async {
        for second in 3..6 {
            encoder.second(1_000 * second).await;
        }
    };
    let (waited, ()) = tokio::join!(server.get(&beyond), media);
    let playlist = waited.error_for_status().unwrap().text().await.unwrap();
    assert!(playlist.contains("video-1.m4s") && playlist.contains("video-2.0.m4s"));
}

#[tokio::test]
async fn who_waits_for_what_does_not_come_is_told_after_three_target_durations() {
    let server = Server::start().await;
    let (_encoder, path) = three_seconds(&server).await;
    let asked = Instant::now();
    let waited = server.get(&format!("{path}?_HLS_msn=2")).await;
    assert_eq!(waited.status(), 503);
    assert!(asked.elapsed() >= Duration::from_secs(6));
}
