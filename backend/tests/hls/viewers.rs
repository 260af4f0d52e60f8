//! Who watches by HLS counts.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::ffmpeg::{PICTURES_AND_SOUND, broadcast};
use crate::playlists::{media, multivariant};
use crate::support::Server;

#[tokio::test]
async fn a_player_is_one_viewer_and_players_with_names_are_several() {
    let server = Server::start().await;
    let room = server.create_room("Viewers").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    media(&server, &format!("{folder}/video.m3u8")).await;
    media(&server, &format!("{folder}/audio.m3u8")).await;
    server.room_becomes(&room, |room| room.viewers == 1).await;
    for id in ["a", "b", "a"] {
        let path = format!("/live/{}/heartbeat", room.room.key);
        let beat = server.request(reqwest::Method::POST, &path);
        let response = beat.json(&json!({"id": id})).send().await.unwrap();
        assert_eq!(response.status(), 204);
    }
    server.room_becomes(&room, |room| room.viewers == 2).await;
    // Whoever is not heard of any more has left.
    for _ in 0..600 {
        if server.room(&room).await.viewers == 0 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("they are still counted");
}
