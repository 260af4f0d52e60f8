//! What a host does about the chat, in the studio or beside the picture.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Chat;
use crate::SOON;

impl Chat<'_> {
    /// Brings out the tools of the comment with this text, and uses the one with this `data-test`.
    pub async fn moderate(&self, text: &str, tool: &str) -> Result<()> {
        self.browser()
            .wait(&format!("{tool} on {text:?}"), SOON, async || {
                let script = r#"
                    const texts = [...document.querySelectorAll('[data-test="comment-text"]')];
                    const line = texts.find((line) => line.textContent === arguments[0])
                        .closest('[data-test="comment"]');
                    const find = (hook) => line.querySelector(`[data-test="${hook}"]`);
                    if (!find(arguments[1])) {
                        find("comment-more").click();
                        await new Promise((later) => requestAnimationFrame(later));
                    }
                    find(arguments[1]).click();"#;
                let arguments = vec![json!(text), json!(tool)];
                self.browser().js(script, arguments).await?;
                Ok(())
            })
            .await
    }

    /// Waits until the comments that are shown are these.
    pub async fn shows_comments(&self, texts: &[&str]) -> Result<()> {
        self.browser()
            .wait(&format!("the comments are {texts:?}"), SOON, async || {
                let comments = self.comments().await?;
                let shown: Vec<_> = comments.iter().map(|line| line.text.as_str()).collect();
                ensure!(shown == texts, "they are {shown:?}");
                Ok(())
            })
            .await
    }

    /// Waits until the element with this `data-test` shows something with `text` in it.
    pub async fn says(&self, hook: &str, text: &str) -> Result<()> {
        self.browser()
            .wait(&format!("{hook:?} says {text:?}"), SOON, async || {
                let shown = self.browser().text(hook).await?;
                ensure!(shown.contains(text), "it says {shown:?}");
                Ok(())
            })
            .await
    }

    /// Waits until there is no element with this `data-test`.
    pub async fn has_no(&self, hook: &str) -> Result<()> {
        self.browser()
            .wait(&format!("there is no {hook:?}"), SOON, async || {
                let count = self.browser().count(hook).await?;
                ensure!(count == 0, "there are {count}");
                Ok(())
            })
            .await
    }

    /// What is typed into the field for comments.
    pub async fn draft(&self) -> Result<String> {
        let field = self.browser().find("composer").await?;
        Ok(field.value().await?.unwrap_or_default())
    }
}
