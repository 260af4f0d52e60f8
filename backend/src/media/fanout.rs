//! One writer, any number of readers, nothing copied and nobody waited for.
//!
//! The async shell around [`Ring`]: a [`Fanout`] is written to, a [`Subscription`] is read from.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::ring::{Cursor, Ring};
pub use super::ring::{Delivery, Limits, Start, Unit};
use crate::metrics::METRICS;

/// The writing side. Dropping it ends every subscription once it has read what is there.
#[derive(Debug)]
pub struct Fanout<T> {
    ring: Arc<RwLock<Ring<T>>>,
    /// The ring's end; its change wakes the subscribers.
    end: watch::Sender<u64>,
}

impl<T: Unit> Fanout<T> {
    /// A fan-out that nothing was written to yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            ring: Arc::new(RwLock::new(Ring::new(limits))),
            end: watch::Sender::new(0),
        }
    }

    /// Hands a unit to all subscribers. Takes the same short time however many they are, and never
    /// waits for one.
    pub fn publish(&self, unit: Arc<T>) {
        let end = {
            let mut ring = self.ring.write();
            ring.push(unit);
            ring.end()
        };
        self.end.send_replace(end);
    }

    /// From now on nobody starts in what was published so far.
    pub fn cut(&self) {
        self.ring.write().cut();
    }

    /// A new reader.
    #[must_use]
    pub fn subscribe(&self, start: Start) -> Subscription<T> {
        let arrived = self.end.subscribe();
        let cursor = self.ring.read().cursor(start);
        Subscription {
            ring: Arc::clone(&self.ring),
            arrived,
            cursor,
        }
    }

    /// Readers there are now.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.end.receiver_count()
    }
}

/// The reading side.
#[derive(Debug)]
pub struct Subscription<T> {
    ring: Arc<RwLock<Ring<T>>>,
    arrived: watch::Receiver<u64>,
    cursor: Cursor,
}

impl<T: Unit> Subscription<T> {
    /// Reads everything, late or not: for who passes it on or keeps it, while what is late is of no use to
    /// somebody who watches.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.cursor = self.cursor.patient();
        self
    }

    /// The next unit; waits for it. `None` once the fan-out is gone and everything has been read.
    ///
    /// Cancel safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Delivery<T>> {
        loop {
            // Marked as seen before reading: what arrives in between wakes the wait below.
            self.arrived.borrow_and_update();
            if let Some(delivery) = self.try_next() {
                return Some(delivery);
            }
            if self.arrived.changed().await.is_err() {
                return self.try_next();
            }
        }
    }

    /// The next unit, if it is there.
    pub fn try_next(&mut self) -> Option<Delivery<T>> {
        let delivery = self.ring.read().read(&mut self.cursor);
        if delivery
            .as_ref()
            .is_some_and(|delivery| delivery.skipped > 0)
        {
            METRICS.queue_jumps.inc();
        }
        delivery
    }

    /// Gives up on everything up to the next random access point to come.
    pub fn skip_ahead(&mut self) {
        self.ring.read().skip_ahead(&mut self.cursor);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::time::MediaTime;
    use super::*;

    struct Number(u32);

    impl Unit for Number {
        fn random_access(&self) -> bool {
            true
        }
        fn time(&self) -> MediaTime {
            MediaTime::from_micros(i64::from(self.0))
        }
        fn size(&self) -> usize {
            4
        }
    }

    const START: Start = Start::Newest {
        max_age: Duration::MAX,
    };

    #[tokio::test]
    async fn a_waiting_subscriber_is_woken() {
        let fanout = Fanout::<Number>::new(Limits::default());
        let mut subscription = fanout.subscribe(START);
        let reader = tokio::spawn(async move { subscription.next().await.map(|d| d.unit.0) });
        tokio::task::yield_now().await;
        fanout.publish(Arc::new(Number(7)));
        assert_eq!(reader.await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn all_subscribers_share_one_unit() {
        let fanout = Fanout::<Number>::new(Limits::default());
        let (mut a, mut b) = (fanout.subscribe(START), fanout.subscribe(START));
        fanout.publish(Arc::new(Number(1)));
        let (a, b) = (a.next().await.unwrap().unit, b.next().await.unwrap().unit);
        assert!(Arc::ptr_eq(&a, &b));
    }

    #[tokio::test]
    async fn a_subscription_ends_after_what_was_published() {
        let fanout = Fanout::<Number>::new(Limits::default());
        fanout.publish(Arc::new(Number(1)));
        let mut subscription = fanout.subscribe(START);
        fanout.publish(Arc::new(Number(2)));
        drop(fanout);
        assert_eq!(subscription.next().await.map(|d| d.unit.0), Some(1));
        assert_eq!(subscription.next().await.map(|d| d.unit.0), Some(2));
        assert!(subscription.next().await.is_none());
    }

    #[tokio::test]
    async fn subscribers_are_counted() {
        let fanout = Fanout::<Number>::new(Limits::default());
        let subscription = fanout.subscribe(START);
        assert_eq!(fanout.subscribers(), 1);
        drop(subscription);
        assert_eq!(fanout.subscribers(), 0);
    }
}
