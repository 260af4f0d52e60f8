//! From a sender's clocks to one timeline.
//!
//! Picture and sound carry RTP timestamps of clocks that start at random values (RFC 3550 section 5.1).
//! What ties them together are sender reports, each of which says what a track's clock showed at a
//! moment of the sender's wall clock (section 6.4.1). They arrive seconds after the media, and nobody
//! wants to wait: until both tracks have reported they are placed by their arrival, and from then on the
//! sound is moved to where it belongs beside the picture.

use super::access_unit::TrackKind;
use super::time::MediaTime;

/// A timestamp this far from the moment of its arrival belongs to a clock that was set anew.
const CLOCK_RESET: i64 = 5_000_000;
/// An offset between the tracks beyond this is a broken report, not a measurement.
const MAX_OFFSET: i64 = 2_000_000;

/// Places the units of one sender's two tracks on one timeline.
#[derive(Debug)]
pub struct Timeline {
    video: TrackClock,
    audio: TrackClock,
}

impl Timeline {
    /// A timeline for tracks whose RTP clocks run at these rates, in Hz.
    #[must_use]
    pub fn new(video_rate: u32, audio_rate: u32) -> Self {
        Self {
            video: TrackClock::new(video_rate),
            audio: TrackClock::new(audio_rate),
        }
    }

    /// Where the unit with this RTP timestamp, which arrived at `arrival`, belongs. Within a track the
    /// answer never steps back.
    pub fn place(&mut self, kind: TrackKind, timestamp: u32, arrival: MediaTime) -> MediaTime {
        let first_of_track = self.clock(kind).anchor.is_none();
        let time = self.clock(kind).place(timestamp, arrival);
        if first_of_track {
            self.align();
        }
        time
    }

    /// Takes in a sender report: at `ntp` (64-bit NTP time stamp) the track's clock showed `timestamp`.
    /// Reports of senders that have not sent anything yet say nothing, and are ignored.
    pub fn sender_report(&mut self, kind: TrackKind, ntp: u64, timestamp: u32, packet_count: u32) {
        if packet_count == 0 {
            return;
        }
        let clock = self.clock(kind);
        let ticks = clock.unwrapper.peek(timestamp);
        clock.report = Some(Report {
            wall: ntp_to_micros(ntp),
            ticks,
        });
        self.align();
    }

    fn clock(&mut self, kind: TrackKind) -> &mut TrackClock {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// Moves the sound so that what was captured together is placed together.
    fn align(&mut self) {
        let (Some(video), Some(audio)) = (self.video.wall_offset(), self.audio.wall_offset())
        else {
            return;
        };
        let correction = video - audio;
        if correction.abs() <= MAX_OFFSET
            && let Some(anchor) = &mut self.audio.anchor
        {
            anchor.time = anchor.time + MediaTime::from_micros(correction);
        }
    }
}

#[derive(Debug)]
struct TrackClock {
    rate: u32,
    unwrapper: Unwrapper,
    anchor: Option<Anchor>,
    report: Option<Report>,
    last: Option<MediaTime>,
}

/// A pair that belongs together: this tick of the track's clock is that moment of the timeline.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    ticks: i64,
    time: MediaTime,
}

/// What a sender report said: this tick is that microsecond of the sender's wall clock.
#[derive(Debug, Clone, Copy)]
struct Report {
    ticks: i64,
    wall: i64,
}

impl TrackClock {
    fn new(rate: u32) -> Self {
        Self {
            rate,
            unwrapper: Unwrapper::default(),
            anchor: None,
            report: None,
            last: None,
        }
    }

    fn place(&mut self, timestamp: u32, arrival: MediaTime) -> MediaTime {
        let ticks = self.unwrapper.unwrap(timestamp);
        let anchor = *self.anchor.get_or_insert(Anchor {
            ticks,
            time: arrival,
        });
        let mut time = anchor.time + MediaTime::from_ticks(ticks - anchor.ticks, self.rate);
        if (time - arrival).as_micros().abs() > CLOCK_RESET {
            // The sender set its clock anew: what it reported before is void, too.
            self.anchor = Some(Anchor {
                ticks,
                time: arrival,
            });
            self.report = None;
            time = arrival;
        }
        let time = self.last.map_or(time, |last| time.max(last));
        self.last = Some(time);
        time
    }

    /// How far the sender's wall clock is behind the timeline, as this track sees it, in microseconds.
    fn wall_offset(&self) -> Option<i64> {
        let (anchor, report) = (self.anchor?, self.report?);
        let since = MediaTime::from_ticks(anchor.ticks - report.ticks, self.rate).as_micros();
        Some(anchor.time.as_micros() - (report.wall + since))
    }
}

/// Continues 32-bit RTP timestamps beyond their wrap.
#[derive(Debug, Default)]
struct Unwrapper {
    last: Option<i64>,
}

