//! Takes a publisher's media out of its connection.
//!
//! The `webrtc` crate hands each packet on through two more layers, a queue and a task of the track's. What
//! belongs to a track that is read leaves here, in front of them all. The rest goes on: the first packets of
//! a track, from which the crate learns of it, and retransmissions, which it unwraps (RFC 4588).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use rtc::interceptor::{Attribute, Interceptor, Packet, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp;
use rtc::sansio::Protocol;
use tokio::sync::mpsc;

use crate::media::access_unit::TrackKind;

/// Behind all interceptors that look at packets themselves.
const SLOT: usize = 20_000;
/// What may wait for the ingest: about a second of a fast stream. More is lost, as it would be in a full
/// socket buffer.
const QUEUE: usize = 512;

/// A packet as it came off a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RtpPacket {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Bytes,
}

impl From<rtp::Packet> for RtpPacket {
    fn from(packet: rtp::Packet) -> Self {
        Self {
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        }
    }
}

/// What a track brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Packet(RtpPacket),
    /// A sender report (RFC 3550 section 6.4.1).
    Report {
        ntp: u64,
        rtp: u32,
        packets: u32,
    },
}

impl From<&SenderReport> for Arrival {
    fn from(report: &SenderReport) -> Self {
        Self::Report {
            ntp: report.ntp_time,
            rtp: report.rtp_time,
            packets: report.packet_count,
        }
    }
}

/// The ingest's side: what comes of its tracks.
pub(in crate::webrtc) struct Intake {
    pub(super) arrivals: mpsc::Receiver<(TrackKind, Arrival)>,
    long_way: LongWay,
}

impl Intake {
    /// For what comes of a track by the crate's own way.
    pub(super) fn long_way(&self) -> LongWay {
        self.long_way.clone()
    }
}

/// The way in for what passes the connection as a whole.
#[derive(Clone)]
pub(super) struct LongWay {
    queue: mpsc::Sender<(TrackKind, Arrival)>,
    sources: Arc<Sources>,
}

impl LongWay {
    /// Passes on what came from `ssrc`. After the first of it the rest is tapped: not before, as the first
    /// packet tells where the sequence numbers begin.
    ///
    /// # Errors
    /// When the ingest has ended.
    pub(super) async fn pass(
        &self,
        kind: TrackKind,
        ssrc: u32,
        arrival: Arrival,
    ) -> Result<(), Ended> {
        self.queue.send((kind, arrival)).await.map_err(|_| Ended)?;
        self.sources.read(kind, ssrc);
        Ok(())
    }
}

/// Nobody takes what a publisher sends any more.
#[derive(Debug)]
pub(super) struct Ended;

/// The connection's side.
struct Tap {
    queue: mpsc::Sender<(TrackKind, Arrival)>,
    sources: Arc<Sources>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

/// The tracks that are read, by their SSRCs (RFC 3550 section 3).
#[derive(Debug, Default)]
struct Sources {
    video: AtomicU64,
    audio: AtomicU64,
}

/// Adds a tap to the interceptors of a connection.
pub(in crate::webrtc) fn tap(registry: Registry) -> (Registry, Intake) {
    let (tap, intake) = pair();
    (registry.with(Slot::from(SLOT), tap), intake)
}

fn pair() -> (Tap, Intake) {
    let (queue, arrivals) = mpsc::channel(QUEUE);
    let sources = Arc::<Sources>::default();
    let tap = Tap {
        queue: queue.clone(),
        sources: Arc::clone(&sources),
        reads: VecDeque::new(),
        writes: VecDeque::new(),
    };
    let long_way = LongWay { queue, sources };
    (tap, Intake { arrivals, long_way })
}

impl Sources {
    /// An SSRC may be 0: told from none by a bit that it does not have.
    const READ: u64 = 1 << 32;

    /// From now on what comes from `ssrc` is this track's.
    fn read(&self, kind: TrackKind, ssrc: u32) {
        let source = match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        };
        source.store(Self::READ | u64::from(ssrc), Ordering::Relaxed);
    }

    fn of(&self, ssrc: u32) -> Option<TrackKind> {
        let read = Self::READ | u64::from(ssrc);
        if self.video.load(Ordering::Relaxed) == read {
            Some(TrackKind::Video)
        } else if self.audio.load(Ordering::Relaxed) == read {
            Some(TrackKind::Audio)
        } else {
            None
        }
    }
}

