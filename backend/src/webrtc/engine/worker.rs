//! The threads that media passes through: those of publishers and viewers by WebRTC.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use super::load::Load;

/// Time the viewers have to be told when the server stops.
const FAREWELL: Duration = Duration::from_millis(200);

/// A thread with a runtime of its own: what belongs together there needs no lock and wakes no other thread.
pub(in crate::webrtc) struct Worker {
    pub(in crate::webrtc) runtime: Handle,
    pub(super) load: Arc<Load>,
}

/// Starts a worker for each core. They end soon after `alive` does.
///
/// # Errors
/// When a thread cannot be started.
pub(in crate::webrtc) fn start(alive: &CancellationToken) -> io::Result<Vec<Worker>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (0..cores)
        .map(|number| Worker::start(number, alive.clone()))
        .collect()
}

impl Worker {
    fn start(number: usize, alive: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || {
                runtime.block_on(async move {
                    alive.cancelled().await;
                    tokio::time::sleep(FAREWELL).await;
                });
            })?;
        Ok(Self {
            runtime: handle,
            load: Arc::new(Load::new(Instant::now())),
        })
    }
}
