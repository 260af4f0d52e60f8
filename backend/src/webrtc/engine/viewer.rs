//! One viewer without its sockets: what it is sent, and what it has to say about it.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::shared::error::Result;

use super::batch::Batch;
use super::loss::Loss;
use super::numbering::Numbering;
use super::quality::{Diet, Quality};
use super::rtcp::{self, Feedback, NtpClock, SenderReport};
use super::srtp::{RTP_HEADER, Srtp};
use super::transport::{self, Path, Transport};
use crate::media::access_unit::TrackKind;
use crate::media::time::MediaTime;
use crate::webrtc::burst::{Burst, RtpPacket, RtpUnit};
use crate::webrtc::codecs::{AUDIO_CLOCK, VIDEO_CLOCK, ViewerCodecs};
use crate::webrtc::feed::History;
use crate::webrtc::paths::Report;

/// The tracks' names in RTP, the same for all viewers.
pub(in crate::webrtc) const VIDEO_SSRC: u32 = 0x1000;
/// Of retransmitted pictures (RFC 4588 section 5.3).
pub(in crate::webrtc) const RTX_SSRC: u32 = 0x1001;
/// See [`VIDEO_SSRC`].
pub(in crate::webrtc) const AUDIO_SSRC: u32 = 0x2000;
/// Says that the tracks belong together (RFC 3550 section 6.5.1).
pub(in crate::webrtc) const CNAME: &str = "golive";

const VERSION: u8 = 2 << 6;
const PADDING: u8 = 0x20;
const MARKER: u8 = 0x80;
/// Between a viewer's sender reports (RFC 3550 section 6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Between its first ones: browsers place sound and picture by them, and one may be lost.
const EARLY_INTERVAL: Duration = Duration::from_secs(1);
/// How many those are.
const EARLY_REPORTS: u8 = 5;
/// Packets a viewer may have sent again in each [`REFILL`]: a request of 4 bytes asks for 17 packets.
const RETRANSMISSIONS: u32 = 100;
const REFILL: Duration = Duration::from_millis(100);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// Media can flow.
    Connected,
    /// It needs a keyframe.
    NeedsKeyframe,
    /// It reported how its path does.
    Reported(Report),
    /// Its path does not carry the stream.
    Hopeless,
    /// Nothing more comes or goes.
    Ended(transport::Ended),
}

/// A track on its way to one viewer.
struct Track {
    ssrc: u32,
    payload_type: u8,
    clock: u32,
    numbering: Numbering,
    packets: u32,
    octets: u32,
    rtx: Option<Rtx>,
    takes_pairs: bool,
}

/// A retransmission stream (RFC 4588 section 4).
struct Rtx {
    payload_type: u8,
    /// Counts the packets: the sequence number and the rollovers.
    next: u64,
}

impl Track {
    const fn header(&self, index: u64, packet: &RtpPacket<'_>) -> Header {
        Header {
            payload_type: self.payload_type,
            marker: packet.marker,
            is_padded: packet.padding > 0,
            index,
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
        }
    }
}

/// Packets and time go in, packets and events come out.
pub(super) struct Viewer {
    transport: Transport,
    video: Option<Track>,
    audio: Option<Track>,
    clock: NtpClock,
    loss: Loss,
    quality: Quality,
    report_due: Instant,
    /// Of [`EARLY_REPORTS`], those to come.
    early_reports: u8,
    /// Packets to send again: the room's number and the viewer's.
    missing: Vec<(u64, u64)>,
    credit: u32,
    refilled: Instant,
}

impl Viewer {
    pub(super) fn new(
        transport: Transport,
        codecs: &ViewerCodecs,
        clock: NtpClock,
        now: Instant,
    ) -> Self {
        let track = |ssrc, payload_type, clock| Track {
            ssrc,
            payload_type,
            clock,
            numbering: Numbering::default(),
            packets: 0,
            octets: 0,
            rtx: None,
            takes_pairs: false,
        };
        let video = codecs.h264.as_ref().map(|h264| Track {
            rtx: h264.rtx.map(|payload_type| Rtx {
                payload_type,
                next: 0,
            }),
            ..track(VIDEO_SSRC, h264.payload_type, VIDEO_CLOCK)
        });
        let audio = codecs.opus.as_ref();
        let audio = audio.map(|opus| Track {
            takes_pairs: opus.takes_pairs(),
            ..track(AUDIO_SSRC, opus.payload_type, AUDIO_CLOCK)
        });
        Self {
            transport,
            video,
            audio,
            clock,
            loss: Loss::default(),
            quality: Quality::default(),
            report_due: now,
            early_reports: EARLY_REPORTS,
            missing: Vec::new(),
            credit: RETRANSMISSIONS,
            refilled: now,
        }
    }

