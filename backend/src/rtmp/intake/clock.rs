//! A publisher's time stamps on one line.

use crate::media::access_unit::TrackKind;
use crate::media::time::MediaTime;

/// Farther apart than this, ahead of everything or before the other track, no two time stamps belong to
/// the same count; in ms.
const MAX_STEP: i64 = 5_000;
/// Within a track, time stamps this much earlier are disorder; earlier still, they were set back. In ms.
const MAX_DISORDER: i64 = 500;
/// What an older count has to be nearer by to be believed; in ms.
const MARGIN: i64 = 250;

/// Places time stamps of 32 bits that wrap around, are set back or jump: picture and sound stay together,
/// and neither steps back.
///
/// When an encoder sets its time stamps anew, it does so for both tracks, but their messages cross. So two
/// counts are known, and a time stamp belongs to the one that puts it nearer to the newest moment. Where a
/// count begins follows from when its first message arrived.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The most recently used first.
    counts: [Option<Count>; 2],
    last_video: Option<i64>,
    last_audio: Option<i64>,
    newest: Option<(i64, MediaTime)>,
}

/// The time stamp `stamp` stands for the moment `at`, in ms.
#[derive(Clone, Copy, Debug)]
struct Count {
    stamp: u32,
    at: i64,
}

impl Count {
    /// Half of the 32 bits lie ahead, half behind.
    fn place(self, stamp: u32) -> i64 {
        self.at + i64::from(stamp.wrapping_sub(self.stamp).cast_signed())
    }
}

impl Clock {
    /// The moment `stamp` stands for, in ms since the first; it arrived at `now`.
    pub(super) fn place(&mut self, kind: TrackKind, stamp: u32, now: MediaTime) -> i64 {
        let last = match kind {
            TrackKind::Video => self.last_video,
            TrackKind::Audio => self.last_audio,
        };
        let at = match self.newest {
            None => 0,
            Some((newest, arrival)) => self.continued(stamp, last, newest).unwrap_or_else(|| {
                let waited = i64::try_from(now.since(arrival).as_millis()).unwrap_or(i64::MAX);
                newest.saturating_add(waited.max(1))
            }),
        };
        let count = Some(Count { stamp, at });
        let [recent, older] = &mut self.counts;
        if recent.is_none_or(|recent| recent.place(stamp) != at) {
            // The other count was used, or a third begins.
            *older = *recent;
        }
        *recent = count;
        let at = last.map_or(at, |last| at.max(last));
        match kind {
            TrackKind::Video => self.last_video = Some(at),
            TrackKind::Audio => self.last_audio = Some(at),
        }
        if self.newest.is_none_or(|(newest, _)| at >= newest) {
            self.newest = Some((at, now));
        }
        at
    }

