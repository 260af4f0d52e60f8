//! The body of a video tag: VIDEODATA (Adobe's FLV section E.4.3.1) and ExVideoTagHeader (Enhanced RTMP v2,
//! "Enhanced Video").

use bytes::Bytes;

use super::{TagError, take, unknown_four_cc};

/// The codec that rooms carry, as its identifier in legacy tags.
pub const CODEC_AVC: u8 = 7;
/// The first bit of an enhanced tag.
const IS_EX_HEADER: u8 = 0x80;
/// The frame type of a command to the player, such as the beginning of a seek.
const FRAME_TYPE_COMMAND: u8 = 5;
/// Most modifiers in front of one packet.
const MAX_MODIFIERS: usize = 8;

/// What a video tag says. Data is H.264, NAL units behind lengths as long as the sequence header said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoTag {
    /// An AVCDecoderConfigurationRecord.
    SequenceHeader(Bytes),
    /// A picture.
    Picture {
        /// How much later it is shown than decoded, in ms.
        composition_ms: i32,
        /// NAL units.
        data: Bytes,
    },
    /// The pictures are over for now.
    EndOfSequence,
    /// Nothing that a room needs: colour metadata, commands to a player.
    Ignored,
}

/// `VideoPacketType`.
mod packet {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const SEQUENCE_END: u8 = 2;
    pub(super) const CODED_FRAMES_X: u8 = 3;
    pub(super) const METADATA: u8 = 4;
    pub(super) const MULTITRACK: u8 = 6;
    pub(super) const MOD_EX: u8 = 7;
}

impl VideoTag {
    /// Reads a body.
    ///
    /// # Errors
    /// [`TagError`].
    pub fn parse(body: &Bytes) -> Result<Self, TagError> {
        let mut rest = &body[..];
        let [first] = take(&mut rest)?;
        if first & IS_EX_HEADER != 0 {
            return enhanced(body, rest, first);
        }
        if first >> 4 == FRAME_TYPE_COMMAND {
            return Ok(Self::Ignored);
        }
        if first & 0x0f != CODEC_AVC {
            return Err(unsupported(legacy_name(first & 0x0f)));
        }
        let [packet_type] = take(&mut rest)?;
        let composition_ms = signed_24(take(&mut rest)?);
        let data = body.slice_ref(rest);
        Ok(match packet_type {
            0 => Self::SequenceHeader(data),
            1 => Self::Picture {
                composition_ms,
                data,
            },
            2 => Self::EndOfSequence,
            _ => Self::Ignored,
        })
    }
}

fn enhanced(body: &Bytes, mut rest: &[u8], first: u8) -> Result<VideoTag, TagError> {
    let mut packet_type = first & 0x0f;
    for _ in 0..MAX_MODIFIERS {
        if packet_type != packet::MOD_EX {
            break;
        }
        packet_type = skip_modifier(&mut rest)?;
    }
    if packet_type == packet::MOD_EX {
        return Ok(VideoTag::Ignored);
    }
    let frame_type = first >> 4 & 0x07;
    if frame_type == FRAME_TYPE_COMMAND && packet_type != packet::METADATA {
        return Ok(VideoTag::Ignored);
    }
    if packet_type == packet::MULTITRACK {
        let track = Track::first(rest)?;
        return coded(body, track.packet_type, track.four_cc, track.data);
    }
    let four_cc = take(&mut rest)?;
    coded(body, packet_type, four_cc, rest)
}

fn coded(
    body: &Bytes,
    packet_type: u8,
    four_cc: [u8; 4],
    mut rest: &[u8],
) -> Result<VideoTag, TagError> {
    if &four_cc != b"avc1" {
        return Err(unsupported(four_cc_name(four_cc)));
    }
    Ok(match packet_type {
        packet::SEQUENCE_START => VideoTag::SequenceHeader(body.slice_ref(rest)),
        packet::CODED_FRAMES => {
            let composition_ms = signed_24(take(&mut rest)?);
            let data = body.slice_ref(rest);
            VideoTag::Picture {
                composition_ms,
                data,
            }
        }
        packet::CODED_FRAMES_X => {
            let data = body.slice_ref(rest);
            VideoTag::Picture {
                composition_ms: 0,
                data,
            }
        }
        packet::SEQUENCE_END => VideoTag::EndOfSequence,
        _ => VideoTag::Ignored,
    })
}

