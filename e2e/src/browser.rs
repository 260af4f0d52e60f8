//! Chromium and Firefox with a fake camera and microphone.

mod chromium;
mod firefox;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::{LONG, SOON, eventually, target_dir};

/// What a page is shown on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Whether its owner prefers dark colours.
    pub dark: bool,
}

/// Whose browser it is.
#[derive(Clone, Copy, Debug)]
enum Engine {
    Chromium,
    Firefox,
}

/// How often it is tried to remove the folder of a browser that was killed.
const REMOVALS: usize = 10;
/// Between two times.
const A_BREATH: Duration = Duration::from_millis(20);

/// One browser with a profile of its own. Killed when dropped.
pub struct Browser {
    engine: Engine,
    driver: WebDriver,
    _driver_process: Child,
    process: u64,
    profile: PathBuf,
}

impl Browser {
    /// Runs `script` in every page of this tab from now on, before the page's own scripts.
    pub async fn before_load(&self, script: &str) -> Result<()> {
        match self.engine {
            Engine::Chromium => {
                let source = json!({ "source": script });
                self.devtools("Page.addScriptToEvaluateOnNewDocument", source)
                    .await?;
                Ok(())
            }
            Engine::Firefox => firefox::before_load(&self.driver, &self.profile, script).await,
        }
    }

    /// Lets its pages note what [`Browser::stats`] and others ask for.
    async fn observe(&self) -> Result<()> {
        self.before_load(include_str!("observe.js")).await
    }

