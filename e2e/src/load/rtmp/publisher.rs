//! The one who broadcasts by RTMP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::client::{Client, Kind, Place};
use super::media::{self, SAMPLE_RATE, SAMPLES};
use super::stamp::Stamp;
use super::window::{Window, now};
use crate::load::media::FRAME_RATE;

/// Time until the server has to agree.
const CONNECT: Duration = Duration::from_secs(15);

/// A synthetic broadcast by RTMP: H.264 at 2 Mbit/s and 30 pictures a second, and AAC.
#[derive(Debug)]
pub struct Publisher {
    counted: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Publisher {
    /// Goes live; media flows from now on.
    ///
    /// # Errors
    /// The server refused, or did not answer.
    pub async fn start(place: &Place, window: Arc<Window>) -> Result<Self> {
        let client = timeout(CONNECT, async {
            let mut client = Client::connect(place).await?;
            client.publish(&place.name).await?;
            Ok::<_, anyhow::Error>(client)
        });
        let client = client
            .await
            .context("the server did not answer the publisher in time")??;
        let counted = Arc::<AtomicU64>::default();
        let task = tokio::spawn(broadcast(client, window, Arc::clone(&counted)));
        Ok(Self { counted, task })
    }

    /// Pictures that were sent within the window.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Ends the broadcast.
    ///
    /// # Errors
    /// It was over before.
    pub async fn stop(self) -> Result<()> {
        if self.task.is_finished() {
            self.task.await?.context("the broadcast ended by itself")?;
        } else {
            self.task.abort();
        }
        Ok(())
    }
}

async fn broadcast(mut client: Client, window: Arc<Window>, counted: Arc<AtomicU64>) -> Result<()> {
    client.send(Kind::Data, 0, &media::metadata()).await?;
    client.send(Kind::Video, 0, &media::video_header()).await?;
    client.send(Kind::Audio, 0, &media::audio_header()).await?;
    let sound = media::sound();
    let sound_interval = Duration::from_secs(1) * SAMPLES / SAMPLE_RATE;
    let mut pictures = interval(Duration::from_secs(1) / FRAME_RATE);
    let mut sounds = interval(sound_interval);
    // What is late is made up for, so that the rates are right on average.
    pictures.set_missed_tick_behavior(MissedTickBehavior::Burst);
    sounds.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut picture, mut frame) = (0, 0);
    loop {
        tokio::select! {
            heard = client.discard() => heard?,
            _ = pictures.tick() => {
                let stamp = Stamp { number: picture, sent: now() };
                if window.contains(stamp.sent) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let timestamp = picture * 1_000 / FRAME_RATE;
                client.send(Kind::Video, timestamp, &media::picture(stamp)).await?;
                picture += 1;
            }
            _ = sounds.tick() => {
                let timestamp = millis(sound_interval * frame);
                client.send(Kind::Audio, timestamp, &sound).await?;
                frame += 1;
            }
        }
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