/// Skips one ModEx: a size, that many bytes, and in the nibble behind its type the next packet type. What
/// it would say (nanoseconds of the time stamp) is finer than a room's time needs.
pub(super) fn skip_modifier(rest: &mut &[u8]) -> Result<u8, TagError> {
    let [size] = take(rest)?;
    let size = match size {
        255 => usize::from(u16::from_be_bytes(take(rest)?)) + 1,
        size => usize::from(size) + 1,
    };
    let (_, after) = rest.split_at_checked(size).ok_or(TagError::Truncated)?;
    *rest = after;
    let [types] = take(rest)?;
    Ok(types & 0x0f)
}

/// The track that is used of a multitrack packet: the one with the number 0, or else the first.
pub(super) struct Track<'a> {
    pub(super) packet_type: u8,
    pub(super) four_cc: [u8; 4],
    pub(super) data: &'a [u8],
}

impl<'a> Track<'a> {
    /// Reads on behind the packet type Multitrack; sound is packed the same way.
    pub(super) fn first(mut rest: &'a [u8]) -> Result<Self, TagError> {
        const ONE_TRACK: u8 = 0;
        const MANY_TRACKS_MANY_CODECS: u8 = 2;
        let [types] = take(&mut rest)?;
        let (layout, packet_type) = (types >> 4, types & 0x0f);
        let shared = match layout {
            MANY_TRACKS_MANY_CODECS => None,
            _ => Some(take(&mut rest)?),
        };
        let mut found = None;
        while !rest.is_empty() {
            let four_cc = shared.map_or_else(|| take(&mut rest), Ok)?;
            let [number] = take(&mut rest)?;
            let data = if layout == ONE_TRACK {
                std::mem::take(&mut rest)
            } else {
                let [a, b, c] = take(&mut rest)?;
                let size = u32::from_be_bytes([0, a, b, c]) as usize;
                let (data, after) = rest.split_at_checked(size).ok_or(TagError::Truncated)?;
                rest = after;
                data
            };
            let track = Self {
                packet_type,
                four_cc,
                data,
            };
            if number == 0 {
                return Ok(track);
            }
            found.get_or_insert(track);
        }
        found.ok_or(TagError::Truncated)
    }
}

fn signed_24([a, b, c]: [u8; 3]) -> i32 {
    i32::from_be_bytes([a, b, c, 0]) >> 8
}

fn unsupported(codec: String) -> TagError {
    TagError::Codec {
        kind: "picture",
        codec,
        instead: "H.264",
    }
}

fn legacy_name(codec_id: u8) -> String {
    match codec_id {
        2 => "Sorenson H.263",
        3 => "Screen Video",
        4 => "VP6",
        5 => "VP6 with alpha",
        6 => "Screen Video 2",
        8 => "H.263",
        9 => "MPEG-4",
        // Not Adobe's: encoders of some Chinese platforms before there was a FourCC.
        12 => "HEVC (H.265)",
        13 => "AV1",
        other => return format!("an unknown codec (number {other})"),
    }
    .to_owned()
}

