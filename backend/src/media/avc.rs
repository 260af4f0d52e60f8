//! AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1): parameter sets as containers carry
//! them, and NAL units behind lengths of the size it names.

use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::nal::sps::{ChromaFormat, ChromaInfo, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

use super::h264::{InvalidSps, ParameterSets, VideoFormat};

/// A decoder configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// At least one of each kind.
    pub sets: ParameterSets,
    /// Bytes of the length in front of each NAL unit: 1 to 4.
    pub length_size: u8,
}

/// A decoder configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvcConfigError {
    /// It ends within a parameter set.
    #[error("the H.264 decoder configuration ends early")]
    Truncated,
    /// Of a later edition, or not a configuration at all.
    #[error("the H.264 decoder configuration has the unknown version {0}")]
    Version(u8),
    /// No SPS, or no PPS.
    #[error("the H.264 decoder configuration has no parameter sets")]
    Empty,
    /// The SPS breaks the specification.
    #[error(transparent)]
    Sps(#[from] InvalidSps),
}

impl AvcConfig {
    /// Reads a record without copying.
    ///
    /// # Errors
    /// [`AvcConfigError`].
    pub fn parse(record: &Bytes) -> Result<Self, AvcConfigError> {
        let &[
            version,
            _profile,
            _compatibility,
            _level,
            length_size,
            sps_count,
            ref sets @ ..,
        ] = &record[..]
        else {
            return Err(AvcConfigError::Truncated);
        };
        if version != 1 {
            return Err(AvcConfigError::Version(version));
        }
        let mut rest = sets;
        let mut sets = ParameterSets::default();
        take_sets(sps_count & 0x1f, record, &mut rest, &mut sets)?;
        let (&pps_count, after) = rest.split_first().ok_or(AvcConfigError::Truncated)?;
        rest = after;
        take_sets(pps_count, record, &mut rest, &mut sets)?;
        if sets.sps.is_none() || sets.pps.is_empty() {
            return Err(AvcConfigError::Empty);
        }
        Ok(Self {
            sets,
            length_size: (length_size & 3) + 1,
        })
    }

    /// What the parameter sets say.
    ///
    /// # Errors
    /// [`AvcConfigError::Sps`].
    pub fn format(&self) -> Result<VideoFormat, AvcConfigError> {
        VideoFormat::after(None, &self.sets)?.ok_or(AvcConfigError::Empty)
    }
}

/// Takes `count` parameter sets of a record; `rest` moves behind the last.
fn take_sets<'a>(
    count: u8,
    record: &'a Bytes,
    rest: &mut &'a [u8],
    sets: &mut ParameterSets,
) -> Result<(), AvcConfigError> {
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or(AvcConfigError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (set, after) = after
            .split_at_checked(length)
            .ok_or(AvcConfigError::Truncated)?;
        *rest = after;
        sets.take(&record.slice_ref(set));
    }
    Ok(())
}

/// Appends the record of a format, for NAL units behind lengths of four bytes.
pub fn put_config(out: &mut BytesMut, format: &VideoFormat) {
    let profile_and_level = format.sps.get(1..4).unwrap_or(&[0; 3]);
    out.put_u8(1);
    out.put_slice(profile_and_level);
    out.put_slice(&[0xff, 0xe1]);
    put_set(out, &format.sps);
    // A format has fewer than 256 (see `ParameterSets`).
    out.put_u8(u8::try_from(format.pps.len()).unwrap_or(u8::MAX));
    format.pps.iter().for_each(|pps| put_set(out, pps));
    if let Some(chroma) = chroma_of_high_profile(format) {
        out.put_u8(0xfc | chroma_format_idc(chroma.chroma_format));
        out.put_u8(0xf8 | chroma.bit_depth_luma_minus8 & 7);
        out.put_u8(0xf8 | chroma.bit_depth_chroma_minus8 & 7);
        // No extensions of the SPS.
        out.put_u8(0);
    }
}

fn put_set(out: &mut BytesMut, set: &[u8]) {
    out.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
    out.put_slice(
        set.get(..set.len().min(u16::MAX.into()))
            .unwrap_or_default(),
    );
}

fn chroma_format_idc(format: ChromaFormat) -> u8 {
    match format {
        ChromaFormat::Monochrome => 0,
        ChromaFormat::YUV420 | ChromaFormat::Invalid(_) => 1,
        ChromaFormat::YUV422 => 2,
        ChromaFormat::YUV444 => 3,
    }
}

/// What profiles that may have more than 8 bits or 4:2:0 say once more behind the parameter sets.
fn chroma_of_high_profile(format: &VideoFormat) -> Option<ChromaInfo> {
    let profile = *format.sps.get(1)?;
    // Baseline, main, extended.
    if matches!(profile, 66 | 77 | 88) {
        return None;
    }
    let rbsp = decode_nal(&format.sps).ok()?;
    let sps = SeqParameterSet::from_bits(BitReader::new(&*rbsp)).ok()?;
    Some(sps.chroma_info)
}

