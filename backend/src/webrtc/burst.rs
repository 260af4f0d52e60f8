//! What viewers are sent in one go: access units as RTP, a picture together with the sound before it.
//!
//! For a packet of sound alone a viewer costs the kernel half of what it costs for a whole picture. So while
//! pictures come, a sound waits for the next one and leaves in the same call, unless another sound comes
//! first: it is never later than one packet of sound is long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::codecs::{AUDIO_CLOCK, VIDEO_CLOCK};
use super::packetizer::payloads;
use crate::media::access_unit::{AccessUnit, TrackKind};
use crate::media::fanout::Unit;
use crate::media::time::MediaTime;

/// With pictures further apart than this a sound does not wait for one.
const PICTURES_FLOW: Duration = Duration::from_millis(100);
/// Padding that spares a call; the fragments of a picture differ by fewer bytes than there are fragments.
const MAX_PADDING: usize = 64;

/// An access unit as RTP: the same bytes for every viewer, whatever its payload types.
#[derive(Debug)]
pub(super) struct RtpUnit {
    pub(super) kind: TrackKind,
    /// The first packet's number: packets are counted track by track.
    pub(super) first: u64,
    /// RTP timestamp in ticks of the track's clock.
    pub(super) timestamp: u32,
    pub(super) payloads: Vec<Bytes>,
    /// Bytes at the last payload's end that are only padding (RFC 3550 section 5.1).
    padding: u8,
    pub(super) random_access: bool,
}

impl RtpUnit {
    pub(super) fn new(unit: &AccessUnit, first: u64) -> Self {
        let kind = unit.format.kind();
        let rate = match kind {
            TrackKind::Video => VIDEO_CLOCK,
            TrackKind::Audio => AUDIO_CLOCK,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let timestamp = unit.pts.to_ticks(rate) as u32; // modulo 2^32 (RFC 3550 section 5.1)
        Self {
            kind,
            first,
            timestamp,
            payloads: payloads(unit),
            padding: 0,
            random_access: unit.random_access,
        }
    }

    /// Its packet at this place, from 0.
    pub(super) fn packet(&self, place: usize) -> Option<RtpPacket<'_>> {
        let payload = self.payloads.get(place)?;
        let is_last = place + 1 == self.payloads.len();
        Some(RtpPacket {
            marker: is_last && self.kind == TrackKind::Video,
            timestamp: self.timestamp,
            payload,
            padding: if is_last { self.padding.into() } else { 0 },
        })
    }

    /// Number of the packet behind the last.
    pub(super) fn end(&self) -> u64 {
        self.first + self.payloads.len() as u64
    }

    fn last_length(&self) -> usize {
        self.payloads.last().map_or(0, Bytes::len)
    }

    /// Pads the last packet up to the one before it. The kernel cuts what it is handed in one call into
    /// packets of one size, and only what is shorter may come behind them.
    pub(super) fn even_out(&mut self) {
        let [.., before, last] = &mut self.payloads[..] else {
            return;
        };
        let padding = before.len().saturating_sub(last.len());
        if padding == 0 || padding > MAX_PADDING {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "MAX_PADDING fits")]
        let count = padding as u8;
        let mut padded = BytesMut::with_capacity(before.len());
        padded.put_slice(last);
        padded.put_bytes(0, padding - 1);
        padded.put_u8(count);
        (*last, self.padding) = (padded.freeze(), count);
    }
}

/// One packet of an access unit, but for what each viewer has of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct RtpPacket<'a> {
    /// It is the last of a picture.
    pub(super) marker: bool,
    pub(super) timestamp: u32,
    pub(super) payload: &'a [u8],
    /// Bytes at the payload's end that are only padding.
    pub(super) padding: usize,
}

/// Units that leave together, in this order.
#[derive(Debug)]
pub(super) struct Burst {
    /// Counts the feed's bursts, from 1.
    pub(super) number: u64,
    /// When it was made.
    pub(super) made: Instant,
    pub(super) units: Vec<RtpUnit>,
    time: MediaTime,
    random_access: bool,
    size: usize,
}

impl Burst {
    /// A burst that is made `now` of these units. Viewers can start in it where they can in `main`.
    pub(super) fn new(now: Instant, number: u64, units: Vec<RtpUnit>, main: &AccessUnit) -> Self {
        let payloads = units.iter().flat_map(|unit| &unit.payloads);
        Self {
            number,
            made: now,
            time: main.dts,
            random_access: main.random_access,
            size: payloads.map(Bytes::len).sum(),
            units,
        }
    }

    /// Packets of all its units.
    pub(super) fn packets(&self) -> usize {
        self.units.iter().map(|unit| unit.payloads.len()).sum()
    }

    /// Its picture, if there is one.
    pub(super) fn picture(&self) -> Option<&RtpUnit> {
        let mut units = self.units.iter();
        units.find(|unit| unit.kind == TrackKind::Video)
    }
}

impl Unit for Burst {
    fn random_access(&self) -> bool {
        self.random_access
    }

    fn time(&self) -> MediaTime {
        self.time
    }

    fn size(&self) -> usize {
        self.size
    }
}

/// Access units go in, bursts come out.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    made: u64,
    /// Numbers of the next packets.
    next_video: u64,
    next_audio: u64,
    /// Sound that waits for a picture.
    waiting: Option<Arc<AccessUnit>>,
    /// When the newest picture is decoded.
    picture: Option<MediaTime>,
}

