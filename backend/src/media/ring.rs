//! The ring of recent units that all subscribers of a fan-out read, each at its own cursor.
//!
//! Nothing is queued per subscriber: a subscriber is a position. One that falls behind is moved to the
//! newest random access point instead of being waited for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::time::MediaTime;

/// What a ring holds.
pub trait Unit {
    /// Whether a subscriber can start here.
    fn random_access(&self) -> bool;
    /// Its time of decoding.
    fn time(&self) -> MediaTime;
    /// Its weight in memory, in bytes.
    fn size(&self) -> usize;
}

/// How much a ring keeps. An encoder with a keyframe every 30 s must not eat memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most units.
    pub units: usize,
    /// Most bytes.
    pub bytes: usize,
    /// Longest time from the oldest to the newest unit.
    pub span: Duration,
    /// A subscriber further behind than this jumps ahead as soon as there is somewhere to jump to, unless it
    /// is [patient](Cursor::patient).
    pub lag: Duration,
    /// How far behind a patient subscriber may be: that much is kept, although others would have jumped.
    pub patience: Duration,
}

impl Limits {
    /// For a ring that is read by patient subscribers, too.
    #[must_use]
    pub fn patient() -> Self {
        Self {
            patience: Duration::from_secs(6),
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            units: 4_096,
            bytes: 16 << 20,
            span: Duration::from_secs(12),
            lag: Duration::from_millis(1_500),
            patience: Duration::from_millis(1_500),
        }
    }
}

/// Where a subscriber begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the newest random access point if it is no older than this, else at the next one to come.
    Newest {
        /// How far behind live the subscriber may begin.
        max_age: Duration,
    },
    /// At the next random access point to come.
    Next,
}

/// A subscriber's position in a ring.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    next: Position,
    /// Units jumped over and not yet reported.
    skipped: u64,
    patient: bool,
}

impl Cursor {
    /// It reads everything, late or not, for as long as that is there.
    #[must_use]
    pub const fn patient(mut self) -> Self {
        self.patient = true;
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Position {
    /// Reads the unit with this index next.
    At(u64),
    /// Waits for a random access point with this index or a later one.
    RandomAccessFrom(u64),
}

/// A unit on its way to one subscriber.
#[derive(Debug)]
pub struct Delivery<T> {
    /// The unit.
    pub unit: Arc<T>,
    /// Units that this subscriber was moved past just before this one.
    pub skipped: u64,
}

/// Recent units, oldest first, numbered from 0 since the beginning.
#[derive(Debug)]
pub struct Ring<T> {
    limits: Limits,
    units: VecDeque<Arc<T>>,
    /// Index of the oldest unit that is still held.
    first: u64,
    bytes: usize,
    /// Index of the newest random access point, if it is still held and may be started from.
    random_access: Option<u64>,
}

impl<T: Unit> Ring<T> {
    /// An empty ring.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            units: VecDeque::new(),
            first: 0,
            bytes: 0,
            random_access: None,
        }
    }

    /// The index that the next unit will have.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.units.len() as u64
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a unit and drops what is no longer needed.
    pub fn push(&mut self, unit: Arc<T>) {
        if unit.random_access() {
            self.random_access = Some(self.end());
        }
        self.bytes += unit.size();
        let newest = unit.time();
        self.units.push_back(unit);
        while self.front_is_surplus(newest) {
            self.drop_front();
        }
    }

    /// Nobody starts in what is held so far: it belongs to a broadcast that is over.
    pub fn cut(&mut self) {
        self.random_access = None;
    }

    /// A cursor for a new subscriber.
    #[must_use]
    pub fn cursor(&self, start: Start) -> Cursor {
        let next = match (start, self.random_access) {
            (Start::Newest { max_age }, Some(index)) if self.age(index) <= max_age => {
                Position::At(index)
            }
            _ => Position::RandomAccessFrom(self.end()),
        };
        Cursor {
            next,
            skipped: 0,
            patient: false,
        }
    }

    /// The next unit for a cursor, if it has arrived.
    pub fn read(&self, cursor: &mut Cursor) -> Option<Delivery<T>> {
        let index = match cursor.next {
            Position::At(index) => self.catch_up(cursor, index)?,
            Position::RandomAccessFrom(from) => {
                let found = self.random_access.filter(|&index| index >= from)?;
                cursor.skipped += if cursor.skipped > 0 { found - from } else { 0 };
                found
            }
        };
        let offset = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let unit = Arc::clone(self.units.get(offset)?);
        cursor.next = Position::At(index + 1);
        Some(Delivery {
            unit,
            skipped: std::mem::take(&mut cursor.skipped),
        })
    }

