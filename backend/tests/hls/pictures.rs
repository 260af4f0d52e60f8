//! What players decode is what was sent, picture for picture.

use crate::ffmpeg::{broadcast, make_source, picture_hashes};
use crate::support::Server;

/// Where `part` begins in `whole`.
fn position(whole: &[String], part: &[String]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

async fn check(b_frames: u8) {
    let folder = std::env::temp_dir().join(format!("golive-hls-{}-{b_frames}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("source.flv");
    make_source(&source, b_frames).await;
    let sent = picture_hashes(&format!("-i {}", source.display())).await;
    let server = Server::start().await;
    let room = server.create_room("Pictures").await;
    let input = format!("-re -i {} -c copy", source.display());
    let _broadcast = broadcast(&server, &room, &input).await;
    let url = room.links.hls.as_deref().unwrap();
    // To the end, whose playlist has an end.
    let seen = picture_hashes(&format!("-live_start_index 0 -i {url}")).await;
    assert!(seen.len() >= 60, "{} pictures", seen.len());
    assert!(
        position(&sent, &seen).is_some(),
        "{} pictures sent, {} seen",
        sent.len(),
        seen.len()
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn every_picture_is_decoded_as_it_was_sent() {
    check(0).await;
}

#[tokio::test]
async fn pictures_that_are_reordered_come_in_the_right_order() {
    check(2).await;
}
