//! The body of an audio tag: AUDIODATA (Adobe's FLV section E.4.2.1) and ExAudioTagHeader (Enhanced RTMP v2,
//! "Enhanced Audio").

use bytes::Bytes;

use super::video::{Track, skip_modifier};
use super::{TagError, take, unknown_four_cc};

/// The codec that rooms carry, as its identifier in legacy tags.
pub const CODEC_AAC: u8 = 10;
/// The identifier that begins an enhanced tag.
const EX_HEADER: u8 = 9;
/// Most modifiers in front of one packet.
const MAX_MODIFIERS: usize = 8;

/// What an audio tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioTag {
    /// An AudioSpecificConfig.
    SequenceHeader(Bytes),
    /// A raw data block of AAC.
    Packet(Bytes),
    /// Nothing that a room needs.
    Ignored,
}

/// `AudioPacketType`.
mod packet {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const MULTITRACK: u8 = 5;
    pub(super) const MOD_EX: u8 = 7;
}

impl AudioTag {
    /// Reads a body.
    ///
    /// # Errors
    /// [`TagError`].
    pub fn parse(body: &Bytes) -> Result<Self, TagError> {
        let mut rest = &body[..];
        let [first] = take(&mut rest)?;
        match first >> 4 {
            EX_HEADER => enhanced(body, rest, first & 0x0f),
            CODEC_AAC => {
                let [packet_type] = take(&mut rest)?;
                let data = body.slice_ref(rest);
                Ok(match packet_type {
                    0 => Self::SequenceHeader(data),
                    1 => Self::Packet(data),
                    _ => Self::Ignored,
                })
            }
            other => Err(unsupported(legacy_name(other))),
        }
    }
}

fn enhanced(body: &Bytes, mut rest: &[u8], mut packet_type: u8) -> Result<AudioTag, TagError> {
    for _ in 0..MAX_MODIFIERS {
        if packet_type != packet::MOD_EX {
            break;
        }
        packet_type = skip_modifier(&mut rest)?;
    }
    if packet_type == packet::MOD_EX {
        return Ok(AudioTag::Ignored);
    }
    let (packet_type, four_cc, data) = if packet_type == packet::MULTITRACK {
        let track = Track::first(rest)?;
        (track.packet_type, track.four_cc, track.data)
    } else {
        let four_cc = take(&mut rest)?;
        (packet_type, four_cc, rest)
    };
    if &four_cc != b"mp4a" {
        return Err(unsupported(four_cc_name(four_cc)));
    }
    let data = body.slice_ref(data);
    Ok(match packet_type {
        packet::SEQUENCE_START => AudioTag::SequenceHeader(data),
        packet::CODED_FRAMES => AudioTag::Packet(data),
        _ => AudioTag::Ignored,
    })
}

fn unsupported(codec: String) -> TagError {
    TagError::Codec {
        kind: "sound",
        codec,
        instead: "AAC",
    }
}

fn legacy_name(format: u8) -> String {
    match format {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 | 8 => "G.711",
        11 => "Speex",
        // Not Adobe's, but in use.
        13 => "Opus",
        other => return format!("an unknown codec (number {other})"),
    }
    .to_owned()
}

fn four_cc_name(four_cc: [u8; 4]) -> String {
    match &four_cc {
        b"Opus" => "Opus",
        b".mp3" => "MP3",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"fLaC" => "FLAC",
        _ => return unknown_four_cc(four_cc),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &[u8]) -> Result<AudioTag, TagError> {
        AudioTag::parse(&Bytes::copy_from_slice(body))
    }

    fn header() -> Result<AudioTag, TagError> {
        Ok(AudioTag::SequenceHeader(Bytes::from_static(&[
            0x11, 0x90, 0x56, 0xe5, 0,
        ])))
    }

    fn raw() -> Result<AudioTag, TagError> {
        Ok(AudioTag::Packet(Bytes::from_static(b"raw")))
    }

    #[test]
    fn legacy_aac_is_read() {
        assert_eq!(parse(&[0xaf, 0, 0x11, 0x90, 0x56, 0xe5, 0]), header());
        assert_eq!(parse(b"\xaf\x01raw"), raw());
    }

    #[test]
    fn enhanced_aac_is_read() {
        assert_eq!(parse(b"\x90mp4a\x11\x90\x56\xe5\x00"), header());
        assert_eq!(parse(b"\x91mp4araw"), raw());
        assert_eq!(parse(b"\x95\x01mp4a\x00raw"), raw());
        assert_eq!(parse(b"\x97\x00\x09\x01mp4araw"), raw());
        assert_eq!(parse(b"\x94mp4a"), Ok(AudioTag::Ignored));
    }

    #[test]
    fn other_codecs_are_named() {
        assert_eq!(
            parse(&[0x2f, 0]).unwrap_err().to_string(),
            "the sound is MP3, please choose AAC in your encoder"
        );
        for (body, codec) in [
            (&[0xb6, 0][..], "Speex"),
            (&[0x5e, 0], "Nellymoser"),
            (&[0x72, 0], "G.711"),
            (&[0x16, 0], "ADPCM"),
            (&[0x3e, 0], "PCM"),
            (b"\x90Opus", "Opus"),
            (b"\x90ac-3", "AC-3"),
            (b"\x90ec-3", "E-AC-3"),
            (b"\x90.mp3", "MP3"),
            (b"\x90fLaC", "FLAC"),
        ] {
            let error = parse(body).unwrap_err().to_string();
            assert!(error.contains(codec), "{error}");
        }
    }

    #[test]
    fn what_ends_early_is_refused() {
        for body in [
            &b""[..],
            b"\xaf",
            b"\x90mp4",
            b"\x97\x05",
            b"\x95\x11mp4a\x00\x00\x00\x09r",
        ] {
            assert_eq!(parse(body), Err(TagError::Truncated), "{body:02x?}");
        }
    }
}