    /// Moves a cursor past everything up to the next random access point to come, because its
    /// subscriber could not take what it was given.
    pub fn skip_ahead(&self, cursor: &mut Cursor) {
        if let Position::At(index) = cursor.next {
            cursor.skipped += (self.end() - index).max(1);
            cursor.next = Position::RandomAccessFrom(self.end());
        }
    }

    /// Where a cursor that wants to read `index` really goes on; `None` if it has to wait.
    fn catch_up(&self, cursor: &mut Cursor, index: u64) -> Option<u64> {
        if index == self.end() {
            return None;
        }
        let lost = index < self.first;
        if !lost && (cursor.patient || self.age(index) <= self.limits.lag) {
            return Some(index);
        }
        match self.random_access.filter(|&newest| newest > index) {
            Some(newest) => {
                cursor.skipped += newest - index;
                Some(newest)
            }
            None if lost => {
                cursor.skipped += self.end() - index;
                cursor.next = Position::RandomAccessFrom(self.end());
                None
            }
            None => Some(index),
        }
    }

    /// How much older than the newest unit the one at `index` is.
    fn age(&self, index: u64) -> Duration {
        let at = usize::try_from(index.saturating_sub(self.first)).ok();
        let unit = at.and_then(|at| self.units.get(at));
        match (unit, self.units.back()) {
            (Some(unit), Some(newest)) => newest.time().since(unit.time()),
            _ => Duration::ZERO,
        }
    }

    fn front_is_surplus(&self, newest: MediaTime) -> bool {
        let Some(front) = self.units.front() else {
            return false;
        };
        let age = newest.since(front.time());
        let superseded = self.random_access.is_none_or(|index| self.first < index);
        self.units.len() > self.limits.units
            || (self.bytes > self.limits.bytes && self.units.len() > 1)
            || age > self.limits.span
            || (superseded && age > self.limits.patience)
    }