/// NAL units whose lengths do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a NAL unit is longer than the picture it belongs to")]
pub struct BrokenLength;

/// Walks over the NAL units of a picture without copying; `length_size` bytes (1 to 4) are in front of each.
#[must_use]
pub fn nal_units(data: Bytes, length_size: u8) -> NalUnits {
    let length_size = usize::from(length_size.clamp(1, 4));
    NalUnits {
        rest: data,
        length_size,
    }
}

/// See [`nal_units`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct NalUnits {
    rest: Bytes,
    length_size: usize,
}

impl Iterator for NalUnits {
    type Item = Result<Bytes, BrokenLength>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = self.rest.get(..self.length_size).map(|bytes| {
            let length = bytes
                .iter()
                .fold(0_u32, |length, &byte| length << 8 | u32::from(byte));
            length as usize
        });
        let Some(end) = length
            .and_then(|length| length.checked_add(self.length_size))
            .filter(|&end| end <= self.rest.len())
        else {
            self.rest.clear();
            return Some(Err(BrokenLength));
        };
        let nal = self.rest.slice(self.length_size..end);
        self.rest = self.rest.slice(end..);
        Some(Ok(nal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};

    fn format(sps: &'static [u8]) -> VideoFormat {
        VideoFormat::parse(Bytes::from_static(sps), Bytes::from_static(PPS)).unwrap()
    }

    fn record(sps: &'static [u8]) -> Bytes {
        let mut out = BytesMut::new();
        put_config(&mut out, &format(sps));
        out.freeze()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for sps in [SPS_BASELINE, SPS_HIGH_720P] {
            let config = AvcConfig::parse(&record(sps)).unwrap();
            assert_eq!(config.length_size, 4);
            assert_eq!(config.format().unwrap(), format(sps));
        }
    }

    #[test]
    fn high_profile_says_its_chroma_format() {
        assert!(record(SPS_HIGH_720P).ends_with(&[0xfd, 0xf8, 0xf8, 0]));
        assert!(record(SPS_BASELINE).ends_with(PPS));
    }

    #[test]
    fn all_picture_parameter_sets_are_kept_and_the_first_of_the_sequences() {
        let sets = b"\x01\x64\x00\x1f\xfd\xe2\0\x02g1\0\x02g2\x02\0\x02h1\0\x02h2";
        let config = AvcConfig::parse(&Bytes::from_static(sets)).unwrap();
        assert_eq!(config.sets.sps.as_deref(), Some(&b"g1"[..]));
        assert_eq!(config.sets.pps, [&b"h1"[..], b"h2"]);
        assert_eq!(config.length_size, 2);
    }

    #[test]
    fn several_picture_parameter_sets_are_written_and_read_again() {
        let mut format = format(SPS_HIGH_720P);
        format.pps.push(Bytes::from_static(&[0x68, 0x40, 7]));
        let mut out = BytesMut::new();
        put_config(&mut out, &format);
        let read = AvcConfig::parse(&out.freeze()).unwrap().format();
        assert_eq!(read, Ok(format));
    }

    #[test]
    fn what_ends_early_is_refused_wherever_it_ends() {
        let whole = record(SPS_BASELINE);
        for length in 0..whole.len() {
            let parsed = AvcConfig::parse(&whole.slice(..length));
            assert_eq!(parsed, Err(AvcConfigError::Truncated), "{length} bytes");
        }
    }

    #[test]
    fn a_record_without_parameter_sets_is_refused() {
        let parse = |record: &'static [u8]| AvcConfig::parse(&Bytes::from_static(record));
        assert_eq!(
            parse(b"\x01\x64\x00\x1f\xff\xe0\x00"),
            Err(AvcConfigError::Empty)
        );
        assert_eq!(
            parse(b"\x01\x64\x00\x1f\xff\xe1\0\0\x01\0\0"),
            Err(AvcConfigError::Empty)
        );
        assert_eq!(
            parse(b"\0\0\0\x01\x67\x64\0"),
            Err(AvcConfigError::Version(0))
        );
    }

    #[test]
    fn lengths_of_every_size_are_read() {
        for (size, data) in [
            (1, &b"\x01a\x02bc"[..]),
            (2, b"\0\x01a\0\x02bc"),
            (3, b"\0\0\x01a\0\0\x02bc"),
            (4, b"\0\0\0\x01a\0\0\0\x02bc"),
        ] {
            let nals: Result<Vec<_>, _> = nal_units(Bytes::from_static(data), size).collect();
            assert_eq!(nals.unwrap(), [&b"a"[..], b"bc"], "{size} bytes");
        }
    }

    #[test]
    fn a_wrong_length_is_told_once() {
        for data in [&b"\0\0\0\x09abc"[..], b"\0\0", b"\xff\xff\xff\xff"] {
            let nals: Vec<_> = nal_units(Bytes::from_static(data), 4).collect();
            assert_eq!(nals, [Err(BrokenLength)]);
        }
    }
}
