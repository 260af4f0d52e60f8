//! What a process costs, as the kernel counts it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A running process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pid: i32,
}

impl Process {
    /// The process with this id.
    ///
    /// # Errors
    /// The id is not one.
    pub fn new(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        Ok(Self { pid })
    }

    /// The process that asks.
    ///
    /// # Errors
    /// As [`Process::new`].
    pub fn this() -> Result<Self> {
        Self::new(std::process::id())
    }

    /// Time that each of its threads has spent on a core, for itself and in the kernel. To the nanosecond: in
    /// `utime` and `stime` a small server's seconds are a few ticks.
    fn threads(self) -> Result<HashMap<i32, Duration>> {
        let tasks = self.proc()?.tasks()?;
        // Others have ended meanwhile.
        let alive = tasks.filter_map(|task| {
            let task = task.ok()?;
            let spent = task.schedstat().ok()?.sum_exec_runtime;
            Some((task.tid, Duration::from_nanos(spent)))
        });
        let threads: HashMap<_, _> = alive.collect();
        ensure!(
            !threads.is_empty(),
            "the process is gone, or the kernel does not tell"
        );
        Ok(threads)
    }

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident(self) -> Result<u64> {
        let kib = self.proc()?.status()?.vmrss;
        Ok(kib.context("the kernel does not tell the resident memory")? * 1024)
    }

    /// What of the resident memory is no file's, in bytes: without the program's own code, which the kernel
    /// reads in as it is first needed and takes back when it likes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn anonymous(self) -> Result<u64> {
        let kib = self.proc()?.status()?.rssanon;
        Ok(kib.context("the kernel does not tell the anonymous memory")? * 1024)
    }

    /// Open file descriptors.
    ///
    /// # Errors
    /// The process is gone, or somebody else's.
    pub fn open_files(self) -> Result<usize> {
        Ok(self.proc()?.fd_count()?)
    }

    fn proc(self) -> Result<procfs::process::Process> {
        procfs::process::Process::new(self.pid).context("the process is gone")
    }
}

/// Measures how busy a process is from one moment to another.
#[derive(Debug)]
pub struct CpuMeter {
    process: Process,
    since: Instant,
    spent: HashMap<i32, Duration>,
}

impl CpuMeter {
    /// Begins now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn start(process: Process) -> Result<Self> {
        let spent = process.threads()?;
        let since = Instant::now();
        Ok(Self {
            process,
            since,
            spent,
        })
    }

    /// Percent of one core since the beginning.
    ///
    /// # Errors
    /// The process is gone.
    pub fn percent(&self) -> Result<f64> {
        let spent = self.spent()?;
        Ok(spent.as_secs_f64() / self.since.elapsed().as_secs_f64() * 100.0)
    }

    /// Time on cores since the beginning, of the threads that are there now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn spent(&self) -> Result<Duration> {
        let since = |(tid, now): (i32, Duration)| {
            let before = self.spent.get(&tid).copied().unwrap_or_default();
            now.saturating_sub(before)
        };
        Ok(self.process.threads()?.into_iter().map(since).sum())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn work_is_seen_as_cpu_time() {
        let process = Process::this().unwrap();
        let (cpu, began) = (CpuMeter::start(process).unwrap(), Instant::now());
        while began.elapsed() < Duration::from_secs(10) {
            std::hint::black_box(began);
            if cpu.spent().unwrap() > Duration::from_millis(30) {
                return;
            }
        }
        panic!("no CPU time in 10 s of work");
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        const SIZE: u64 = 64 << 20;
        let process = Process::this().unwrap();
        let before = process.resident().unwrap();
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        let grown = process.resident().unwrap() - before;
        assert!((SIZE / 2..SIZE * 2).contains(&grown), "{grown}");
        assert!(process.anonymous().unwrap() >= SIZE / 2);
        drop(touched);
    }

    #[test]
    fn open_files_are_counted() {
        let process = Process::this().unwrap();
        let before = process.open_files().unwrap();
        let files: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        assert!(process.open_files().unwrap() >= before + 40);
        drop(files);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::new(child.id()).unwrap();
        child.wait().unwrap();
        assert!(CpuMeter::start(process).is_err());
    }
}
