//! Gathers changes and has one thread write them.
//!
//! Whatever comes while a batch is being written is the next batch, so that one wait for the disk serves
//! everybody who waits (*group commit*). When the store fails, what was to be written is kept and tried
//! again every second; comments are refused meanwhile.

use std::fmt;
use std::io;
use std::mem::take;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::error::{NotKept, WriteError};
use super::{Change, Store};
use crate::metrics::METRICS;

/// Changes that wait before comments are refused. All others are few: they are bounded by what a room
/// and its host can do, and newer ones take the place of older ones while the store fails.
const WAITING: usize = 10_000;
/// How long the thread waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// A way to have something written; to nowhere where nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    shared: Option<Arc<Shared>>,
}

/// The thread that writes. Dropped, it writes what is waiting and ends.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    /// Told when there is something to do.
    wake: Condvar,
}

#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// Whoever wants to know when they are written.
    waiting: Vec<oneshot::Sender<Result<(), NotKept>>>,
}

#[derive(Default)]
struct Pending {
    batch: Batch,
    /// The last batch could not be written.
    failing: bool,
    closing: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Tells when a change is on the disk.
#[derive(Debug)]
pub struct Receipt(Outcome);

#[derive(Debug)]
enum Outcome {
    Known(Result<(), NotKept>),
    Awaited(oneshot::Receiver<Result<(), NotKept>>),
}

impl Receipt {
    /// There is nothing to keep.
    pub(crate) const fn unneeded() -> Self {
        Self::known(Ok(()))
    }

    pub(super) const fn known(outcome: Result<(), NotKept>) -> Self {
        Self(Outcome::Known(outcome))
    }

    /// The outcome, if it is known without waiting.
    pub(crate) const fn now(&self) -> Option<Result<(), NotKept>> {
        match &self.0 {
            Outcome::Known(outcome) => Some(*outcome),
            Outcome::Awaited(_) => None,
        }
    }

    /// Waits until the change is on the disk; not at all where nothing is kept.
    ///
    /// # Errors
    /// [`NotKept`].
    pub async fn kept(self) -> Result<(), NotKept> {
        match self.0 {
            Outcome::Known(outcome) => outcome,
            Outcome::Awaited(outcome) => outcome.await.unwrap_or(Err(NotKept::Stopping)),
        }
    }
}

impl Journal {
    /// Keeps nothing, and says so to nobody.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { shared: None }
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.shared.is_some()
    }

    /// Has a change written.
    pub(super) fn write(&self, change: Change) -> Receipt {
        let Some(shared) = &self.shared else {
            return Receipt::unneeded();
        };
        let mut pending = shared.pending.lock();
        if pending.closing {
            return Receipt::known(Err(NotKept::Stopping));
        }
        let (sender, receiver) = oneshot::channel();
        if pending.failing {
            let changes = &mut pending.batch.changes;
            changes.retain(|older| !change.supersedes(older));
        }
        pending.batch.changes.push(change);
        pending.batch.waiting.push(sender);
        shared.wake.notify_one();
        Receipt(Outcome::Awaited(receiver))
    }

    /// Changes that wait to be written, but for those that are being written.
    pub(crate) fn waiting(&self) -> usize {
        let shared = self.shared.as_ref();
        shared.map_or(0, |shared| shared.pending.lock().batch.changes.len())
    }

    /// Whether what comes now can be kept.
    ///
    /// # Errors
    /// [`NotKept`].
    pub(crate) fn takes_comments(&self) -> Result<(), NotKept> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        let pending = shared.pending.lock();
        if pending.closing {
            Err(NotKept::Stopping)
        } else if pending.failing {
            Err(NotKept::Failing)
        } else if pending.batch.changes.len() >= WAITING {
            Err(NotKept::Busy)
        } else {
            Ok(())
        }
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(store: impl Store) -> io::Result<(Self, Journal)> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("store".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(store)
        })?;
        let journal = Journal {
            shared: Some(Arc::clone(&shared)),
        };
        let writer = Self {
            shared,
            thread: Some(thread),
        };
        Ok((writer, journal))
    }

    /// Takes no more changes, writes what is waiting, and closes the store.
    pub async fn close(mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the thread that writes to the store has failed");
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // Whoever starts with the same data next finds it free.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn close(&self) {
        self.pending.lock().closing = true;
        self.wake.notify_one();
    }

    fn run(&self, mut store: impl Store) {
        while let Some(Batch { changes, waiting }) = self.next_batch() {
            let began = Instant::now();
            let applied = store.apply(&changes);
            let outcome = applied.as_ref().map_or(Err(NotKept::Late), |()| Ok(()));
            let is_last = match applied {
                Ok(()) => {
                    METRICS.store_commits.observe(began.elapsed().as_secs_f64());
                    METRICS.store_changes.inc_by(changes.len() as u64);
                    self.succeeded()
                }
                Err(error) => {
                    METRICS.store_failures.inc();
                    self.failed(changes, &error)
                }
            };
            for waiting in waiting {
                // Whoever does not wait any more need not know.
                let _ = waiting.send(outcome);
            }
            if is_last {
                break;
            }
        }
        if let Err(error) = store.close() {
            tracing::warn!("the store was not closed in order: {error}");
        }
    }

    /// Waits for something to write; `None` when there will be nothing more.
    fn next_batch(&self) -> Option<Batch> {
        let mut pending = self.pending.lock();
        if pending.failing {
            // Whatever comes does not make it work sooner.
            let until = Instant::now() + RETRY;
            while !pending.closing && !self.wake.wait_until(&mut pending, until).timed_out() {}
        }
        while pending.batch.changes.is_empty() && !pending.closing {
            self.wake.wait(&mut pending);
        }
        Some(take(&mut pending.batch)).filter(|batch| !batch.changes.is_empty())
    }

    /// Whether nothing more is to be tried: never.
    fn succeeded(&self) -> bool {
        let mut pending = self.pending.lock();
        if pending.failing {
            pending.failing = false;
            tracing::info!("what was waiting is saved, and comments are taken again");
        }
        false
    }

    /// Puts back what could not be written, but for what has been superseded. Whether nothing more is
    /// to be tried.
    fn failed(&self, mut changes: Vec<Change>, error: &WriteError) -> bool {
        let mut pending = self.pending.lock();
        if !pending.failing {
            pending.failing = true;
            tracing::error!(
                "nothing can be saved, because {error}: comments are refused until it works again"
            );
        }
        let newer = take(&mut pending.batch.changes);
        changes.retain(|older| !newer.iter().any(|newer| newer.supersedes(older)));
        changes.extend(newer);
        if pending.closing {
            tracing::error!("{} changes are lost", changes.len());
        }
        pending.batch.changes = changes;
        pending.closing
    }
}

