//! A publisher: its messages become units on its room's stage.

use std::sync::Arc;
use std::time::Duration;

use shared::room::Ingest;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::connection::{Connection, Over};
use crate::media::stage::{Publication, TakenOver};
use crate::rooms::publishing::{Admission, TooMuch};
use crate::rooms::room::OnAir;
use crate::rtmp::intake::{Intake, Output, Unsupported};
use crate::rtmp::session::Event;

/// How often a publisher is asked how long the way to it takes.
const PING: Duration = Duration::from_secs(2);
/// A longer way is none that an answer took.
const LATEST_PONG: Duration = Duration::from_secs(10);

/// How a publisher's time on the air ends.
enum Ending {
    /// It said so.
    Stopped,
    /// Another has the stage.
    TakenOver,
    /// Its stream key is void, or its room was ended.
    Revoked,
    /// It sends nothing.
    Silent,
    /// It sends too much.
    TooMuch(TooMuch),
    /// What it sends cannot be carried.
    Unsupported(Unsupported),
}

impl Connection {
    /// Serves a publisher until it leaves, or sends nothing for the time of `silence`.
    pub(super) async fn publish(
        &mut self,
        mut admission: Admission,
        silence: Duration,
    ) -> Result<(), Over> {
        let room = Arc::clone(admission.room());
        tracing::info!(room = %room.key(), peer = %self.peer, "an RTMP publisher");
        self.session.accept_publish()?;
        let mut broadcast = Broadcast::default();
        // Where the connection breaks, the room waits for its publisher to come back.
        let ending = self.carry(&mut admission, &mut broadcast, silence).await?;
        match &ending {
            Ending::TooMuch(why) => room.tell_cut_off(why),
            Ending::Unsupported(why) => room.tell_cut_off(why),
            Ending::Stopped | Ending::TakenOver | Ending::Revoked | Ending::Silent => {}
        }
        let on_air = broadcast.on_air.take();
        match ending {
            Ending::Stopped => on_air.map(OnAir::stop),
            Ending::TakenOver => on_air.map(OnAir::hand_over),
            Ending::Revoked | Ending::Silent | Ending::TooMuch(_) | Ending::Unsupported(_) => {
                on_air.map(drop)
            }
        };
        let farewell = match ending {
            Ending::Stopped => None,
            Ending::TakenOver => Some("another encoder has taken over this room".to_owned()),
            Ending::Revoked => Some(
                "this stream key is no longer valid, the room was ended, or the server stops"
                    .to_owned(),
            ),
            Ending::Silent => Some("no picture and no sound came for a while".to_owned()),
            Ending::TooMuch(why) => Some(why.to_string()),
            Ending::Unsupported(why) => Some(why.to_string()),
        };
        let why = farewell.as_deref().unwrap_or("it stopped");
        tracing::info!(room = %room.key(), peer = %self.peer, "an RTMP publisher is done: {why}");
        if let Some(farewell) = farewell {
            self.session.refuse_publish(&farewell);
        }
        Ok(())
    }

    async fn carry(
        &mut self,
        admission: &mut Admission,
        broadcast: &mut Broadcast,
        silence: Duration,
    ) -> Result<Ending, Over> {
        let began = Instant::now();
        let millis = |now: Instant| (now - began).as_millis() as u32;
        let mut heard = began;
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ceiling = admission.ceiling();
        loop {
            self.flush().await?;
            let event = tokio::select! {
                biased;
                too_much = ceiling.exceeded() => return Ok(Ending::TooMuch(too_much)),
                () = admission.revoked() => return Ok(Ending::Revoked),
                () = sleep_until(heard + silence) => return Ok(Ending::Silent),
                TakenOver = taken_over(broadcast.publication.as_ref()) => return Ok(Ending::TakenOver),
                _ = pings.tick() => {
                    self.session.ping(millis(Instant::now()));
                    continue;
                }
                event = self.next_event() => event?,
            };
            let Some(event) = event else { continue };
            let now = Instant::now();
            let taken = match event {
                Event::Video { timestamp, body } => {
                    heard = now;
                    broadcast
                        .intake
                        .video(timestamp, &body, (now - began).into())
                }
                Event::Audio { timestamp, body } => {
                    heard = now;
                    broadcast
                        .intake
                        .audio(timestamp, &body, (now - began).into())
                }
                Event::Metadata(metadata) => {
                    broadcast.intake.metadata(&metadata);
                    Ok(())
                }
                Event::Pong { sent_ms } => {
                    let way = Duration::from_millis(millis(now).wrapping_sub(sent_ms).into());
                    broadcast.round_trip(way);
                    Ok(())
                }
                Event::Unpublish => return Ok(Ending::Stopped),
                Event::Publish(_) | Event::Play(_) | Event::StopPlay => Ok(()),
            };
            if let Err(unsupported) = taken {
                return Ok(Ending::Unsupported(unsupported));
            }
            match broadcast.drain(admission) {
                Ok(()) => {}
                Err(TakenOver) => return Ok(Ending::TakenOver),
            }
        }
    }
}

/// Waits until another publisher has the stage. RTMP has no way to ask for the keyframes that viewers wish
/// for.
async fn taken_over(publication: Option<&Publication>) -> TakenOver {
    let Some(publication) = publication else {
        return std::future::pending().await;
    };
    loop {
        if let Err(taken_over) = publication.keyframe_wanted().await {
            return taken_over;
        }
    }
}

/// What a publisher has on the stage.
#[derive(Default)]
struct Broadcast {
    intake: Intake,
    publication: Option<Publication>,
    on_air: Option<OnAir>,
}

impl Broadcast {
    /// Writes what the intake has made. The room is live from the first unit on.
    fn drain(&mut self, admission: &Admission) -> Result<(), TakenOver> {
        while let Some(output) = self.intake.poll() {
            match output {
                Output::Start(tracks) => {
                    self.publication = Some(admission.room().stage().publish(tracks));
                }
                Output::Unit(unit) => {
                    let Some(publication) = &self.publication else {
                        continue;
                    };
                    publication.write(unit)?;
                    if self.on_air.is_none() {
                        let on_air = admission.go_live(Ingest::Rtmp).map_err(|_| TakenOver)?;
                        tracing::info!(room = %admission.room().key(), "live by RTMP");
                        self.on_air = Some(on_air);
                    }
                }
            }
        }
        Ok(())
    }

    fn round_trip(&self, way: Duration) {
        // A publisher answers with what it likes.
        if let Some(publication) = self.publication.as_ref().filter(|_| way < LATEST_PONG) {
            publication.round_trip(way);
        }
    }
}
