//! What this process costs, by the names that Prometheus' own clients use.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rlimit::Resource;

/// The kernel's ticks in a second, on every Linux there is.
const TICKS: f64 = 100.0;

/// What the system says about this process; nothing where it is not Linux.
pub(super) fn measured() -> Registry {
    let mut registry = Registry::with_prefix("process");
    if let Some(Stat { cpu, start }) = stat() {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(cpu);
        registry.register_with_unit("cpu", "Time on processors", Unit::Seconds, counter);
        if let Some(boot) = boot_time() {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(boot + start);
            let help = "When it started, since 1970";
            registry.register_with_unit("start_time", help, Unit::Seconds, gauge);
        }
    }
    if let Some(bytes) = resident() {
        let memory: Gauge = Gauge::default();
        memory.set(bytes);
        let help = "Resident memory";
        registry.register_with_unit("resident_memory", help, Unit::Bytes, memory);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let open: Gauge = Gauge::default();
        open.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        registry.register("open_fds", "Open file descriptors", open);
    }
    if let Ok(most) = Resource::NOFILE.get_soft() {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(most).unwrap_or(i64::MAX));
        registry.register("max_fds", "File descriptors that it may open", gauge);
    }
    registry
}

/// What proc_pid_stat(5) tells, in seconds.
struct Stat {
    /// On processors: fields 14 and 15.
    cpu: f64,
    /// From the machine's start to the process's: field 22.
    start: f64,
}

fn stat() -> Option<Stat> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may have spaces; field 3 comes after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let seconds = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS);
    Some(Stat {
        cpu: seconds(14)? + seconds(15)?,
        start: seconds(22)?,
    })
}

/// When the machine started, in seconds since 1970; see proc_stat(5).
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// See proc_pid_status(5).
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_what_the_process_costs() {
        let burnt = (0..20_000_000_u64).fold(0, |a, b| std::hint::black_box(a ^ b));
        std::hint::black_box(burnt);
        assert!(stat().unwrap().cpu > 0.0);
        assert!(resident().unwrap() > 1 << 20);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_test_has_started_within_the_last_day() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - (boot_time().unwrap() + stat().unwrap().start);
        assert!((-2.0..86_400.0).contains(&age), "{age} s");
    }
}
