//! What playlists promise (draft-pantos-hls-rfc8216bis).

use std::time::Duration;

use shared::api::CreatedRoom;
use tokio::time::{Instant, sleep};

use crate::ffmpeg::{PICTURES_AND_SOUND, broadcast};
use crate::playlist::{Media, attribute};
use crate::support::Server;

/// The folder of a room's media, and the text of its multivariant playlist.
pub(crate) async fn multivariant(server: &Server, room: &CreatedRoom) -> (String, String) {
    let path = format!("/live/{}/index.m3u8", room.room.key);
    let response = server.get(&path).await.error_for_status().unwrap();
    let text = response.text().await.unwrap();
    let video = text.lines().find(|line| line.ends_with("video.m3u8"));
    let name = video.unwrap().split('/').next().unwrap().to_owned();
    (format!("/live/{}/{name}", room.room.key), text)
}

pub(crate) async fn media(server: &Server, path: &str) -> Media {
    let response = server.get(path).await.error_for_status().unwrap();
    Media::read(&response.text().await.unwrap())
}

#[tokio::test]
async fn the_multivariant_playlist_says_what_there_is() {
    let server = Server::start().await;
    let room = server.create_room("Playlists").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (_, text) = multivariant(&server, &room).await;
    let variant = text
        .lines()
        .find(|line| line.starts_with("#EXT-X-STREAM-INF"));
    let variant = variant.unwrap();
    let codecs = attribute(variant, "CODECS").unwrap();
    assert!(
        codecs.starts_with("avc1.") && codecs.ends_with(",mp4a.40.2"),
        "{codecs}"
    );
    assert_eq!(attribute(variant, "RESOLUTION"), Some("320x180"));
    assert!(
        attribute(variant, "BANDWIDTH")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 10_000
    );
    assert!(text.contains("#EXT-X-MEDIA:TYPE=AUDIO"));
}

#[tokio::test]
async fn playlists_keep_their_promises_while_they_move() {
    let server = Server::start().await;
    let room = server.create_room("Playlists").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    for kind in ["video", "audio"] {
        let mut wanted: Option<(u64, usize)> = None;
        let mut newest = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(9) {
            let path = match wanted {
                Some((segment, part)) => {
                    format!("{folder}/{kind}.m3u8?_HLS_msn={segment}&_HLS_part={part}")
                }
                None => format!("{folder}/{kind}.m3u8"),
            };
            let playlist = media(&server, &path).await;
            assert!(playlist.hold_back >= 3.0 * playlist.part_target);
            assert!(
                playlist
                    .segments
                    .iter()
                    .all(|(length, _)| length.round() <= playlist.target)
            );
            let longest = playlist.parts.iter().map(|(length, _, _)| *length);
            assert!(longest.fold(0.0, f64::max) <= playlist.part_target + 1e-5);
            assert!(playlist.next() >= newest, "it went back");
            newest = playlist.next();
            // A part that begins a segment is one to start with.
            let firsts = playlist
                .parts
                .iter()
                .filter(|(_, uri, _)| uri.contains(".0."));
            assert!({ firsts }.all(|(_, _, independent)| *independent));
            // What is hinted at comes, and is what the next playlist has.
            let hint = playlist.hint.unwrap();
            let part = server.get(&format!("{folder}/{hint}")).await;
            assert_eq!(part.status(), 200, "{hint}");
            let (_, numbers) = hint.strip_suffix(".m4s").unwrap().split_once('-').unwrap();
            let (segment, part) = numbers.split_once('.').unwrap();
            wanted = Some((segment.parse().unwrap(), part.parse().unwrap()));
        }
        assert!(newest >= 3, "{newest} segments");
    }
}

#[tokio::test]
async fn old_segments_can_be_left_out() {
    let server = Server::start().await;
    let room = server.create_room("Playlists").await;
    // Short groups of pictures do not make short segments, so this takes its time.
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    let path = format!("{folder}/video.m3u8");
    for _ in 0..120 {
        let delta = media(&server, &format!("{path}?_HLS_skip=YES")).await;
        if delta.skipped > 0 {
            assert!(delta.segments.len() >= 5);
            return;
        }
        assert_eq!(
            delta.sequence, 0,
            "the window moved and nothing was left out"
        );
        sleep(Duration::from_millis(250)).await;
    }
    panic!("nothing was ever left out");
}

#[tokio::test]
async fn a_new_publisher_is_a_discontinuity_and_the_end_is_an_end() {
    let server = Server::start().await;
    let room = server.create_room("Playlists").await;
    let first = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    let path = format!("{folder}/video.m3u8");
    while media(&server, &path).await.segments.len() < 2 {
        sleep(Duration::from_millis(250)).await;
    }
    let bigger = PICTURES_AND_SOUND.replace("320x180", "640x360");
    let _second = broadcast(&server, &room, &bigger).await;
    let map = media(&server, &path).await.map;
    let changed = loop {
        let playlist = media(&server, &path).await;
        if playlist.discontinuities > 0 && playlist.map != map {
            break playlist;
        }
        assert!(!playlist.ended, "it ended");
        sleep(Duration::from_millis(250)).await;
    };
    assert!(changed.map.is_some());
    drop(first);
    let ended = server.request(
        reqwest::Method::DELETE,
        &format!("/api/rooms/{}", room.room.key),
    );
    let ended = ended.bearer_auth(&room.host_token).send().await.unwrap();
    assert!(ended.status().is_success());
    while !media(&server, &path).await.ended {
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn media_may_be_kept_and_playlists_may_not() {
    let server = Server::start().await;
    let room = server.create_room("Playlists").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    let playlist = server.get(&format!("{folder}/video.m3u8")).await;
    assert_eq!(playlist.headers()["cache-control"], "public, max-age=1");
    let hint = Media::read(&playlist.text().await.unwrap()).hint.unwrap();
    let part = format!("{folder}/{hint}");
    let response = server.get(&part).await;
    assert!(
        response.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let tag = response.headers()["etag"].clone();
    let again = server
        .request(reqwest::Method::GET, &part)
        .header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    let range = server
        .request(reqwest::Method::GET, &part)
        .header("range", "bytes=4-7");
    let range = range.send().await.unwrap();
    assert_eq!(range.status(), 206);
    assert_eq!(range.bytes().await.unwrap().len(), 4);
}
