//! From a publisher's messages to units for the stage.

mod clock;
mod picture;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use self::clock::Clock;
use self::picture::Picture;
use crate::flv::TagError;
use crate::flv::audio::AudioTag;
use crate::flv::metadata::Metadata;
use crate::flv::video::VideoTag;
use crate::media::aac::{AacError, AacFormat};
use crate::media::access_unit::{AudioFormat, Format, TrackKind};
use crate::media::avc::{AvcConfig, AvcConfigError};
use crate::media::h264::{ParameterSets, VideoFormat};
use crate::media::stage::{NewUnit, Tracks};
use crate::media::time::MediaTime;

/// How long the first track waits for the second, in ms of media or of time gone by.
const PATIENCE: i64 = 1_000;
/// The same, once there is a picture to show.
const PATIENCE_WITH_PICTURE: i64 = 500;
/// The same, where the metadata promised a picture.
const PATIENCE_FOR_PICTURE: i64 = 5_000;
/// Most that is kept before the broadcast begins; then it begins.
const MAX_KEPT: usize = 512;
const MAX_KEPT_BYTES: usize = 8 << 20;
/// Longer than any AudioSpecificConfig.
const MAX_AUDIO_CONFIG: usize = 1_024;

/// What comes out.
#[derive(Debug)]
pub enum Output {
    /// The broadcast begins with these tracks, and times count from here. Comes again when the first
    /// picture of a broadcast arrives that began without: viewers have to start anew then.
    Start(Tracks),
    /// The next unit.
    Unit(NewUnit),
}

/// The broadcast cannot be carried. `Display` names the codec and what to choose; it is meant for
/// [`refuse_publish`](super::session::Session::refuse_publish).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Another codec than H.264 or AAC.
    #[error(transparent)]
    Codec(TagError),
    /// Parameter sets that cannot be used.
    #[error(transparent)]
    Video(#[from] AvcConfigError),
    /// A form of AAC that cannot be used.
    #[error(transparent)]
    Audio(#[from] AacError),
}

/// A publisher's media, without sockets and clocks: messages go in, units come out of
/// [`poll`](Self::poll). `now` is when a message arrived, on any clock that does not step back.
#[derive(Debug)]
pub struct Intake {
    clock: Clock,
    /// Tracks by the metadata.
    promised: Metadata,
    video: Option<Arc<VideoFormat>>,
    length_size: u8,
    /// Pictures are dropped until the next keyframe.
    await_keyframe: bool,
    audio: Option<Arc<AacFormat>>,
    started: Option<Started>,
    waiting: Waiting,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug)]
struct Started {
    /// The moment that is the broadcast's zero, in ms.
    origin: i64,
    tracks: Tracks,
}

/// A unit on the clock's time, in ms.
#[derive(Debug)]
struct Placed {
    at: i64,
    composition: i64,
    format: Format,
    keyframe: bool,
    data: Bytes,
}

/// What came before the broadcast began.
#[derive(Debug, Default)]
struct Waiting {
    since: Option<(i64, MediaTime)>,
    picture_since: Option<i64>,
    kept: Vec<Placed>,
    bytes: usize,
}

impl Default for Intake {
    fn default() -> Self {
        Self::new()
    }
}

impl Intake {
    /// For a publisher that has sent nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Clock::default(),
            promised: Metadata::default(),
            video: None,
            length_size: 4,
            await_keyframe: true,
            audio: None,
            started: None,
            waiting: Waiting::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in the body of a video message; `timestamp` is in ms and wraps around. Bodies that end early
    /// are dropped.
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn video(
        &mut self,
        timestamp: u32,
        body: &Bytes,
        now: MediaTime,
    ) -> Result<(), Unsupported> {
        match VideoTag::parse(body) {
            Ok(VideoTag::SequenceHeader(record)) if !record.is_empty() => {
                let config = AvcConfig::parse(&record)?;
                self.length_size = config.length_size;
                self.learn_video(&config.sets)?;
            }
            Ok(VideoTag::Picture {
                composition_ms,
                data,
            }) => {
                let at = self.clock.place(TrackKind::Video, timestamp, now);
                self.picture(at, composition_ms, &data);
                self.start_if_due(at, now);
            }
            Ok(_) | Err(TagError::Truncated) => {}
            Err(error @ TagError::Codec { .. }) => return Err(Unsupported::Codec(error)),
        }
        Ok(())
    }

    /// Takes in the body of an audio message; `timestamp` is in ms and wraps around. Bodies that end early
    /// are dropped.
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn audio(
        &mut self,
        timestamp: u32,
        body: &Bytes,
        now: MediaTime,
    ) -> Result<(), Unsupported> {
        match AudioTag::parse(body) {
            Ok(AudioTag::SequenceHeader(config)) if !config.is_empty() => {
                self.learn_audio(&config)?;
            }
            Ok(AudioTag::Packet(data)) if !data.is_empty() => {
                let at = self.clock.place(TrackKind::Audio, timestamp, now);
                if let Some(aac) = &self.audio {
                    let format = Format::Audio(AudioFormat::Aac(Arc::clone(aac)));
                    self.write(Placed {
                        at,
                        composition: 0,
                        format,
                        keyframe: false,
                        data,
                    });
                }
                self.start_if_due(at, now);
            }
            Ok(_) | Err(TagError::Truncated) => {}
            Err(error @ TagError::Codec { .. }) => return Err(Unsupported::Codec(error)),
        }
        Ok(())
    }

