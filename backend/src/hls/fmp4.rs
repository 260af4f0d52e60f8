//! Fragmented MP4: initialization segments and fragments of one track (ISO/IEC 14496-12, and 23000-19 for
//! CMAF). A fragment is one CMAF chunk.

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::access_unit::{AudioFormat, Format, TrackKind};
use crate::media::avc;

/// Samples that depend on no others (section 8.8.3.1: `sample_depends_on` is 2).
const INDEPENDENT: u32 = 0x0200_0000;
/// Samples that depend on others, and nobody can start there.
const DEPENDENT: u32 = 0x0101_0000;

/// A picture or a frame of sound, in ticks of its track's timescale.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it is decoded.
    pub dts: i64,
    /// How much later it is presented.
    pub composition_offset: i32,
    /// Time until the next one is decoded; 0 while that has not come.
    pub duration: u32,
    /// Whether a decoder can start here.
    pub independent: bool,
    /// See [`crate::media::access_unit::AccessUnit::data`].
    pub data: Bytes,
}

/// Ticks per second of a track with this format.
#[must_use]
pub fn timescale(format: &Format) -> u32 {
    match format {
        Format::Video(_) => 90_000,
        Format::Audio(AudioFormat::Aac(aac)) => aac.sample_rate,
        Format::Audio(AudioFormat::Opus { .. }) => 48_000,
    }
}

/// A track's identifier. Each track has files of its own, but players may join them.
#[must_use]
pub const fn track_id(kind: TrackKind) -> u32 {
    match kind {
        TrackKind::Video => 1,
        TrackKind::Audio => 2,
    }
}

/// What decodes the fragments of a track: `ftyp` and `moov`.
#[must_use]
pub fn initialization(format: &Format) -> Bytes {
    let mut out = BytesMut::new();
    put_box(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso6");
        out.put_u32(0);
        out.put_slice(b"iso6cmfcmp41");
    });
    put_box(&mut out, b"moov", |out| {
        put_full_box(out, b"mvhd", 0, 0, |out| {
            out.put_bytes(0, 8); // times of creation and modification
            out.put_u32(timescale(format));
            out.put_u32(0); // duration: that of the fragments
            put_rate_and_matrix(out);
            out.put_bytes(0, 24); // pre_defined
            out.put_u32(u32::MAX); // next_track_ID: not known
        });
        put_track(out, format);
        put_box(out, b"mvex", |out| {
            put_full_box(out, b"trex", 0, 0, |out| {
                out.put_u32(track_id(format.kind()));
                out.put_u32(1); // sample description
                out.put_bytes(0, 12); // duration, size, flags: each fragment says its own
            });
        });
    });
    out.freeze()
}

/// Appends samples, which follow each other without a gap: `moof` and `mdat`.
pub fn put_fragment(out: &mut BytesMut, kind: TrackKind, sequence: u32, samples: &[Sample]) {
    let Some(first) = samples.first() else {
        return;
    };
    let begin = out.len();
    let mut data_offset_at = 0;
    put_box(out, b"moof", |out| {
        put_full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        put_box(out, b"traf", |out| {
            // default-base-is-moof (section 8.8.7.1).
            put_full_box(out, b"tfhd", 0, 0x02_0000, |out| {
                out.put_u32(track_id(kind));
            });
            put_full_box(out, b"tfdt", 1, 0, |out| out.put_i64(first.dts));
            // Data offset; duration, size, flags and composition offset of each sample (section 8.8.8.1).
            put_full_box(out, b"trun", 1, 0x00_0f01, |out| {
                out.put_u32(count(samples.len()));
                data_offset_at = out.len();
                out.put_u32(0);
                for sample in samples {
                    out.put_u32(sample.duration);
                    out.put_u32(count(sample.data.len()));
                    out.put_u32(if sample.independent {
                        INDEPENDENT
                    } else {
                        DEPENDENT
                    });
                    out.put_i32(sample.composition_offset);
                }
            });
        });
    });
    let data_offset = count(out.len() - begin + 8);
    if let Some(place) = out.get_mut(data_offset_at..data_offset_at + 4) {
        place.copy_from_slice(&data_offset.to_be_bytes());
    }
    put_box(out, b"mdat", |out| {
        out.reserve(samples.iter().map(|sample| sample.data.len()).sum());
        for sample in samples {
            out.put_slice(&sample.data);
        }
    });
}

/// Appends what a segment begins with.
pub fn put_segment_type(out: &mut BytesMut) {
    put_box(out, b"styp", |out| {
        out.put_slice(b"msdh");
        out.put_u32(0);
        out.put_slice(b"msdhmsixcmfs");
    });
}

