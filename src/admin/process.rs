//! The process as the kernel sees it.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

/// Under Prometheus' usual names for it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Process {
    /// Memory that it takes now, in bytes.
    pub(super) resident_bytes: u64,
    /// Time that its threads have run, in s.
    pub(super) cpu_s: f64,
    /// Open files.
    pub(super) open_files: u64,
}

impl Process {
    /// Looks; what cannot be seen is 0.
    pub(super) fn look() -> Self {
        let read = |name| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        Process {
            resident_bytes: resident_pages(&read("statm")).unwrap_or(0) * page_size() as u64,
            cpu_s: cpu_ticks(&read("stat")).unwrap_or(0) as f64 / clock_ticks_per_second() as f64,
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        }
    }
}

/// The second field (proc_pid_statm(5)).
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// utime and stime (proc_pid_stat(5)), fields 14 and 15. The second field is a name in parentheses, of any characters.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 8 0 0 250 50 0 0 20 0 5";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(resident_pages("900 120 30 1 0 8 0"), Some(120));
        assert_eq!((cpu_ticks(""), resident_pages("")), (None, None));
        let process = Process::look();
        assert!(process.resident_bytes > 1 << 20 && process.open_files > 2, "{process:?}");
    }
}
