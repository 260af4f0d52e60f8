//! Counts what a publisher sends.

use std::time::Duration;

use super::super::time::MediaTime;

/// What is counted together.
const SLOT: Duration = Duration::from_millis(500);
/// Slots that rates are taken from: five seconds.
const WINDOW: u32 = 10;
/// Windows before it that tell what is usual: a minute.
const USUAL: u32 = 12;
/// Slots that are remembered, with the one that fills.
const SLOTS: u32 = (1 + USUAL) * WINDOW + 1;
/// Rates are not told before this much has been seen.
const LEAST: Duration = Duration::from_secs(1);
/// Windows that have to be known before anything is called usual.
const LEAST_WINDOWS: usize = 3;
/// Keyframes whose distances are remembered.
const KEYFRAMES: usize = 4;

/// Measures one publication: units and times go in, a [`Snapshot`] comes out. Its memory is bounded, and
/// counting a unit allocates nothing.
#[derive(Debug)]
pub struct Meter {
    began: MediaTime,
    slots: Box<[Slot]>,
    last_picture: Option<MediaTime>,
    last_sound: Option<MediaTime>,
    keyframes: Keyframes,
    dropped: u64,
    round_trip: Option<Duration>,
}

/// What arrived in half a second.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which half second; what an older one left is void.
    number: u32,
    pictures: u32,
    dropped: u32,
    video_bytes: u32,
    audio_bytes: u32,
}

/// What a [`Meter`] has measured. Rates are those of the last five seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// How long the publication lasts.
    pub uptime: Duration,
    /// Pictures a second.
    pub fps: Option<f64>,
    /// Pictures a second in the minute before.
    pub usual_fps: Option<f64>,
    /// In bits a second.
    pub video_bitrate: Option<u64>,
    /// In bits a second.
    pub audio_bitrate: Option<u64>,
    /// How long ago the newest picture came; `None` before the first.
    pub since_picture: Option<Duration>,
    /// How long ago the newest sound came; `None` before the first.
    pub since_sound: Option<Duration>,
    /// The longest time between recent keyframes, or since the newest if that is longer.
    pub keyframe_interval: Option<Duration>,
    /// The longest that the publisher lately took to send a keyframe that was asked for.
    pub keyframe_wait: Duration,
    /// Pictures that were thrown away, in all.
    pub dropped: u64,
    /// What part of the pictures is thrown away, `0.0..=1.0`.
    pub dropped_part: f64,
    /// To the publisher and back, where it is known.
    pub round_trip: Option<Duration>,
}

impl Meter {
    /// Of a publication that begins at `now`.
    #[must_use]
    pub fn new(now: MediaTime) -> Self {
        Self {
            began: now,
            slots: vec![Slot::default(); SLOTS as usize].into(),
            last_picture: None,
            last_sound: None,
            keyframes: Keyframes::default(),
            dropped: 0,
            round_trip: None,
        }
    }

    /// A picture of `bytes` bytes arrived at `now`; `dts` is on the publisher's clock.
    pub fn picture(&mut self, dts: MediaTime, keyframe: bool, bytes: usize, now: MediaTime) {
        self.last_picture = Some(now);
        self.keyframes.picture(dts, keyframe, now);
        if let Some(slot) = self.slot(now) {
            slot.pictures = slot.pictures.saturating_add(1);
            slot.video_bytes = slot.video_bytes.saturating_add(narrow(bytes));
        }
    }

    /// A packet of sound of `bytes` bytes arrived at `now`.
    pub fn sound(&mut self, bytes: usize, now: MediaTime) {
        self.last_sound = Some(now);
        if let Some(slot) = self.slot(now) {
            slot.audio_bytes = slot.audio_bytes.saturating_add(narrow(bytes));
        }
    }

    /// `count` pictures were thrown away.
    pub fn dropped(&mut self, count: u32, now: MediaTime) {
        self.dropped = self.dropped.saturating_add(count.into());
        if let Some(slot) = self.slot(now) {
            slot.dropped = slot.dropped.saturating_add(count);
        }
    }

    /// The publisher was asked for a keyframe.
    pub fn keyframe_asked(&mut self, now: MediaTime) {
        self.keyframes.asked.get_or_insert(now);
    }

    /// A packet takes this long to the publisher and back.
    pub fn round_trip(&mut self, time: Duration) {
        self.round_trip = Some(time);
    }

