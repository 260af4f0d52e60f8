//! Tasks that run on the thread that wakes them.
//!
//! What a publisher's packet sets going is a chain of tasks, from the connection to what viewers are sent.
//! Were each bound to a thread, most links would have to wake another one, which costs more than what is
//! done there. So a link runs where the one before it ran, and the whole chain on the thread whose socket
//! the packet came to.

use std::future::Future;

use async_task::{Runnable, Task};
use tokio::runtime::Handle;

/// The owner of a task, which ends with it.
pub(crate) type Roaming = Task<()>;

/// Starts a task on the runtime of this thread. What wakes it from outside of any runtime has it run there,
/// too.
///
/// # Panics
/// Outside of a runtime.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Roaming {
    let home = Handle::current();
    let schedule = move |runnable: Runnable| {
        let here = Handle::try_current();
        here.as_ref().unwrap_or(&home).spawn(async move {
            runnable.run();
        });
    };
    let (runnable, task) = async_task::spawn(future, schedule);
    runnable.schedule();
    task
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread::{self, ThreadId};

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Notify, mpsc};

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
}
