//! Whether io_uring works here. It is tried rather than deduced, since sysctl, seccomp and LSMs can all refuse
//! it; the sysctl only helps to explain.

use std::fs;
use std::io;
use std::path::Path;

use io_uring::{IoUring, opcode};

use super::problem::Problem;

/// Makes a ring, runs an operation on it and registers a probe: the three system calls of io_uring.
pub fn check() -> Result<(), Problem> {
    let root = Path::new("/");
    probe().map_err(|error| explain(error, disabled_level(root), under_seccomp(root)))
}

fn probe() -> io::Result<()> {
    let mut ring = IoUring::new(2)?;
    // SAFETY: a Nop refers to no memory.
    unsafe { ring.submission().push(&opcode::Nop::new().build()).expect("the ring is empty") };
    ring.submit_and_wait(1)?;
    ring.submitter().register_probe(&mut io_uring::Probe::new())
}

/// `kernel.io_uring_disabled`, of kernels from 6.6 on: 1 refuses processes outside `io_uring_group`, 2 all.
fn disabled_level(root: &Path) -> Option<u8> {
    fs::read_to_string(root.join("proc/sys/kernel/io_uring_disabled")).ok()?.trim().parse().ok()
}

fn explain(error: io::Error, disabled: Option<u8>, under_seccomp: bool) -> Problem {
    match (error.raw_os_error(), disabled) {
        (Some(libc::EPERM), Some(level @ 1..)) => Problem::UringDisabled { level },
        (Some(libc::EPERM | libc::EACCES), _) => Problem::UringForbidden { source: error },
        (Some(libc::ENOSYS), _) if under_seccomp => Problem::UringForbidden { source: error },
        (Some(libc::ENOSYS), _) => Problem::UringAbsent,
        _ => Problem::UringFailed { source: error },
    }
}

/// Whether this process runs under a seccomp filter; some profiles answer ENOSYS where the kernel would not.
fn under_seccomp(root: &Path) -> bool {
    let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: i32, disabled: Option<u8>, under_seccomp: bool) -> String {
        explain(io::Error::from_raw_os_error(errno), disabled, under_seccomp).to_string()
    }

    #[test]
    fn refusals_are_explained() {
        assert!(explained(libc::EPERM, Some(2), true).contains("sysctl kernel.io_uring_disabled=0"));
        assert!(explained(libc::EPERM, Some(1), false).contains("kernel.io_uring_disabled = 1"));
        for disabled in [None, Some(0)] {
            let text = explained(libc::EPERM, disabled, false);
            assert!(text.contains("seccomp") && text.contains("io_uring_enter"), "{text}");
        }
        assert!(explained(libc::ENOSYS, None, true).contains("seccomp"));
        assert!(explained(libc::ENOSYS, None, false).contains("CONFIG_IO_URING"));
        assert!(explained(libc::ENOMEM, Some(0), false).contains("does not work here"));
    }

    #[test]
    fn the_sysctl_and_the_filter_are_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(disabled_level(root.path()), None);
        assert!(!under_seccomp(root.path()));
        fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/sys/kernel/io_uring_disabled"), "2\n").unwrap();
        fs::write(root.path().join("proc/self/status"), "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n")
            .unwrap();
        assert_eq!(disabled_level(root.path()), Some(2));
        assert!(under_seccomp(root.path()));
    }
}
