//! WHIP: a browser or encoder publishes (RFC 9725).
//!
//! The shell around the [`assembler`]: it moves packets in and units out, and asks for keyframes.

mod assembler;
mod audience;
mod h264;
mod reorder;
mod tap;

use std::sync::Arc;
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::time::{Instant, sleep_until};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use self::assembler::{Assembler, OPUS, Output};
pub(super) use self::audience::Audience;
use self::tap::{Arrival, LongWay};
pub(super) use self::tap::{Intake, tap};
use super::mux::Inbox;
use super::peer::{Peer, is_silent};
use super::session::{End, Reporter};
use crate::media::access_unit::{Format, TrackKind};
use crate::media::stage::{Publication, TakenOver, Tracks};
use crate::media::time::MediaTime;
use crate::roaming::{self, Roaming};

/// Time a publisher has from its offer to its first picture.
const CONNECT: Duration = Duration::from_secs(15);
/// Arrivals that are taken in one go: the packets of a picture come together.
const BURST: usize = 64;

/// A track that is being read.
struct Reading {
    kind: TrackKind,
    ssrc: u32,
    track: Arc<dyn TrackRemote>,
    _reader: Roaming,
}

/// Somebody who publishes, as was negotiated.
pub(super) struct Publisher {
    pub(super) peer: Peer,
    pub(super) intake: Intake,
    pub(super) promised: Tracks,
    /// The payload type of its sound.
    pub(super) sound: Option<u8>,
}

/// Serves a publisher until it ends, then frees everything.
pub(super) async fn serve(publisher: Publisher, audience: Audience, reporter: Reporter) {
    let Publisher {
        mut peer,
        intake,
        promised,
        sound,
    } = publisher;
    let mut ingest = Ingest::new(promised, audience, sound);
    let end = ingest.run(&mut peer, intake, &reporter).await;
    // The stage is left before anybody is told.
    drop(ingest);
    reporter.ended(end);
    peer.close().await;
}

struct Ingest {
    began: Instant,
    assembler: Assembler,
    audience: Audience,
    /// Its payload type.
    sound: Option<u8>,
    publication: Option<Publication>,
    video: Option<Reading>,
    audio: Option<Reading>,
}

impl Ingest {
    fn new(promised: Tracks, audience: Audience, sound: Option<u8>) -> Self {
        Self {
            began: Instant::now(),
            assembler: Assembler::new(promised),
            audience,
            sound,
            publication: None,
            video: None,
            audio: None,
        }
    }

    async fn run(&mut self, peer: &mut Peer, mut intake: Intake, reporter: &Reporter) -> End {
        let mut burst = Vec::with_capacity(BURST);
        loop {
            let deadline = self.deadline(reporter.is_connected());
            tokio::select! {
                () = reporter.close.cancelled() => return End::Closed,
                state = peer.state.reaches(is_silent) => {
                    tracing::debug!(%state, "the publisher is silent");
                    return End::Lost;
                }
                Some(track) = peer.tracks.recv() => self.read(track, &intake).await,
                _ = intake.arrivals.recv_many(&mut burst, BURST) => {
                    // One after the other: sound that waited for a picture came before it.
                    for (kind, arrival) in burst.drain(..) {
                        self.take(kind, arrival);
                        if self.drain(reporter).await.is_err() {
                            return End::TakenOver;
                        }
                    }
                    self.let_sound_wait(&peer.inbox);
                }
                wanted = keyframe_wanted(self.publication.as_ref()) => match wanted {
                    Ok(()) => self.ask_for_keyframe().await,
                    Err(TakenOver) => return End::TakenOver,
                },
                () = reached(deadline) => {}
            }
            if self.drain(reporter).await.is_err() {
                return End::TakenOver;
            }
            if !reporter.is_connected() && self.began.elapsed() >= CONNECT {
                tracing::info!("a publisher connected but sent no picture in time");
                return End::Lost;
            }
        }
    }

    fn now(&self) -> MediaTime {
        self.began.elapsed().into()
    }

    /// When to look again even if nothing arrives; `None` where nothing waits.
    fn deadline(&self, is_connected: bool) -> Option<Instant> {
        let packets = self.assembler.deadline();
        let packets = packets.map(|at| self.began + at.since(MediaTime::ZERO));
        let connect = (!is_connected).then(|| self.began + CONNECT);
        packets.into_iter().chain(connect).min()
    }