    /// Takes a datagram; tells each event.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        mut tell: impl FnMut(Event),
    ) {
        match self.transport.handle(now, path, datagram) {
            Some(transport::Event::Connected) => tell(Event::Connected),
            Some(transport::Event::Ended(why)) => tell(Event::Ended(why)),
            Some(transport::Event::Rtcp(compound)) => self.read(now, &compound, tell),
            None => {}
        }
    }

    /// Takes a decrypted compound RTCP packet; tells each event.
    pub(super) fn read(&mut self, now: Instant, compound: &[u8], mut tell: impl FnMut(Event)) {
        rtcp::read(compound, |feedback| self.hear(now, &feedback, &mut tell));
    }

    /// Appends what the viewer's path carries of the next burst. None is written twice: what is held back
    /// decides what can be decoded after it.
    ///
    /// # Errors
    /// When the keys are worn out; the viewer has to come again.
    pub(super) fn write(&mut self, burst: &Burst, batch: &mut Batch) -> Result<()> {
        for unit in &burst.units {
            if self.quality.takes(unit.kind, unit.random_access) {
                self.write_unit(unit, 0..unit.payloads.len(), batch)?;
            }
        }
        Ok(())
    }

    /// Appends these packets of a burst, whatever its path carries.
    ///
    /// # Errors
    /// See [`Viewer::write`].
    pub(super) fn write_part(
        &mut self,
        burst: &Burst,
        packets: Range<usize>,
        batch: &mut Batch,
    ) -> Result<()> {
        let mut before = 0;
        for unit in &burst.units {
            let count = unit.payloads.len();
            let place = |packet: usize| packet.saturating_sub(before).min(count);
            self.write_unit(unit, place(packets.start)..place(packets.end), batch)?;
            before += count;
        }
        Ok(())
    }

    fn write_unit(
        &mut self,
        unit: &RtpUnit,
        packets: Range<usize>,
        batch: &mut Batch,
    ) -> Result<()> {
        let track = match unit.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let (Some(track), Some(srtp)) = (track, self.transport.srtp()) else {
            return Ok(());
        };
        if packets.is_empty() || (unit.is_pair && !track.takes_pairs) {
            return Ok(());
        }
        let first = unit.first + packets.start as u64;
        let index = track.numbering.place(first, packets.len() as u64);
        for (index, packet) in (index..).zip(packets.map_while(|place| unit.packet(place))) {
            track
                .header(index, &packet)
                .write(&[packet.payload], srtp, batch)?;
            track.packets = track.packets.wrapping_add(1);
            #[expect(clippy::cast_possible_truncation, reason = "payloads fit a datagram")]
            let octets = (packet.payload.len() - packet.padding) as u32;
            track.octets = track.octets.wrapping_add(octets);
        }
        Ok(())
    }

    /// Appends what the viewer misses and the room still has; says how many packets.
    pub(super) fn retransmit(&mut self, history: &History, batch: &mut Batch) -> usize {
        let (Some(track), Some(srtp)) = (&mut self.video, self.transport.srtp()) else {
            return 0;
        };
        let mut count = 0;
        for (number, index) in self.missing.drain(..) {
            let Some(packet) = history.find(number) else {
                continue;
            };
            let written = match &mut track.rtx {
                Some(rtx) => {
                    let header = Header {
                        payload_type: rtx.payload_type,
                        marker: packet.marker,
                        is_padded: false,
                        index: rtx.next,
                        timestamp: packet.timestamp,
                        ssrc: RTX_SSRC,
                    };
                    rtx.next += 1;
                    // RFC 4588 section 4: the number it had, then what it was.
                    let [.., high, low] = index.to_be_bytes();
                    let payload = &packet.payload[..packet.payload.len() - packet.padding];
                    header.write(&[&[high, low], payload], srtp, batch)
                }
                // The same packet once more: the same bytes, so no nonce is used for two.
                None => track
                    .header(index, &packet)
                    .write(&[packet.payload], srtp, batch),
            };
            count += usize::from(written.is_ok());
        }
        count
    }

    /// A sender report for each track, once they are due. `at` is the stage's time now.
    pub(super) fn report(&mut self, now: Instant, at: MediaTime) -> Option<Bytes> {
        if now < self.report_due {
            return None;
        }
        let srtp = self.transport.srtp()?;
        let mut compound = Vec::with_capacity(96);
        let tracks = [&self.video, &self.audio].into_iter().flatten();
        for track in tracks.filter(|track| track.packets > 0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let timestamp = at.to_ticks(track.clock) as u32; // modulo 2^32
            let report = SenderReport {
                ssrc: track.ssrc,
                ntp: self.clock.ntp(now),
                timestamp,
                packets: track.packets,
                octets: track.octets,
            };
            report.write(CNAME, &mut compound);
        }
        if compound.is_empty() {
            return None;
        }
        self.report_due = now
            + match self.early_reports {
                0 => REPORT_INTERVAL,
                _ => EARLY_INTERVAL,
            };
        self.early_reports = self.early_reports.saturating_sub(1);
        srtp.protect_rtcp(&compound).ok().map(Into::into)
    }

    /// Whether it takes two sounds in one packet.
    pub(super) fn takes_pairs(&self) -> bool {
        self.audio.as_ref().is_none_or(|track| track.takes_pairs)
    }

    /// Whether it is sent the picture.
    pub(super) const fn has_video(&self) -> bool {
        self.video.is_some()
    }

    /// Whether it can show nothing new without a keyframe, and it is time to say so.
    pub(super) fn wants_keyframe(&mut self, now: Instant) -> bool {
        self.quality.wants_keyframe(now)
    }

    /// Whether there is something to [`Viewer::retransmit`].
    pub(super) fn misses(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Where media goes.
    pub(super) const fn path(&self) -> Option<Path> {
        self.transport.path()
    }

    /// See [`Transport::poll_transmit`].
    pub(super) fn poll_transmit(&mut self) -> Option<(Path, Bytes)> {
        self.transport.poll_transmit()
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        if now < self.transport.timeout() {
            return None;
        }
        match self.transport.handle_timeout(now) {
            Some(transport::Event::Ended(why)) => Some(Event::Ended(why)),
            _ => None,
        }
    }

    /// See [`Transport::forget`].
    pub(super) fn forget(&mut self, path: Path) {
        self.transport.forget(path);
    }

    /// See [`Transport::close`].
    pub(super) fn close(&mut self, now: Instant) {
        self.transport.close(now);
    }

    fn hear(&mut self, now: Instant, feedback: &Feedback, tell: &mut impl FnMut(Event)) {
        match *feedback {
            Feedback::Report {
                ssrc,
                lost,
                newest,
                last_report,
                delay,
            } => {
                let track = self.video.as_ref().or(self.audio.as_ref());
                if track.is_none_or(|track| track.ssrc != ssrc) {
                    return;
                }
                let Some(lost) = self.loss.report(now, newest, lost) else {
                    return;
                };
                let round_trip = rtcp::round_trip(self.clock.ntp(now), last_report, delay);
                tell(Event::Reported(Report { lost, round_trip }));
                if self.quality.report(now, lost) == Diet::Nothing {
                    tell(Event::Hopeless);
                }
            }
            Feedback::Missing {
                ssrc,
                first,
                following,
            } => {
                let Some(track) = self.video.as_ref().filter(|track| track.ssrc == ssrc) else {
                    return;
                };
                if now.saturating_duration_since(self.refilled) >= REFILL {
                    (self.credit, self.refilled) = (RETRANSMISSIONS, now);
                }
                let others = (0..16).filter(|bit| following >> bit & 1 == 1);
                let sequences = others.map(|bit| first.wrapping_add(bit + 1));
                for sequence in std::iter::once(first).chain(sequences) {
                    let Some(found) = track.numbering.find(sequence) else {
                        continue;
                    };
                    if self.credit == 0 {
                        break;
                    }
                    self.credit -= 1;
                    self.missing.push(found);
                }
            }
            Feedback::NeedsKeyframe => tell(Event::NeedsKeyframe),
        }
    }
}

/// What varies in the headers we send (RFC 3550 section 5.1).
struct Header {
    payload_type: u8,
    marker: bool,
    is_padded: bool,
    /// Sequence number and rollovers.
    index: u64,
    timestamp: u32,
    ssrc: u32,
}

impl Header {
    fn write(&self, payload: &[&[u8]], srtp: &mut Srtp, batch: &mut Batch) -> Result<()> {
        let [_, _, r0, r1, r2, r3, high, low] = self.index.to_be_bytes();
        batch.push(|bytes, start| {
            let mut header = [0; RTP_HEADER];
            let first = VERSION | if self.is_padded { PADDING } else { 0 };
            let second = self.payload_type | if self.marker { MARKER } else { 0 };
            header[..4].copy_from_slice(&[first, second, high, low]);
            header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
            header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
            bytes.extend_from_slice(&header);
            for part in payload {
                bytes.extend_from_slice(part);
            }
            srtp.protect(bytes, start, u32::from_be_bytes([r0, r1, r2, r3]))
        })
    }
}
