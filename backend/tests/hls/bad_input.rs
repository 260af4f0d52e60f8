//! What nobody should ask for.

use futures::future::join_all;

use crate::ffmpeg::{PICTURES_AND_SOUND, broadcast};
use crate::playlists::{media, multivariant};
use crate::support::{Server, refused};

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let server = Server::start().await;
    let room = server.create_room("Bad input").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    for (path, status) in [
        ("video.m3u8?_HLS_part=1", 400),
        ("video.m3u8?_HLS_msn=-1", 400),
        ("video.m3u8?_HLS_msn=x", 400),
        ("video.m3u8?_HLS_msn=99999999", 400),
        ("video.m3u8?_HLS_msn=18446744073709551615&_HLS_part=3", 400),
        ("video.m3u8?_HLS_skip=MAYBE", 400),
        ("video-9999.m4s", 404),
        ("video-9999.0.m4s", 404),
        ("video-init-7.mp4", 404),
        ("subtitles.m3u8", 404),
        ("..%2fvideo.m3u8", 404),
    ] {
        refused(server.get(&format!("{folder}/{path}")).await, status).await;
    }
    let gone = format!("/live/{}/nothere/video.m3u8", room.room.key);
    refused(server.get(&gone).await, 404).await;
    refused(server.get("/live/nosuchroom/index.m3u8").await, 404).await;
    let idle = server.create_room("Idle").await;
    let idle = format!("/live/{}/index.m3u8", idle.room.key);
    refused(server.get(&idle).await, 409).await;
}

#[tokio::test]
async fn all_who_wait_are_released_when_the_broadcast_ends() {
    let server = Server::start().await;
    let room = server.create_room("Bad input").await;
    let _broadcast = broadcast(&server, &room, PICTURES_AND_SOUND).await;
    let (folder, _) = multivariant(&server, &room).await;
    let path = format!("{folder}/video.m3u8");
    let next = media(&server, &path).await.next() + 1;
    let wanted = format!("{path}?_HLS_msn={next}");
    let waiting = (0..1_000).map(|_| server.get(&wanted));
    let end = async {
        let request = server.request(
            reqwest::Method::DELETE,
            &format!("/api/rooms/{}", room.room.key),
        );
        request.bearer_auth(&room.host_token).send().await.unwrap()
    };
    let (responses, ended) = tokio::join!(join_all(waiting), end);
    assert!(ended.status().is_success());
    for response in responses {
        assert_eq!(response.status(), 200);
    }
}
