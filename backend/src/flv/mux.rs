//! A room's stream in tags: made once, and given every player's own times as it is sent.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::body::Body;
use super::file;
use super::sequence::{Sequencer, Timed};
use crate::media::access_unit::{AccessUnit, AudioCodec};
use crate::media::feed::Muxer;
use crate::media::formats::Formats;

/// Data up to this size is copied behind its header, in bytes: that costs less than a piece more to send.
/// A player that is stuck holds such a copy, so it is not much.
const COPIED: usize = 16 * 1024;

/// Tags that are sent together. Their data is the access units', not a copy of it.
#[derive(Debug, Default)]
pub struct Tags(Vec<Timed>);

/// Makes tags of units.
#[derive(Debug, Default)]
pub struct TagMuxer {
    sequencer: Sequencer,
    tags: Tags,
    size: usize,
}

impl Muxer for TagMuxer {
    const AUDIO: AudioCodec = AudioCodec::Aac;

    type Batch = Tags;

    fn opening(&mut self, formats: &Formats) -> Tags {
        let bodies = self.sequencer.opening(formats).into_iter();
        Tags(bodies.map(|body| Timed { timestamp: 0, body }).collect())
    }

    fn push(&mut self, unit: &AccessUnit) {
        for timed in self.sequencer.bodies(unit) {
            self.size += file::TAG_OVERHEAD + timed.body.size();
            self.tags.0.push(timed);
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn take(&mut self) -> Tags {
        self.size = 0;
        std::mem::take(&mut self.tags)
    }
}

/// What one player has been sent: its time begins at 0.
#[derive(Debug)]
pub struct Player {
    /// The stage's time, in ms, that is the player's 0.
    origin: u32,
}

impl Player {
    /// For a player that is sent these tags first, behind their opening.
    #[must_use]
    pub fn new(first: &Tags) -> Self {
        // Sound is made from what came earlier, so the first tag need not be the earliest.
        let times = first.0.iter().map(|tag| tag.timestamp);
        let origin = times.reduce(|a, b| if is_earlier(b, a) { b } else { a });
        Self {
            origin: origin.unwrap_or(0),
        }
    }

    /// Gives what an opening consists of. It has no time of its own: it comes with what follows it.
    pub fn open(&self, opening: &Tags, with: &Tags, out: &mut VecDeque<Bytes>) {
        let at = with.0.first().map_or(self.origin, |tag| tag.timestamp);
        self.put(opening.0.iter().map(|tag| (at, tag)), out);
    }

    /// Gives tags as bytes: only the headers are the player's own, and what is small.
    pub fn write(&self, tags: &Tags, out: &mut VecDeque<Bytes>) {
        self.put(tags.0.iter().map(|tag| (tag.timestamp, tag)), out);
    }

    fn put<'a>(
        &self,
        tags: impl Iterator<Item = (u32, &'a Timed)> + Clone,
        out: &mut VecDeque<Bytes>,
    ) {
        let own = |(_, tag): (u32, &Timed)| file::TAG_OVERHEAD + copied(&tag.body).len();
        let mut own = BytesMut::with_capacity(tags.clone().map(own).sum());
        for (at, Timed { body, .. }) in tags {
            // What is older than the player's beginning belongs there.
            let at = if is_earlier(at, self.origin) {
                0
            } else {
                at.wrapping_sub(self.origin)
            };
            file::put_tag_header(&mut own, at, body);
            own.put_slice(copied(body));
            if body.data().len() > COPIED {
                out.push_back(own.split().freeze());
                out.push_back(body.data().clone());
            }
            file::put_tag_size(&mut own, body);
        }
        if !own.is_empty() {
            out.push_back(own.freeze());
        }
    }
}

/// What of a tag's data is not shared.
fn copied(body: &Body) -> &[u8] {
    let data = body.data();
    if data.len() > COPIED { &[] } else { data }
}

/// Whether time `a` is before `b`, around the wrap.
fn is_earlier(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(times: &[u32]) -> Tags {
        let data = Bytes::from_static(b"data");
        let tag = |&timestamp: &u32| Timed {
            timestamp,
            body: Body::aac(data.clone()),
        };
        Tags(times.iter().map(tag).collect())
    }

    fn written(player: &Player, tags: &Tags) -> Vec<u8> {
        let mut out = VecDeque::new();
        player.write(tags, &mut out);
        out.into_iter().flatten().collect()
    }

    #[test]
    fn a_players_time_begins_at_zero() {
        let first = tags(&[70_000, 70_023]);
        let written = written(&Player::new(&first), &first);
        let body = Body::aac(Bytes::from_static(b"data"));
        let expected = [file::tag(0, &body), file::tag(23, &body)].concat();
        assert_eq!(written, expected);
    }

    #[test]
    fn time_goes_on_where_its_32_bits_wrap() {
        let player = Player::new(&tags(&[u32::MAX - 9]));
        let body = Body::aac(Bytes::from_static(b"data"));
        assert_eq!(written(&player, &tags(&[10])), file::tag(20, &body));
    }

    #[test]
    fn what_is_older_than_the_players_beginning_is_sent_with_it() {
        let player = Player::new(&tags(&[1_000]));
        let body = Body::aac(Bytes::from_static(b"data"));
        assert_eq!(written(&player, &tags(&[990])), file::tag(0, &body));
    }

    fn pieces(data: usize) -> [VecDeque<Bytes>; 2] {
        let tag = |timestamp| Timed {
            timestamp,
            body: Body::aac(Bytes::from(vec![7; data])),
        };
        let tags = Tags(vec![tag(0), tag(23)]);
        [(); 2].map(|()| {
            let mut out = VecDeque::new();
            Player::new(&tags).write(&tags, &mut out);
            out
        })
    }

    #[test]
    fn much_data_is_shared_between_players() {
        let [a, b] = pieces(COPIED + 1);
        assert_eq!(a.len(), 5);
        assert_eq!(a[1].as_ptr(), b[1].as_ptr());
    }

    #[test]
    fn little_data_goes_in_one_piece() {
        let [a, b] = pieces(COPIED);
        assert_eq!((a.len(), b.len()), (1, 1));
        let body = Body::aac(Bytes::from(vec![7; COPIED]));
        assert_eq!(a[0], [file::tag(0, &body), file::tag(23, &body)].concat());
    }
}
