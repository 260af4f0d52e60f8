//! Access units: what every broadcast becomes and every viewer is sent.

use std::sync::Arc;

use bytes::Bytes;

use super::aac::AacFormat;
use super::fanout::Unit;
use super::h264::VideoFormat;
use super::time::MediaTime;

/// Which of the two tracks of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// The picture.
    Video,
    /// The sound.
    Audio,
}

/// The audio codecs that a room can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// What WebRTC plays.
    Opus,
    /// What RTMP, FLV and HLS players play: AAC-LC.
    Aac,
}

/// Codec and parameters of an audio track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// Opus (RFC 6716), always clocked at 48 kHz.
    Opus {
        /// Channels the sender announced; each packet says its own.
        channels: u8,
    },
    /// AAC-LC (ISO/IEC 14496-3).
    Aac(Arc<AacFormat>),
}

impl AudioFormat {
    /// The codec's common name.
    #[must_use]
    pub const fn codec_name(&self) -> &'static str {
        match self.codec() {
            AudioCodec::Opus => "Opus",
            AudioCodec::Aac => "AAC",
        }
    }

    /// 1 or 2.
    #[must_use]
    pub fn channels(&self) -> u8 {
        match self {
            Self::Opus { channels } => (*channels).clamp(1, 2),
            Self::Aac(aac) => aac.channels,
        }
    }

    /// The codec.
    #[must_use]
    pub const fn codec(&self) -> AudioCodec {
        match self {
            Self::Opus { .. } => AudioCodec::Opus,
            Self::Aac(_) => AudioCodec::Aac,
        }
    }
}

/// What is needed to decode a unit. A unit whose format is not the one before it begins a new decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// H.264 with its parameter sets.
    Video(Arc<VideoFormat>),
    /// Sound.
    Audio(AudioFormat),
}

impl Format {
    /// The track this format belongs to.
    #[must_use]
    pub const fn kind(&self) -> TrackKind {
        match self {
            Self::Video(_) => TrackKind::Video,
            Self::Audio(_) => TrackKind::Audio,
        }
    }
}

/// Counts the broadcasts of a stage. Units of different epochs come from different publishers (or from
/// one that came back): decoders start anew and timestamps jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// One coded picture or one packet of sound, immutable and shared by all who watch.
#[derive(Debug)]
pub struct AccessUnit {
    /// The broadcast it belongs to.
    pub epoch: Epoch,
    /// What decodes it.
    pub format: Format,
    /// When it is decoded. Never steps back within a track, not even from one epoch to the next.
    pub dts: MediaTime,
    /// When it is shown or heard; later than `dts` only where pictures are reordered.
    pub pts: MediaTime,
    /// Whether a viewer can start here: an IDR picture or, where there is no picture, any sound.
    pub random_access: bool,
    /// H.264: NAL units, each behind its length in four bytes (ISO/IEC 14496-15 section 5.3.3), without
    /// parameter sets, delimiters and filler. Opus: the packet. AAC: the raw data block, without ADTS.
    pub data: Bytes,
}

impl Unit for AccessUnit {
    fn random_access(&self) -> bool {
        self.random_access
    }

    fn time(&self) -> MediaTime {
        self.dts
    }

    fn size(&self) -> usize {
        self.data.len()
    }
}