    /// What has been measured until `now`.
    #[must_use]
    pub fn snapshot(&self, now: MediaTime) -> Snapshot {
        let number = self.number(now);
        let window = self.window(number);
        let measured = SLOT * number.min(WINDOW);
        let seconds = (measured >= LEAST).then_some(measured.as_secs_f64());
        let bitrate = |bytes: u64| seconds.map(|seconds| (bytes as f64 * 8.0 / seconds) as u64);
        let seen = window.pictures + window.dropped;
        Snapshot {
            uptime: now.since(self.began),
            fps: seconds.map(|seconds| window.pictures as f64 / seconds),
            usual_fps: self.usual_fps(number),
            video_bitrate: bitrate(window.video_bytes),
            audio_bitrate: bitrate(window.audio_bytes),
            since_picture: self.last_picture.map(|at| now.since(at)),
            since_sound: self.last_sound.map(|at| now.since(at)),
            keyframe_interval: self.keyframes.interval(),
            keyframe_wait: self.keyframes.wait(now),
            dropped: self.dropped,
            dropped_part: window.dropped as f64 / seen.max(1) as f64,
            round_trip: self.round_trip,
        }
    }

    /// Which half second of the publication `now` is in.
    fn number(&self, now: MediaTime) -> u32 {
        let slots = now.since(self.began).as_micros() / SLOT.as_micros();
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    fn slot(&mut self, now: MediaTime) -> Option<&mut Slot> {
        let number = self.number(now);
        let slot = self.slots.get_mut((number % SLOTS) as usize)?;
        if slot.number != number {
            *slot = Slot {
                number,
                ..Slot::default()
            };
        }
        Some(slot)
    }

    /// What arrived in the five seconds before the half second of this number, which still fills.
    fn window(&self, end: u32) -> Sums {
        let mut sums = Sums::default();
        for number in end.saturating_sub(WINDOW)..end {
            let slot = self.slots.get((number % SLOTS) as usize);
            if let Some(slot) = slot.filter(|slot| slot.number == number) {
                sums.pictures += u64::from(slot.pictures);
                sums.dropped += u64::from(slot.dropped);
                sums.video_bytes += u64::from(slot.video_bytes);
                sums.audio_bytes += u64::from(slot.audio_bytes);
            }
        }
        sums
    }

    /// The median of the windows before the last one: neither a standstill nor the pictures that come all
    /// at once behind it are usual.
    fn usual_fps(&self, number: u32) -> Option<f64> {
        let mut pictures: Vec<u64> = (1..=USUAL)
            .map_while(|age| number.checked_sub(age * WINDOW))
            .filter(|&end| end >= WINDOW)
            .map(|end| self.window(end).pictures)
            .collect();
        pictures.sort_unstable();
        let known = pictures.len() >= LEAST_WINDOWS;
        let median = pictures.get(pictures.len() / 2).filter(|_| known)?;
        Some(*median as f64 / (SLOT * WINDOW).as_secs_f64())
    }
}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Sums {
    pictures: u64,
    dropped: u64,
    video_bytes: u64,
    audio_bytes: u64,
}

/// The distances between keyframes.
#[derive(Debug, Default)]
struct Keyframes {
    /// Decode time of the newest.
    last: Option<MediaTime>,
    /// Decode time of the newest picture.
    newest: MediaTime,
    /// When one was asked for that has not come.
    asked: Option<MediaTime>,
    /// The newest distances, and how long each keyframe was waited for; the oldest is overwritten.
    recent: [(Duration, Duration); KEYFRAMES],
    next: usize,
}

impl Keyframes {
    fn picture(&mut self, dts: MediaTime, keyframe: bool, now: MediaTime) {
        self.newest = dts;
        if !keyframe {
            return;
        }
        let wait = self.asked.take().map_or(Duration::ZERO, |at| now.since(at));
        if let Some(last) = self.last.replace(dts)
            && let Some(oldest) = self.recent.get_mut(self.next)
        {
            *oldest = (dts.since(last), wait);
            self.next = (self.next + 1) % KEYFRAMES;
        }
    }

    /// On the publisher's clock, so that a standstill of the network is not taken for a long interval.
    fn interval(&self) -> Option<Duration> {
        let current = self.newest.since(self.last?);
        let longest = self.recent.iter().map(|(interval, _)| *interval).max()?;
        // Before the second keyframe nothing is known, unless it is late already.
        let known = longest > Duration::ZERO || current >= Duration::from_secs(2);
        known.then(|| longest.max(current))
    }