    /// A command of the Chrome DevTools Protocol, to the present tab. Firefox has none.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        Ok(self.driver.cdp().send_raw(command, parameters).await?)
    }

    /// From now on this tab loses so many percent of its WebRTC packets, in both directions.
    pub async fn lose_packets(&self, percent: u8) -> Result<()> {
        // Chromium only touches WebRTC when delay and throughput are given too: 1 ms and 100 Mbit/s.
        let conditions = json!({
            "offline": false,
            "latency": 1,
            "downloadThroughput": 12_500_000,
            "uploadThroughput": 12_500_000,
            "packetLoss": percent,
            "packetQueueLength": 1_000,
        });
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.emulateNetworkConditions", conditions)
            .await?;
        Ok(())
    }

    /// Keeps requests to these addresses from the network, and no others (Chromium).
    pub async fn block_requests(&self, patterns: &[&str]) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setBlockedURLs", json!({ "urls": patterns }))
            .await?;
        Ok(())
    }

    /// From the next page on this tab reaches the server's media by TCP alone.
    pub async fn block_udp(&self) -> Result<()> {
        self.before_load(include_str!("no_udp.js")).await
    }

    /// From the next page on this tab reaches none of the server's media, but by HTTP.
    pub async fn block_media(&self) -> Result<()> {
        self.before_load(include_str!("no_media.js")).await
    }

    /// From the next page on what players of segments leave to workers is late by this many milliseconds, as
    /// on a busy machine.
    pub async fn slow_workers(&self, late: u32) -> Result<()> {
        let script = include_str!("slow_worker.js").replace("LATE_MS", &late.to_string());
        self.before_load(&script).await
    }

    /// Loads `url`.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.driver
            .goto(url)
            .await
            .with_context(|| format!("{url} does not load"))
    }

    /// Loads the present page again.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.driver.refresh().await?)
    }

    /// Goes back in the history.
    pub async fn back(&self) -> Result<()> {
        Ok(self.driver.back().await?)
    }

    /// Closes the present tab as a person would, and leaves an empty one open.
    pub async fn close_tab(&self) -> Result<()> {
        let old = self.driver.window().await?;
        let new = self.driver.new_tab().await?;
        self.driver.switch_to_window(old).await?;
        self.driver.close_window().await?;
        self.driver.switch_to_window(new).await?;
        self.observe().await
    }

    /// Kills the browser, so that it can say goodbye to nobody.
    pub fn kill(self) {
        drop(self);
    }

    /// Runs JavaScript; `arguments` are the script's `arguments`, what it returns is awaited.
    pub async fn js(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async function () {{ {script} }}).apply(null, arguments) \
             .then((value) => done({{ value: value ?? null }}), (error) => done({{ error: String(error) }}));"
        );
        let answer = self
            .driver
            .execute_async(script, arguments)
            .await?
            .json()
            .clone();
        match answer.get("error") {
            Some(error) => Err(anyhow!("in the page: {error}")),
            None => Ok(answer["value"].clone()),
        }
    }

    /// The element with this `data-test`.
    pub async fn find(&self, hook: &str) -> Result<WebElement> {
        let by = By::Css(format!("[data-test=\"{hook}\"]"));
        self.driver
            .find(by)
            .await
            .map_err(|_| anyhow!("there is no {hook:?} on the page"))
    }

    /// How many elements with this `data-test` there are.
    pub async fn count(&self, hook: &str) -> Result<usize> {
        let by = By::Css(format!("[data-test=\"{hook}\"]"));
        Ok(self.driver.find_all(by).await?.len())
    }

    /// Waits until the element with this `data-test` can be clicked, and clicks it.
    pub async fn click(&self, hook: &str) -> Result<()> {
        self.wait(&format!("{hook:?} is clicked"), SOON, async || {
            Ok(self.find(hook).await?.click().await?)
        })
        .await
    }

    /// Replaces what is typed into the element with this `data-test`.
    pub async fn fill(&self, hook: &str, text: &str) -> Result<()> {
        self.wait(&format!("{hook:?} is filled"), SOON, async || {
            let field = self.find(hook).await?;
            field.clear().await?;
            Ok(field.send_keys(text).await?)
        })
        .await
    }

    /// Presses keys where the focus is; special ones by their code points in WebDriver.
    pub async fn press(&self, keys: &str) -> Result<()> {
        Ok(self.driver.active_element().await?.send_keys(keys).await?)
    }

    /// Chooses the option with this value in the list with this `data-test`.
    pub async fn choose(&self, hook: &str, value: &str) -> Result<()> {
        self.wait(
            &format!("{value:?} is chosen in {hook:?}"),
            SOON,
            async || {
                let list = self.find(hook).await?;
                let option = By::Css(format!("option[value=\"{value}\"]"));
                Ok(list.find(option).await?.click().await?)
            },
        )
        .await
    }

    /// What the element with this `data-test` shows.
    pub async fn text(&self, hook: &str) -> Result<String> {
        Ok(self.find(hook).await?.text().await?)
    }

    /// An attribute of the element with this `data-test`.
    pub async fn attribute(&self, hook: &str, name: &str) -> Result<String> {
        let value = self.find(hook).await?.attr(name).await?;
        value.with_context(|| format!("{hook:?} has no attribute {name:?}"))
    }

    /// The first number in what the element with this `data-test` shows.
    pub async fn number(&self, hook: &str) -> Result<u64> {
        let text = self.text(hook).await?;
        let digits = text
            .split(|c: char| !c.is_ascii_digit())
            .find(|part| !part.is_empty());
        let digits = digits.with_context(|| format!("{hook:?} shows no number but {text:?}"))?;
        Ok(digits.parse()?)
    }

    /// Waits until the `data-state` of the element with this `data-test` is `state`.
    pub async fn state(&self, hook: &str, state: &str, within: Duration) -> Result<()> {
        self.wait(&format!("{hook:?} is {state}"), within, async || {
            let actual = self.attribute(hook, "data-state").await?;
            ensure!(actual == state, "it is {actual}");
            Ok(())
        })
        .await
    }

    /// Waits until the element with this `data-test` shows this number.
    pub async fn shows(&self, hook: &str, number: u64, within: Duration) -> Result<()> {
        self.wait(&format!("{hook:?} shows {number}"), within, async || {
            let actual = self.number(hook).await?;
            ensure!(actual == number, "it shows {actual}");
            Ok(())
        })
        .await
    }

    /// As [`eventually`]; a failure leaves a picture of the page and says what its console said.
    pub async fn wait<T>(
        &self,
        what: &str,
        within: Duration,
        probe: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        let outcome = eventually(what, within, probe).await;
        if outcome.is_err() {
            self.show_page(what).await;
        }
        outcome
    }

    /// What `getStats` says of the newest peer connection that is not closed.
    pub async fn stats(&self) -> Result<Stats> {
        let script = "
            const peer = window.e2e.peers.findLast((peer) => peer.connectionState !== 'closed');
            return peer ? [...(await peer.getStats()).values()] : null;";
        match self.js(script, vec![]).await? {
            Value::Array(reports) => Ok(Stats(reports)),
            _ => Err(anyhow!("the page has no open peer connection")),
        }
    }

    /// Shows the page on another screen from now on.
    pub async fn show_on(&self, screen: Screen) -> Result<()> {
        let Screen {
            width,
            height,
            dark,
        } = screen;
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < height,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await?;
        let scheme = json!({
            "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" },
        });
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [scheme] }),
        )
        .await?;
        Ok(())
    }

    /// What its Content-Security-Policy has kept the page from, since it was loaded.
    pub async fn violations(&self) -> Result<Value> {
        self.js("return window.e2e.violations", vec![]).await
    }

    /// A picture of the page, in PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.driver.screenshot_as_png().await?)
    }

    /// Best effort: this is called when something went wrong already.
    async fn show_page(&self, what: &str) {
        let url = self
            .driver
            .current_url()
            .await
            .map(String::from)
            .unwrap_or_default();
        let name: String = what
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let picture = target_dir().join("e2e").join(format!("failed-{name}.png"));
        if self.driver.screenshot(&picture).await.is_ok() {
            eprintln!("The page {url} looked like {}", picture.display());
        }
        for entry in self.driver.browser_log().await.unwrap_or_default() {
            eprintln!("    console: {}", entry.message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Nothing is left to do when one of these fails.
        let _ = Command::new("kill")
            .args(["-KILL", &self.process.to_string()])
            .status();
        // Its helpers would write a moment longer.
        if let Some(name) = self.profile.file_name() {
            let theirs = format!("{}( |$)", name.display());
            let _ = Command::new("pkill")
                .args(["-KILL", "-f", &theirs])
                .status();
        }
        for _ in 0..REMOVALS {
            if fs::remove_dir_all(&self.profile).is_ok() {
                break;
            }
            thread::sleep(A_BREATH);
        }
    }
}

/// The reports of one `RTCPeerConnection.getStats()`.
pub struct Stats(Vec<Value>);

impl Stats {
    /// A number out of the first report that is of this `type`, of this `kind` (`audio` or `video`;
    /// empty for any), and has it.
    pub fn number(&self, kind_of_report: &str, media: &str, field: &str) -> Result<f64> {
        self.0
            .iter()
            .filter(|report| report["type"] == kind_of_report)
            .filter(|report| media.is_empty() || report["kind"] == media)
            .find_map(|report| report[field].as_f64())
            .with_context(|| format!("no {media} {kind_of_report} report has {field}"))
    }
}

/// An empty folder for the profile of one browser.
fn new_profile() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("profile-{}-{number}", std::process::id());
    let profile = target_dir().join("e2e").join(name);
    fs::create_dir_all(&profile)?;
    Ok(profile)
}

/// How often a driver is started at most: the port that it was given may be somebody else's by another address,
/// and then it ends.
const STARTS: usize = 4;

/// Starts what drives a browser, on a port that it chooses and names after `said`.
async fn start_driver(program: &OsStr, said: &str) -> Result<(Child, u16)> {
    let name = program.to_string_lossy();
    let mut last = String::new();
    for _ in 0..STARTS {
        let mut process = tokio::process::Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} cannot be run: `cargo xtask setup` installs it"))?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let port = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, port)) = line.split_once(said) {
                    return anyhow::Ok(Some(port.trim_end_matches('.').parse()?));
                }
                last = line;
            }
            Ok(None)
        };
        let port = timeout(LONG, port).await;
        if let Some(port) = port.with_context(|| format!("{name} says no port"))?? {
            // Whatever else it says is read, so that it never waits for a reader.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((process, port));
        }
        println!("{name} ended: {last}");
    }
    bail!("{name} ended {STARTS} times: {last}")
}