impl Tap {
    /// Whether this was somebody's who reads it.
    fn take(&self, packet: &mut Packet) -> bool {
        match packet {
            Packet::Rtp(packet) => {
                let Some(kind) = self.sources.of(packet.header.ssrc) else {
                    return false;
                };
                self.hand_over(kind, Arrival::Packet(std::mem::take(packet).into()));
                true
            }
            Packet::Rtcp(compound) => {
                // What else there is the interceptors in front have dealt with.
                compound.retain(|packet| {
                    let Some(report) = packet.as_any().downcast_ref::<SenderReport>() else {
                        return false;
                    };
                    let kind = self.sources.of(report.ssrc);
                    if let Some(kind) = kind {
                        self.hand_over(kind, report.into());
                    }
                    kind.is_none()
                });
                compound.is_empty()
            }
            _ => false,
        }
    }

    fn hand_over(&self, kind: TrackKind, arrival: Arrival) {
        if self.queue.try_send((kind, arrival)).is_err() {
            tracing::debug!(?kind, "a publisher's packet is lost: too many wait");
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Self::Error> {
        if !self.take(&mut packet.message.packet) {
            // The crate keeps RTCP to its interceptors unless one of them marks it.
            if let Packet::Rtcp(_) = packet.message.packet {
                packet.message.add(Attribute::DeliverToApplication);
            }
            self.reads.push_back(packet);
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Self::Error> {
        self.writes.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rtc::interceptor::AttributedPacket;
    use rtc::rtcp;
    use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    use rtc::shared::TransportContext;

    use super::*;

    const SSRC: u32 = 7;

    fn tagged(packet: Packet) -> TaggedPacket {
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(packet),
        }
    }

    fn media(ssrc: u32, sequence: u16) -> TaggedPacket {
        let mut packet = rtp::Packet::default();
        packet.header.ssrc = ssrc;
        packet.header.sequence_number = sequence;
        tagged(Packet::Rtp(packet))
    }

    fn compound(packets: Vec<Box<dyn rtcp::Packet>>) -> TaggedPacket {
        tagged(Packet::Rtcp(packets))
    }

    fn report() -> Box<dyn rtcp::Packet> {
        Box::new(SenderReport {
            ssrc: SSRC,
            ntp_time: 1,
            rtp_time: 2,
            packet_count: 3,
            ..SenderReport::default()
        })
    }

    fn sequences(intake: &mut Intake) -> Vec<u16> {
        std::iter::from_fn(|| intake.arrivals.try_recv().ok())
            .map(|(_, arrival)| match arrival {
                Arrival::Packet(packet) => packet.sequence,
                Arrival::Report { .. } => panic!("a report"),
            })
            .collect()
    }

    #[test]
    fn what_nobody_reads_yet_stays_in_the_connection() {
        let (mut tap, mut intake) = pair();
        tap.handle_read(media(SSRC, 1)).unwrap();
        tap.handle_read(compound(vec![report()])).unwrap();
        assert!(tap.poll_read().is_some());
        let report = tap.poll_read().unwrap();
        assert!(report.message.has(&Attribute::DeliverToApplication));
        assert!(intake.arrivals.try_recv().is_err());
    }

    #[test]
    fn a_track_that_is_read_leaves_the_connection() {
        let (mut tap, mut intake) = pair();
        let first = Arrival::Packet(rtp::Packet::default().into());
        let long_way = intake.long_way();
        let passing = long_way.pass(TrackKind::Video, SSRC, first);
        passing.now_or_never().unwrap().unwrap();
        tap.handle_read(media(SSRC, 5)).unwrap();
        tap.handle_read(media(SSRC + 1, 6)).unwrap();
        tap.handle_read(media(SSRC, 7)).unwrap();
        assert_eq!(sequences(&mut intake), [0, 5, 7]);
        assert!(tap.poll_read().is_some(), "somebody else's");
        assert!(tap.poll_read().is_none());
    }

    #[test]
    fn a_tracks_sender_reports_leave_with_it() {
        let (mut tap, mut intake) = pair();
        tap.sources.read(TrackKind::Audio, SSRC);
        tap.handle_read(compound(vec![report()])).unwrap();
        let (ntp, rtp, packets) = (1, 2, 3);
        let expected = (TrackKind::Audio, Arrival::Report { ntp, rtp, packets });
        assert_eq!(intake.arrivals.try_recv(), Ok(expected));
        assert!(tap.poll_read().is_none());
    }

    #[test]
    fn other_rtcp_ends_here() {
        let (mut tap, _intake) = pair();
        let feedback = PictureLossIndication::default();
        tap.handle_read(compound(vec![Box::new(feedback)])).unwrap();
        assert!(tap.poll_read().is_none());
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut tap, mut intake) = pair();
        tap.sources.read(TrackKind::Video, SSRC);
        for sequence in 0..1_000 {
            tap.handle_read(media(SSRC, sequence)).unwrap();
        }
        assert_eq!(sequences(&mut intake).len(), QUEUE);
    }
}
