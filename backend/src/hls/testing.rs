//! Access units for the tests of this folder, and what became of them.

use std::sync::Arc;

use bytes::Bytes;

use super::fmp4::tests::{boxes, find};
use crate::media::aac::AacFormat;
use crate::media::access_unit::{AccessUnit, AudioFormat, Epoch, Format};
use crate::media::h264::VideoFormat;
use crate::media::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};
use crate::media::time::MediaTime;

pub(super) const fn ms(ms: i64) -> MediaTime {
    MediaTime::from_micros(ms * 1_000)
}

fn video_of(sps: &'static [u8]) -> Format {
    let (sps, pps) = (Bytes::from_static(sps), Bytes::from_static(PPS));
    Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap()))
}

pub(super) fn video() -> Format {
    video_of(SPS_BASELINE)
}

pub(super) fn video_720p() -> Format {
    video_of(SPS_HIGH_720P)
}

/// AAC-LC, 48 kHz, stereo.
pub(super) fn audio() -> Format {
    let aac = AacFormat::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
    Format::Audio(AudioFormat::Aac(Arc::new(aac)))
}

pub(super) fn unit(format: Format, at: MediaTime, random_access: bool) -> AccessUnit {
    AccessUnit {
        epoch: Epoch(1),
        format,
        dts: at,
        pts: at,
        random_access,
        data: Bytes::from_static(b"data"),
    }
}

/// What a broadcast consists of.
#[derive(Clone)]
pub(super) struct Broadcast {
    pub(super) epoch: u32,
    pub(super) video: Option<Format>,
    pub(super) audio: Option<Format>,
    pub(super) pictures_per_second: i64,
    /// A keyframe every so many pictures.
    pub(super) group: i64,
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            epoch: 1,
            video: Some(video()),
            audio: Some(audio()),
            pictures_per_second: 30,
            group: 60,
        }
    }
}

impl Broadcast {
    /// Its units between two times, in ms, in the order in which they come.
    pub(super) fn units(&self, from: i64, to: i64) -> Vec<Arc<AccessUnit>> {
        let (from, to) = (from * 1_000, to * 1_000);
        let mut units = Vec::new();
        if let Some(format) = &self.video {
            let times = (0..).map(|n| (n, from + n * 1_000_000 / self.pictures_per_second));
            for (n, at) in times.take_while(|&(_, at)| at < to) {
                let at = MediaTime::from_micros(at);
                units.push(unit(format.clone(), at, n % self.group == 0));
            }
        }
        if let Some(format) = &self.audio {
            let times = (0..).map(|n| from + n * 1_024_000_000 / 48_000);
            for at in times.take_while(|&at| at < to) {
                let at = MediaTime::from_micros(at);
                units.push(unit(format.clone(), at, self.video.is_none()));
            }
        }
        units.sort_by_key(|unit| unit.dts);
        let with_epoch = |unit: AccessUnit| AccessUnit {
            epoch: Epoch(self.epoch),
            ..unit
        };
        units.into_iter().map(with_epoch).map(Arc::new).collect()
    }
}

/// A fragment's decode time, the time of its end, and its samples, in ticks.
pub(super) fn fragments(file: &[u8]) -> Vec<(i64, i64, usize)> {
    let moofs = boxes(file).into_iter().filter(|(name, _)| name == "moof");
    let fragment = |moof: &[u8]| {
        let tfdt = find(moof, &["traf", "tfdt"]).unwrap();
        let begin = i64::from_be_bytes(tfdt[4..12].try_into().unwrap());
        let trun = find(moof, &["traf", "trun"]).unwrap();
        let durations = trun[12..]
            .chunks(16)
            .map(|sample| u32::from_be_bytes(sample[..4].try_into().unwrap()));
        let samples = durations.clone().count();
        (
            begin,
            begin + durations.map(i64::from).sum::<i64>(),
            samples,
        )
    };
    moofs.map(|(_, moof)| fragment(moof)).collect()
}