    /// Takes in what the publisher says its stream is like: where it promises one track, the broadcast does
    /// not wait for another.
    pub fn metadata(&mut self, metadata: &Metadata) {
        self.promised = metadata.clone();
    }

    /// What there is to do; to be called until it says `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn learn_video(&mut self, sets: &ParameterSets) -> Result<(), AvcConfigError> {
        if let Some(format) = VideoFormat::after(self.video.as_deref(), sets)? {
            self.video = Some(Arc::new(format));
            self.await_keyframe = true;
        }
        Ok(())
    }

    fn learn_audio(&mut self, config: &Bytes) -> Result<(), AacError> {
        if self
            .audio
            .as_ref()
            .is_some_and(|known| known.config == *config)
        {
            return Ok(());
        }
        if config.len() > MAX_AUDIO_CONFIG {
            return Err(AacError::Invalid);
        }
        let format = AacFormat::parse(Bytes::copy_from_slice(config))?;
        self.audio = Some(Arc::new(format));
        Ok(())
    }

    fn picture(&mut self, at: i64, composition_ms: i32, data: &Bytes) {
        let Ok(picture) = Picture::new(data, self.length_size) else {
            self.await_keyframe = true;
            return;
        };
        self.learn_in_band(&picture);
        if picture.data.is_empty() || self.await_keyframe && !picture.idr {
            return;
        }
        let Some(format) = self.video.clone() else {
            return;
        };
        self.await_keyframe = false;
        let tracks = Tracks {
            video: true,
            audio: self.audio.is_some(),
        };
        if self.started.is_some_and(|started| !started.tracks.video) {
            self.start(at, tracks);
        }
        self.write(Placed {
            at,
            composition: composition_ms.into(),
            format: Format::Video(format),
            keyframe: picture.idr,
            data: picture.data,
        });
    }

    /// Encoders repeat their parameter sets in front of keyframes, and some change them there.
    fn learn_in_band(&mut self, picture: &Picture) {
        if let Err(error) = self.learn_video(&picture.sets) {
            tracing::debug!(%error, "parameter sets in a publisher's picture");
        }
    }

    /// Appends a unit, or keeps it until the broadcast begins.
    fn write(&mut self, unit: Placed) {
        if let Some(started) = self.started {
            self.outputs
                .push_back(Output::Unit(unit.since(started.origin)));
            return;
        }
        if unit.keyframe {
            self.waiting.picture_since.get_or_insert(unit.at);
        }
        self.waiting.bytes += unit.data.len();
        self.waiting.kept.push(unit);
    }

    /// Begins the broadcast if the tracks are there that can be expected, or were waited for long enough.
    fn start_if_due(&mut self, at: i64, now: MediaTime) {
        let waiting = &mut self.waiting;
        let (since, arrival) = *waiting.since.get_or_insert((at, now));
        if self.started.is_some() || waiting.kept.is_empty() {
            return;
        }
        let tracks = Tracks {
            video: self.video.is_some(),
            audio: self.audio.is_some(),
        };
        let complete = (tracks.video || self.promised.video == Some(false))
            && (tracks.audio || self.promised.audio == Some(false));
        let waited = (at - since).max((now - arrival).as_micros() / 1_000);
        let patience = match (tracks.video, self.promised.video) {
            (false, Some(true)) => PATIENCE_FOR_PICTURE,
            _ => PATIENCE,
        };
        let shown = waiting
            .picture_since
            .is_some_and(|since| at - since >= PATIENCE_WITH_PICTURE);
        let full = waiting.kept.len() >= MAX_KEPT || waiting.bytes >= MAX_KEPT_BYTES;
        if complete || waited >= patience || shown || full {
            let kept = std::mem::take(waiting).kept;
            let origin = kept.iter().map(|unit| unit.at).min().unwrap_or(at);
            self.start(origin, tracks);
            kept.into_iter().for_each(|unit| self.write(unit));
        }
    }

    fn start(&mut self, origin: i64, tracks: Tracks) {
        self.started = Some(Started { origin, tracks });
        self.outputs.push_back(Output::Start(tracks));
    }
}

impl Placed {
    /// As time since the broadcast began; a track that shows itself late may begin a little before.
    fn since(self, origin: i64) -> NewUnit {
        let dts = (self.at - origin).max(0);
        let time = |ms: i64| MediaTime::from_micros(ms.saturating_mul(1_000));
        NewUnit {
            format: self.format,
            dts: time(dts),
            pts: time(dts + self.composition),
            keyframe: self.keyframe,
            data: self.data,
        }
    }
}
