//! A cache in front takes the load of LL-HLS.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::ffmpeg::Push;
use e2e::load::hls::connection::Connection;
use e2e::nginx::Installed;
use e2e::{LONG, Server, eventually};
use futures_util::future::try_join_all;
use shared::room::RoomState;

const VIEWERS: usize = 1_000;
/// Parts that each of them plays.
const PARTS: usize = 10;

/// A cache as operators have it: what is asked for by many is fetched once.
fn cache(address: SocketAddr, directory: &Path, origin: &str) -> String {
    let directory = directory.display();
    format!(
        "\
http {{
    log_format outcome '$upstream_cache_status $request_uri';
    access_log {directory}/access.log outcome;
    proxy_cache_path {directory}/cache keys_zone=live:10m;
    proxy_temp_path {directory}/temporary;
    server {{
        listen {address} backlog=4096;
        location /live/ {{
            proxy_pass http://{origin};
            proxy_cache live;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 30s;
            proxy_cache_use_stale updating;
        }}
    }}
}}
"
    )
}

/// The path of the part that a playlist hints at, and the query that waits for the playlist with it.
fn next(playlist: &str) -> Option<(String, String)> {
    let hint = playlist.lines().last()?.strip_suffix('"')?;
    let (_, file) = hint.rsplit_once('"')?;
    let (_, numbers) = file.strip_suffix(".m4s")?.rsplit_once('-')?;
    let (segment, part) = numbers.split_once('.')?;
    let query = format!("?_HLS_msn={segment}&_HLS_part={part}");
    Some((file.to_owned(), query))
}

/// Plays some parts; answers how many addresses it asked for.
async fn play(cache: SocketAddr, folder: &str) -> Result<HashSet<String>> {
    let mut connection = Connection::open(cache).await?;
    let mut asked = HashSet::new();
    let mut get = async |path: String| {
        let reply = connection.get(&path).await?;
        ensure!(reply.status == 200, "{} for {path}", reply.status);
        asked.insert(path);
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    };
    let mut playlist = get(format!("{folder}/video.m3u8")).await?;
    for _ in 0..PARTS {
        let (part, query) = next(&playlist).context("no hint")?;
        playlist = get(format!("{folder}/video.m3u8{query}")).await?;
        get(format!("{folder}/{part}")).await?;
    }
    Ok(asked)
}

#[tokio::test]
async fn requests_of_a_thousand_viewers_reach_the_server_as_a_handful() -> Result<()> {
    let nginx = Installed::find().await?;
    let nginx = nginx.context("nginx is missing: `cargo xtask test` installs it")?;
    let server = Server::start().await?;
    let origin = server.authority();
    let cache = nginx
        .start(|address, directory| cache(address, directory, &origin))
        .await?;
    let room = server.create_room("Behind a cache").await?;
    let key = room.room.key.as_str();
    let url = server.rtmp_url(room.links.rtmp_stream_key.as_deref().context("no key")?);
    let push = Push::ordinary(&url)?;
    eventually("the room is live", LONG, async || {
        ensure!(server.room(key).await?.state == RoomState::Live);
        Ok(())
    })
    .await?;
    let (_, folder) = server.hls(key).await?;

    let viewers = (0..VIEWERS).map(|_| play(cache.address, &folder));
    let asked: HashSet<_> = try_join_all(viewers).await?.into_iter().flatten().collect();
    // nginx writes its log when it has time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = fs::read_to_string(cache.directory.join("access.log"))?;
    let requests = log.lines().count();
    // What is being fetched again is answered with what it was a moment ago.
    let is_cached = |line: &&str| line.starts_with("HIT ") || line.starts_with("UPDATING ");
    let mut fetched: Vec<_> = log.lines().filter(|line| !is_cached(line)).collect();
    fetched.sort_unstable();
    println!(
        "{requests} requests for {} addresses, {} of them reached the server",
        asked.len(),
        fetched.len()
    );
    ensure!(requests == VIEWERS * (2 * PARTS + 1));
    // Once for each address, and the first playlist again when it is a second old.
    ensure!(
        fetched.len() <= asked.len() + 30,
        "{} reached the server: {fetched:#?}",
        fetched.len()
    );
    push.stop().await?;
    cache.stop().await?;
    server.stop().await
}
