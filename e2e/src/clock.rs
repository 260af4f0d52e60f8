//! A clock burnt into the picture: how late a viewer sees it is seen, not believed.
//!
//! The upper edge of the picture is two rows of cells, black or white, the most significant bit first: who
//! publishes, the time of day in milliseconds, and a checksum. `read_clock.js` reads them in the page.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::ffmpeg::SOUND;
use crate::{Browser, SOON};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const RATE: u32 = 30;
/// Side of a cell, in pixels.
const CELL: usize = 40;
const COLUMNS: usize = WIDTH / CELL;
/// Bits of the time: it begins again every 70 minutes.
const TIME_BITS: u32 = 22;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// An encoder that keeps nothing back.
const PICTURE: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -b:v 1M";
/// What browsers can show.
pub const ORDINARY: &str = "-bf 0 -g 60 -keyint_min 60";
/// What OBS sends unless it is told otherwise: B-frames, and a keyframe every 8.3 s.
pub const AS_OBS_DOES: &str = "-bf 2 -g 250 -keyint_min 250";

/// An ffmpeg that publishes a clock and a tone. Killed when dropped.
pub struct ClockPush {
    process: Child,
    stop: oneshot::Sender<()>,
    writer: JoinHandle<Result<()>>,
}

impl ClockPush {
    /// Publishes to `url`, with these frames. The picture says which `publisher` of four it is.
    ///
    /// # Errors
    /// There is no ffmpeg.
    pub fn start(url: &str, frames: &str, publisher: u8) -> Result<Self> {
        let source = format!(
            "-f rawvideo -pix_fmt yuv420p -s {WIDTH}x{HEIGHT} -r {RATE} -i - \
             -re -f lavfi -i sine=frequency=440:sample_rate=48000"
        );
        let mut process = Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error"])
            .args(
                [&source, PICTURE, frames, SOUND]
                    .iter()
                    .flat_map(|part| part.split_whitespace()),
            )
            .args(["-shortest", "-f", "flv", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("ffmpeg cannot be run: `cargo xtask test` installs it")?;
        let pictures = process.stdin.take().context("no stdin")?;
        let (stop, stopped) = oneshot::channel();
        let writer = tokio::spawn(write(pictures, publisher, stopped));
        Ok(Self {
            process,
            stop,
            writer,
        })
    }

    /// Ends the broadcast.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<()> {
        // Where it has ended by itself, nobody listens.
        let _ = self.stop.send(());
        let status = timeout(SOON, self.process.wait()).await;
        status.context("ffmpeg does not stop")??;
        self.writer.await?
    }
}

async fn write(
    mut pictures: ChildStdin,
    publisher: u8,
    mut stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    // ffmpeg counts pictures: each has to come.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut stopped => break,
        }
        match pictures
            .write_all(&picture(bits(publisher, now()), number))
            .await
        {
            // Another publisher has taken over.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

/// In milliseconds since 1970.
fn now() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis()
}

/// What the cells say.
fn bits(publisher: u8, time: u128) -> u32 {
    let time = u32::try_from(time % (1 << TIME_BITS)).unwrap_or_default();
    let said = u32::from(publisher % 4) << TIME_BITS | time;
    said << 8 | checksum(said)
}

/// A wrong cell changes it.
fn checksum(said: u32) -> u32 {
    let [_, high, middle, low] = said.to_be_bytes();
    u32::from(high ^ middle.rotate_left(3) ^ low.rotate_left(5) ^ 0x5a)
}

/// In YUV 4:2:0: the cells, and below them something that moves.
fn picture(bits: u32, number: usize) -> Vec<u8> {
    let luma = (0..HEIGHT).flat_map(|y| {
        (0..WIDTH).map(move |x| {
            let cell = y / CELL * COLUMNS + x / CELL;
            match u32::try_from(cell).ok().filter(|&cell| cell < u32::BITS) {
                Some(cell) if bits << cell >> (u32::BITS - 1) == 1 => WHITE,
                Some(_) => BLACK,
                None => BLACK + u8::try_from((x / 2 + y + 3 * number) % 200).unwrap_or_default(),
            }
        })
    });
    let mut planes: Vec<u8> = luma.collect();
    planes.resize(WIDTH * HEIGHT * 3 / 2, 128);
    planes
}

/// A look at the clock.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Look {
    /// When it was, in milliseconds.
    pub at: f64,
    /// Who publishes.
    pub publisher: u8,
    /// How long ago what is seen was made, in seconds.
    pub delay: f64,
}

/// Begins to look at the clock in the page's player, some times a second.
///
/// # Errors
/// There is no player.
pub async fn watch(viewer: &Browser) -> Result<()> {
    let sizes = json!({ "cell": CELL, "columns": COLUMNS, "timeBits": TIME_BITS });
    viewer
        .js(include_str!("read_clock.js"), vec![sizes])
        .await?;
    Ok(())
}

/// What was seen since this was asked last, and how often the player has waited for media.
///
/// # Errors
/// Nobody [watches](watch).
pub async fn seen(viewer: &Browser) -> Result<(Vec<Look>, u32)> {
    let seen = viewer.js("return window.e2eClock.take();", vec![]).await?;
    Ok(serde_json::from_value(seen)?)
}

/// What the page has asked for by HLS: when, how long it took, the status, and what it was; a line each.
///
/// # Errors
/// Nobody [watches](watch).
pub async fn requests(viewer: &Browser) -> Result<Vec<String>> {
    let requests = viewer
        .js("return window.e2eClock.requests();", vec![])
        .await?;
    Ok(serde_json::from_value(requests)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_are_black_and_white() {
        let picture = picture(0x8000_0001, 0);
        let cell =
            |column, row| picture[(row * CELL + CELL / 2) * WIDTH + column * CELL + CELL / 2];
        assert_eq!((cell(0, 0), cell(1, 0)), (WHITE, BLACK));
        assert_eq!((cell(14, 1), cell(15, 1)), (BLACK, WHITE));
        assert_eq!(picture.len(), WIDTH * HEIGHT * 3 / 2);
    }

    #[test]
    fn a_wrong_cell_is_noticed() {
        let right = bits(1, 1_767_225_600_123);
        for bit in 0..u32::BITS {
            let wrong = right ^ 1 << bit;
            assert_ne!(checksum(wrong >> 8), wrong & 0xff, "{bit}");
        }
    }
}
