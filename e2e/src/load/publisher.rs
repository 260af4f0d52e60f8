//! The one who broadcasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::media::{Camera, FRAME_RATE, Microphone, SOUND_INTERVAL};
use super::peer::{AUDIO, Event, Identity, Peer, VIDEO};
use super::session::{Endpoint, Session};

/// Time until the connection has to stand.
const CONNECT: Duration = Duration::from_secs(15);

/// A synthetic broadcast by WHIP: H.264 at 2 Mbit/s and 30 pictures a second, and Opus.
pub struct Publisher {
    session: Session,
    pictures: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Publisher {
    /// Goes live; media flows from now on.
    ///
    /// # Errors
    /// The server refused, or the connection did not come about.
    pub async fn start(endpoint: &Endpoint, identity: &Identity) -> Result<Self> {
        let mut peer = Peer::publisher(identity).await?;
        let (session, answer) = endpoint.open(peer.offer()?).await?;
        peer.accept(answer)?;
        timeout(CONNECT, connected(&mut peer))
            .await
            .context("the publisher could not connect in time")??;
        let pictures = Arc::<AtomicU64>::default();
        let task = tokio::spawn(broadcast(peer, Arc::clone(&pictures)));
        Ok(Self {
            session,
            pictures,
            task,
        })
    }

    /// Pictures sent so far.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
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
        ensure!(
            self.session.close().await?,
            "the server had given up the broadcast"
        );
        Ok(())
    }
}

async fn connected(peer: &mut Peer) -> Result<()> {
    loop {
        if let Event::Connected = peer.event().await? {
            return Ok(());
        }
    }
}

async fn broadcast(mut peer: Peer, sent: Arc<AtomicU64>) -> Result<()> {
    let (mut camera, mut microphone) = (Camera::new(VIDEO), Microphone::new(AUDIO));
    let mut pictures = interval(Duration::from_secs(1) / FRAME_RATE);
    let mut sounds = interval(SOUND_INTERVAL);
    // What is late is made up for, so that the rates are right on average.
    pictures.set_missed_tick_behavior(MissedTickBehavior::Burst);
    sounds.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            event = peer.event() => {
                if let Event::KeyframeWanted = event? {
                    camera.request_keyframe();
                }
            }
            _ = pictures.tick() => {
                peer.send_video(camera.picture()?)?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
            _ = sounds.tick() => peer.send_audio(microphone.sound()?)?,
        }
    }
}
