//! Real ffmpeg, publishing what it makes up and playing what a room has.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::{LONG, SOON};

/// A picture that moves and a tone, in real time.
const SOURCE: &str = "-re -f lavfi -i testsrc2=size=640x360:rate=30 \
    -re -f lavfi -i sine=frequency=440:sample_rate=48000";
/// What browsers can show.
pub const PICTURE: &str =
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 1M -bf 0 -g 30 -keyint_min 30";
/// The same with B-frames.
pub const PICTURE_WITH_B_FRAMES: &str =
    "-c:v libx264 -preset veryfast -pix_fmt yuv420p -b:v 1M -bf 2 -g 30 -keyint_min 30";
/// What OBS sends.
pub const SOUND: &str = "-c:a aac -b:a 128k -ac 2";

/// An ffmpeg that publishes. Killed when dropped.
pub struct Push {
    process: Child,
    said: JoinHandle<String>,
}

impl Push {
    /// Publishes to `url`, with these options for the codecs.
    ///
    /// # Errors
    /// There is no ffmpeg.
    pub fn start(url: &str, codecs: &[&str]) -> Result<Self> {
        let mut process = Command::new("ffmpeg")
            .args(["-hide_banner", "-nostats", "-loglevel", "info"])
            .args(SOURCE.split_whitespace())
            .args(codecs.iter().flat_map(|part| part.split_whitespace()))
            .args(["-f", "flv", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("ffmpeg cannot be run: `cargo xtask test` installs it")?;
        let mut stderr = process.stderr.take().context("no stderr")?;
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            // What was said before the pipe broke is worth having, too.
            let _ = stderr.read_to_end(&mut said).await;
            String::from_utf8_lossy(&said).into_owned()
        });
        Ok(Self { process, said })
    }

    /// Publishes what browsers can show.
    ///
    /// # Errors
    /// There is no ffmpeg.
    pub fn ordinary(url: &str) -> Result<Self> {
        Self::start(url, &[PICTURE, SOUND])
    }

    /// Waits until it ends by itself; how it ended, and what it said.
    ///
    /// # Errors
    /// It goes on.
    pub async fn ended(mut self) -> Result<(ExitStatus, String)> {
        let status = timeout(LONG, self.process.wait()).await;
        let status = status.context("ffmpeg goes on publishing")??;
        Ok((status, self.said.await?))
    }

    /// Stops as a person would: the stream is unpublished.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<()> {
        let mut keyboard = self.process.stdin.take().context("no stdin")?;
        // Where it has ended by itself, nobody reads this.
        let _ = keyboard.write_all(b"q").await;
        let status = timeout(SOON, self.process.wait()).await;
        status.context("ffmpeg does not stop")??;
        Ok(())
    }
}

/// An encoder that connects again whenever its connection breaks, as OBS does. Stops when dropped.
pub struct Tenacious {
    attempts: Arc<AtomicU32>,
    _task: JoinSet<()>,
}

impl Tenacious {
    /// Between two attempts.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Publishes what browsers can show, for as long as it lives.
    #[must_use]
    pub fn publishing(url: &str) -> Self {
        let attempts = Arc::<AtomicU32>::default();
        let mut task = JoinSet::new();
        let (url, counted) = (url.to_owned(), Arc::clone(&attempts));
        task.spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut push) = Push::ordinary(&url) {
                    // However it ended, it begins anew.
                    let _ = push.process.wait().await;
                }
                sleep(Self::PAUSE).await;
            }
        });
        Self {
            attempts,
            _task: task,
        }
    }

    /// How often it has connected, or tried to.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }
}

/// One decoded picture, or one frame of sound.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Of sound, not a picture.
    pub is_sound: bool,
    /// Whether a decoder can start here.
    pub is_key: bool,
    /// When it is shown or heard, in seconds of the stream.
    pub at: f64,
    /// In pixels; 0 for sound.
    pub width: u32,
}

/// An ffprobe that plays and says what it decoded. Killed when dropped.
pub struct Pull {
    process: Child,
    frames: Lines<BufReader<ChildStdout>>,
    began: Instant,
}

impl Pull {
    /// Plays `url` from now on.
    ///
    /// # Errors
    /// There is no ffprobe.
    pub fn start(url: &str) -> Result<Self> {
        let mut process = Command::new("ffprobe")
            .args(["-hide_banner", "-loglevel", "error", "-show_frames"])
            .args(["-analyzeduration", "1000000", "-of", "compact"])
            .args(["-show_entries", "frame=media_type,key_frame,pts_time,width"])
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("ffprobe cannot be run: `cargo xtask test` installs ffmpeg")?;
        let stdout = process.stdout.take().context("no stdout")?;
        Ok(Self {
            process,
            frames: BufReader::new(stdout).lines(),
            began: Instant::now(),
        })
    }

    /// How long it has been playing.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The next frame it has decoded.
    ///
    /// # Errors
    /// None came in time, or the stream is over.
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            let line = timeout(LONG, self.frames.next_line()).await;
            let line = line.context("nothing was decoded for long")??;
            let line = line.context("the stream is over")?;
            if let Some(frame) = read_frame(&line) {
                return Ok(frame);
            }
        }
    }

    /// Decodes on until there were so many pictures and so many frames of sound.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn decodes(&mut self, pictures: usize, sounds: usize) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let (mut seen, mut heard) = (0, 0);
        while seen < pictures || heard < sounds {
            let frame = self.next().await?;
            *(if frame.is_sound {
                &mut heard
            } else {
                &mut seen
            }) += 1;
            frames.push(frame);
        }
        Ok(frames)
    }

    /// Waits until the stream is over.
    ///
    /// # Errors
    /// It goes on, or broke off.
    pub async fn ends(mut self) -> Result<()> {
        let drain = async {
            while self.frames.next_line().await?.is_some() {}
            self.process.wait().await
        };
        let status = timeout(LONG, drain).await.context("it goes on playing")??;
        ensure!(status.success(), "ffprobe ended with {status}");
        Ok(())
    }
}

/// A line of ffprobe's "compact" form: `frame|media_type=video|key_frame=1|pts_time=0.033000|width=640`.
fn read_frame(line: &str) -> Option<Frame> {
    let field = |name: &str| {
        let mut fields = line.split('|').filter_map(|field| field.split_once('='));
        fields.find_map(|(field, value)| (field == name).then_some(value))
    };
    Some(Frame {
        is_sound: field("media_type")? == "audio",
        is_key: field("key_frame")? == "1",
        at: field("pts_time")?.parse().ok()?,
        width: field("width")
            .and_then(|width| width.parse().ok())
            .unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ffprobes_lines_are_read() {
        let line = "frame|media_type=video|key_frame=1|pts_time=1.033000|width=640";
        let frame = read_frame(line).unwrap();
        assert!(!frame.is_sound && frame.is_key && frame.width == 640);
        assert!((frame.at - 1.033).abs() < 1e-9);
        assert!(read_frame("frame|media_type=audio|key_frame=1|pts_time=N/A").is_none());
        assert!(read_frame("").is_none());
    }
}
