//! One count of viewers, whatever they watch by.

use std::time::Duration;

use reqwest::Method;
use shared::room::RoomState;

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::Server;
use crate::webrtc_client::Client;

/// The viewers by a protocol, as the metrics say.
async fn by(server: &Server, protocol: &str) -> f64 {
    let text = server.get("/metrics").await.text().await.unwrap();
    let line = format!("golive_viewers{{protocol=\"{protocol}\"}} ");
    let value = text.lines().find_map(|found| found.strip_prefix(&line));
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn viewers_by_webrtc_hls_rtmp_and_flv_are_counted_together() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let count = async |viewers: u32| {
        server
            .room_becomes(&made, |room| room.viewers == viewers)
            .await
    };

    let player = RtmpClient::play(&server, made.room.key.as_str()).await;
    count(1).await;
    let flv = server.get(&format!("/live/{}.flv", made.room.key)).await;
    count(2).await;
    let mut browser = Client::viewer().await;
    let offer = browser.offer().await;
    let request = server
        .request(Method::POST, &format!("/whep/{}", made.room.key))
        .header("content-type", "application/sdp")
        .body(offer);
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    let session = answer.headers()["location"].to_str().unwrap().to_owned();
    browser.accept(answer.text().await.unwrap()).await;
    browser.connected().await;
    count(3).await;
    let index = format!("/live/{}/index.m3u8", made.room.key);
    let media = async {
        for second in 1..4 {
            encoder.second(1_000 * second).await;
        }
    };
    let (index, ()) = tokio::join!(server.get(&index), media);
    assert_eq!(index.status(), 200);
    let room = count(4).await;
    assert_eq!(room.peak_viewers, 4);
    for protocol in ["rtmp", "flv", "whep", "hls"] {
        // Other tests run in this process.
        assert!(by(&server, protocol).await >= 1.0, "{protocol}");
    }

    drop(flv);
    count(3).await;
    server
        .request(Method::DELETE, &session)
        .send()
        .await
        .unwrap();
    count(2).await;
    drop(player);
    count(1).await;
    // Who asks for no more playlists has left.
    let mut room = server.room(&made).await;
    for _ in 0..600 {
        if room.viewers == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        room = server.room(&made).await;
    }
    assert_eq!((room.viewers, room.peak_viewers), (0, 4));
}

#[tokio::test]
async fn a_player_too_many_is_told_so() {
    let server = Server::start_with(&["--max-viewers-per-room", "1"]).await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let _first = RtmpClient::play(&server, made.room.key.as_str()).await;
    server.room_becomes(&made, |room| room.viewers == 1).await;
    let mut second = RtmpClient::play(&server, made.room.key.as_str()).await;
    let (code, description) = second.status().await;
    assert_eq!(code, "NetStream.Play.StreamNotFound");
    assert!(description.contains("room is full"), "{description}");
}
