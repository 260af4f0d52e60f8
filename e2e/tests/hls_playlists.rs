//! Every playlist of a broadcast, by the rules of a checker that is not ours.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::ffmpeg::{PICTURE, PICTURE_WITH_B_FRAMES, Push, SOUND};
use e2e::hls_parser::HlsParser;
use e2e::{LONG, Server, eventually};
use shared::room::RoomState;

/// How long it is watched; longer where this many seconds are in the environment variable.
const A_WHILE: Duration = Duration::from_secs(30);
const SECONDS: &str = "GOLIVE_HLS_SECONDS";

/// Before a time of day, whose texts are sorted as the times are.
const TIME: &str = "#EXT-X-PROGRAM-DATE-TIME:";

/// What a rendition has shown of itself.
#[derive(Debug, Default)]
struct Seen {
    playlists: usize,
    /// Media sequence and discontinuity sequence, never to step back.
    sequences: (u64, u64),
    breaks: u64,
    /// The target duration, never to change.
    target: Option<u64>,
}

/// A number that a tag has.
fn tag(playlist: &str, name: &str) -> Result<u64> {
    let mut lines = playlist.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.with_context(|| format!("no {name}"))?.parse()?)
}

/// The directives that wait for what the playlist hints at.
fn next(playlist: &str) -> Option<String> {
    let hint = playlist
        .lines()
        .find(|line| line.starts_with("#EXT-X-PRELOAD-HINT"))?;
    let (_, numbers) = hint.strip_suffix(".m4s\"")?.rsplit_once('-')?;
    let (segment, part) = numbers.split_once('.')?;
    Some(format!("?_HLS_msn={segment}&_HLS_part={part}"))
}

/// Follows a rendition until its end.
async fn follow(server: &Server, path: &str) -> Result<Seen> {
    let (mut checker, mut seen) = (HlsParser::start()?, Seen::default());
    let mut directives = String::new();
    loop {
        let response = server.get(&format!("{path}{directives}")).await?;
        if response.status() == 503 {
            // Between two publishers.
            continue;
        }
        let playlist = response.error_for_status()?.text().await?;
        checker.check(&playlist).await?;
        let sequences = (
            tag(&playlist, "#EXT-X-MEDIA-SEQUENCE")?,
            tag(&playlist, "#EXT-X-DISCONTINUITY-SEQUENCE")?,
        );
        ensure!(sequences >= seen.sequences, "{seen:?} then {sequences:?}");
        ensure!(sequences.1 >= seen.sequences.1);
        let target = tag(&playlist, "#EXT-X-TARGETDURATION")?;
        ensure!(
            *seen.target.get_or_insert(target) == target,
            "{seen:?} then {target}"
        );
        let times = playlist.lines().filter(|line| line.starts_with(TIME));
        ensure!({ times }.is_sorted(), "a time of day steps back");
        let breaks = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
        seen.breaks = seen.breaks.max(sequences.1 + breaks as u64);
        seen.sequences = sequences;
        seen.playlists += 1;
        match next(&playlist) {
            Some(next) => directives = next,
            None => return Ok(seen),
        }
    }
}

#[tokio::test]
async fn every_playlist_keeps_the_rules_from_one_publisher_to_the_next() -> Result<()> {
    let server = Server::start().await?;
    let room = server.create_room("Playlists").await?;
    let key = room.room.key.as_str();
    let url = server.rtmp_url(room.links.rtmp_stream_key.as_deref().context("no key")?);
    let seconds = std::env::var(SECONDS).ok();
    let seconds = seconds.map(|seconds| seconds.parse()).transpose()?;
    let while_ = seconds.map_or(A_WHILE, Duration::from_secs);

    let first = Push::start(&url, &[PICTURE, SOUND])?;
    eventually("the room is live", LONG, async || {
        ensure!(server.room(key).await?.state == RoomState::Live);
        Ok(())
    })
    .await?;
    let (index, folder) = server.hls(key).await?;
    HlsParser::start()?.check(&index).await?;
    let [video, audio] = ["video", "audio"].map(|kind| format!("{folder}/{kind}.m3u8"));

    let begun = Instant::now();
    let publish = async {
        tokio::time::sleep(while_ / 2).await;
        // Takes over while the first still sends, with another kind of stream.
        let second = Push::start(&url, &[PICTURE_WITH_B_FRAMES, SOUND])?;
        tokio::time::sleep(while_ / 2).await;
        drop(first);
        second.stop().await
    };
    let (video, audio, published) =
        tokio::join!(follow(&server, &video), follow(&server, &audio), publish);
    published?;
    for (kind, seen) in [("video", video?), ("audio", audio?)] {
        println!("{kind}: {seen:?} in {:?}", begun.elapsed());
        ensure!(seen.playlists >= 20, "{kind}: {seen:?}");
        ensure!(seen.breaks == 1, "{kind}: {seen:?}");
    }
    server.stop().await
}
