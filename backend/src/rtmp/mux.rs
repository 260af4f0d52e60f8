//! A room's stream in chunks, the same bytes for every player.

use bytes::{Bytes, BytesMut};

use super::play;
use crate::flv::sequence::Sequencer;
use crate::media::access_unit::{AccessUnit, AudioCodec};
use crate::media::feed::Muxer;
use crate::media::formats::Formats;

/// Makes chunks of units.
#[derive(Debug, Default)]
pub struct ChunkMuxer {
    sequencer: Sequencer,
    out: BytesMut,
}

impl Muxer for ChunkMuxer {
    const AUDIO: AudioCodec = AudioCodec::Aac;

    type Batch = Bytes;

    fn opening(&mut self, formats: &Formats) -> Bytes {
        let mut out = BytesMut::new();
        for body in self.sequencer.opening(formats) {
            play::put(&mut out, 0, &body);
        }
        out.freeze()
    }

    fn push(&mut self, unit: &AccessUnit) {
        for timed in self.sequencer.bodies(unit) {
            play::put(&mut self.out, timed.timestamp, &timed.body);
        }
    }

    fn size(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Bytes {
        // A buffer of its own for every batch: it is freed with the batch.
        std::mem::take(&mut self.out).freeze()
    }
}
