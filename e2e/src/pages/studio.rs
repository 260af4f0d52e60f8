//! `/live`: the broadcaster's page.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};

use super::Chat;
use crate::{Browser, LONG, SOON, Server};

/// The studio, before, during and after a broadcast.
pub struct StudioPage<'a> {
    browser: &'a Browser,
    chat: Chat<'a>,
}

impl<'a> StudioPage<'a> {
    /// Loads the page and waits until the camera's picture is there.
    pub async fn open(browser: &'a Browser, server: &Server) -> Result<Self> {
        browser.open(&server.url("/live")).await?;
        let page = Self::here(browser);
        page.sees_camera().await?;
        Ok(page)
    }

    /// The page that the browser is on.
    #[must_use]
    pub const fn here(browser: &'a Browser) -> Self {
        Self {
            browser,
            chat: Chat::of(browser),
        }
    }

    /// Loads the page of a broadcast that was started in this browser.
    pub async fn open_again(browser: &'a Browser, server: &Server, key: &str) -> Result<Self> {
        browser.open(&server.url(&format!("/live/{key}"))).await?;
        Ok(Self::here(browser))
    }

    /// Waits until the preview shows the camera's picture.
    pub async fn sees_camera(&self) -> Result<()> {
        self.browser
            .wait("the preview shows the camera", LONG, async || {
                let script = r#"return document.querySelector('[data-test="preview"]').videoWidth"#;
                let width = self.browser.js(script, vec![]).await?.as_u64();
                ensure!(width > Some(16), "its width is {width:?}");
                Ok(())
            })
            .await
    }

    /// Gives the broadcast a title, starts it, and returns its room's key.
    pub async fn go_live(&self, title: &str) -> Result<String> {
        self.browser.fill("title", title).await?;
        self.browser.click("start").await?;
        self.is_live().await?;
        let link = self.share_link().await?;
        let (_, key) = link
            .rsplit_once("/room/")
            .context("the link is not that of a room")?;
        Ok(key.to_owned())
    }

    /// Makes a room for streaming software, and returns its key and the address to publish to.
    pub async fn prepares_for_software(&self, title: &str) -> Result<(String, String)> {
        self.browser.state("studio", "setup", LONG).await?;
        self.browser.click("way-encoder").await?;
        self.browser.fill("title", title).await?;
        self.browser.click("prepare").await?;
        self.browser.state("studio", "waiting", SOON).await?;
        let field = async |hook: &str| {
            let value = self.browser.find(hook).await?.value().await?;
            value.with_context(|| format!("{hook:?} is empty"))
        };
        let (server, stream_key) = (field("rtmp-server").await?, field("stream-key").await?);
        let (key, _) = stream_key
            .split_once('?')
            .context("the stream key has another form")?;
        Ok((key.to_owned(), format!("{server}/{stream_key}")))
    }

    /// Waits until the broadcast is on air.
    pub async fn is_live(&self) -> Result<()> {
        self.browser.state("studio", "live", LONG).await
    }

    /// The address that the page offers for sharing.
    pub async fn share_link(&self) -> Result<String> {
        let value = self.browser.find("share-link").await?.value().await?;
        value.context("the share link is empty")
    }

    /// Makes a link that opens the studio on another device, once.
    pub async fn host_link(&self) -> Result<String> {
        self.browser.click("other-device").await?;
        self.browser
            .wait("there is a link for another device", SOON, async || {
                let link = self.browser.find("host-link").await?.value().await?;
                link.context("the link is empty")
            })
            .await
    }

    /// Ends the broadcast.
    pub async fn end(&self) -> Result<()> {
        self.browser.click("end").await?;
        self.browser.click("confirm-end").await?;
        self.browser.state("studio", "ended", SOON).await
    }
}

impl<'a> Deref for StudioPage<'a> {
    type Target = Chat<'a>;

    fn deref(&self) -> &Chat<'a> {
        &self.chat
    }
}
