//! `/room/{key}`: a viewer's page.

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Chat;
use crate::{Browser, LONG, Server};

/// The player and what surrounds it.
pub struct WatchPage<'a> {
    browser: &'a Browser,
    chat: Chat<'a>,
}

impl<'a> WatchPage<'a> {
    /// The page that the browser is on.
    #[must_use]
    pub const fn here(browser: &'a Browser) -> Self {
        Self {
            browser,
            chat: Chat::of(browser),
        }
    }

    /// Loads the page of a room.
    pub async fn open(browser: &'a Browser, server: &Server, key: &str) -> Result<Self> {
        browser.open(&server.url(&format!("/room/{key}"))).await?;
        Ok(Self::here(browser))
    }

    /// Loads the page of a live room and waits until it plays.
    pub async fn watch(browser: &'a Browser, server: &Server, key: &str) -> Result<Self> {
        let page = Self::open(browser, server, key).await?;
        page.is("live", LONG).await?;
        page.plays().await?;
        Ok(page)
    }

    /// Waits until the page is in this state.
    pub async fn is(&self, state: &str, within: Duration) -> Result<()> {
        self.browser.state("watch", state, within).await
    }

    /// Waits until new pictures are decoded and the player's clock runs, for a second of both.
    pub async fn plays(&self) -> Result<()> {
        let first = self
            .browser
            .wait("pictures arrive", LONG, async || {
                let frames = self.frames().await?;
                ensure!(frames > 0.0, "none was decoded");
                Ok((frames, self.clock().await?))
            })
            .await?;
        self.browser
            .wait("the video plays", LONG, async || {
                let frames = self.frames().await? - first.0;
                let seconds = self.clock().await? - first.1;
                ensure!(
                    frames > 10.0 && seconds > 1.0,
                    "{frames} pictures in {seconds:.1} s"
                );
                Ok(())
            })
            .await
    }

    /// Waits until the badge says that the picture comes by this path, `WebRTC` or `HLS`.
    pub async fn comes_by(&self, path: &str) -> Result<()> {
        self.browser
            .wait(&format!("the picture comes by {path}"), LONG, async || {
                let actual = self.browser.attribute("path-badge", "data-path").await?;
                ensure!(actual == path, "it comes by {actual}");
                Ok(())
            })
            .await
    }

    /// Chooses a path in the player's menu: `automatic`, `webrtc` or `hls`.
    pub async fn choose_path(&self, path: &str) -> Result<()> {
        self.browser.click("path-open").await?;
        self.browser.click(&format!("path-{path}")).await
    }

    /// Waits until so many more pictures out of segments are decoded, and the player's clock runs.
    pub async fn plays_from_segments(&self, pictures: f64) -> Result<()> {
        let (frames, clock) = (self.segment_frames().await?, self.clock().await?);
        self.browser
            .wait("pictures out of segments are shown", LONG, async || {
                let more = self.segment_frames().await? - frames;
                let seconds = self.clock().await? - clock;
                ensure!(
                    more >= pictures && seconds > 0.5,
                    "{more} pictures in {seconds:.1} s"
                );
                Ok(())
            })
            .await
    }

    async fn segment_frames(&self) -> Result<f64> {
        let script = r#"return document.querySelector('[data-test="player"]')
            .getVideoPlaybackQuality().totalVideoFrames;"#;
        let frames = self.browser.js(script, vec![]).await?;
        Ok(frames.as_f64().unwrap_or_default())
    }

    /// Video frames decoded so far over the present connection.
    pub async fn frames(&self) -> Result<f64> {
        self.browser
            .stats()
            .await?
            .number("inbound-rtp", "video", "framesDecoded")
    }

    /// The player's `currentTime`, in seconds.
    pub async fn clock(&self) -> Result<f64> {
        Ok(self
            .player("currentTime")
            .await?
            .as_f64()
            .unwrap_or_default())
    }

    /// A property of the `<video>`.
    pub async fn player(&self, property: &str) -> Result<Value> {
        let script = r#"return document.querySelector('[data-test="player"]')[arguments[0]]"#;
        self.browser.js(script, vec![property.into()]).await
    }
}

impl<'a> Deref for WatchPage<'a> {
    type Target = Chat<'a>;

    fn deref(&self) -> &Chat<'a> {
        &self.chat
    }
}
