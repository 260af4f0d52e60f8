//! Real keyframes in, JPEG files out; and what strangers may send.

use std::sync::Arc;

use bytes::BytesMut;

use super::*;
use crate::media::access_unit::{AudioFormat, Epoch};
use crate::media::h264::{VideoFormat, put_nal};
use crate::media::time::MediaTime;

/// x264: High profile, 96x54 of 96x64 coded pixels, BT.709.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x46, 0x27, 0xe6, 0xc0, 0x5a, 0x81, 0x01, 0x00, 0xa0, 0x00,
    0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x41, 0xe2, 0x44, 0xb2, 0xc0,
];
/// Goes with it: CABAC.
const PPS: &[u8] = &[0x68, 0xeb, 0xe1, 0xb2, 0xc8, 0xb0];
/// A picture whose left half is red and whose right half is blue.
const IDR: &[u8] = &[
    0x65, 0x88, 0x84, 0x00, 0xff, 0xfe, 0xbd, 0x67, 0xe6, 0x59, 0x0b, 0xdc, 0x74, 0x66, 0xb6, 0xa1,
    0x0f, 0x66, 0x18, 0x6f, 0x06, 0xf9, 0xe5, 0x57, 0xeb, 0x93, 0xf8, 0xa5, 0xb7, 0x6e, 0x2f, 0x5a,
    0x9b, 0x76, 0xd6, 0xa2, 0x14, 0xb3, 0xc8, 0xee, 0xcb, 0xd3, 0xf9, 0xa5, 0x33, 0x24, 0x0e, 0xa1,
    0x97,
];

fn unit(sps: &[u8], nals: &[&[u8]]) -> AccessUnit {
    let mut data = BytesMut::new();
    nals.iter().for_each(|nal| put_nal(&mut data, nal));
    AccessUnit {
        epoch: Epoch(1),
        format: Format::Video(Arc::new(VideoFormat {
            sps: Bytes::copy_from_slice(sps),
            pps: vec![Bytes::from_static(PPS)],
            width: 96,
            height: 54,
            reorder_frames: None,
            has_rare_colours: false,
        })),
        dts: MediaTime::ZERO,
        pts: MediaTime::ZERO,
        random_access: true,
        data: data.freeze(),
    }
}

/// Width and height in the frame header of a JPEG file (ITU-T T.81 section B.2.2).
fn size_of(jpeg: &[u8]) -> (u16, u16) {
    assert_eq!(
        jpeg[..4],
        [0xff, 0xd8, 0xff, 0xe0],
        "the start of a JFIF file"
    );
    let header = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]);
    let at = header.unwrap() + 5;
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    (number(at + 2), number(at))
}

#[test]
fn a_keyframe_becomes_a_picture_of_its_size() {
    let jpeg = thumbnail(&unit(SPS, &[IDR])).unwrap();
    assert_eq!(size_of(&jpeg), (96, 54));
    assert!(jpeg.len() < 4_000, "{} bytes", jpeg.len());
}

#[test]
fn the_samples_are_those_of_the_picture() {
    let unit = unit(SPS, &[IDR]);
    let Format::Video(format) = &unit.format else {
        unreachable!("it is a picture");
    };
    let picture = decoder::decode(format, &unit.data).unwrap();
    let header = Header::parse(&format.sps).unwrap();
    assert_eq!(header.sample_aspect, Some((1, 1)));
    let (size, half) = ((96, 54), (48, 27));
    let [cb, cr] = [&picture.u, &picture.v].map(|plane| scaling::shrink(plane, half, size));
    let rgb = Colours::new(header.signal.as_ref(), 54).rgb(&picture.y, &cb, &cr);
    let pixel = |x: usize, y: usize| rgb[(y * 96 + x) * 3..][..3].to_vec();
    for (x, y, expected) in [
        (5, 5, [255, 0, 0]),
        (40, 50, [255, 0, 0]),
        (90, 27, [0, 0, 255]),
    ] {
        let near = |(a, b): (&u8, u8)| a.abs_diff(b) < 12;
        let pixel = pixel(x, y);
        assert!(pixel.iter().zip(expected).all(near), "{x}, {y}: {pixel:?}");
    }
}

#[test]
fn only_keyframes_have_pictures() {
    let mut delta = unit(SPS, &[IDR]);
    delta.random_access = false;
    let mut sound = unit(SPS, &[IDR]);
    sound.format = Format::Audio(AudioFormat::Opus { channels: 2 });
    for unit in [delta, sound] {
        assert!(matches!(
            thumbnail(&unit),
            Err(ThumbnailError::NotAKeyframe)
        ));
    }
}

#[test]
fn pictures_that_are_too_large_are_refused_by_what_is_coded() {
    /// Baseline, 4112x16, of which all but 16 columns are cropped.
    const WIDE: &[u8] = &[
        0x67, 0x42, 0xc0, 0x33, 0xda, 0x00, 0x40, 0x7e, 0x00, 0x20, 0x07, 0x40,
    ];
    assert!(VideoFormat::parse(Bytes::from_static(WIDE), Bytes::from_static(PPS)).is_ok());
    let refused = thumbnail(&unit(WIDE, &[IDR]));
    let too_large = ThumbnailError::TooLarge {
        width: 4_112,
        height: 16,
    };
    assert_eq!(refused.unwrap_err().to_string(), too_large.to_string());
}

#[test]
fn parameters_cannot_be_smuggled_in() {
    let smuggled = [IDR, &[0, 0, 1], SPS].concat();
    let refused = thumbnail(&unit(SPS, &[&smuggled]));
    assert!(
        matches!(refused, Err(ThumbnailError::StartCode)),
        "{refused:?}"
    );
    // As a NAL unit of its own it is none of a keyframe's.
    assert!(thumbnail(&unit(SPS, &[&[0x67, 0xff], IDR])).is_ok());
}

#[test]
fn whatever_is_missing_is_an_error() {
    assert!(thumbnail(&unit(SPS, &[])).is_err());
    assert!(thumbnail(&unit(SPS, &[&[]])).is_err());
    assert!(thumbnail(&unit(&[], &[IDR])).is_err());
    for length in 0..SPS.len() / 2 {
        assert!(
            thumbnail(&unit(&SPS[..length], &[IDR])).is_err(),
            "{length}"
        );
    }
    // Less than a slice's header. Behind it the decoder reads on as if there were zeros.
    for length in 0..4 {
        assert!(
            thumbnail(&unit(SPS, &[&IDR[..length]])).is_err(),
            "{length}"
        );
    }
}

#[test]
fn broken_keyframes_end_in_a_picture_or_an_error() {
    let mut broken = 0;
    for bit in 0..IDR.len() * 8 {
        let mut idr = IDR.to_vec();
        idr[bit / 8] ^= 1 << (bit % 8);
        broken += usize::from(thumbnail(&unit(SPS, &[&idr])).is_err());
    }
    assert!(broken > 0);
    for bit in 0..SPS.len() * 8 {
        let mut sps = SPS.to_vec();
        sps[bit / 8] ^= 1 << (bit % 8);
        let _ = thumbnail(&unit(&sps, &[IDR]));
    }
}
