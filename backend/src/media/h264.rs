//! H.264 as far as a server has to understand it: NAL units and parameter sets (ITU-T H.264 section 7).

use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::nal::sps::{ChromaFormat, ChromaInfo, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

/// `nal_unit_type` (table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NalType(pub u8);

impl NalType {
    /// Coded slice of a non-IDR picture; the first type that carries picture data.
    pub const SLICE: Self = Self(1);
    /// Coded slice of an IDR picture; the last type that carries picture data.
    pub const IDR: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
    /// Access unit delimiter.
    pub const DELIMITER: Self = Self(9);
    /// Filler data.
    pub const FILLER: Self = Self(12);

    /// Of a NAL unit, by its first byte. An empty one has the unspecified type 0.
    #[must_use]
    pub fn of(nal: &[u8]) -> Self {
        Self(nal.first().map_or(0, |byte| byte & 0x1f))
    }

    /// Whether it carries picture data (VCL).
    #[must_use]
    pub fn is_slice(self) -> bool {
        (Self::SLICE..=Self::IDR).contains(&self)
    }
}

/// Parameter sets that came together: with a picture, or in a container's header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// Sequence parameter set, as a NAL unit. Of several the first: others are for layers that nobody decodes.
    pub sps: Option<Bytes>,
    /// Picture parameter sets, as NAL units.
    pub pps: Vec<Bytes>,
}

/// Most picture parameter sets that are kept. No encoder is known that has more than eight.
const MAX_PPS: usize = 32;
/// Longest of them in bytes, twice as much as all of its scaling lists take.
const MAX_PPS_LENGTH: usize = 2_048;

impl ParameterSets {
    /// Takes a NAL unit if it is a parameter set; returns whether it is.
    pub fn take(&mut self, nal: &Bytes) -> bool {
        match NalType::of(nal) {
            NalType::SPS => _ = self.sps.get_or_insert_with(|| nal.clone()),
            NalType::PPS if self.pps.len() < MAX_PPS && nal.len() <= MAX_PPS_LENGTH => {
                self.pps.push(nal.clone());
            }
            NalType::PPS => {}
            _ => return false,
        }
        true
    }
}

/// The number of a picture parameter set, given as a NAL unit (section 7.3.2.2).
fn pps_id(pps: &[u8]) -> Option<u32> {
    let mut front = [0; 4];
    for (place, &byte) in front.iter_mut().zip(pps.get(1..)?) {
        *place = byte;
    }
    // Exp-Golomb (section 9.1); the largest number is 255.
    let front = u32::from_be_bytes(front);
    let zeros = front.leading_zeros();
    (zeros <= 8).then(|| (front >> (31 - 2 * zeros)) - 1)
}

/// Parameter sets that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the H.264 sequence parameter set is not valid: {0}")]
pub struct InvalidSps(String);

/// The parameter sets of an H.264 track and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Sequence parameter set, as a NAL unit.
    pub sps: Bytes,
    /// Picture parameter sets, as NAL units: most encoders have one, some one for each kind of picture.
    pub pps: Vec<Bytes>,
    /// Picture width in pixels, after cropping.
    pub width: u32,
    /// Picture height in pixels, after cropping.
    pub height: u32,
    /// Pictures that may be decoded before one that is shown earlier; more than 0 means B-frames.
    /// `None` where the stream does not say.
    pub reorder_frames: Option<u32>,
    /// Whether colours have more than 8 bits, or are not in 4:2:0.
    pub has_rare_colours: bool,
}

impl VideoFormat {
    /// Reads the parameter sets.
    ///
    /// # Errors
    /// [`InvalidSps`] when the SPS breaks the specification.
    pub fn parse(sps: Bytes, pps: Bytes) -> Result<Self, InvalidSps> {
        Self::read(sps, vec![pps])
    }

    /// What `known` becomes with parameter sets that came later; `None` where they bring nothing new, or
    /// some are still missing. A set takes the place of the one with its number.
    ///
    /// # Errors
    /// [`InvalidSps`] when the SPS breaks the specification.
    pub fn after(known: Option<&Self>, came: &ParameterSets) -> Result<Option<Self>, InvalidSps> {
        if *came == ParameterSets::default() {
            return Ok(None);
        }
        let mut pps = known.map(|known| known.pps.clone()).unwrap_or_default();
        for new in &came.pps {
            if let Some(old) = pps.iter_mut().find(|old| pps_id(old) == pps_id(new)) {
                old.clone_from(new);
            } else if pps.len() < MAX_PPS {
                pps.push(new.clone());
            }
        }
        let sps = came.sps.as_ref().or(known.map(|known| &known.sps));
        let Some(sps) = sps.filter(|_| !pps.is_empty()) else {
            return Ok(None);
        };
        if known.is_some_and(|known| known.sps == *sps && known.pps == pps) {
            return Ok(None);
        }
        // Copies: a format lives long, and these may lie in larger messages.
        let copy = |set: &Bytes| Bytes::copy_from_slice(set);
        Self::read(copy(sps), pps.iter().map(copy).collect()).map(Some)
    }