#[cfg(test)]
mod tests {
    use shared::room::RoomKey;

    use super::*;

    /// Writes when it is let, and fails while `full`.
    struct Slow {
        seen: Arc<Mutex<Vec<Vec<Change>>>>,
        full: Arc<Mutex<bool>>,
        let_go: std::sync::mpsc::Receiver<()>,
    }

    impl Store for Slow {
        fn apply(&mut self, changes: &[Change]) -> Result<(), WriteError> {
            // An error means that the test has ended.
            let _ = self.let_go.recv();
            if *self.full.lock() {
                return Err(WriteError::Full);
            }
            self.seen.lock().push(changes.to_vec());
            Ok(())
        }

        fn close(self) -> Result<(), WriteError> {
            Ok(())
        }
    }

    struct Test {
        journal: Journal,
        writer: Writer,
        seen: Arc<Mutex<Vec<Vec<Change>>>>,
        full: Arc<Mutex<bool>>,
        go: std::sync::mpsc::Sender<()>,
    }

    fn start() -> Test {
        let (go, let_go) = std::sync::mpsc::channel();
        let (seen, full) = (Arc::default(), Arc::default());
        let store = Slow {
            seen: Arc::clone(&seen),
            full: Arc::clone(&full),
            let_go,
        };
        let (writer, journal) = Writer::start(store).unwrap();
        Test {
            journal,
            writer,
            seen,
            full,
            go,
        }
    }

    fn room() -> RoomKey {
        "r".parse().unwrap()
    }

    fn forget() -> Change {
        Change::Forget(room())
    }

    fn decided(document: &str) -> Change {
        Change::Moderation {
            room: room(),
            document: document.to_owned(),
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_written_is_one_batch() {
        let test = start();
        let first = test.journal.write(forget());
        while test.journal.waiting() > 0 {
            tokio::task::yield_now().await;
        }
        let more: Vec<_> = (0..5).map(|_| test.journal.write(forget())).collect();
        test.go.send(()).unwrap();
        assert_eq!(first.kept().await, Ok(()));
        test.go.send(()).unwrap();
        for receipt in more {
            assert_eq!(receipt.kept().await, Ok(()));
        }
        let sizes: Vec<_> = test.seen.lock().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 5]);
    }

    #[tokio::test]
    async fn a_receipt_comes_after_the_batch_and_not_before() {
        let test = start();
        let receipt = test.journal.write(forget());
        let mut kept = Box::pin(receipt.kept());
        let early = tokio::time::timeout(Duration::from_millis(50), &mut kept).await;
        assert!(early.is_err());
        test.go.send(()).unwrap();
        assert_eq!(kept.await, Ok(()));
    }

    #[tokio::test]
    async fn while_the_store_fails_comments_are_refused_and_the_rest_waits() {
        let test = start();
        *test.full.lock() = true;
        let first = test.journal.write(decided("1"));
        test.go.send(()).unwrap();
        assert_eq!(first.kept().await, Err(NotKept::Late));
        assert_eq!(test.journal.takes_comments(), Err(NotKept::Failing));
        let second = test.journal.write(decided("2"));
        *test.full.lock() = false;
        test.go.send(()).unwrap();
        assert_eq!(second.kept().await, Ok(()));
        assert_eq!(test.journal.takes_comments(), Ok(()));
        // What was decided first is not worth writing any more.
        assert_eq!(*test.seen.lock(), [[decided("2")]]);
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_takes_no_more() {
        let test = start();
        let receipt = test.journal.write(forget());
        test.go.send(()).unwrap();
        test.writer.close().await;
        assert_eq!(receipt.kept().await, Ok(()));
        let late = test.journal.write(forget());
        assert_eq!(late.kept().await, Err(NotKept::Stopping));
    }

    #[tokio::test]
    async fn closing_does_not_wait_for_a_store_that_fails() {
        let test = start();
        *test.full.lock() = true;
        let receipt = test.journal.write(forget());
        drop(test.go);
        assert_eq!(receipt.kept().await, Err(NotKept::Late));
        test.writer.close().await;
        assert_eq!(test.seen.lock().len(), 0);
    }

    #[tokio::test]
    async fn where_nothing_is_kept_nobody_waits() {
        let journal = Journal::nowhere();
        assert_eq!(journal.write(forget()).now(), Some(Ok(())));
        assert_eq!(journal.takes_comments(), Ok(()));
    }
}
