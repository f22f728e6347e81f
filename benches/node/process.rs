//! What a process has used, as the kernel counts it.

use std::fs;
use std::process::Child;

/// CPU time of all threads of a process, the kernel's work for it included, in seconds.
#[derive(Clone, Copy)]
pub struct CpuTime {
    pub user: f64,
    pub system: f64,
}

impl CpuTime {
    pub fn of(process: &Child) -> Self {
        Self::of_id(process.id())
    }

    /// The same by the process's id.
    pub fn of_id(process_id: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{process_id}/stat")).expect("it runs");
        // Behind the name, which may hold anything, in parentheses; utime and stime are fields 14 and 15 of proc(5).
        let (_, fields) = stat.rsplit_once(") ").expect("proc(5)");
        let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<f64>().expect("proc(5)"));
        // SAFETY: a plain question.
        let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        let mut seconds = || ticks.next().expect("proc(5)") / ticks_per_second;
        CpuTime { user: seconds(), system: seconds() }
    }

    pub fn since(self, earlier: Self) -> Self {
        CpuTime { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    pub fn total(self) -> f64 {
        self.user + self.system
    }
}

/// Memory of a process that is in RAM, in bytes.
pub fn resident_bytes(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("proc(5)");
    kib << 10
}