    /// The moment in one of the known counts; `None` when it fits neither.
    fn continued(&self, stamp: u32, last: Option<i64>, newest: i64) -> Option<i64> {
        let earliest = last.map_or(newest - MAX_STEP, |last| last - MAX_DISORDER);
        let [recent, older] = self.counts.map(|count| {
            let at = count?.place(stamp);
            (earliest..=newest + MAX_STEP).contains(&at).then_some(at)
        });
        match (recent, older) {
            (Some(recent), Some(older)) => {
                let nearer = (older - newest).abs() + MARGIN < (recent - newest).abs();
                Some(if nearer { older } else { recent })
            }
            (recent, older) => recent.or(older),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrackKind::{Audio, Video};
    use super::*;

    /// Places time stamps that arrive as they say, `late_ms` after the first.
    fn place(clock: &mut Clock, kind: TrackKind, stamp: u32, now_ms: i64) -> i64 {
        clock.place(kind, stamp, MediaTime::from_micros(now_ms * 1_000))
    }

    #[test]
    fn time_counts_from_the_first_time_stamp() {
        let mut clock = Clock::default();
        assert_eq!(place(&mut clock, Video, 7_000, 0), 0);
        assert_eq!(place(&mut clock, Audio, 7_066, 0), 66);
        assert_eq!(place(&mut clock, Video, 7_033, 0), 33);
    }

    #[test]
    fn the_32_bits_may_wrap_around() {
        let mut clock = Clock::default();
        let start = u32::MAX - 50;
        for i in 0..10 {
            let at = i64::from(i) * 20;
            assert_eq!(place(&mut clock, Audio, start.wrapping_add(i * 20), at), at);
        }
    }

    #[test]
    fn a_track_never_steps_back() {
        let mut clock = Clock::default();
        let times: Vec<_> = [0, 40, 20, 80, 79, 120]
            .map(|stamp| place(&mut clock, Video, stamp, stamp.into()))
            .into();
        assert_eq!(times, [0, 40, 40, 80, 80, 120]);
    }

    #[test]
    fn an_encoder_that_restarts_at_zero_goes_on_where_it_was() {
        let mut clock = Clock::default();
        for at in (0..=2_000).step_by(20) {
            place(&mut clock, Video, at as u32, at);
            place(&mut clock, Audio, at as u32, at);
        }
        // The picture's new count comes first; a sound of the old one is still on its way.
        assert_eq!(place(&mut clock, Video, 0, 2_040), 2_040);
        assert_eq!(place(&mut clock, Audio, 2_020, 2_040), 2_020);
        assert_eq!(place(&mut clock, Audio, 5, 2_045), 2_045);
        assert_eq!(place(&mut clock, Video, 40, 2_080), 2_080);
        assert_eq!(place(&mut clock, Audio, 45, 2_085), 2_085);
    }

    #[test]
    fn a_jump_ahead_takes_no_longer_than_it_took() {
        let mut clock = Clock::default();
        place(&mut clock, Video, 0, 0);
        place(&mut clock, Audio, 10, 10);
        assert_eq!(place(&mut clock, Video, 3_600_000, 40), 40);
        assert_eq!(place(&mut clock, Audio, 3_600_010, 50), 50);
        assert_eq!(place(&mut clock, Video, 3_600_040, 80), 80);
    }

    #[test]
    fn a_long_pause_is_as_long_as_it_was() {
        let mut clock = Clock::default();
        place(&mut clock, Video, 0, 0);
        assert_eq!(place(&mut clock, Video, 60_000, 60_000), 60_000);
        assert_eq!(place(&mut clock, Audio, 60_010, 60_010), 60_010);
    }

    #[test]
    fn rare_pictures_beside_steady_sound_are_no_jumps() {
        let mut clock = Clock::default();
        place(&mut clock, Video, 0, 0);
        for at in (0..20_000).step_by(20) {
            assert_eq!(place(&mut clock, Audio, at as u32, at), at);
        }
        // Arrived late: where it belongs is not where it arrived.
        assert_eq!(place(&mut clock, Video, 19_500, 19_990), 19_500);
    }

    #[test]
    fn tracks_that_count_apart_are_placed_by_arrival() {
        let mut clock = Clock::default();
        for at in (0..1_000).step_by(40) {
            assert_eq!(place(&mut clock, Video, 900_000 + at as u32, at), at);
            let sound = place(&mut clock, Audio, at as u32, at);
            assert!((sound - at).abs() <= 1, "{sound} for {at}");
        }
    }

    #[test]
    fn any_time_stamps_whatever_keep_their_order() {
        let mut clock = Clock::default();
        let (mut seed, mut last) = (1_u32, [i64::MIN; 2]);
        for i in 0..100_000_i64 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (kind, index) = if seed & 0x1_0000 == 0 {
                (Video, 0)
            } else {
                (Audio, 1)
            };
            let stamp = if seed & 0x2_0000 == 0 {
                seed
            } else {
                seed >> 18
            };
            let at = place(&mut clock, kind, stamp, i);
            assert!(at >= last[index]);
            last[index] = at;
        }
    }
}