fn four_cc_name(four_cc: [u8; 4]) -> String {
    match &four_cc {
        b"hvc1" | b"hev1" => "HEVC (H.265)",
        b"av01" => "AV1",
        b"vp09" => "VP9",
        b"vp08" => "VP8",
        b"vvc1" => "VVC (H.266)",
        _ => return unknown_four_cc(four_cc),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &[&[u8]]) -> Result<VideoTag, TagError> {
        VideoTag::parse(&Bytes::from(body.concat()))
    }

    fn picture(composition_ms: i32) -> Result<VideoTag, TagError> {
        let data = Bytes::from_static(b"nals");
        Ok(VideoTag::Picture {
            composition_ms,
            data,
        })
    }

    fn header() -> Result<VideoTag, TagError> {
        Ok(VideoTag::SequenceHeader(Bytes::from_static(b"record")))
    }

    #[test]
    fn legacy_tags_are_read() {
        assert_eq!(parse(&[&[0x17, 0, 0, 0, 0], b"record"]), header());
        assert_eq!(parse(&[&[0x27, 1, 0, 0, 66], b"nals"]), picture(66));
        assert_eq!(parse(&[&[0x17, 2, 0, 0, 0]]), Ok(VideoTag::EndOfSequence));
    }

    #[test]
    fn composition_time_may_be_negative() {
        assert_eq!(
            parse(&[&[0x27, 1, 0xff, 0xff, 0xdf], b"nals"]),
            picture(-33)
        );
    }

    #[test]
    fn commands_to_a_player_are_ignored() {
        assert_eq!(parse(&[&[0x57, 0]]), Ok(VideoTag::Ignored));
    }

    #[test]
    fn enhanced_packets_of_avc_are_read() {
        assert_eq!(parse(&[&[0x90], b"avc1record"]), header());
        assert_eq!(
            parse(&[&[0xa1], b"avc1", &[0, 0, 33], b"nals"]),
            picture(33)
        );
        assert_eq!(parse(&[&[0xa3], b"avc1nals"]), picture(0));
        assert_eq!(parse(&[&[0x92], b"avc1"]), Ok(VideoTag::EndOfSequence));
        assert_eq!(
            parse(&[&[0xd4], b"avc1", &[2, 0, 0]]),
            Ok(VideoTag::Ignored)
        );
        assert_eq!(parse(&[&[0x95], b"avc1"]), Ok(VideoTag::Ignored));
    }

    #[test]
    fn of_several_tracks_the_first_is_used() {
        let one = [&[0x96, 0x03][..], b"avc1", &[0], b"nals"];
        assert_eq!(parse(&one), picture(0));
        let two = [
            &[0x96, 0x13][..],
            b"avc1",
            &[1, 0, 0, 1, 9, 0, 0, 0, 4],
            b"nals",
        ];
        assert_eq!(parse(&two), picture(0));
        let two_codecs = [
            &[0x96, 0x23][..],
            b"hvc1",
            &[1, 0, 0, 1, 9],
            b"avc1",
            &[0, 0, 0, 4],
            b"nals",
        ];
        assert_eq!(parse(&two_codecs), picture(0));
        let other_number = [&[0x96, 0x13][..], b"avc1", &[3, 0, 0, 4], b"nals"];
        assert_eq!(parse(&other_number), picture(0));
    }

    #[test]
    fn modifiers_are_skipped() {
        let nanoseconds = [&[0xa7, 2, 0, 1, 2, 0x03][..], b"avc1nals"];
        assert_eq!(parse(&nanoseconds), picture(0));
        let long = [&[0xa7, 255, 0, 9][..], &[0; 10], &[0x03], b"avc1nals"];
        assert_eq!(parse(&long), picture(0));
    }

    #[test]
    fn other_codecs_are_named() {
        let name = |body: &[&[u8]]| parse(body).unwrap_err().to_string();
        assert_eq!(
            name(&[&[0x90], b"hvc1"]),
            "the picture is HEVC (H.265), please choose H.264 in your encoder"
        );
        for (body, codec) in [
            (&[0x22, 0][..], "Sorenson H.263"),
            (&[0x24, 0], "VP6"),
            (&[0x1c, 0], "HEVC"),
            (b"\x90av01", "AV1"),
            (b"\x90vp09", "VP9"),
            (b"\x90vp08", "VP8"),
            (b"\x90vvc1", "VVC"),
            (b"\x90a\x00\"1", "a?\"1"),
        ] {
            assert!(name(&[body]).contains(codec), "{}", name(&[body]));
        }
    }

    #[test]
    fn what_ends_early_is_refused() {
        for body in [
            &b""[..],
            b"\x17",
            b"\x17\x00\x00\x00",
            b"\x90avc",
            b"\xa1avc1\x00\x00",
            b"\x96\x03avc1",
            b"\x96\x13avc1\x00\x00\x00\x05nals",
            b"\xa7\xff\xff\xff",
        ] {
            assert_eq!(parse(&[body]), Err(TagError::Truncated), "{body:02x?}");
        }
    }
}
