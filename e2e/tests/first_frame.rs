//! How soon a browser has a picture. Nothing here is timed by the test: `--nocapture` shows what it saw.

use anyhow::{Context, Result, ensure};
use e2e::ffmpeg::Push;
use e2e::pages::WatchPage;
use e2e::{Browser, LONG, SOON, Server, eventually};
use shared::room::RoomState;

const VISITS: usize = 5;

/// Of the page's first session, in ms since navigation, once it shows something.
const TIMES: &str = "const asked = performance.getEntriesByType('resource').find((e) => e.name.includes('/whep/'));
                     const { pageReady, firstFrame } = window.e2e;
                     return firstFrame && asked && { pageReady, asked: asked.startTime, firstFrame }";

#[tokio::test]
async fn a_viewer_who_comes_again_and_again_has_a_picture_each_time() -> Result<()> {
    let server = Server::start().await?;
    let made = server.create_room("Soon").await?;
    let stream_key = made.links.rtmp_stream_key.as_deref().context("no RTMP")?;
    // An encoder leaves the machine to the browser.
    let encoder = Push::ordinary(&server.rtmp_url(stream_key))?;
    let key = made.room.key.to_string();
    eventually("live", LONG, async || {
        let room = server.room(&key).await?;
        ensure!(room.state == RoomState::Live, "{room:?}");
        Ok(())
    })
    .await?;

    let viewer = Browser::start().await?;
    for _ in 0..VISITS {
        WatchPage::watch(&viewer, &server, &key).await?;
        viewer
            .wait("a picture", SOON, async || {
                let times = viewer.js(TIMES, vec![]).await?;
                let at = |name: &str| times[name].as_f64().context("nothing yet");
                let (ready, asked, shown) = (at("pageReady")?, at("asked")?, at("firstFrame")?);
                println!(
                    "the picture was there {:.0} ms after the page and {:.0} ms after asking for it",
                    shown - ready,
                    shown - asked
                );
                Ok(())
            })
            .await?;
    }
    encoder.stop().await?;
    server.stop().await
}
