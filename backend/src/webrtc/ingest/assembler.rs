//! From a publisher's RTP to units for the stage: reordering, depacketising, placing on one timeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::h264::{Depacketizer, Picture};
use super::reorder::{Ordered, ReorderBuffer};
use super::tap::RtpPacket;
use crate::media::access_unit::{AudioFormat, Format, TrackKind};
use crate::media::h264::VideoFormat;
use crate::media::stage::{NewUnit, Tracks};
use crate::media::time::MediaTime;
use crate::media::timeline::Timeline;
use crate::webrtc::burst::PICTURES_FLOW;
use crate::webrtc::codecs::{AUDIO_CLOCK, VIDEO_CLOCK};

/// How long sound waits for the first picture. If none has come by then the broadcast starts without.
const PICTURE_PATIENCE: Duration = Duration::from_secs(5);

/// How long sound is taken as it comes, so that it can be placed by when it does until the sender has said where
/// it belongs.
const SETTLED: Duration = Duration::from_secs(5);

/// WebRTC's Opus is always announced as stereo (RFC 7587 section 7); each packet says what it is.
pub(super) const OPUS: AudioFormat = AudioFormat::Opus { channels: 2 };

/// What comes out.
#[derive(Debug)]
pub(super) enum Output {
    /// The broadcast begins with these tracks; times count from its beginning.
    Start(Tracks),
    /// The next unit.
    Unit(NewUnit),
    /// Pictures cannot be decoded until a keyframe comes: ask for one.
    NeedKeyframe,
}

/// The publisher's side of a WHIP session, without sockets and clocks: packets and time go in, units come
/// out of [`poll`](Self::poll).
#[derive(Debug)]
pub(super) struct Assembler {
    promised: Tracks,
    timeline: Timeline,
    video: ReorderBuffer<(RtpPacket, MediaTime)>,
    audio: ReorderBuffer<(RtpPacket, MediaTime)>,
    depacketizer: Depacketizer,
    format: Option<Arc<VideoFormat>>,
    /// Pictures are dropped until the next keyframe.
    await_keyframe: bool,
    first_packet: Option<MediaTime>,
    first_sound: Option<MediaTime>,
    /// Arrival of the newest that was whole.
    newest_picture: Option<MediaTime>,
    started: Option<Started>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug)]
struct Started {
    at: MediaTime,
    tracks: Tracks,
}

