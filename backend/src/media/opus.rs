//! Opus packets (RFC 6716 section 3).

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// The number of frames in a packet is told by these bits of its first byte.
const CODE: u8 = 0b11;
/// Two frames, the first one's length before them (section 3.2.4).
const TWO_FRAMES: u8 = 2;
/// No frame is longer (section 3.2.1).
const MAX_FRAME: usize = 1_275;
/// Lengths from here on take two bytes (section 3.2.1).
const LONG: usize = 252;

/// How long the sound of a packet's frame is; `None` where a packet has not exactly one.
#[must_use]
pub fn frame_duration(packet: &[u8]) -> Option<Duration> {
    let toc = *packet.first()?;
    if toc & CODE != 0 {
        return None;
    }
    let configuration = usize::from(toc >> 3);
    // Section 3.1, table 2.
    Some(Duration::from_micros(match configuration {
        0..12 => [10_000, 20_000, 40_000, 60_000][configuration & 3],
        12..16 => [10_000, 20_000][configuration & 1],
        _ => [2_500, 5_000, 10_000, 20_000][configuration & 3],
    }))
}

/// One packet with the frames of both, in this order; `None` where they are not of a kind or have not
/// exactly one frame each.
#[must_use]
pub fn join(first: &[u8], second: &[u8]) -> Option<Bytes> {
    let ((&toc, first), (other, second)) = (first.split_first()?, second.split_first()?);
    if toc != *other || toc & CODE != 0 || first.len().max(second.len()) > MAX_FRAME {
        return None;
    }
    let mut packet = BytesMut::with_capacity(3 + first.len() + second.len());
    packet.put_u8(toc | TWO_FRAMES);
    put_length(&mut packet, first.len());
    packet.put_slice(first);
    packet.put_slice(second);
    Some(packet.freeze())
}

/// Section 3.2.1. `length` is at most [`MAX_FRAME`].
#[expect(clippy::cast_possible_truncation, reason = "both bytes fit")]
fn put_length(out: &mut BytesMut, length: usize) {
    if length < LONG {
        out.put_u8(length as u8);
    } else {
        let low = LONG + (length & 0b11);
        out.put_u8(low as u8);
        out.put_u8(((length - low) / 4) as u8);
    }
}

#[cfg(test)]
mod tests {
    use opus::{Application, Channels, Decoder, Encoder};

    use super::*;

    const STEREO_20_MS: u8 = 31 << 3 | 1 << 2;

    #[test]
    fn a_frame_is_as_long_as_its_configuration_says() {
        let micros =
            |configuration: u8| frame_duration(&[configuration << 3]).map(|it| it.as_micros());
        let told: Vec<_> = [0, 3, 11, 12, 15, 16, 31].map(micros).to_vec();
        let expected = [10_000, 60_000, 60_000, 10_000, 20_000, 2_500, 20_000];
        assert_eq!(told, expected.map(Some));
    }

    #[test]
    fn packets_of_several_frames_or_none_have_no_frame_duration() {
        assert_eq!(frame_duration(&[]), None);
        assert_eq!(frame_duration(&[STEREO_20_MS | 1, 0, 0]), None);
    }

    #[test]
    fn long_frames_take_two_bytes_for_their_length() {
        let length = |frame: usize| {
            let packet = [&[STEREO_20_MS][..], &vec![7; frame]].concat();
            let joined = join(&packet, &[STEREO_20_MS, 9]).unwrap();
            joined[1..joined.len() - frame - 1].to_vec()
        };
        assert_eq!(length(0), [0]);
        assert_eq!(length(251), [251]);
        assert_eq!(length(252), [252, 0]);
        assert_eq!(length(1_275), [255, 255]);
    }

    #[test]
    fn what_differs_in_kind_is_not_joined() {
        assert_eq!(join(&[STEREO_20_MS, 1], &[30 << 3, 1]), None);
        assert_eq!(
            join(&[STEREO_20_MS | 1, 1, 1], &[STEREO_20_MS | 1, 1, 1]),
            None
        );
        assert_eq!(join(&[], &[STEREO_20_MS]), None);
        assert_eq!(join(&[STEREO_20_MS; MAX_FRAME + 2], &[STEREO_20_MS]), None);
    }

    #[test]
    fn a_joined_packet_sounds_like_the_two_one_after_the_other() {
        let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Audio).unwrap();
        let tone: Vec<f32> = (0..4_800u16)
            .map(|at| (f32::from(at) * 0.06).sin())
            .collect();
        let packets: Vec<_> = tone
            .chunks(960)
            .map(|frame| encoder.encode_vec_float(frame, 1_275).unwrap())
            .collect();
        let decode = |packets: &[&[u8]]| {
            let mut decoder = Decoder::new(48_000, Channels::Mono).unwrap();
            let mut all = Vec::new();
            for packet in packets {
                let mut sound = [0.0; 1_920];
                let samples = decoder.decode_float(packet, &mut sound, false).unwrap();
                all.extend_from_slice(&sound[..samples]);
            }
            all
        };
        let apart: Vec<&[u8]> = packets[..4].iter().map(Vec::as_slice).collect();
        let pairs = [
            join(&packets[0], &packets[1]).unwrap(),
            join(&packets[2], &packets[3]).unwrap(),
        ];
        assert_eq!(decode(&[&pairs[0], &pairs[1]]), decode(&apart));
    }
}
