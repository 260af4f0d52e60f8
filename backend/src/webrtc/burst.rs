//! What viewers are sent in one go: access units as RTP, where many watch a picture together with the sound
//! before it.
//!
//! For a packet of sound alone a viewer costs the kernel half of what it costs for a whole picture. So where
//! many watch and pictures come, a sound waits for the next one and leaves in the same call, unless another
//! sound comes first: then both become one packet, if all viewers take that, or the first one leaves alone.
//! A sound is never later than the packet is long that it leaves in, 40 ms at most.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::codecs::{AUDIO_CLOCK, VIDEO_CLOCK};
use super::packetizer::{MAX_PAYLOAD, payloads};
use crate::media::access_unit::{AccessUnit, TrackKind};
use crate::media::fanout::Unit;
use crate::media::opus;
use crate::media::time::MediaTime;

/// With pictures further apart than this a sound does not wait for one.
pub(super) const PICTURES_FLOW: Duration = Duration::from_millis(100);
/// Padding that spares a call; the fragments of a picture differ by fewer bytes than there are fragments.
const MAX_PADDING: usize = 64;
/// What two sounds that become one packet may last together.
pub(super) const MAX_PAIR: Duration = Duration::from_millis(40);
/// How far apart the end of a sound and the beginning of the next may be for them to become one packet.
const SEAM: Duration = Duration::from_millis(1);

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
    /// Two sounds in one packet.
    pub(super) is_pair: bool,
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
            is_pair: false,
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

/// How sound leaves. Whoever waits for sound shows the picture later too, to have both at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sounds {
    /// As it comes.
    AtOnce,
    /// With the next picture.
    WithPictures,
    /// The same, and two that come before it in one packet.
    InPairs,
}

/// What waits for a picture.
#[derive(Debug)]
struct Sound {
    unit: Arc<AccessUnit>,
    is_pair: bool,
}

impl Sound {
    /// This sound and the next one in one packet.
    fn join(&self, next: &AccessUnit) -> Option<Self> {
        let first = &*self.unit;
        let duration = opus::frame_duration(&first.data)?;
        let end = first.dts + duration.into();
        let follows = end.since(next.dts).max(next.dts.since(end)) < SEAM;
        let is_alike = (first.epoch, &first.format) == (next.epoch, &next.format);
        if !follows || !is_alike || 2 * duration > MAX_PAIR {
            return None;
        }
        let data = opus::join(&first.data, &next.data).filter(|it| it.len() <= MAX_PAYLOAD)?;
        let unit = AccessUnit {
            epoch: first.epoch,
            format: first.format.clone(),
            dts: first.dts,
            pts: first.pts,
            random_access: first.random_access,
            data,
        };
        Some(Self {
            unit: Arc::new(unit),
            is_pair: true,
        })
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
    waiting: Option<Sound>,
    /// When the newest picture is decoded.
    picture: Option<MediaTime>,
}

impl Bursts {
    /// Takes a unit; tells each burst that is complete.
    pub(super) fn push(
        &mut self,
        now: Instant,
        unit: &Arc<AccessUnit>,
        sounds: Sounds,
        mut send: impl FnMut(Burst),
    ) {
        let waiting = self.waiting.take();
        if unit.format.kind() == TrackKind::Video {
            self.picture = Some(unit.dts);
            send(self.picture(now, unit, waiting));
            return;
        }
        let pair = waiting.as_ref().filter(|_| sounds == Sounds::InPairs);
        let sound = match pair.and_then(|first| first.join(unit)) {
            Some(pair) => pair,
            None => {
                if let Some(sound) = waiting {
                    send(self.sound(now, &sound));
                }
                Sound {
                    unit: Arc::clone(unit),
                    is_pair: false,
                }
            }
        };
        if sounds != Sounds::AtOnce && self.expects_picture(unit.dts) {
            self.waiting = Some(sound);
        } else {
            send(self.sound(now, &sound));
        }
    }

    fn expects_picture(&self, at: MediaTime) -> bool {
        self.picture
            .is_some_and(|picture| at.since(picture).max(picture.since(at)) < PICTURES_FLOW)
    }

    /// A burst of this picture and the sound that leaves with it.
    fn picture(&mut self, now: Instant, picture: &AccessUnit, sound: Option<Sound>) -> Burst {
        self.made += 1;
        let mut first = RtpUnit::new(picture, self.next_video);
        self.next_video = first.end();
        let units = match sound.map(|sound| self.packetize(&sound)) {
            // The kernel takes both in one call if what comes later is not longer.
            Some(sound) if sound.last_length() > first.last_length() => vec![sound, first],
            Some(sound) => {
                first.even_out();
                vec![first, sound]
            }
            None => vec![first],
        };
        Burst::new(now, self.made, units, picture)
    }

    /// A burst of sound alone.
    fn sound(&mut self, now: Instant, sound: &Sound) -> Burst {
        self.made += 1;
        let units = vec![self.packetize(sound)];
        Burst::new(now, self.made, units, &sound.unit)
    }

