//! Starting Chromium, by chromedriver.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

use super::{Browser, Engine, new_profile, start_driver};

/// A test card that beeps instead of a camera, permission given, and nothing that needs a GPU, a
/// sandbox or the network.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
];

impl Browser {
    /// Starts Chromium: the one that chromedriver finds, or the environment variable `CHROME`.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`Browser::start`]; its camera shows a film, in YUV4MPEG2, over and over.
    pub async fn with_camera(film: &Path) -> Result<Self> {
        Self::start_with(&[&format!(
            "--use-file-for-fake-video-capture={}",
            film.display()
        )])
        .await
    }

    /// As [`Browser::start`]; camera and microphone are a clock, for [`lip_sync`](crate::lip_sync).
    pub async fn with_clock() -> Result<Self> {
        let browser = Self::start_with(&["--autoplay-policy=no-user-gesture-required"]).await?;
        let clock = include_str!("../clock_camera.js");
        browser.before_load(clock).await?;
        Ok(browser)
    }

    /// As [`Browser::start`]; what players of segments may keep is a megabyte.
    pub async fn with_little_room() -> Result<Self> {
        Self::start_with(&["--mse-video-buffer-size-limit-mb=1"]).await
    }

    /// As [`Browser::start`]; it clicks warnings about certificates away, and finds this machine as `name`.
    pub async fn trusting(name: &str) -> Result<Self> {
        let rule = format!("--host-resolver-rules=MAP {name} 127.0.0.1");
        Self::start_with(&["--ignore-certificate-errors", &rule]).await
    }

    async fn start_with(flags: &[&str]) -> Result<Self> {
        let program = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let (chromedriver, port) = start_driver(&program, "successfully on port ").await?;
        let mut capabilities = DesiredCapabilities::chrome();
        for flag in FLAGS.iter().chain(flags) {
            capabilities.add_arg(flag)?;
        }
        capabilities.add_arg("--window-size=1280,800")?;
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        // "Leave this page?" is answered with yes.
        capabilities.set("unhandledPromptBehavior", "accept")?;
        if let Some(chrome) = std::env::var_os("CHROME") {
            capabilities.set_binary(chrome.to_str().context("CHROME is not UTF-8")?)?;
        }
        let profile = new_profile()?;
        capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .context("chromedriver cannot start Chromium")?;
        // Ending it is up to `Drop`.
        driver.clone().leak()?;
        let process = driver
            .capabilities()
            .get("goog:processID")
            .and_then(Value::as_u64);
        let process = process.context("chromedriver does not say which process Chromium is")?;
        let browser = Self {
            engine: Engine::Chromium,
            driver,
            _driver_process: chromedriver,
            process,
            profile,
        };
        browser.observe().await?;
        Ok(browser)
    }
}