impl Unwrapper {
    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let ticks = self.peek(timestamp);
        self.last = Some(ticks);
        ticks
    }

    /// The tick nearest to the last one that has these low 32 bits.
    fn peek(&self, timestamp: u32) -> i64 {
        match self.last {
            None => i64::from(timestamp),
            Some(last) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let delta = timestamp.wrapping_sub(last as u32).cast_signed();
                last + i64::from(delta)
            }
        }
    }
}

/// Microseconds of a 64-bit NTP time stamp: seconds in the upper half, their fraction in the lower.
fn ntp_to_micros(ntp: u64) -> i64 {
    let (seconds, fraction) = (ntp >> 32, ntp & 0xffff_ffff);
    let micros = seconds * 1_000_000 + ((fraction * 1_000_000) >> 32);
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TrackKind::{Audio, Video};

    const fn ms(ms: i64) -> MediaTime {
        MediaTime::from_micros(ms * 1_000)
    }

    /// The NTP time stamp of this millisecond.
    fn ntp(ms: u64) -> u64 {
        ((1_000 + ms / 1_000) << 32) | (((ms % 1_000) << 32) / 1_000)
    }

    fn timeline() -> Timeline {
        Timeline::new(90_000, 48_000)
    }

    #[test]
    fn a_track_begins_when_it_arrives_and_goes_on_by_its_own_clock() {
        let mut line = timeline();
        assert_eq!(line.place(Video, 1_000, ms(50)), ms(50));
        assert_eq!(line.place(Video, 1_000 + 3_000, ms(99)).as_micros(), 83_333);
    }

    #[test]
    fn the_32_bit_wrap_is_no_event() {
        let mut line = timeline();
        line.place(Video, u32::MAX - 4_499, ms(0));
        assert_eq!(line.place(Video, 4_500, ms(100)), ms(100));
    }

    #[test]
    fn reports_move_the_sound_to_where_it_belongs() {
        let mut line = timeline();
        // Captured at the same moment; the picture came 80 ms later.
        line.place(Audio, 48_000, ms(0));
        line.place(Video, 900_000, ms(80));
        line.sender_report(Video, ntp(0), 900_000, 10);
        line.sender_report(Audio, ntp(0), 48_000, 10);
        assert_eq!(line.place(Audio, 48_000 + 960, ms(20)), ms(100));
        assert_eq!(line.place(Video, 900_000 + 9_000, ms(180)), ms(180));
    }

    #[test]
    fn reports_may_come_before_the_media() {
        let mut line = timeline();
        line.sender_report(Audio, ntp(0), 48_000, 1);
        line.sender_report(Video, ntp(0), 900_000, 1);
        line.place(Video, 900_000, ms(80));
        line.place(Audio, 48_000, ms(0));
        assert_eq!(line.place(Audio, 48_000 + 960, ms(20)), ms(100));
    }

    #[test]
    fn a_report_with_packet_count_zero_is_ignored() {
        let mut line = timeline();
        line.place(Audio, 0, ms(0));
        line.place(Video, 0, ms(0));
        line.sender_report(Video, ntp(500), 0, 10);
        line.sender_report(Audio, ntp(0), 0, 0);
        assert_eq!(line.place(Audio, 960, ms(20)), ms(20));
    }

    #[test]
    fn an_absurd_report_moves_nothing() {
        let mut line = timeline();
        line.place(Audio, 0, ms(0));
        line.place(Video, 0, ms(0));
        line.sender_report(Video, ntp(0), 0, 10);
        line.sender_report(Audio, ntp(60_000), 0, 10);
        assert_eq!(line.place(Audio, 960, ms(20)), ms(20));
    }

    #[test]
    fn a_track_never_steps_back() {
        let mut line = timeline();
        line.place(Video, 90_000, ms(0));
        assert_eq!(line.place(Video, 180_000, ms(1_000)), ms(1_000));
        assert_eq!(line.place(Video, 171_000, ms(1_010)), ms(1_000));
    }

    #[test]
    fn sound_that_is_moved_earlier_waits_instead_of_stepping_back() {
        let mut line = timeline();
        line.place(Video, 0, ms(0));
        line.place(Audio, 0, ms(100));
        assert_eq!(line.place(Audio, 960, ms(120)), ms(120));
        line.sender_report(Video, ntp(0), 0, 10);
        line.sender_report(Audio, ntp(0), 0, 10);
        assert_eq!(line.place(Audio, 1_920, ms(140)), ms(120));
        assert_eq!(line.place(Audio, 48_000, ms(1_100)), ms(1_000));
    }

    #[test]
    fn a_clock_that_was_set_anew_is_followed() {
        let mut line = timeline();
        line.place(Video, 4_000_000_000, ms(0));
        assert_eq!(line.place(Video, 0, ms(2_000)), ms(2_000));
        assert_eq!(line.place(Video, 9_000, ms(2_100)), ms(2_100));
    }
}
