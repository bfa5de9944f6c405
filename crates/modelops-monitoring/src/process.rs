//! What the operating system says of this process.

use std::fs;

use crate::collector::{Collected, Collector};

/// Entries of the auxiliary vector: bytes in a page, ticks of the processor clock in a second.
const PAGE_BYTES: u64 = 6;
const CLOCK_TICKS: u64 = 17;

/// Processor time, memory, open files, threads and start of this process, under the names that all Prometheus clients
/// use (`process_cpu_seconds_total`, `process_resident_memory_bytes`, …).
///
/// Reads `/proc/self` at each scrape; a number that cannot be read is left out, and where there is no such folder
/// nothing is said at all.
///
/// ```
/// use modelops_monitoring::{ProcessCollector, Registry};
/// let registry = Registry::new("shop")?;
/// registry.add_collector(Box::new(ProcessCollector::new()))?;
/// # if cfg!(target_os = "linux") {
/// assert!(registry.to_prometheus_text().contains("# TYPE process_cpu_seconds_total counter\n"));
/// # }
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[doc(alias("cpu", "memory"))]
#[derive(Debug, Clone, Default)]
pub struct ProcessCollector {
    _private: (),
}

impl ProcessCollector {
    /// A collector of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Collector for ProcessCollector {
    fn collect(&self, out: &mut Collected) {
        let auxiliary = fs::read("/proc/self/auxv").unwrap_or_default();
        let ticks = auxiliary_value(&auxiliary, CLOCK_TICKS);
        let stat = fs::read_to_string("/proc/self/stat").ok();
        if let Some(stat) = stat.as_deref().and_then(Stat::parse) {
            if let Some(ticks) = ticks {
                out.counter(
                    "process_cpu_seconds",
                    "Total user and system CPU time spent in seconds.",
                    &[],
                    stat.cpu_ticks as f64 / ticks as f64,
                );
                let boot = fs::read_to_string("/proc/stat").ok();
                if let Some(boot) = boot.as_deref().and_then(boot_time) {
                    out.gauge(
                        "process_start_time_seconds",
                        "Start time of the process since unix epoch in seconds.",
                        &[],
                        boot as f64 + stat.start_ticks as f64 / ticks as f64,
                    );
                }
            }
            out.gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                &[],
                stat.virtual_bytes as f64,
            );
            if let Some(page) = auxiliary_value(&auxiliary, PAGE_BYTES) {
                out.gauge(
                    "process_resident_memory_bytes",
                    "Resident memory size in bytes.",
                    &[],
                    stat.resident_pages as f64 * page as f64,
                );
            }
            out.gauge("process_threads", "Number of threads.", &[], stat.threads as f64);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // Looking needs a descriptor too.
            let open = open.count().saturating_sub(1);
            out.gauge(
                "process_open_fds",
                "Number of open file descriptors.",
                &[],
                open as f64,
            );
        }
        let limits = fs::read_to_string("/proc/self/limits").ok();
        if let Some(most) = limits.as_deref().and_then(open_files_limit) {
            out.gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
                &[],
                most,
            );
        }
    }
}

/// The numbers of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the name in brackets, which may hold anything, brackets and blanks included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Counted from 1 as the manual page of proc does; `rest` begins with field 3.
        let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// The value of an entry of the auxiliary vector, unless it is 0.
fn auxiliary_value(bytes: &[u8], kind: u64) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?) as u64);
    bytes
        .chunks_exact(2 * WORD)
        .find(|entry| word(&entry[..WORD]) == Some(kind))
        .and_then(|entry| word(&entry[WORD..]))
        .filter(|value| *value > 0)
}

/// When the machine started, in seconds since the epoch.
fn boot_time(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn open_files_limit(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        soft => soft.parse::<u64>().ok().map(|soft| soft as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_shifts_no_field() {
        let text = "42 (a) b) c) S 1 1 1 0 -1 4194304 5 0 0 0 130 20 0 0 20 0 7 0 9000 123456 78 18446744073709551615";
        let expected = Stat {
            cpu_ticks: 150,
            threads: 7,
            start_ticks: 9000,
            virtual_bytes: 123_456,
            resident_pages: 78,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        for cut in 0..text.len() - 21 {
            assert!(Stat::parse(&text[..cut]).is_none_or(|stat| stat.cpu_ticks == 150));
        }
        assert_eq!(Stat::parse("42 (x) S"), None);
    }

    #[test]
    fn the_other_files_are_read_as_the_manual_says() {
        assert_eq!(
            boot_time("cpu 1 2\nbtime 1700000000\nprocesses 3\n"),
            Some(1_700_000_000)
        );
        assert_eq!(boot_time("cpu"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096 files\n";
        assert_eq!(open_files_limit(limits), Some(1024.0));
        assert_eq!(
            open_files_limit("Max open files unlimited unlimited files"),
            Some(f64::INFINITY)
        );
        let entry = |kind: usize, value: usize| [kind.to_ne_bytes(), value.to_ne_bytes()].concat();
        let vector = [entry(6, 4096), entry(17, 100), entry(0, 0)].concat();
        assert_eq!(auxiliary_value(&vector, CLOCK_TICKS), Some(100));
        assert_eq!(auxiliary_value(&vector, 3), None);
        assert_eq!(auxiliary_value(&vector[..20], CLOCK_TICKS), None);
    }
}
