//! What the synthetic publisher sends, as bodies of RTMP messages, which are those of FLV tags (Adobe
//! Flash Video File Format Specification 10.1, annex E.4).

use bytes::{BufMut, Bytes, BytesMut};

use super::amf::{self, Value};
use super::stamp::Stamp;
use crate::load::media::{
    FRAME_RATE, IDR_SLICE, KEYFRAME_BYTES, KEYFRAME_INTERVAL, PICTURE_BYTES, PPS, SLICE, SPS,
};

/// Sound, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of an AAC frame.
pub const SAMPLES: u32 = 1_024;

/// AVC, as a keyframe and as a picture that refers to one (E.4.3.1).
const KEY: u8 = 0x17;
const INTER: u8 = 0x27;
/// AAC; the other bits do not matter then (E.4.2.1).
const AAC: u8 = 0xaf;
/// What the second byte says of the rest.
const SEQUENCE_HEADER: u8 = 0;
const MEDIA: u8 = 1;
/// AAC-LC, 48 kHz, stereo.
const AUDIO_SPECIFIC_CONFIG: [u8; 2] = [0x11, 0x90];
/// A stereo frame of silence; decoders ignore what is behind its end.
const SILENCE: [u8; 6] = [0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];
/// 64 kbit/s.
const SOUND_BYTES: usize = 170;

/// `onMetaData`, as `@setDataFrame` carries it.
#[must_use]
pub fn metadata() -> Bytes {
    let number = |number: u32| Value::Number(number.into());
    let properties = [
        ("width", number(1280)),
        ("height", number(720)),
        ("framerate", number(FRAME_RATE)),
        ("videocodecid", number(7)),
        ("videodatarate", number(2_000)),
        ("audiocodecid", number(10)),
        ("audiodatarate", number(64)),
        ("audiosamplerate", number(SAMPLE_RATE)),
        ("stereo", Value::Boolean(true)),
    ];
    let message = [
        Value::Text("@setDataFrame"),
        Value::Text("onMetaData"),
        Value::Object(&properties),
    ];
    amf::encode(&message).into()
}

/// The AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1.2).
#[must_use]
pub fn video_header() -> Bytes {
    let mut body = BytesMut::from(&[KEY, SEQUENCE_HEADER, 0, 0, 0][..]);
    body.put_slice(&[1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1]);
    put_parameter_set(&mut body, SPS);
    body.put_u8(1);
    put_parameter_set(&mut body, PPS);
    body.freeze()
}

fn put_parameter_set(body: &mut BytesMut, set: &[u8]) {
    body.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
    body.put_slice(set);
}

/// The AudioSpecificConfig.
#[must_use]
pub fn audio_header() -> Bytes {
    [&[AAC, SEQUENCE_HEADER][..], &AUDIO_SPECIFIC_CONFIG]
        .concat()
        .into()
}

/// A picture of one slice, with its stamp in it. The first is a keyframe, and then one every two seconds.
#[must_use]
pub fn picture(stamp: Stamp) -> Bytes {
    let keyframe = stamp.number.is_multiple_of(KEYFRAME_INTERVAL);
    let (tag, slice, length) = if keyframe {
        (KEY, IDR_SLICE, KEYFRAME_BYTES)
    } else {
        (INTER, SLICE, PICTURE_BYTES)
    };
    let mut body = BytesMut::with_capacity(length + 9);
    body.put_slice(&[tag, MEDIA, 0, 0, 0]);
    body.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    body.put_slice(slice);
    // In front, so that it lies within the first chunk of even the smallest size.
    body.put_slice(&stamp.encode());
    // What comes later has no byte that could be taken for a start code.
    body.resize(length + 9, 0x55);
    body.freeze()
}

/// 21 ms of silence.
#[must_use]
pub fn sound() -> Bytes {
    let mut body = BytesMut::from(&[AAC, MEDIA][..]);
    body.put_slice(&SILENCE);
    body.resize(SOUND_BYTES + 2, 0);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::rtmp::stamp::Scanner;

    fn stamped(number: u32) -> Stamp {
        Stamp { number, sent: 1 }
    }

    #[test]
    fn the_stamp_of_a_picture_lies_within_the_smallest_chunk() {
        for number in [0, 1] {
            let mut found = Vec::new();
            let body = picture(stamped(number));
            Scanner::default().scan(&body[..128], |stamp| found.push(stamp));
            assert_eq!(found, [stamped(number)]);
        }
    }

    #[test]
    fn a_keyframe_comes_every_two_seconds() {
        let keyframes: Vec<_> = (0..180)
            .filter(|&number| picture(stamped(number))[0] == KEY)
            .collect();
        assert_eq!(keyframes, [0, 60, 120]);
    }

    #[test]
    fn it_is_two_megabits_a_second() {
        let bytes: usize = (0..60).map(|number| picture(stamped(number)).len()).sum();
        assert!((1_990_000..2_020_000).contains(&(bytes * 4)), "{bytes}");
    }

    #[test]
    fn the_length_of_the_slice_is_right() {
        let body = picture(stamped(1));
        let length = u32::from_be_bytes(body[5..9].try_into().unwrap());
        assert_eq!(length as usize, body.len() - 9);
    }
}
