//! From access units to RTP payloads, once for all viewers of a room (RFC 6184, RFC 7587).

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::access_unit::{AccessUnit, Format};
use crate::media::h264::{VideoFormat, nals};

/// Largest RTP payload: what is left of 1,200 bytes, which pass on every path, behind the RTP header, an
/// RTX header and the authentication tag.
pub(super) const MAX_PAYLOAD: usize = 1_170;
/// STAP-A with the highest NRI (section 5.7.1).
const STAP_A: u8 = 0x78;
const FU_A: u8 = 28;
const F_NRI: u8 = 0xe0;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

/// The payloads of one unit in order; the last one is sent with the marker bit where it is a picture.
pub(super) fn payloads(unit: &AccessUnit) -> Vec<Bytes> {
    match &unit.format {
        Format::Audio(_) => vec![unit.data.clone()],
        Format::Video(format) => {
            let mut payloads = Vec::with_capacity(2 + unit.data.len() / MAX_PAYLOAD);
            if unit.random_access {
                // Every keyframe brings its parameter sets: a viewer can start at any.
                payloads.extend(parameter_sets(format));
            }
            for nal in nals(&unit.data) {
                packetize(&nal, &mut payloads);
            }
            payloads
        }
    }
}

/// All parameter sets in one packet, or each in its own where they do not fit.
fn parameter_sets(format: &VideoFormat) -> Vec<Bytes> {
    let sizes = format.parameter_sets().map(|set| 2 + set.len());
    let size = 1 + sizes.sum::<usize>();
    if size > MAX_PAYLOAD {
        let mut payloads = Vec::new();
        for set in format.parameter_sets() {
            packetize(set, &mut payloads);
        }
        return payloads;
    }
    let mut payload = BytesMut::with_capacity(size);
    payload.put_u8(STAP_A);
    for set in format.parameter_sets() {
        payload.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
        payload.put_slice(set);
    }
    vec![payload.freeze()]
}

/// A NAL unit that fits is its own payload, without a copy (section 5.6); a larger one is fragmented
/// into pieces of even size (section 5.8).
fn packetize(nal: &Bytes, payloads: &mut Vec<Bytes>) {
    if nal.len() <= MAX_PAYLOAD {
        payloads.push(nal.clone());
        return;
    }
    let body = &nal[1..];
    let count = body.len().div_ceil(MAX_PAYLOAD - 2);
    let size = body.len().div_ceil(count);
    // One allocation for all fragments of the unit; each is a slice of it.
    let mut all = BytesMut::with_capacity(body.len() + 2 * count);
    for (index, piece) in body.chunks(size).enumerate() {
        let start = if index == 0 { FU_START } else { 0 };
        let end = if index == count - 1 { FU_END } else { 0 };
        all.put_u8((nal[0] & F_NRI) | FU_A);
        all.put_u8(start | end | (nal[0] & 0x1f));
        all.put_slice(piece);
        payloads.push(all.split().freeze());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::access_unit::{AudioFormat, Epoch};
    use crate::media::h264::put_nal;
    use crate::media::time::MediaTime;

    fn format(sps_len: usize) -> Format {
        let sps = Bytes::from([&[0x67][..], &vec![1; sps_len - 1]].concat());
        let pps = vec![Bytes::from_static(&[0x68, 2])];
        let video = VideoFormat {
            sps,
            pps,
            width: 16,
            height: 16,
            reorder_frames: None,
            has_rare_colours: false,
        };
        Format::Video(Arc::new(video))
    }

    fn unit(format: Format, data: Bytes, random_access: bool) -> AccessUnit {
        let at = MediaTime::ZERO;
        AccessUnit {
            epoch: Epoch(1),
            format,
            dts: at,
            pts: at,
            random_access,
            data,
        }
    }

    fn picture(nal_sizes: &[usize], keyframe: bool) -> AccessUnit {
        let mut data = BytesMut::new();
        for &size in nal_sizes {
            let header = if keyframe { 0x65 } else { 0x41 };
            let body = (1..size).map(|n| u8::try_from(n % 251).unwrap());
            put_nal(
                &mut data,
                &[header].into_iter().chain(body).collect::<Vec<_>>(),
            );
        }
        unit(format(10), data.freeze(), keyframe)
    }

    #[test]
    fn sound_is_its_own_payload() {
        let opus = Format::Audio(AudioFormat::Opus { channels: 2 });
        let unit = unit(opus, Bytes::from_static(b"opus"), false);
        assert_eq!(payloads(&unit), [Bytes::from_static(b"opus")]);
    }

    #[test]
    fn a_small_nal_unit_is_not_copied() {
        let unit = picture(&[100], false);
        let payloads = payloads(&unit);
        assert_eq!(payloads.len(), 1);
        assert_eq!(payloads[0].as_ptr(), unit.data[4..].as_ptr());
    }

    #[test]
    fn a_keyframe_begins_with_its_parameter_sets() {
        let payloads = payloads(&picture(&[50], true));
        assert_eq!(payloads[0][..3], [STAP_A, 0, 10]);
        assert_eq!(payloads[0][13..], [0, 2, 0x68, 2]);
        assert_eq!(payloads[1][0], 0x65);
    }

    #[test]
    fn no_payload_is_too_large() {
        for size in [1_169, 1_170, 1_171, 2_336, 2_337, 2_338, 100_000] {
            for payload in payloads(&picture(&[size, 40], true)) {
                assert!(payload.len() <= MAX_PAYLOAD, "{} for {size}", payload.len());
            }
        }
        let large = unit(format(2_000), Bytes::new(), true);
        assert!(
            payloads(&large)
                .iter()
                .all(|payload| payload.len() <= MAX_PAYLOAD)
        );
    }

    #[test]
    fn fragments_begin_and_end_once_and_add_up() {
        let unit = picture(&[5_000], false);
        let payloads = payloads(&unit);
        assert_eq!(payloads.len(), 5);
        let flags: Vec<_> = payloads
            .iter()
            .map(|p| p[1] & (FU_START | FU_END))
            .collect();
        assert_eq!(flags, [FU_START, 0, 0, 0, FU_END]);
        let body: Vec<u8> = payloads.iter().flat_map(|p| p[2..].to_vec()).collect();
        assert_eq!(body, unit.data[5..]);
    }
}
