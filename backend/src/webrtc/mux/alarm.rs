//! A timer that wakes its thread once.
//!
//! tokio's timers wake it once more where what they wait for lies behind a multiple of 64 ms: to look at the
//! timer again. Of 30 pictures a second that is every second one, and to be woken costs more than the timer.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::read;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep_until;

use super::watched;

/// Nothing is due sooner: a timer of no time at all would be none.
const SOON: Duration = Duration::from_nanos(1);

/// A timer of the kernel's (`timerfd_create(2)`).
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    /// What it goes off at, unless it has.
    set: Option<Instant>,
}

impl Alarm {
    /// One that goes off at no time, on the runtime of this thread.
    ///
    /// # Errors
    /// When the system has no room for another file.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            timer: watched(timer, Interest::READABLE)?,
            set: None,
        })
    }

    /// Waits for a moment. Cancel safe.
    pub(super) async fn at(&mut self, moment: Instant) {
        if let Err(error) = self.goes_off(moment).await {
            tracing::debug!(%error, "a timer of the kernel's");
            sleep_until(moment.into()).await;
        }
    }

    async fn goes_off(&mut self, moment: Instant) -> io::Result<()> {
        if self.set != Some(moment) {
            self.set(moment)?;
        }
        loop {
            let mut ready = self.timer.readable().await?;
            let mut times = [0; 8];
            let gone_off = ready.try_io(|timer| Ok(read(timer, &mut times)?));
            if let Ok(gone_off) = gone_off {
                self.set = None;
                return gone_off.map(drop);
            }
        }
    }

    /// Has it go off at this moment alone.
    fn set(&mut self, moment: Instant) -> io::Result<()> {
        let left = moment.saturating_duration_since(Instant::now()).max(SOON);
        let time = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(left).map_err(io::Error::other)?,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &time)?;
        self.set = Some(moment);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    /// A test that takes longer has failed.
    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn it_goes_off_at_its_moment_and_not_before() {
        let mut alarm = Alarm::new().unwrap();
        for _ in 0..3 {
            let moment = Instant::now() + SHORT;
            timeout(LONG, alarm.at(moment)).await.unwrap();
            assert!(Instant::now() >= moment);
        }
    }

    #[tokio::test]
    async fn a_moment_that_is_over_is_not_waited_for() {
        let mut alarm = Alarm::new().unwrap();
        let over = Instant::now();
        timeout(LONG, alarm.at(over)).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_no_more_may_wait_for_another_moment() {
        let mut alarm = Alarm::new().unwrap();
        let soon = Instant::now() + SHORT;
        assert!(timeout(SHORT / 4, alarm.at(soon)).await.is_err());
        // It goes off meanwhile, and that is not what is waited for next.
        tokio::time::sleep(SHORT * 2).await;
        let later = Instant::now() + SHORT;
        timeout(LONG, alarm.at(later)).await.unwrap();
        assert!(Instant::now() >= later);
    }
}
