//! How far picture and sound of a broadcast are apart, by the clock that [`Browser::with_clock`] films.
//!
//! [`Browser::with_clock`]: crate::Browser::with_clock

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::LONG;

/// Brightness of black and white in video, where both are not stretched (ITU-R BT.601).
const BLACK: f64 = 16.0;
const WHITE: f64 = 235.0;
/// Pictures in which the bar begins or ends may be blurred with their neighbours.
const READABLE: std::ops::Range<f64> = 0.2..0.9;

/// Plays `url` with ffmpeg for so many seconds; how much later each picture is shown than the sound of the
/// same moment is heard, in seconds.
///
/// # Errors
/// There is no ffmpeg, or nothing to measure.
pub async fn measure(url: &str, seconds: u32) -> Result<Vec<f64>> {
    let player = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostats", "-i", url])
        .args(["-t", &seconds.to_string()])
        .args(["-map", "0:v", "-map", "0:a", "-f", "null"])
        .args([
            "-vf",
            "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-",
        ])
        .args(["-af", "silencedetect=noise=-12dB:duration=0.3", "/dev/null"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LONG, player)
        .await
        .context("ffmpeg plays on")?
        .context("ffmpeg cannot be run: `cargo xtask test` installs it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ffmpeg failed:\n{said}");
    let (pictures, beeps) = (
        pictures(&String::from_utf8_lossy(&output.stdout)),
        beeps(&said),
    );
    ensure!(!beeps.is_empty(), "nothing beeps in\n{said}");
    Ok(offsets(&pictures, &beeps))
}

/// The one in the middle.
///
/// # Errors
/// There is none.
pub fn median(offsets: &mut [f64]) -> Result<f64> {
    offsets.sort_by(f64::total_cmp);
    let middle = offsets.get(offsets.len() / 2);
    middle.copied().context("nothing was measured")
}

/// When each picture is shown, and the age of its second by the bar in it.
fn pictures(printed: &str) -> Vec<(f64, f64)> {
    let mut at = None;
    let mut pictures = Vec::new();
    for line in printed.lines() {
        if let Some((_, time)) = line.split_once("pts_time:") {
            at = time.trim().parse().ok();
        } else if let Some((_, brightness)) = line.split_once("YAVG=")
            && let (Some(at), Ok(brightness)) = (at, brightness.trim().parse::<f64>())
        {
            pictures.push((at, (brightness - BLACK) / (WHITE - BLACK)));
        }
    }
    pictures
}

/// When beeps begin.
fn beeps(said: &str) -> Vec<f64> {
    let lines = said
        .lines()
        .filter_map(|line| line.split_once("silence_end: "));
    lines
        .filter_map(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .collect()
}

fn offsets(pictures: &[(f64, f64)], beeps: &[f64]) -> Vec<f64> {
    let readable = pictures.iter().filter(|(_, age)| READABLE.contains(age));
    let apart = readable.filter_map(|&(at, age)| {
        let began = at - age;
        let offsets = beeps.iter().map(|beep| began - beep);
        offsets.min_by(|a, b| a.abs().total_cmp(&b.abs()))
    });
    // Further apart, it would be another second's beep.
    apart.filter(|offset| offset.abs() <= 0.5).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ffmpeg_prints_is_read() {
        let printed = "frame:0    pts:33      pts_time:0.033\nlavfi.signalstats.YAVG=125.5\n";
        assert_eq!(pictures(printed), [(0.033, 0.5)]);
        let said = "[silencedetect @ 0x1] silence_start: 0.2\n\
            [silencedetect @ 0x1] silence_end: 1.002 | silence_duration: 0.8\n";
        assert_eq!(beeps(said), [1.002]);
    }

    #[test]
    fn a_picture_is_compared_with_the_nearest_beep() {
        let offsets = offsets(&[(2.55, 0.5), (3.46, 0.5), (2.05, 0.05)], &[2.0, 3.0]);
        let millis: Vec<_> = offsets.iter().map(|o| (o * 1e3).round()).collect();
        assert_eq!(millis, [50.0, -40.0], "the third cannot be read");
    }
}
