//! Starting Firefox, by geckodriver.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use thirtyfour::common::capabilities::firefox::FirefoxPreferences;
use thirtyfour::extensions::addons::firefox::FirefoxTools;
use thirtyfour::prelude::*;

use super::{Browser, Engine, new_profile, start_driver};
use crate::target_dir;

/// What is allowed, and what is there, beyond what geckodriver chooses for tests.
const YES: [&str; 2] = [
    // A test card that hums instead of a camera, permission given.
    "media.navigator.streams.fake",
    "media.navigator.permission.disabled",
];
/// For WebRTC Firefox downloads a decoder of H.264 as a plugin. On phones it takes what decodes other films,
/// too: this and `HARDWARE` make it do the same here.
const H264: &str = "media.webrtc.hw.h264.enabled";
/// What Firefox believes the hardware can do: 1 is everything.
const HARDWARE: &str = "gfx.blacklist.webrtc.hw.acceleration.h264";

impl Browser {
    /// Starts Firefox ESR, or the Firefox that the environment variable `FIREFOX` names. It shows H.264
    /// by ffmpeg's libavcodec, and cannot encode it.
    pub async fn firefox() -> Result<Self> {
        Self::start_firefox(true).await
    }

    /// The same as it is after its installation: without H.264 for WebRTC.
    pub async fn firefox_without_h264() -> Result<Self> {
        Self::start_firefox(false).await
    }

    async fn start_firefox(has_h264: bool) -> Result<Self> {
        let own = target_dir().join("tools/bin/geckodriver");
        let program = std::env::var_os("GECKODRIVER").unwrap_or_else(|| own.into());
        let (geckodriver, port) = start_driver(&program, "Listening on 127.0.0.1:").await?;
        let mut preferences = FirefoxPreferences::new();
        for name in YES {
            preferences.set(name, true)?;
        }
        if has_h264 {
            preferences.set(H264, true)?;
            preferences.set(HARDWARE, 1)?;
        }
        let mut capabilities = DesiredCapabilities::firefox();
        capabilities.set_preferences(preferences)?;
        capabilities.set("unhandledPromptBehavior", "accept")?;
        let firefox = std::env::var("FIREFOX").unwrap_or_else(|_| "firefox-esr".into());
        capabilities.set_firefox_binary(&firefox)?;
        let profile = new_profile()?;
        let folder = profile
            .to_str()
            .context("the profile's path is not UTF-8")?;
        for argument in [
            "-headless",
            "-width=1280",
            "-height=800",
            "-profile",
            folder,
        ] {
            capabilities.add_arg(argument)?;
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .context("geckodriver cannot start Firefox: `cargo xtask setup` installs it")?;
        // Ending it is up to `Drop`.
        driver.clone().leak()?;
        let process = driver
            .capabilities()
            .get("moz:processID")
            .and_then(Value::as_u64);
        let process = process.context("geckodriver does not say which process Firefox is")?;
        let browser = Self {
            engine: Engine::Firefox,
            driver,
            _driver_process: geckodriver,
            process,
            profile,
        };
        browser.observe().await?;
        Ok(browser)
    }
}

/// Runs `script` before the scripts of every page from now on: as an extension, which is the only way
/// in that geckodriver has. Its files lie in `profile`.
pub(super) async fn before_load(driver: &WebDriver, profile: &Path, script: &str) -> Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = profile.join(format!("before-load-{number}"));
    let manifest = json!({
        "manifest_version": 2,
        "name": "before load",
        "version": "1",
        "browser_specific_settings": { "gecko": { "id": format!("{number}@before.load") } },
        "content_scripts": [{
            "matches": ["<all_urls>"],
            "js": ["script.js"],
            "run_at": "document_start",
            // Among the page's own scripts.
            "world": "MAIN",
        }],
    });
    fs::create_dir(&folder)?;
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    fs::write(folder.join("script.js"), script)?;
    let path = folder.to_str().context("the profile's path is not UTF-8")?;
    FirefoxTools::new(driver.handle().clone())
        .install_addon(path, Some(true))
        .await
        .context("Firefox does not take the extension")
}
