//! The minimum kernel.

use super::problem::Problem;

/// glommio needs 5.6. Since 5.12, io_uring's workers are threads of the process, so that pinning and limits
/// hold for them, and its rings no longer count as locked memory. 5.14 is the oldest kernel above that which a
/// supported distribution ships (RHEL 9).
pub const KERNEL_MIN: (u32, u32) = (5, 14);

/// Compares a release as uname(2) gives it, such as `6.1.0-18-amd64`. One that cannot be read passes: the
/// probe of io_uring decides.
pub fn check(release: &str) -> Result<(), Problem> {
    match version(release) {
        Some(version) if version < KERNEL_MIN => Err(Problem::KernelTooOld { release: release.to_string() }),
        _ => Ok(()),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        for release in ["5.14.0-362.el9.x86_64", "6.1.0-18-amd64", "6.18", "10.0", "strange"] {
            assert!(check(release).is_ok(), "{release}");
        }
        for release in ["5.13.19", "5.4.0-170-generic", "4.18.0-513.el8"] {
            let problem = check(release).unwrap_err().to_string();
            assert!(problem.contains(release) && problem.contains("needs 5.14"), "{problem}");
        }
    }
}
