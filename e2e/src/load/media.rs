//! What the synthetic publisher sends: pictures and sound of the right size at the right time, whose
//! content is noise.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::opus::OpusPayloader;
use rtc::rtp::packetizer::{Packetizer, Payloader, new_packetizer};
use rtc::rtp::sequence::new_random_sequencer;

/// H.264's RTP clock, in Hz (RFC 6184 section 8.2.1).
pub const VIDEO_CLOCK: u32 = 90_000;
/// Opus's RTP clock, in Hz (RFC 7587 section 4.1).
pub const AUDIO_CLOCK: u32 = 48_000;
/// Pictures a second.
pub const FRAME_RATE: u32 = 30;
/// Time between two Opus packets.
pub const SOUND_INTERVAL: Duration = Duration::from_millis(20);

/// Pictures from one keyframe to the next: 2 s.
pub(super) const KEYFRAME_INTERVAL: u32 = 2 * FRAME_RATE;
/// A keyframe is about eight times as large as the pictures after it, and together they are 2 Mbit/s.
pub(super) const KEYFRAME_BYTES: usize = 60_000;
pub(super) const PICTURE_BYTES: usize =
    (500_000 - KEYFRAME_BYTES) / (KEYFRAME_INTERVAL as usize - 1);
/// 64 kbit/s.
pub(super) const SOUND_BYTES: usize = 160;
/// Largest RTP packet.
const MTU: usize = 1_200;

/// Constrained baseline, level 3.1, 1280x720, output in decoding order.
pub(super) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a,
];
pub(super) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
/// NAL header and the beginning of the slice header, of an IDR picture and of one that refers to it.
pub(super) const IDR_SLICE: &[u8] = &[0x65, 0x88, 0x84];
pub(super) const SLICE: &[u8] = &[0x41, 0x9a, 0x02];
/// Opus: 20 ms of CELT, full band, stereo, one frame (RFC 6716 section 3.1).
const OPUS_TOC: u8 = 0xfc;

/// Where the packets of a track belong.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Synchronisation source.
    pub ssrc: u32,
    /// As negotiated.
    pub payload_type: u8,
}

/// Makes 30 pictures a second and 2 Mbit/s.
#[derive(Debug)]
pub struct Camera {
    packetizer: Box<dyn Packetizer>,
    /// Pictures since the last keyframe.
    age: u32,
}

impl Camera {
    /// Begins with a keyframe.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self {
            packetizer: packetizer(stream, Box::<H264Payloader>::default(), VIDEO_CLOCK),
            age: KEYFRAME_INTERVAL,
        }
    }

    /// Makes the next picture a keyframe.
    pub fn request_keyframe(&mut self) {
        self.age = KEYFRAME_INTERVAL;
    }

    /// The packets of the next picture.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn picture(&mut self) -> Result<Vec<rtc::rtp::Packet>> {
        let mut annex_b = BytesMut::with_capacity(KEYFRAME_BYTES + 64);
        if self.age >= KEYFRAME_INTERVAL {
            self.age = 0;
            put_nal(&mut annex_b, SPS, SPS.len());
            put_nal(&mut annex_b, PPS, PPS.len());
            put_nal(&mut annex_b, IDR_SLICE, KEYFRAME_BYTES);
        } else {
            put_nal(&mut annex_b, SLICE, PICTURE_BYTES);
        }
        self.age += 1;
        packets(
            &mut *self.packetizer,
            &annex_b.freeze(),
            VIDEO_CLOCK / FRAME_RATE,
        )
    }
}

/// Makes 50 packets a second and 64 kbit/s.
#[derive(Debug)]
pub struct Microphone {
    packetizer: Box<dyn Packetizer>,
    packet: Bytes,
}

impl Microphone {
    /// The microphone of this stream.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let mut packet = BytesMut::with_capacity(SOUND_BYTES);
        packet.put_u8(OPUS_TOC);
        packet.resize(SOUND_BYTES, 0x55);
        Self {
            packetizer: packetizer(stream, Box::new(OpusPayloader), AUDIO_CLOCK),
            packet: packet.freeze(),
        }
    }

    /// The packet of the next 20 ms.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn sound(&mut self) -> Result<Vec<rtc::rtp::Packet>> {
        packets(&mut *self.packetizer, &self.packet, AUDIO_CLOCK / 50)
    }
}

fn packetizer(stream: Stream, payloader: Box<dyn Payloader>, clock: u32) -> Box<dyn Packetizer> {
    Box::new(new_packetizer(
        Instant::now(),
        MTU,
        stream.payload_type,
        stream.ssrc,
        payloader,
        Box::new(new_random_sequencer()),
        clock,
    ))
}

fn packets(
    packetizer: &mut dyn Packetizer,
    unit: &Bytes,
    duration: u32,
) -> Result<Vec<rtc::rtp::Packet>> {
    Ok(packetizer.packetize(Instant::now(), unit, duration)?)
}

/// Appends a NAL unit behind a start code (ITU-T H.264 annex B), filled up to `length` with bytes that
/// never look like a start code.
fn put_nal(annex_b: &mut BytesMut, head: &[u8], length: usize) {
    annex_b.put_slice(&[0, 0, 0, 1]);
    annex_b.put_slice(head);
    annex_b.put_bytes(0xa5, length - head.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream {
        ssrc: 7,
        payload_type: 102,
    };
    const STAP_A: u8 = 24;

    fn pictures(camera: &mut Camera, count: u32) -> Vec<Vec<rtc::rtp::Packet>> {
        (0..count).map(|_| camera.picture().unwrap()).collect()
    }

    fn is_keyframe(picture: &[rtc::rtp::Packet]) -> bool {
        picture[0].payload[0] & 0x1f == STAP_A
    }

    #[test]
    fn a_keyframe_comes_every_two_seconds() {
        let pictures = pictures(&mut Camera::new(STREAM), 3 * KEYFRAME_INTERVAL);
        let keyframes: Vec<_> = (0..pictures.len())
            .filter(|&index| is_keyframe(&pictures[index]))
            .collect();
        assert_eq!(keyframes, [0, 60, 120]);
    }

    #[test]
    fn a_keyframe_comes_when_it_is_asked_for() {
        let mut camera = Camera::new(STREAM);
        pictures(&mut camera, 10);
        camera.request_keyframe();
        assert!(is_keyframe(&camera.picture().unwrap()));
        assert!(!is_keyframe(&camera.picture().unwrap()));
    }

    #[test]
    fn it_is_two_megabits_a_second() {
        let pictures = pictures(&mut Camera::new(STREAM), KEYFRAME_INTERVAL);
        let bytes: usize = pictures.iter().flatten().map(|p| p.payload.len()).sum();
        let bits_per_second = bytes * 8 / 2;
        assert!(
            (1_990_000..2_020_000).contains(&bits_per_second),
            "{bits_per_second}"
        );
    }

    #[test]
    fn each_picture_has_its_time_and_ends_with_the_marker() {
        let pictures = pictures(&mut Camera::new(STREAM), 2);
        let step = pictures[1][0]
            .header
            .timestamp
            .wrapping_sub(pictures[0][0].header.timestamp);
        assert_eq!(step, 3_000);
        for picture in pictures {
            let markers: Vec<_> = picture.iter().map(|packet| packet.header.marker).collect();
            let (last, others) = markers.split_last().unwrap();
            assert!(*last && !others.contains(&true));
        }
    }
}
