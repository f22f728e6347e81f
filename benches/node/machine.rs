//! The machine that figures belong to, and which part of it the load may have.

use std::fs;
use std::time::Duration;

/// Prints what figures depend on, and the command that repeats them.
pub fn describe() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    println!("corelane {}, Linux {}", env!("CARGO_PKG_VERSION"), kernel.trim());
    println!("{cpus} CPUs, {}", cpu.trim_start_matches([' ', '\t', ':']));
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("\n    cargo bench --bench {} -- {}\n", env!("CARGO_CRATE_NAME"), arguments.join(" "));
}

/// Runs `load` on a thread that keeps off the CPU of the broker's shard, which takes the first one that is allowed.
/// Threads that it starts do the same.
pub fn off_the_shard<T: Send>(load: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            leave_first_cpu();
            load()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn leave_first_cpu() {
    // SAFETY: a set of CPUs is plain bits, and the calls are told its size.
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(0, size, &mut cpus), 0);
        let first = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &cpus));
        if libc::CPU_COUNT(&cpus) > 1 {
            libc::CPU_CLR(first.expect("this thread runs"), &mut cpus);
            assert_eq!(libc::sched_setaffinity(0, size, &cpus), 0);
        }
    }
}

/// Waits for what cannot be waited for otherwise: that the broker has nothing left to do.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(500));
}
