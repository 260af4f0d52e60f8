//! What the studio and the watch page have in common: comments, likes, gifts and who is there.

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::{Browser, SOON};

/// The social side of a room.
pub struct Chat<'a> {
    browser: &'a Browser,
}

/// A comment as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChatLine {
    /// Who said it.
    pub name: String,
    /// What was said.
    pub text: String,
}

impl<'a> Chat<'a> {
    pub(super) const fn of(browser: &'a Browser) -> Self {
        Self { browser }
    }

    pub(super) const fn browser(&self) -> &'a Browser {
        self.browser
    }

    /// Says something under the name that the page has.
    pub async fn say(&self, text: &str) -> Result<()> {
        self.browser.fill("composer", text).await?;
        self.browser.click("send").await
    }

    /// Says something as `name`.
    pub async fn say_as(&self, name: &str, text: &str) -> Result<()> {
        self.browser.fill("name", name).await?;
        self.say(text).await
    }

    /// The comments that are shown, oldest first.
    pub async fn comments(&self) -> Result<Vec<ChatLine>> {
        let script = r#"
            const text = (line, hook) => line.querySelector(`[data-test="${hook}"]`).textContent;
            return [...document.querySelectorAll('[data-test="comment"]')].map((line) => ({
                name: text(line, "comment-name").trim(), text: text(line, "comment-text") }));"#;
        Ok(serde_json::from_value(
            self.browser.js(script, vec![]).await?,
        )?)
    }

    /// Waits until the newest comment is this one.
    pub async fn hears(&self, name: &str, text: &str) -> Result<()> {
        self.browser
            .wait(
                &format!("{name} is heard saying {text:?}"),
                SOON,
                async || {
                    let comments = self.comments().await?;
                    let newest = comments.last();
                    ensure!(
                        newest.is_some_and(|line| line.name == name && line.text == text),
                        "the newest of {} comments is {newest:?}",
                        comments.len()
                    );
                    Ok(())
                },
            )
            .await
    }

    /// Taps the heart.
    pub async fn like(&self) -> Result<()> {
        self.browser.click("like").await
    }

    /// Hearts that have floated up on this page since it was loaded.
    pub async fn hearts(&self) -> Result<u64> {
        Ok(self
            .browser
            .js("return window.e2e.hearts", vec![])
            .await?
            .as_u64()
            .unwrap_or(0))
    }

    /// Waits until the page counts this many likes and has shown a heart.
    pub async fn sees_likes(&self, likes: u64) -> Result<()> {
        self.browser.shows("likes", likes, SOON).await?;
        self.browser
            .wait("a heart floats up", SOON, async || {
                ensure!(self.hearts().await? > 0, "none");
                Ok(())
            })
            .await
    }

    /// Gives the gift with this number.
    pub async fn give(&self, gift: u32) -> Result<()> {
        self.browser.click("gift-open").await?;
        self.browser.click(&format!("gift-{gift}")).await
    }

    /// Waits until a gift of `name` is shown.
    pub async fn sees_gift_from(&self, name: &str) -> Result<()> {
        self.browser
            .wait(&format!("a gift from {name} is shown"), SOON, async || {
                let toast = self.browser.text("gift-toast").await?;
                ensure!(toast.contains(name), "shown is {toast:?}");
                Ok(())
            })
            .await
    }

    /// Waits until the page counts this many viewers.
    pub async fn counts_viewers(&self, viewers: u64) -> Result<()> {
        self.browser.shows("viewers", viewers, SOON).await
    }
}
