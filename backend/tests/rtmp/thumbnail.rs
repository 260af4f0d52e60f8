//! Live pictures of rooms, of what real ffmpeg broadcasts.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, Response};
use shared::api::CreatedRoom;
use shared::room::RoomState;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::client::RtmpClient;
use crate::stream_key;
use crate::support::{Server, refused};

/// Time for ffmpeg to start and for a picture to become old, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Broadcasts a test picture with a clock in it, as OBS would but for the size.
fn broadcast(server: &Server, made: &CreatedRoom, size: &str) -> Child {
    let source = format!("testsrc2=s={size}:r=15");
    let url = format!("{}/{}", server.rtmp_app(), stream_key(made));
    Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi"])
        .args(["-i", &source, "-c:v", "libx264", "-preset", "veryfast"])
        .args(["-profile:v", "high", "-pix_fmt", "yuv420p", "-g", "30"])
        .args(["-f", "flv", &url])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("ffmpeg is installed: `cargo xtask test` does it")
}

fn path(made: &CreatedRoom) -> String {
    format!("/live/{}/thumbnail.jpg", made.room.key)
}

/// Asks for the picture until there is one that is wanted.
async fn picture(
    server: &Server,
    made: &CreatedRoom,
    wanted: impl Fn(&Response) -> bool,
) -> Response {
    let asks = async {
        loop {
            let response = server.get(&path(made)).await;
            if response.status().is_success() && wanted(&response) {
                return response;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, asks).await.expect("a picture")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

/// Codec, width and height of a file, as ffprobe sees them; it decodes the picture, too.
async fn probe(name: &str, file: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    tokio::fs::write(&path, file).await.unwrap();
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
        .args([
            "-show_entries",
            "stream=codec_name,width,height,nb_read_frames",
        ])
        .arg(&path)
        .output()
        .await
        .expect("ffprobe is installed with ffmpeg");
    assert!(
        probed.status.success() && probed.stderr.is_empty(),
        "{probed:?}"
    );
    String::from_utf8(probed.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_room_has_a_picture_that_caches_keep_and_that_changes() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let _encoder = broadcast(&server, &made, "1280x720");
    let first = picture(&server, &made, |_| true).await;
    assert_eq!(header(&first, "content-type"), "image/jpeg");
    assert_eq!(header(&first, "cache-control"), "public, max-age=5");
    assert_eq!(header(&first, "access-control-allow-origin"), "*");
    let tag = header(&first, "etag").to_owned();
    assert!(tag.starts_with('"'), "a strong one: {tag}");
    let file = first.bytes().await.unwrap();
    assert!(file.len() <= 60_000, "{} bytes", file.len());
    assert_eq!(probe("first.jpg", &file).await, "mjpeg,480,270,1");

    let again = server
        .request(Method::GET, &path(&made))
        .header("if-none-match", format!("\"other\", {tag}"));
    let again = again.send().await.unwrap();
    // If it took that long, there is another picture by now.
    if header(&again, "etag") == tag {
        assert_eq!(again.status(), 304);
        assert_eq!(header(&again, "cache-control"), "public, max-age=5");
        assert!(again.bytes().await.unwrap().is_empty());
    }
    let head = server.request(Method::HEAD, &path(&made)).send().await;
    assert_eq!(header(&head.unwrap(), "content-type"), "image/jpeg");

    let second = picture(&server, &made, |picture| header(picture, "etag") != tag).await;
    let file = second.bytes().await.unwrap();
    assert_eq!(probe("second.jpg", &file).await, "mjpeg,480,270,1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_as_high_as_the_phone_was_held_and_ends_with_the_broadcast() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = broadcast(&server, &made, "270x480");
    let upright = picture(&server, &made, |_| true).await;
    let file = upright.bytes().await.unwrap();
    assert_eq!(probe("upright.jpg", &file).await, "mjpeg,270,480,1");
    encoder.kill().await.unwrap();
    server.state_becomes(&made, RoomState::Reconnecting).await;
    refused(server.get(&path(&made)).await, 404).await;
}

#[tokio::test]
async fn rooms_that_are_not_live_have_no_picture() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    for path in [path(&made), "/live/nowhere/thumbnail.jpg".to_owned()] {
        let response = server.get(&path).await;
        assert_eq!(header(&response, "cache-control"), "public, max-age=2");
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
        refused(response, 404).await;
    }
    let post = server.request(Method::POST, &path(&made));
    refused(post.send().await.unwrap(), 405).await;
}

#[tokio::test]
async fn keyframes_that_cannot_be_decoded_leave_the_room_as_it_is() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    for _ in 0..3 {
        refused(server.get(&path(&made)).await, 404).await;
    }
    encoder.second(1).await;
    server.state_becomes(&made, RoomState::Live).await;
}
