//! What a process costs, as the kernel counts it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

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

    /// Time that all its threads have spent on a core, for themselves and in the kernel.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu(self) -> Result<Duration> {
        let stat = self.proc()?.stat()?;
        let ticks = stat.utime + stat.stime;
        let micros = ticks * 1_000_000 / procfs::ticks_per_second();
        Ok(Duration::from_micros(micros))
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
    spent: Duration,
}

impl CpuMeter {
    /// Begins now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn start(process: Process) -> Result<Self> {
        let spent = process.cpu()?;
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
        let spent = self.process.cpu()?.saturating_sub(self.spent);
        Ok(spent.as_secs_f64() / self.since.elapsed().as_secs_f64() * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn work_is_seen_as_cpu_time() {
        let process = Process::this().unwrap();
        let (before, began) = (process.cpu().unwrap(), Instant::now());
        while began.elapsed() < Duration::from_secs(10) {
            std::hint::black_box(began);
            if process.cpu().unwrap() > before + Duration::from_millis(30) {
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
        assert!(process.cpu().is_err());
    }
}