    fn drop_front(&mut self) {
        if let Some(unit) = self.units.pop_front() {
            self.bytes -= unit.size();
            self.random_access = self.random_access.filter(|&index| index != self.first);
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Frame {
        at_ms: i64,
        key: bool,
    }

    impl Unit for Frame {
        fn random_access(&self) -> bool {
            self.key
        }
        fn time(&self) -> MediaTime {
            MediaTime::from_micros(self.at_ms * 1_000)
        }
        fn size(&self) -> usize {
            1_000
        }
    }

    const ANY_AGE: Start = Start::Newest {
        max_age: Duration::MAX,
    };

    /// A ring with a frame every 100 ms; those whose number is in `keys` are keyframes.
    fn ring(frames: i64, keys: &[i64]) -> Ring<Frame> {
        let mut ring = Ring::new(Limits::default());
        extend(&mut ring, 0..frames, keys);
        ring
    }

    fn extend(ring: &mut Ring<Frame>, frames: std::ops::Range<i64>, keys: &[i64]) {
        for n in frames {
            ring.push(Arc::new(Frame {
                at_ms: n * 100,
                key: keys.contains(&n),
            }));
        }
    }

    fn read(ring: &Ring<Frame>, cursor: &mut Cursor) -> Option<(i64, u64)> {
        ring.read(cursor).map(|d| (d.unit.at_ms / 100, d.skipped))
    }

    #[test]
    fn a_late_joiner_starts_at_the_newest_keyframe() {
        let ring = ring(8, &[0, 5]);
        let mut cursor = ring.cursor(ANY_AGE);
        assert_eq!(read(&ring, &mut cursor), Some((5, 0)));
        assert_eq!(read(&ring, &mut cursor), Some((6, 0)));
    }

    #[test]
    fn a_late_joiner_waits_when_the_keyframe_is_too_old() {
        let mut ring = ring(12, &[0]);
        let mut cursor = ring.cursor(Start::Newest {
            max_age: Duration::from_secs(1),
        });
        assert_eq!(read(&ring, &mut cursor), None);
        extend(&mut ring, 12..15, &[13]);
        assert_eq!(read(&ring, &mut cursor), Some((13, 0)));
    }

    #[test]
    fn a_subscriber_that_keeps_up_reads_everything_once() {
        let mut ring = ring(0, &[]);
        let mut cursor = ring.cursor(ANY_AGE);
        for n in 0..100 {
            extend(&mut ring, n..n + 1, &[0, 30, 60, 90]);
            assert_eq!(read(&ring, &mut cursor), Some((n, 0)));
            assert_eq!(read(&ring, &mut cursor), None);
        }
    }

    #[test]
    fn a_slow_subscriber_jumps_to_the_newest_keyframe_and_the_skip_is_counted() {
        let mut ring = ring(1, &[0]);
        let mut cursor = ring.cursor(ANY_AGE);
        assert_eq!(read(&ring, &mut cursor), Some((0, 0)));
        extend(&mut ring, 1..40, &[10, 30]);
        assert_eq!(read(&ring, &mut cursor), Some((30, 29)));
    }

    #[test]
    fn a_patient_subscriber_reads_everything_for_as_long_as_it_is_kept() {
        let mut ring = Ring::new(Limits::patient());
        extend(&mut ring, 0..1, &[0]);
        let mut cursor = ring.cursor(ANY_AGE).patient();
        extend(&mut ring, 1..60, &[20, 40]);
        for n in 0..60 {
            assert_eq!(read(&ring, &mut cursor), Some((n, 0)));
        }
        extend(&mut ring, 60..160, &[80, 150]);
        assert_eq!(read(&ring, &mut cursor), Some((150, 90)));
    }

    #[test]
    fn a_slow_subscriber_with_nowhere_to_jump_reads_on() {
        let mut ring = ring(1, &[0]);
        let mut cursor = ring.cursor(ANY_AGE);
        extend(&mut ring, 1..40, &[]);
        assert_eq!(read(&ring, &mut cursor), Some((0, 0)));
        assert_eq!(read(&ring, &mut cursor), Some((1, 0)));
    }

    #[test]
    fn one_subscriber_does_not_disturb_another() {
        let mut ring = ring(1, &[0]);
        let (mut slow, mut fast) = (ring.cursor(ANY_AGE), ring.cursor(ANY_AGE));
        for n in 1..50 {
            extend(&mut ring, n..n + 1, &[20, 40]);
            assert_eq!(read(&ring, &mut fast), Some((n - 1, 0)));
        }
        assert_eq!(read(&ring, &mut slow), Some((40, 40)));
    }

    #[test]
    fn a_subscriber_whose_place_was_dropped_waits_for_a_keyframe() {
        let mut ring = ring(1, &[0]);
        let mut cursor = ring.cursor(ANY_AGE);
        assert_eq!(read(&ring, &mut cursor), Some((0, 0)));
        extend(&mut ring, 1..200, &[]);
        assert_eq!(read(&ring, &mut cursor), None);
        extend(&mut ring, 200..202, &[201]);
        assert_eq!(read(&ring, &mut cursor), Some((201, 200)));
    }

    #[test]
    fn a_subscriber_that_cannot_take_a_unit_goes_on_at_the_next_keyframe() {
        let mut ring = ring(4, &[0]);
        let mut cursor = ring.cursor(ANY_AGE);
        assert_eq!(read(&ring, &mut cursor), Some((0, 0)));
        ring.skip_ahead(&mut cursor);
        assert_eq!(read(&ring, &mut cursor), None);
        extend(&mut ring, 4..7, &[6]);
        assert_eq!(read(&ring, &mut cursor), Some((6, 5)));
    }

    #[test]
    fn nobody_starts_in_a_broadcast_that_is_over() {
        let mut ring = ring(5, &[0]);
        ring.cut();
        let mut cursor = ring.cursor(ANY_AGE);
        assert_eq!(read(&ring, &mut cursor), None);
        extend(&mut ring, 5..6, &[5]);
        assert_eq!(read(&ring, &mut cursor), Some((5, 0)));
    }

    #[test]
    fn a_long_keyframe_interval_does_not_eat_memory() {
        let mut ring = ring(1_000, &[0]);
        assert!(ring.bytes() <= 122_000, "{} bytes", ring.bytes());
        extend(&mut ring, 1_000..1_040, &[1_010, 1_020]);
        assert!(ring.bytes() <= 21_000, "{} bytes", ring.bytes());
    }

    #[test]
    fn bytes_are_bounded_whatever_the_timestamps_say() {
        let limits = Limits {
            bytes: 10_000,
            ..Limits::default()
        };
        let mut ring = Ring::new(limits);
        for n in 0..1_000 {
            ring.push(Arc::new(Frame {
                at_ms: 0,
                key: n == 0,
            }));
            assert!(ring.bytes() <= 10_000);
        }
    }
}
