//! ffmpeg, as broadcaster and as player.

use std::path::Path;
use std::process::Stdio;

use shared::api::CreatedRoom;
use shared::room::RoomState;
use tokio::process::{Child, Command};

use crate::support::Server;

/// ffmpeg with these arguments, which are split at spaces.
pub(crate) fn ffmpeg(arguments: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Pictures that differ, and a tone: a keyframe every 2 s.
pub(crate) const PICTURES_AND_SOUND: &str = "-re -f lavfi -i testsrc2=s=320x180:r=30 -re -f lavfi -i \
    sine=440:r=48000 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 60 -keyint_min 60 -bf 0 -c:a aac -b:a 96k";

/// Broadcasts what `input` says into a room, until dropped. The room is live when this returns.
pub(crate) async fn broadcast(server: &Server, room: &CreatedRoom, input: &str) -> Child {
    let key = room.links.rtmp_stream_key.as_deref().unwrap();
    let url = format!("{}/{key}", server.rtmp_app());
    let child = ffmpeg(&format!("{input} -f flv {url}")).spawn().unwrap();
    server.state_becomes(room, RoomState::Live).await;
    child
}

/// What ffmpeg says of each picture that it decodes: its size and a hash of it.
pub(crate) async fn picture_hashes(arguments: &str) -> Vec<String> {
    let output = ffmpeg(&format!(
        "{arguments} -map 0:v -fps_mode passthrough -f framemd5 -"
    ));
    let output = { output }.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!text.is_empty(), "{errors}");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit(',').next()?.trim().to_owned()))
        .collect()
}

/// Writes ten seconds to be broadcast as they are, with or without B-frames.
pub(crate) async fn make_source(path: &Path, b_frames: u8) {
    let made = ffmpeg(&format!(
        "-y -f lavfi -i testsrc2=s=320x180:r=30 -f lavfi -i sine=440:r=48000 -t 12 -c:v libx264 -preset \
         veryfast -pix_fmt yuv420p -g 60 -keyint_min 60 -sc_threshold 0 -bf {b_frames} -c:a aac -f flv {}",
        path.display()
    ));
    let output = { made }.output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
