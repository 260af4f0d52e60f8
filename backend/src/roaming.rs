//! Tasks that run on the thread that wakes them.
//!
//! What a publisher's packet sets going is a chain of tasks, from the connection to what viewers are sent.
//! Were each bound to a thread, most links would have to wake another one, which costs more than what is
//! done there. So a link runs where the one before it ran, and the whole chain on the thread whose socket
//! the packet came to.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::{Runnable, Task};
use tokio::runtime::Handle;

/// The owner of a task, which ends with it.
pub(crate) type Roaming = Task<()>;

/// Starts a task on the runtime of this thread, which is its home: it runs there, too, when what wakes it is
/// outside of any runtime or on one that stops.
///
/// # Panics
/// Outside of a runtime.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Roaming {
    let home = Handle::current();
    let schedule = move |runnable| {
        let here = Handle::try_current();
        here.as_ref().unwrap_or(&home).spawn(Turn {
            runnable: Some(runnable),
            home: Some(home.clone()),
        });
    };
    let (runnable, task) = async_task::spawn(future, schedule);
    runnable.schedule();
    task
}

/// The task's next turn.
struct Turn {
    runnable: Option<Runnable>,
    home: Option<Handle>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let Some(runnable) = self.runnable.take() {
            runnable.run();
        }
        Poll::Ready(())
    }
}

impl Drop for Turn {
    /// A runtime that stops drops what it is given, in the midst of what woke the task. That may hold a lock
    /// which the task's end takes, so the task must not end here.
    fn drop(&mut self) {
        let Some(runnable) = self.runnable.take() else {
            return;
        };
        match self.home.take() {
            Some(home) => drop(home.spawn(Turn {
                runnable: Some(runnable),
                home: None,
            })),
            // Everything stops.
            None => mem::forget(runnable),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{self, ThreadId};

    use parking_lot::Mutex;
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Notify, mpsc};
    use tokio::task::yield_now;

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// A task that tells on which threads it runs, each time that it is woken.
    fn teller() -> (Roaming, Arc<Notify>, mpsc::UnboundedReceiver<ThreadId>) {
        let (told, tells) = mpsc::unbounded_channel();
        let woken = Arc::new(Notify::new());
        let wakes = Arc::clone(&woken);
        let task = spawn(async move {
            loop {
                told.send(thread::current().id()).unwrap();
                woken.notified().await;
            }
        });
        (task, wakes, tells)
    }

    #[test]
    fn a_task_runs_where_it_is_woken() {
        let (task, wakes, mut tells) = runtime().block_on(async {
            let (task, wakes, mut tells) = teller();
            assert_eq!(tells.recv().await, Some(thread::current().id()));
            (task, wakes, tells)
        });
        thread::spawn(move || {
            runtime().block_on(async {
                wakes.notify_one();
                assert_eq!(tells.recv().await, Some(thread::current().id()));
            });
        })
        .join()
        .unwrap();
        drop(task);
    }

    #[test]
    fn what_wakes_it_outside_of_a_runtime_has_it_run_where_it_began() {
        runtime().block_on(async {
            let (_task, wakes, mut tells) = teller();
            let here = Some(thread::current().id());
            assert_eq!(tells.recv().await, here);
            thread::spawn(move || wakes.notify_one()).join().unwrap();
            assert_eq!(tells.recv().await, here);
        });
    }

    #[test]
    fn it_ends_with_its_owner() {
        runtime().block_on(async {
            let (task, _wakes, mut tells) = teller();
            tells.recv().await;
            assert!(!task.is_finished());
            drop(task);
            assert_eq!(tells.recv().await, None);
        });
    }

    #[test]
    fn a_task_without_an_owner_goes_on() {
        runtime().block_on(async {
            let (task, wakes, mut tells) = teller();
            tells.recv().await;
            task.detach();
            wakes.notify_one();
            assert!(tells.recv().await.is_some());
        });
    }

    #[test]
    fn a_task_goes_on_at_home_when_what_wakes_it_stops() {
        runtime().block_on(async {
            let (_task, wakes, mut tells) = teller();
            let here = Some(thread::current().id());
            assert_eq!(tells.recv().await, here);
            let stops = move || {
                let runtime = runtime();
                runtime.spawn(async move {
                    let _wakes = WakesAtEnd(Arc::default(), wakes);
                    pending::<()>().await;
                });
                runtime.block_on(yield_now());
            };
            thread::spawn(stops).join().unwrap();
            assert_eq!(tells.recv().await, here);
        });
    }

    /// Says at its end whether somebody held the lock.
    struct Tells(Arc<Mutex<()>>, Arc<AtomicBool>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.1.store(self.0.try_lock().is_none(), Ordering::Relaxed);
        }
    }

    /// Wakes a task at its end, and holds the lock meanwhile, as many a channel does.
    struct WakesAtEnd(Arc<Mutex<()>>, Arc<Notify>);

    impl Drop for WakesAtEnd {
        fn drop(&mut self) {
            let _held = self.0.lock();
            self.1.notify_one();
        }
    }

    #[test]
    fn a_runtime_that_stops_does_not_end_a_task_in_the_midst_of_what_wakes_it() {
        let (lock, was_locked) = (Arc::default(), Arc::<AtomicBool>::default());
        let tells = Tells(Arc::clone(&lock), Arc::clone(&was_locked));
        let woken = Arc::new(Notify::new());
        let wakes = WakesAtEnd(lock, Arc::clone(&woken));
        let (runtime, mut task) = (runtime(), None);
        runtime.block_on(async {
            tokio::spawn(async move {
                let _wakes = wakes;
                pending::<()>().await;
            });
            task = Some(spawn(async move {
                let _tells = tells;
                woken.notified().await;
            }));
            yield_now().await;
        });
        drop(runtime);
        assert!(!was_locked.load(Ordering::Relaxed));
    }
}