    fn take(&mut self, kind: TrackKind, arrival: Arrival) {
        match arrival {
            Arrival::Packet(packet) => self.assembler.push(kind, packet, self.now()),
            Arrival::Report { ntp, rtp, packets } => {
                self.assembler.sender_report(kind, ntp, rtp, packets);
            }
        }
    }

    /// Lets sound wait for the pictures where nobody needs it at once.
    fn let_sound_wait(&self, inbox: &Inbox) {
        let may_wait = self.assembler.sound_may_wait(self.now()) && self.audience.is_patient();
        inbox.let_wait(self.sound.filter(|_| may_wait));
    }

    /// Carries out what the assembler says.
    async fn drain(&mut self, reporter: &Reporter) -> Result<(), TakenOver> {
        while let Some(output) = self.assembler.poll(self.now()) {
            match output {
                Output::Start(tracks) => {
                    let publication = self.audience.stage.publish(tracks);
                    if tracks.audio {
                        publication.announce(&Format::Audio(OPUS))?;
                    }
                    self.publication = Some(publication);
                }
                Output::Unit(unit) => {
                    if let Some(publication) = &self.publication {
                        publication.write(unit)?;
                        // Only now can a viewer be told what it is going to see.
                        reporter.connected();
                    }
                }
                // Each time because a picture could not be used.
                Output::NeedKeyframe => match &self.publication {
                    Some(publication) => {
                        publication.dropped(1);
                        self.audience.stage.request_keyframe();
                    }
                    None => self.ask_for_keyframe().await,
                },
            }
        }
        Ok(())
    }

    /// Starts to read a track; of each kind only the first is used.
    async fn read(&mut self, track: Arc<dyn TrackRemote>, intake: &Intake) {
        let (kind, slot) = match track.kind().await {
            RtpCodecKind::Video => (TrackKind::Video, &mut self.video),
            RtpCodecKind::Audio => (TrackKind::Audio, &mut self.audio),
            _ => return,
        };
        let Some(&ssrc) = track.ssrcs().await.first() else {
            return;
        };
        if slot.is_some() {
            tracing::debug!(?kind, ssrc, "a second track of its kind is ignored");
            return;
        }
        *slot = Some(Reading {
            kind,
            ssrc,
            track: Arc::clone(&track),
            _reader: roaming::spawn(read(kind, ssrc, track, intake.long_way())),
        });
        self.ask_for_keyframe().await;
    }

    /// Sends a PLI (RFC 4585 section 6.3.1).
    async fn ask_for_keyframe(&self) {
        let Some(Reading {
            kind, ssrc, track, ..
        }) = &self.video
        else {
            return;
        };
        let pli = PictureLossIndication {
            sender_ssrc: 0,
            media_ssrc: *ssrc,
        };
        if let Err(error) = track.write_rtcp(vec![Box::new(pli)]).await {
            tracing::debug!(%error, ?kind, "asking for a keyframe");
        }
    }
}

/// As [`Publication::keyframe_wanted`]; for ever where nothing is published yet.
async fn keyframe_wanted(publication: Option<&Publication>) -> Result<(), TakenOver> {
    match publication {
        Some(publication) => publication.keyframe_wanted().await,
        None => std::future::pending().await,
    }
}

/// Waits for a moment, if there is one; else for ever.
async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Passes on what a track brings by the crate's own way, until it ends.
async fn read(kind: TrackKind, ssrc: u32, track: Arc<dyn TrackRemote>, intake: LongWay) {
    while let Some(event) = track.poll().await {
        let arrivals: Vec<_> = match event {
            // Other SSRCs are further layers of a simulcast: one is used (RFC 8853).
            TrackRemoteEvent::OnRtpPacket(packet) if packet.header.ssrc == ssrc => {
                vec![Arrival::Packet(packet.into())]
            }
            TrackRemoteEvent::OnRtcpPacket(packets) => packets
                .iter()
                .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>())
                .filter(|report| report.ssrc == ssrc)
                .map(Arrival::from)
                .collect(),
            _ => continue,
        };
        for arrival in arrivals {
            if intake.pass(kind, ssrc, arrival).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_publisher_whose_media_flows_is_woken_by_packets_alone() {
        let both = Tracks {
            video: true,
            audio: true,
        };
        let audience = Audience::new(Arc::default(), Arc::default());
        let ingest = Ingest::new(both, audience, None);
        assert_eq!(ingest.deadline(false), Some(ingest.began + CONNECT));
        assert_eq!(ingest.deadline(true), None);
    }
}
