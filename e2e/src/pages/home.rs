//! `/`: the rooms that are live.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{Browser, SOON, Server};

/// The list of rooms.
pub struct HomePage<'a> {
    browser: &'a Browser,
}

impl<'a> HomePage<'a> {
    /// Loads the page.
    pub async fn open(browser: &'a Browser, server: &Server) -> Result<Self> {
        browser.open(&server.url("/")).await?;
        let page = Self { browser };
        browser
            .wait("the room list has loaded", SOON, async || {
                let cards = browser.count("room-card").await? + browser.count("empty").await?;
                ensure!(cards > 0, "neither rooms nor the invitation");
                Ok(())
            })
            .await?;
        Ok(page)
    }

    /// Keys of the rooms that are listed.
    pub async fn rooms(&self) -> Result<Vec<String>> {
        let script = r#"return [...document.querySelectorAll('[data-test="room-card"]')]
            .map((card) => card.dataset.room);"#;
        Ok(serde_json::from_value(
            self.browser.js(script, vec![]).await?,
        )?)
    }

    /// Waits until exactly these rooms are listed, without loading the page again.
    pub async fn lists(&self, rooms: &[&str]) -> Result<()> {
        self.browser
            .wait(
                &format!("the rooms {rooms:?} are listed"),
                SOON,
                async || {
                    let actual = self.rooms().await?;
                    ensure!(actual == rooms, "listed are {actual:?}");
                    Ok(())
                },
            )
            .await
    }

    /// Opens a room by its card.
    pub async fn enter(&self, key: &str) -> Result<()> {
        let script = r#"
            const card = document.querySelector(`[data-room="${arguments[0]}"]`);
            (card.closest("a") ?? card.querySelector("a")).click();"#;
        self.browser.js(script, vec![json!(key)]).await?;
        Ok(())
    }

    /// Text of the card of a room.
    pub async fn card(&self, key: &str) -> Result<String> {
        let script = r#"return document.querySelector(`[data-room="${arguments[0]}"]`).innerText;"#;
        let text = self.browser.js(script, vec![json!(key)]).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }
}