    fn packetize(&mut self, sound: &Sound) -> RtpUnit {
        let mut unit = RtpUnit::new(&sound.unit, self.next_audio);
        unit.is_pair = sound.is_pair;
        self.next_audio = unit.end();
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::access_unit::{AudioFormat, Epoch, Format};
    use crate::media::h264::put_nal;
    use crate::webrtc::engine::probe::access_unit;

    /// How an Opus packet with one frame begins.
    const STEREO_20_MS: u8 = 0xfc;

    fn sound(at_ms: i64, size: usize) -> Arc<AccessUnit> {
        let at = MediaTime::from_micros(at_ms * 1_000);
        Arc::new(AccessUnit {
            epoch: Epoch(1),
            format: Format::Audio(AudioFormat::Opus { channels: 2 }),
            dts: at,
            pts: at,
            random_access: false,
            data: vec![STEREO_20_MS; size].into(),
        })
    }

    fn picture(at_ms: i64, size: usize) -> Arc<AccessUnit> {
        let mut data = BytesMut::new();
        put_nal(&mut data, &vec![0x41; size]);
        let at = MediaTime::from_micros(at_ms * 1_000);
        Arc::new(access_unit(data, at, false))
    }

    fn bursts(units: &[Arc<AccessUnit>]) -> Vec<Burst> {
        made(units, Sounds::WithPictures)
    }

    fn made(units: &[Arc<AccessUnit>], sounds: Sounds) -> Vec<Burst> {
        let (mut bursts, mut sent) = (Bursts::default(), Vec::new());
        for unit in units {
            bursts.push(Instant::now(), unit, sounds, |burst| sent.push(burst));
        }
        sent
    }

    /// Tracks of the units in each burst, and the number of each one's first packet.
    fn shapes(units: &[Arc<AccessUnit>]) -> Vec<String> {
        named(&bursts(units))
    }

    /// The same where two sounds become one packet.
    fn shapes_with_pairs(units: &[Arc<AccessUnit>]) -> Vec<String> {
        named(&made(units, Sounds::InPairs))
    }

    fn named(bursts: &[Burst]) -> Vec<String> {
        let name = |unit: &RtpUnit| match (unit.kind, unit.is_pair) {
            (TrackKind::Video, _) => format!("video {}", unit.first),
            (TrackKind::Audio, false) => format!("audio {}", unit.first),
            (TrackKind::Audio, true) => format!("pair {}", unit.first),
        };
        let names = |burst: &Burst| burst.units.iter().map(name).collect::<Vec<_>>().join(", ");
        bursts.iter().map(names).collect()
    }

    #[test]
    fn where_few_watch_a_sound_does_not_wait() {
        let units = [picture(0, 900), sound(20, 100), picture(33, 900)];
        let shapes = named(&made(&units, Sounds::AtOnce));
        assert_eq!(shapes, ["video 0", "audio 0", "video 1"]);
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
    fn two_sounds_before_a_picture_become_one_packet() {
        let units = [
            picture(0, 900),
            sound(5, 100),
            sound(25, 100),
            picture(33, 900),
            sound(45, 100),
            picture(66, 900),
        ];
        let shapes = shapes_with_pairs(&units);
        assert_eq!(shapes, ["video 0", "video 1, pair 0", "video 2, audio 1"]);
        let pair = &made(&units, Sounds::InPairs)[1].units[1];
        assert_eq!(pair.timestamp, 5 * 48);
        assert_eq!(
            pair.payloads,
            [opus::join(&[STEREO_20_MS; 100], &[STEREO_20_MS; 100]).unwrap()]
        );
    }

    #[test]
    fn a_pair_waits_no_longer_than_until_the_next_sound() {
        let units = [
            picture(0, 900),
            sound(10, 100),
            sound(30, 100),
            sound(50, 100),
            picture(66, 900),
        ];
        let shapes = shapes_with_pairs(&units);
        assert_eq!(shapes, ["video 0", "pair 0", "video 1, audio 1"]);
    }

    /// These two sounds between two pictures leave in a packet each.
    fn assert_apart(first: Arc<AccessUnit>, second: Arc<AccessUnit>) {
        let units = [picture(0, 900), first, second, picture(60, 900)];
        let shapes = shapes_with_pairs(&units);
        assert_eq!(shapes, ["video 0", "audio 0", "video 1, audio 1"]);
    }

    #[test]
    fn only_sounds_that_follow_each_other_become_one_packet() {
        assert_apart(sound(5, 100), sound(27, 100));
        let mut of_another_broadcast = sound(25, 100);
        Arc::get_mut(&mut of_another_broadcast).unwrap().epoch = Epoch(2);
        assert_apart(sound(5, 100), of_another_broadcast);
    }

    #[test]
    fn two_sounds_that_last_too_long_together_stay_two() {
        const STEREO_40_MS: u8 = 0x54;
        let long = |at_ms| {
            let mut sound = sound(at_ms, 100);
            Arc::get_mut(&mut sound).unwrap().data = vec![STEREO_40_MS; 100].into();
            sound
        };
        assert_apart(long(5), long(45));
    }

    #[test]
    fn two_sounds_that_do_not_fit_one_packet_stay_two() {
        assert_apart(sound(5, 700), sound(25, 700));
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