impl Bursts {
    /// Takes a unit; tells each burst that is complete.
    pub(super) fn push(
        &mut self,
        now: Instant,
        unit: &Arc<AccessUnit>,
        mut send: impl FnMut(Burst),
    ) {
        let waiting = self.waiting.take();
        match unit.format.kind() {
            TrackKind::Video => {
                self.picture = Some(unit.dts);
                send(self.burst(now, unit, waiting.as_deref()));
            }
            TrackKind::Audio => {
                if let Some(sound) = waiting {
                    send(self.burst(now, &sound, None));
                }
                if self.expects_picture(unit.dts) {
                    self.waiting = Some(Arc::clone(unit));
                } else {
                    send(self.burst(now, unit, None));
                }
            }
        }
    }

    fn expects_picture(&self, at: MediaTime) -> bool {
        self.picture
            .is_some_and(|picture| at.since(picture).max(picture.since(at)) < PICTURES_FLOW)
    }

    /// A burst of this unit and the sound that leaves with it.
    fn burst(&mut self, now: Instant, unit: &AccessUnit, sound: Option<&AccessUnit>) -> Burst {
        self.made += 1;
        let mut first = self.packetize(unit);
        let units = match sound.map(|sound| self.packetize(sound)) {
            // The kernel takes both in one call if what comes later is not longer.
            Some(sound) if sound.last_length() > first.last_length() => vec![sound, first],
            Some(sound) => {
                first.even_out();
                vec![first, sound]
            }
            None => vec![first],
        };
        Burst::new(now, self.made, units, unit)
    }

    fn packetize(&mut self, unit: &AccessUnit) -> RtpUnit {
        let next = match unit.format.kind() {
            TrackKind::Video => &mut self.next_video,
            TrackKind::Audio => &mut self.next_audio,
        };
        let unit = RtpUnit::new(unit, *next);
        *next = unit.end();
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::access_unit::{AudioFormat, Epoch, Format};
    use crate::media::h264::put_nal;
    use crate::webrtc::engine::probe::access_unit;

    fn sound(at_ms: i64, size: usize) -> Arc<AccessUnit> {
        let at = MediaTime::from_micros(at_ms * 1_000);
        Arc::new(AccessUnit {
            epoch: Epoch(1),
            format: Format::Audio(AudioFormat::Opus { channels: 2 }),
            dts: at,
            pts: at,
            random_access: false,
            data: vec![7; size].into(),
        })
    }

    fn picture(at_ms: i64, size: usize) -> Arc<AccessUnit> {
        let mut data = BytesMut::new();
        put_nal(&mut data, &vec![0x41; size]);
        let at = MediaTime::from_micros(at_ms * 1_000);
        Arc::new(access_unit(data, at, false))
    }

    fn bursts(units: &[Arc<AccessUnit>]) -> Vec<Burst> {
        let (mut bursts, mut sent) = (Bursts::default(), Vec::new());
        for unit in units {
            bursts.push(Instant::now(), unit, |burst| sent.push(burst));
        }
        sent
    }

    /// Tracks of the units in each burst, and the number of each one's first packet.
    fn shapes(units: &[Arc<AccessUnit>]) -> Vec<String> {
        let name = |unit: &RtpUnit| match unit.kind {
            TrackKind::Video => format!("video {}", unit.first),
            TrackKind::Audio => format!("audio {}", unit.first),
        };
        let names = |burst: &Burst| burst.units.iter().map(name).collect::<Vec<_>>().join(", ");
        bursts(units).iter().map(names).collect()
    }

    #[test]
    fn a_sound_leaves_with_the_next_picture() {
        let units = [picture(0, 3_000), sound(20, 100), picture(33, 3_000)];
        assert_eq!(shapes(&units), ["video 0", "video 3, audio 0"]);
    }

    #[test]
    fn a_sound_waits_no_longer_than_until_the_next_sound() {
        let units = [
            picture(0, 900),
            sound(10, 100),
            sound(30, 100),
            sound(50, 100),
        ];
        assert_eq!(shapes(&units), ["video 0", "audio 0", "audio 1"]);
    }

    #[test]
    fn where_no_pictures_come_a_sound_does_not_wait() {
        assert_eq!(
            shapes(&[sound(0, 100), sound(20, 100)]),
            ["audio 0", "audio 1"]
        );
        let frozen = [picture(0, 900), sound(99, 100), sound(119, 100)];
        assert_eq!(shapes(&frozen), ["video 0", "audio 0", "audio 1"]);
    }

    #[test]
    fn a_sound_that_is_longer_than_the_picture_goes_first() {
        let units = [picture(0, 900), sound(20, 100), picture(33, 50)];
        assert_eq!(shapes(&units), ["video 0", "audio 0, video 1"]);
    }

    #[test]
    fn one_call_is_enough_for_both() {
        let units = [picture(0, 900), sound(20, 100), picture(33, 8_001)];
        let sent = bursts(&units);
        let lengths = sent[1].units.iter().flat_map(|unit| &unit.payloads);
        let lengths: Vec<_> = lengths.map(Bytes::len).collect();
        let (sound, fragments) = lengths.split_last().unwrap();
        assert!(
            fragments
                .iter()
                .all(|&length| length == fragments[0] && length > *sound)
        );
    }

    #[test]
    fn bursts_are_numbered_and_begin_where_their_picture_does() {
        let mut keyframe = picture(33, 900);
        Arc::get_mut(&mut keyframe).unwrap().random_access = true;
        let mut first = sound(20, 100);
        Arc::get_mut(&mut first).unwrap().random_access = true;
        let sent = bursts(&[
            picture(0, 900),
            first,
            picture(33, 900),
            sound(40, 9),
            keyframe,
        ]);
        let numbers: Vec<_> = sent.iter().map(|burst| burst.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let starts: Vec<_> = sent.iter().map(Unit::random_access).collect();
        assert_eq!(starts, [false, false, true]);
    }
}
