//! The machine that the load was made on.

use std::fs;

use serde::{Deserialize, Serialize};

/// What a reader has to know to judge figures.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// The model of its CPU.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The architecture.
    pub architecture: String,
    /// The distribution.
    pub system: String,
    /// How the CPU's frequency is governed; empty where that cannot be seen, as in most virtual machines.
    pub governor: String,
}

impl Machine {
    /// This machine. What cannot be read stays empty.
    pub fn detect() -> Machine {
        let uname = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        let cpuinfo = read("/proc/cpuinfo");
        let memory_kib: u64 = field(&read("/proc/meminfo"), "MemTotal", ':')
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        Machine {
            host: text(uname.nodename()),
            cpu: field(&cpuinfo, "model name", ':'),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: memory_kib * 1024,
            kernel: text(uname.release()),
            architecture: text(uname.machine()),
            system: field(&read("/etc/os-release"), "PRETTY_NAME", '=').trim_matches('"').to_owned(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").trim().to_owned(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line that starts with `name`.
fn field(text: &str, name: &str, separator: char) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(separator))
        .map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