fn put_track(out: &mut BytesMut, format: &Format) {
    put_box(out, b"trak", |out| {
        // Enabled, and in the presentation (section 8.3.2.1).
        put_full_box(out, b"tkhd", 0, 3, |out| {
            out.put_bytes(0, 8);
            out.put_u32(track_id(format.kind()));
            out.put_bytes(0, 16); // reserved, duration, reserved
            out.put_u32(0); // layer, alternate group
            let is_audio = format.kind() == TrackKind::Audio;
            out.put_u16(if is_audio { 0x0100 } else { 0 }); // volume
            out.put_u16(0);
            put_matrix(out);
            let (width, height) = size(format);
            out.put_u32(width << 16);
            out.put_u32(height << 16);
        });
        put_box(out, b"mdia", |out| {
            put_full_box(out, b"mdhd", 0, 0, |out| {
                out.put_bytes(0, 8);
                out.put_u32(timescale(format));
                out.put_u32(0);
                out.put_u16(0x55c4); // language: "und"
                out.put_u16(0);
            });
            let (handler, name): (&[u8; 4], &[u8]) = match format.kind() {
                TrackKind::Video => (b"vide", b"Video\0"),
                TrackKind::Audio => (b"soun", b"Audio\0"),
            };
            put_full_box(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                out.put_slice(handler);
                out.put_bytes(0, 12);
                out.put_slice(name);
            });
            put_media_information(out, format);
        });
    });
}

fn put_media_information(out: &mut BytesMut, format: &Format) {
    put_box(out, b"minf", |out| {
        match format.kind() {
            TrackKind::Video => put_full_box(out, b"vmhd", 0, 1, |out| out.put_bytes(0, 8)),
            TrackKind::Audio => put_full_box(out, b"smhd", 0, 0, |out| out.put_bytes(0, 4)),
        }
        put_box(out, b"dinf", |out| {
            put_full_box(out, b"dref", 0, 0, |out| {
                out.put_u32(1);
                put_full_box(out, b"url ", 0, 1, |_| {}); // in this file
            });
        });
        put_box(out, b"stbl", |out| {
            put_full_box(out, b"stsd", 0, 0, |out| {
                out.put_u32(1);
                put_sample_entry(out, format);
            });
            // No samples here: they are in the fragments.
            put_full_box(out, b"stts", 0, 0, |out| out.put_u32(0));
            put_full_box(out, b"stsc", 0, 0, |out| out.put_u32(0));
            put_full_box(out, b"stsz", 0, 0, |out| out.put_u64(0));
            put_full_box(out, b"stco", 0, 0, |out| out.put_u32(0));
        });
    });
}

fn put_sample_entry(out: &mut BytesMut, format: &Format) {
    match format {
        Format::Video(video) => put_box(out, b"avc1", |out| {
            put_entry_header(out);
            out.put_bytes(0, 16);
            let (width, height) = size(format);
            out.put_u16(u16::try_from(width).unwrap_or(u16::MAX));
            out.put_u16(u16::try_from(height).unwrap_or(u16::MAX));
            out.put_u32(0x0048_0000); // 72 dpi
            out.put_u32(0x0048_0000);
            out.put_u32(0);
            out.put_u16(1); // pictures per sample
            out.put_bytes(0, 32); // compressor
            out.put_u16(24); // depth
            out.put_i16(-1);
            put_box(out, b"avcC", |out| avc::put_config(out, video));
        }),
        Format::Audio(audio) => put_box(out, b"mp4a", |out| {
            put_entry_header(out);
            out.put_bytes(0, 8);
            out.put_u16(audio.channels().into());
            out.put_u16(16); // bits
            out.put_u32(0);
            // 16.16 fixed point; what does not fit is in the configuration.
            let rate = u16::try_from(timescale(format)).unwrap_or(0);
            out.put_u32(u32::from(rate) << 16);
            if let AudioFormat::Aac(aac) = audio {
                put_full_box(out, b"esds", 0, 0, |out| {
                    put_es_descriptor(out, &aac.config);
                });
            }
        }),
    }
}

fn put_entry_header(out: &mut BytesMut) {
    out.put_bytes(0, 6);
    out.put_u16(1); // data reference
}

/// `ES_Descriptor` of an AAC track (ISO/IEC 14496-1 section 7.2.6.5).
fn put_es_descriptor(out: &mut BytesMut, config: &[u8]) {
    put_descriptor(out, 3, |out| {
        out.put_u16(0); // ES_ID
        out.put_u8(0);
        put_descriptor(out, 4, |out| {
            out.put_u8(0x40); // audio of ISO/IEC 14496-3
            out.put_u8(0x15); // audio stream
            out.put_bytes(0, 3 + 4 + 4); // sizes and bit rates: not known
            put_descriptor(out, 5, |out| out.put_slice(config));
        });
        put_descriptor(out, 6, |out| out.put_u8(2)); // SLConfigDescriptor of MP4
    });
}

fn put_descriptor(out: &mut BytesMut, tag: u8, content: impl FnOnce(&mut BytesMut)) {
    let mut inner = BytesMut::new();
    content(&mut inner);
    out.put_u8(tag);
    // Four groups of seven bits (section 8.3.3).
    let length = count(inner.len());
    for shift in [21, 14, 7] {
        out.put_u8(0x80 | low_byte(length >> shift) & 0x7f);
    }
    out.put_u8(low_byte(length) & 0x7f);
    out.put_slice(&inner);
}