    /// All parameter sets, in the order in which a decoder takes them.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &Bytes> {
        [&self.sps].into_iter().chain(&self.pps)
    }

    fn read(sps: Bytes, pps: Vec<Bytes>) -> Result<Self, InvalidSps> {
        let parsed = parse_sps(&sps)?;
        let has_rare_colours = has_rare_colours(&parsed.chroma_info);
        let (width, height) = parsed.pixel_dimensions().map_err(|error| invalid(&error))?;
        let restrictions = parsed
            .vui_parameters
            .and_then(|vui| vui.bitstream_restrictions);
        let reorder_frames = match parsed.pic_order_cnt {
            // Output order is decoding order (section 8.2.1.3).
            h264_reader::nal::sps::PicOrderCntType::TypeTwo => Some(0),
            _ => restrictions.map(|restrictions| restrictions.max_num_reorder_frames),
        };
        Ok(Self {
            width,
            height,
            reorder_frames,
            has_rare_colours,
            sps,
            pps,
        })
    }

    /// Profile, constraints and level as in SDP's `profile-level-id` (RFC 6184 section 8.1) and the
    /// `avc1.` codec string.
    #[must_use]
    pub fn profile_level_id(&self) -> String {
        // `parse` accepted it, so the three bytes behind the NAL header are there.
        let bytes = self.sps.get(1..4).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn has_rare_colours(chroma: &ChromaInfo) -> bool {
    // Chroma has a depth of its own, even where there is none.
    let deep = chroma.bit_depth_luma_minus8 > 0 || chroma.bit_depth_chroma_minus8 > 0;
    deep || chroma.chroma_format != ChromaFormat::YUV420
}

/// Everything that a sequence parameter set says, given as a NAL unit.
pub(super) fn parse_sps(sps: &[u8]) -> Result<SeqParameterSet, InvalidSps> {
    // Header, profile, constraints, level; `decode_nal` panics on less than two bytes.
    if sps.len() < 4 {
        return Err(InvalidSps(format!("it has only {} bytes", sps.len())));
    }
    let rbsp = decode_nal(sps).map_err(|error| invalid(&error))?;
    SeqParameterSet::from_bits(BitReader::new(&*rbsp)).map_err(|error| invalid(&error))
}

fn invalid(error: &dyn std::fmt::Debug) -> InvalidSps {
    InvalidSps(format!("{error:?}"))
}

/// The NAL units in the data of an access unit, each without its length.
#[derive(Clone, Debug)]
pub struct Nals {
    rest: Bytes,
}

/// Walks over the NAL units of an access unit's data without copying. Ends early when a length is wrong.
#[must_use]
pub fn nals(data: &Bytes) -> Nals {
    Nals { rest: data.clone() }
}

impl Iterator for Nals {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let (length, _) = self.rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let end = length
            .checked_add(4)
            .filter(|&end| end <= self.rest.len())?;
        let nal = self.rest.slice(4..end);
        self.rest = self.rest.slice(end..);
        Some(nal)
    }
}