    fn wait(&self, now: MediaTime) -> Duration {
        let current = self.asked.map_or(Duration::ZERO, |at| now.since(at));
        let recent = self.recent.iter().map(|(_, wait)| *wait);
        recent.max().unwrap_or_default().max(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 7_000;

    fn at(ms: i64) -> MediaTime {
        MediaTime::from_micros((START_MS + ms) * 1_000)
    }

    fn dts(ms: i64) -> MediaTime {
        MediaTime::from_micros(ms * 1_000)
    }

    /// Pictures of 1000 bytes every `step` ms, a keyframe every `gop` ms, sound every 20 ms.
    fn send(meter: &mut Meter, from_ms: i64, to_ms: i64, step: usize, gop: i64) {
        for ms in (from_ms..to_ms).step_by(step) {
            meter.picture(dts(ms), ms % gop == 0, 1_000, at(ms));
        }
        for ms in (from_ms..to_ms).step_by(20) {
            meter.sound(100, at(ms));
        }
    }

    #[test]
    fn rates_are_measured_over_the_last_seconds() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 10_000, 40, 2_000);
        send(&mut meter, 10_000, 20_000, 20, 2_000);
        let snapshot = meter.snapshot(at(20_000));
        assert_eq!(snapshot.uptime, Duration::from_secs(20));
        assert_eq!(snapshot.fps, Some(50.0));
        assert_eq!(snapshot.video_bitrate, Some(400_000));
        assert_eq!(snapshot.audio_bitrate, Some(40_000));
    }

    #[test]
    fn nothing_is_claimed_of_the_first_second() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 900, 40, 2_000);
        let snapshot = meter.snapshot(at(900));
        assert_eq!((snapshot.fps, snapshot.video_bitrate), (None, None));
        assert_eq!(snapshot.keyframe_interval, None);
    }

    #[test]
    fn rates_fall_to_nothing_when_nothing_comes() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 10_000, 40, 2_000);
        let snapshot = meter.snapshot(at(16_000));
        assert_eq!(snapshot.fps, Some(0.0));
        assert_eq!(snapshot.audio_bitrate, Some(0));
        assert_eq!(snapshot.since_picture, Some(Duration::from_millis(6_040)));
        assert_eq!(snapshot.since_sound, Some(Duration::from_millis(6_020)));
    }

    #[test]
    fn what_is_a_long_time_ago_is_not_counted_again() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 5_000, 40, 2_000);
        // The same slots again, but nothing arrived in them.
        let once_round = i64::from(SLOTS) * 500;
        assert_eq!(meter.snapshot(at(once_round + 5_000)).fps, Some(0.0));
    }

    #[test]
    fn the_usual_rate_is_that_of_the_minute_before() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 15_000, 40, 2_000);
        assert_eq!(meter.snapshot(at(15_000)).usual_fps, None);
        send(&mut meter, 15_000, 30_000, 40, 2_000);
        send(&mut meter, 30_000, 35_000, 200, 2_000);
        let snapshot = meter.snapshot(at(35_000));
        assert_eq!((snapshot.fps, snapshot.usual_fps), (Some(5.0), Some(25.0)));
    }

    #[test]
    fn the_longest_recent_keyframe_interval_is_told() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 4_100, 40, 2_000);
        let interval = |meter: &Meter| meter.snapshot(at(5_000)).keyframe_interval;
        assert_eq!(interval(&meter), Some(Duration::from_secs(2)));
        meter.picture(dts(12_300), true, 1, at(12_300));
        assert_eq!(interval(&meter), Some(Duration::from_millis(8_300)));
        for n in 1..=4 {
            meter.picture(dts(12_300 + n * 1_000), true, 1, at(12_300 + n * 1_000));
        }
        assert_eq!(interval(&meter), Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_interval_that_goes_on_is_told_before_it_ends() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 9_000, 40, 100_000);
        let interval = meter.snapshot(at(9_000)).keyframe_interval;
        assert_eq!(interval, Some(Duration::from_millis(8_960)));
    }

    #[test]
    fn keyframes_that_were_asked_for_are_waited_for() {
        let mut meter = Meter::new(at(0));
        meter.picture(dts(0), true, 1, at(0));
        meter.keyframe_asked(at(1_000));
        meter.keyframe_asked(at(1_500));
        let wait = |meter: &Meter, ms| meter.snapshot(at(ms)).keyframe_wait.as_millis();
        assert_eq!(wait(&meter, 3_000), 2_000);
        meter.picture(dts(6_000), true, 1, at(6_000));
        assert_eq!(wait(&meter, 9_000), 5_000);
    }

    #[test]
    fn what_is_thrown_away_is_counted() {
        let mut meter = Meter::new(at(0));
        send(&mut meter, 0, 5_000, 50, 2_000);
        meter.dropped(25, at(4_900));
        let snapshot = meter.snapshot(at(5_000));
        assert_eq!((snapshot.dropped, snapshot.dropped_part), (25, 0.2));
        let later = meter.snapshot(at(60_000));
        assert_eq!((later.dropped, later.dropped_part), (25, 0.0));
    }
}