impl Assembler {
    /// For a publisher that is going to send `promised`.
    pub(super) fn new(promised: Tracks) -> Self {
        Self {
            promised,
            timeline: Timeline::new(VIDEO_CLOCK, AUDIO_CLOCK),
            video: ReorderBuffer::default(),
            audio: ReorderBuffer::default(),
            depacketizer: Depacketizer::default(),
            format: None,
            await_keyframe: true,
            first_packet: None,
            first_sound: None,
            newest_picture: None,
            started: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in a packet that arrived at `now`.
    pub(super) fn push(&mut self, kind: TrackKind, packet: RtpPacket, now: MediaTime) {
        self.first_packet.get_or_insert(now);
        let buffer = match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        buffer.push(packet.sequence, (packet, now));
    }

    /// Takes in a sender report (RFC 3550 section 6.4.1).
    pub(super) fn sender_report(&mut self, kind: TrackKind, ntp: u64, rtp: u32, packets: u32) {
        self.timeline.sender_report(kind, ntp, rtp, packets);
    }

    /// What there is to do at `now`; to be called until it says `None`.
    pub(super) fn poll(&mut self, now: MediaTime) -> Option<Output> {
        if self.outputs.is_empty() {
            self.advance(now);
        }
        self.outputs.pop_front()
    }

    /// Whether sound may arrive with the picture after it.
    pub(super) fn sound_may_wait(&self, now: MediaTime) -> bool {
        let is_settled = |first| now.since(first) >= SETTLED;
        let is_fresh = |newest| now.since(newest) < PICTURES_FLOW;
        self.first_sound.is_some_and(is_settled) && self.newest_picture.is_some_and(is_fresh)
    }

    /// When to [`poll`](Self::poll) again even if nothing arrives.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        [self.video.deadline(), self.audio.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn advance(&mut self, now: MediaTime) {
        while let Some(ordered) = self.video.pop(now) {
            match ordered {
                Ordered::Packet((packet, arrival)) => self.take_video(&packet, arrival),
                Ordered::Gap => self.depacketizer.gap(),
            }
        }
        if self.started.is_none() && self.is_sound_enough(now) {
            self.start(
                now,
                Tracks {
                    video: false,
                    ..self.promised
                },
            );
        }
        while let Some(ordered) = self.audio.pop(now) {
            if let Ordered::Packet((packet, arrival)) = ordered {
                self.take_audio(packet, arrival);
            }
        }
    }

    /// Whether the broadcast may begin with sound alone.
    fn is_sound_enough(&self, now: MediaTime) -> bool {
        let waited = self.first_packet.map(|first| now.since(first));
        waited.is_some_and(|waited| !self.promised.video || waited >= PICTURE_PATIENCE)
    }

    fn start(&mut self, at: MediaTime, tracks: Tracks) {
        self.started = Some(Started { at, tracks });
        self.outputs.push_back(Output::Start(tracks));
    }

    fn take_video(&mut self, packet: &RtpPacket, arrival: MediaTime) {
        match self
            .depacketizer
            .push(packet.timestamp, packet.marker, &packet.payload)
        {
            Ok(Some(picture)) => self.take_picture(picture, arrival),
            Ok(None) => {}
            Err(_) => {
                self.await_keyframe = true;
                self.outputs.push_back(Output::NeedKeyframe);
            }
        }
    }

    fn take_picture(&mut self, picture: Picture, arrival: MediaTime) {
        let at = self
            .timeline
            .place(TrackKind::Video, picture.timestamp, arrival);
        self.newest_picture = Some(arrival);
        self.learn_format(&picture);
        // A keyframe is of use only with its parameter sets.
        let Some(format) = self
            .format
            .clone()
            .filter(|_| picture.idr || !self.await_keyframe)
        else {
            self.outputs.push_back(Output::NeedKeyframe);
            return;
        };
        self.await_keyframe = false;
        if self.started.is_none_or(|started| !started.tracks.video) {
            self.start(at, self.promised);
        }
        self.write(at, Format::Video(format), picture.idr, picture.data);
    }

    fn take_audio(&mut self, packet: RtpPacket, arrival: MediaTime) {
        self.first_sound.get_or_insert(arrival);
        let at = self
            .timeline
            .place(TrackKind::Audio, packet.timestamp, arrival);
        // Opus's packets of no length are padding (RFC 7587 section 4.2 sends none).
        if !packet.payload.is_empty() {
            self.write(at, Format::Audio(OPUS), false, packet.payload);
        }
    }

    /// Appends a unit, if the broadcast has begun; what came before is dropped.
    fn write(&mut self, at: MediaTime, format: Format, keyframe: bool, data: Bytes) {
        if let Some(started) = self.started {
            let time = at - started.at;
            let unit = NewUnit {
                format,
                dts: time,
                pts: time,
                keyframe,
                data,
            };
            self.outputs.push_back(Output::Unit(unit));
        }
    }

    /// Takes in the parameter sets that came with a picture.
    fn learn_format(&mut self, picture: &Picture) {
        match VideoFormat::after(self.format.as_deref(), &picture.sets) {
            Ok(None) => {}
            Ok(Some(format)) => self.format = Some(Arc::new(format)),
            Err(error) => {
                tracing::debug!(%error, "a publisher's parameter sets");
                self.format = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};

    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };

    const fn ms(ms: i64) -> MediaTime {
        MediaTime::from_micros(ms * 1_000)
    }

    /// A publisher whose packets arrive the moment they are sent.
    struct Publisher {
        assembler: Assembler,
        sequence: u16,
        audio_sequence: u16,
    }

    impl Publisher {
        fn new(promised: Tracks) -> Self {
            Self {
                assembler: Assembler::new(promised),
                sequence: 0,
                audio_sequence: 0,
            }
        }

        fn video(&mut self, at_ms: i64, marker: bool, payload: &[u8]) {
            self.sequence += 1;
            let packet = RtpPacket {
                sequence: self.sequence,
                timestamp: u32::try_from(at_ms * 90).unwrap(),
                marker,
                payload: Bytes::copy_from_slice(payload),
            };
            self.assembler.push(TrackKind::Video, packet, ms(at_ms));
        }

        fn keyframe(&mut self, at_ms: i64, sps: &[u8]) {
            let length = |nal: &[u8]| u16::try_from(nal.len()).unwrap().to_be_bytes();
            let parameter_sets = [&[0x78], &length(sps)[..], sps, &length(PPS), PPS].concat();
            self.video(at_ms, false, &parameter_sets);
            self.video(at_ms, true, &[0x65, 1]);
        }

        fn picture(&mut self, at_ms: i64) {
            self.video(at_ms, true, &[0x41, 1]);
        }

        fn sound(&mut self, at_ms: i64) {
            self.audio_sequence += 1;
            let packet = RtpPacket {
                sequence: self.audio_sequence,
                timestamp: u32::try_from(at_ms * 48).unwrap(),
                marker: false,
                payload: Bytes::from_static(b"opus"),
            };
            self.assembler.push(TrackKind::Audio, packet, ms(at_ms));
        }

        /// Everything that comes out by `now`, in short.
        fn outputs(&mut self, at_ms: i64) -> Vec<String> {
            std::iter::from_fn(|| self.assembler.poll(ms(at_ms)))
                .map(|output| match output {
                    Output::Start(tracks) => {
                        format!("start {}{}", u8::from(tracks.video), u8::from(tracks.audio))
                    }
                    Output::NeedKeyframe => "need keyframe".to_owned(),
                    Output::Unit(unit) => {
                        let kind = match (unit.format.kind(), unit.keyframe) {
                            (TrackKind::Video, true) => "keyframe",
                            (TrackKind::Video, false) => "picture",
                            (TrackKind::Audio, _) => "sound",
                        };
                        format!("{kind} {}", unit.dts.as_micros() / 1_000)
                    }
                })
                .collect()
        }
    }

    #[test]
    fn a_broadcast_begins_with_a_keyframe() {
        let mut publisher = Publisher::new(BOTH);
        publisher.sound(0);
        publisher.picture(0);
        assert_eq!(publisher.outputs(0), ["need keyframe"]);
        publisher.keyframe(40, SPS_BASELINE);
        publisher.sound(40);
        assert_eq!(publisher.outputs(40), ["start 11", "keyframe 0", "sound 0"]);
        publisher.picture(80);
        assert_eq!(publisher.outputs(80), ["picture 40"]);
    }

    #[test]
    fn sound_alone_begins_at_once() {
        let mut publisher = Publisher::new(Tracks {
            video: false,
            audio: true,
        });
        publisher.sound(0);
        assert_eq!(publisher.outputs(0), ["start 01", "sound 0"]);
    }

    #[test]
    fn a_picture_that_never_comes_does_not_hold_up_the_sound_for_ever() {
        let mut publisher = Publisher::new(BOTH);
        publisher.sound(0);
        assert!(publisher.outputs(0).is_empty());
        publisher.sound(5_000);
        assert_eq!(publisher.outputs(5_000), ["start 01", "sound 0"]);
        publisher.keyframe(6_000, SPS_BASELINE);
        assert_eq!(publisher.outputs(6_000), ["start 11", "keyframe 0"]);
    }

    #[test]
    fn after_loss_pictures_are_dropped_until_a_keyframe() {
        let mut publisher = Publisher::new(BOTH);
        publisher.keyframe(0, SPS_BASELINE);
        assert_eq!(publisher.outputs(0), ["start 11", "keyframe 0"]);
        publisher.sequence += 1;
        publisher.picture(40);
        assert!(
            publisher.outputs(40).is_empty(),
            "the gap may still be filled"
        );
        publisher.picture(440);
        assert_eq!(publisher.outputs(440), ["need keyframe", "need keyframe"]);
        publisher.keyframe(480, SPS_BASELINE);
        assert_eq!(publisher.outputs(480), ["keyframe 480"]);
    }

    #[test]
    fn a_new_resolution_is_a_new_format() {
        let mut publisher = Publisher::new(BOTH);
        publisher.keyframe(0, SPS_BASELINE);
        publisher.keyframe(40, SPS_HIGH_720P);
        let mut widths = Vec::new();
        while let Some(output) = publisher.assembler.poll(ms(40)) {
            if let Output::Unit(NewUnit {
                format: Format::Video(video),
                ..
            }) = output
            {
                widths.push(video.width);
            }
        }
        assert_eq!(widths.len(), 2);
        assert_ne!(widths[0], 1280);
        assert_eq!(widths[1], 1280);
    }

    #[test]
    fn a_keyframe_without_parameter_sets_is_of_no_use() {
        let mut publisher = Publisher::new(BOTH);
        publisher.video(0, true, &[0x65, 1]);
        assert_eq!(publisher.outputs(0), ["need keyframe"]);
        publisher.keyframe(40, &SPS_BASELINE[..5]);
        assert_eq!(publisher.outputs(40), ["need keyframe"]);
    }

    #[test]
    fn sound_may_wait_once_it_has_its_place_and_while_pictures_come() {
        let mut publisher = Publisher::new(BOTH);
        publisher.keyframe(0, SPS_BASELINE);
        publisher.sound(0);
        publisher.outputs(0);
        assert!(!publisher.assembler.sound_may_wait(ms(0)));
        publisher.picture(5_000);
        publisher.outputs(5_000);
        assert!(publisher.assembler.sound_may_wait(ms(5_033)));
        publisher.sound(5_200);
        publisher.outputs(5_200);
        assert!(!publisher.assembler.sound_may_wait(ms(5_200)));
    }

    #[test]
    fn sound_that_comes_later_is_given_its_place_first() {
        let mut publisher = Publisher::new(BOTH);
        publisher.keyframe(0, SPS_BASELINE);
        publisher.outputs(0);
        publisher.picture(20_000);
        publisher.sound(20_000);
        publisher.outputs(20_000);
        assert!(!publisher.assembler.sound_may_wait(ms(20_000)));
    }
}