/// Appends a NAL unit behind its length in four bytes.
pub fn put_nal(data: &mut BytesMut, nal: &[u8]) {
    let Ok(length) = u32::try_from(nal.len()) else {
        return;
    };
    data.reserve(4 + nal.len());
    data.put_u32(length);
    data.put_slice(nal);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An SPS of x264: High profile, level 3.1, 1280x720, B-frames with reordering 2.
    pub(crate) const SPS_HIGH_720P: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02,
        0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c, 0x18, 0xcb,
    ];
    /// An SPS of Chromium's OpenH264: constrained baseline, output in decoding order.
    pub(crate) const SPS_BASELINE: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a,
    ];
    /// An SPS of x264: High 4:4:4 Predictive, 640x360, no B-frames.
    pub(crate) const SPS_444: &[u8] = &[
        0x67, 0xf4, 0x00, 0x1e, 0x91, 0x96, 0x80, 0xa0, 0x2f, 0xf8, 0x9c, 0x04, 0x40, 0x00, 0x00,
        0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc5, 0x8b, 0xa8,
    ];
    /// An SPS of x264: High 10, 640x360, no B-frames.
    const SPS_10_BITS: &[u8] = &[
        0x67, 0x6e, 0x00, 0x1e, 0xa6, 0xcb, 0x40, 0x50, 0x17, 0xfc, 0xb8, 0x08, 0x80, 0x00, 0x00,
        0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8b, 0x17, 0x50,
    ];
    pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

    fn parse(sps: &'static [u8]) -> Result<VideoFormat, InvalidSps> {
        VideoFormat::parse(Bytes::from_static(sps), Bytes::from_static(PPS))
    }

    #[test]
    fn an_sps_tells_size_profile_and_reordering() {
        let format = parse(SPS_HIGH_720P).unwrap();
        assert_eq!((format.width, format.height), (1280, 720));
        assert_eq!(format.profile_level_id(), "64001f");
        assert_eq!(format.reorder_frames, Some(2));
    }

    #[test]
    fn a_browsers_sps_has_no_reordering() {
        let format = parse(SPS_BASELINE).unwrap();
        assert_eq!(format.profile_level_id(), "42c01f");
        assert_eq!(format.reorder_frames, Some(0));
    }

    #[test]
    fn only_eight_bits_in_420_are_common_colours() {
        let rare = |sps| parse(sps).unwrap().has_rare_colours;
        assert!(!rare(SPS_BASELINE) && !rare(SPS_HIGH_720P));
        assert!(rare(SPS_444) && rare(SPS_10_BITS));
    }

    #[test]
    fn picture_parameter_sets_are_told_apart_by_their_numbers() {
        assert_eq!(pps_id(PPS), Some(0));
        assert_eq!(pps_id(&[0x68, 0b0100_0000]), Some(1));
        assert_eq!(pps_id(&[0x68, 0b0110_0000]), Some(2));
        assert_eq!(pps_id(&[0x68, 0x00, 0x80, 0x00]), Some(255));
        assert_eq!(pps_id(&[0x68, 0x00, 0x00, 0x00]), None);
        assert_eq!(pps_id(&[]), None);
    }

    #[test]
    fn parameter_sets_that_come_later_replace_those_with_their_number() {
        let sets = |sps: Option<&'static [u8]>, pps: &[&'static [u8]]| ParameterSets {
            sps: sps.map(Bytes::from_static),
            pps: pps.iter().map(|pps| Bytes::from_static(pps)).collect(),
        };
        let after = |known, came| VideoFormat::after(known, &came).unwrap();
        let (first, other): (&[u8], &[u8]) = (&[0x68, 0xce, 1], &[0x68, 0x40, 1]);
        assert_eq!(after(None, sets(None, &[first])), None, "no SPS yet");
        assert_eq!(
            after(None, sets(Some(SPS_BASELINE), &[])),
            None,
            "no PPS yet"
        );
        let known = after(None, sets(Some(SPS_BASELINE), &[first, other])).unwrap();
        assert_eq!(known.pps, [first, other]);
        assert_eq!(
            after(Some(&known), sets(Some(SPS_BASELINE), &[other])),
            None
        );
        let changed: &[u8] = &[0x68, 0xce, 2];
        let known = after(Some(&known), sets(None, &[changed])).unwrap();
        assert_eq!(known.pps, [changed, other]);
        let known = after(Some(&known), sets(Some(SPS_HIGH_720P), &[])).unwrap();
        assert_eq!((known.width, known.pps.len()), (1280, 2));
    }

    #[test]
    fn parameter_sets_cannot_grow_without_bounds() {
        let mut sets = ParameterSets::default();
        assert!(sets.take(&Bytes::from(vec![0x68; MAX_PPS_LENGTH + 1])));
        assert!(sets.pps.is_empty());
        let mut known = parse(SPS_BASELINE).unwrap();
        for id in 0..=255_u32 {
            // Its number in nine bits behind eight zeros.
            let [_, _, high, low] = ((id + 1) << 7 | 1).to_be_bytes();
            let pps = Bytes::copy_from_slice(&[0x68, high, low, 0x80]);
            let came = ParameterSets {
                pps: vec![pps],
                ..ParameterSets::default()
            };
            known = VideoFormat::after(Some(&known), &came)
                .unwrap()
                .unwrap_or(known);
        }
        assert!(known.pps.len() <= MAX_PPS);
    }

    #[test]
    fn a_broken_sps_is_refused() {
        for length in 0..8 {
            assert!(parse(&SPS_HIGH_720P[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn nal_units_are_found_again() {
        let mut data = BytesMut::new();
        put_nal(&mut data, &[0x65, 1, 2, 3]);
        put_nal(&mut data, &[0x41]);
        let found: Vec<_> = nals(&data.freeze()).collect();
        assert_eq!(
            found,
            [
                Bytes::from_static(&[0x65, 1, 2, 3]),
                Bytes::from_static(&[0x41])
            ]
        );
        assert_eq!(NalType::of(&found[0]), NalType::IDR);
        assert!(NalType::of(&found[1]).is_slice());
    }

    #[test]
    fn a_wrong_length_ends_the_walk() {
        let data = Bytes::from_static(&[0, 0, 0, 9, 0x65, 1]);
        assert_eq!(nals(&data).count(), 0);
    }
}