const fn low_byte(number: u32) -> u8 {
    number.to_be_bytes()[3]
}

fn put_rate_and_matrix(out: &mut BytesMut) {
    out.put_u32(0x0001_0000); // rate
    out.put_u16(0x0100); // volume
    out.put_bytes(0, 10);
    put_matrix(out);
}

fn put_matrix(out: &mut BytesMut) {
    for value in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        out.put_u32(value);
    }
}

fn size(format: &Format) -> (u32, u32) {
    match format {
        Format::Video(video) => (video.width & 0xffff, video.height & 0xffff),
        Format::Audio(_) => (0, 0),
    }
}

fn put_box(out: &mut BytesMut, name: &[u8; 4], content: impl FnOnce(&mut BytesMut)) {
    let begin = out.len();
    out.put_u32(0);
    out.put_slice(name);
    content(out);
    let size = count(out.len() - begin);
    if let Some(place) = out.get_mut(begin..begin + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

fn put_full_box(
    out: &mut BytesMut,
    name: &[u8; 4],
    version: u8,
    flags: u32,
    content: impl FnOnce(&mut BytesMut),
) {
    put_box(out, name, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        content(out);
    });
}

/// Sizes in MP4 have 32 bits; a segment has some MB.
fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::aac::AacFormat;
    use crate::media::h264::VideoFormat;
    use crate::media::h264::tests::{PPS, SPS_HIGH_720P};

    /// The boxes of a file or of a box, by name.
    pub(crate) fn boxes(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let name = String::from_utf8(bytes[4..8].to_vec()).unwrap();
            found.push((name, &bytes[8..size]));
            bytes = &bytes[size..];
        }
        found
    }

    /// The content of the first box at this path.
    pub(crate) fn find<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
        path.iter().try_fold(bytes, |bytes, name| {
            let found = boxes(bytes).into_iter().find(|(found, _)| found == name);
            found.map(|(_, content)| content)
        })
    }

    fn picture(data: &'static [u8], duration: u32) -> Sample {
        Sample {
            dts: 1 << 40,
            composition_offset: 3_000,
            duration,
            independent: true,
            data: Bytes::from_static(data),
        }
    }

    #[test]
    fn an_initialization_segment_has_the_decoders_configuration() {
        let (sps, pps) = (Bytes::from_static(SPS_HIGH_720P), Bytes::from_static(PPS));
        let format = Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap()));
        let file = initialization(&format);
        let names: Vec<_> = boxes(&file).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ftyp", "moov"]);
        let stsd = find(&file, &["moov", "trak", "mdia", "minf", "stbl", "stsd"]).unwrap();
        let entry = find(&stsd[8..], &["avc1"]).unwrap();
        assert_eq!(entry[24..28], [5, 0, 2, 208], "1280x720");
        let config = find(&entry[78..], &["avcC"]).unwrap();
        let has_sps = config
            .windows(SPS_HIGH_720P.len())
            .any(|bytes| bytes == SPS_HIGH_720P);
        assert!(has_sps);
    }

    #[test]
    fn sound_is_described_by_its_audio_specific_config() {
        let aac = AacFormat::parse(Bytes::from_static(&[0x12, 0x10])).unwrap();
        let file = initialization(&Format::Audio(AudioFormat::Aac(Arc::new(aac))));
        let mdhd = find(&file, &["moov", "trak", "mdia", "mdhd"]).unwrap();
        assert_eq!(mdhd[12..16], 44_100_u32.to_be_bytes());
        let stsd = find(&file, &["moov", "trak", "mdia", "minf", "stbl", "stsd"]).unwrap();
        let entry = find(&stsd[8..], &["mp4a"]).unwrap();
        let esds = find(&entry[28..], &["esds"]).unwrap();
        assert!(esds.ends_with(&[
            5, 0x80, 0x80, 0x80, 2, 0x12, 0x10, 6, 0x80, 0x80, 0x80, 1, 2
        ]));
    }

    #[test]
    fn a_fragments_samples_add_up_and_lie_where_it_says() {
        let samples = [picture(b"first", 3_000), picture(b"second", 3_001)];
        let mut out = BytesMut::from(&b"before"[..]);
        put_fragment(&mut out, TrackKind::Video, 7, &samples);
        let fragment = &out[6..];
        let traf = find(fragment, &["moof", "traf"]).unwrap();
        let tfdt = find(traf, &["tfdt"]).unwrap();
        assert_eq!(tfdt[4..], (1_i64 << 40).to_be_bytes());
        let trun = find(traf, &["trun"]).unwrap();
        let word = |at: usize| u32::from_be_bytes(trun[at..at + 4].try_into().unwrap());
        assert_eq!(word(4), 2);
        let offset = word(8) as usize;
        assert_eq!(&fragment[offset..], b"firstsecond");
        assert_eq!((word(12), word(16)), (3_000, 5));
        assert_eq!((word(28), word(32)), (3_001, 6));
        assert_eq!(word(40), 3_000, "composition offset");
    }
}
