//! What of the machine this process may use: the source of the derived defaults.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// CPUs and memory that the process may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// CPUs that the process may run on (its cpuset and affinity), ascending.
    pub allowed_cpus: Vec<usize>,
    /// RAM, or the least limit of the cgroups around the process if that is lower, in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// Looks at the machine. Fails where `/proc` is not mounted.
    pub fn detect() -> io::Result<Self> {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let mut allowed_cpus: Vec<usize> = ids.into_iter().map(|core| core.id).collect();
        allowed_cpus.sort_unstable();
        Ok(Machine { allowed_cpus, memory_bytes: memory_bytes(Path::new("/"))? })
    }
}

/// RAM or the cgroup's limit, as the file system below `root` tells it.
fn memory_bytes(root: &Path) -> io::Result<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo"))?;
    let kib = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("/proc/meminfo has no MemTotal"))?;
    let total = kib.saturating_mul(1024);
    Ok(cgroup_limit(root).map_or(total, |limit| limit.min(total)))
}

/// The least memory limit of the process's cgroup and those around it, for cgroup v2 and v1.
fn cgroup_limit(root: &Path) -> Option<u64> {
    let membership = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    membership.lines().filter_map(|line| limit_of_membership(root, line)).min()
}

/// A line is `ID:CONTROLLERS:PATH` (cgroups(7)); v2 has no controllers in it.
fn limit_of_membership(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (mount, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    // Up to the mount: limits nest, and inside a container the path may be the host's and not exist here.
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors().filter_map(|group| limit_in(root.join(mount).join(group).join(file))).min()
}

/// A limit file's number; `max` and absent files mean none.
fn limit_in(file: PathBuf) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn memory_is_the_least_of_ram_and_every_cgroup_around() {
        let v2 = ("proc/self/cgroup", "0::/a/b\n");
        let v1 = ("proc/self/cgroup", "5:cpu:/x\n4:blkio,memory:/docker/1\n0::/\n");
        let outer = ("sys/fs/cgroup/a/memory.max", "500000\n");
        let inner = ("sys/fs/cgroup/a/b/memory.max", "max\n");
        for (files, expected) in [
            (vec![MEMINFO], 1_024_000),
            (vec![MEMINFO, v2], 1_024_000),
            (vec![MEMINFO, v2, outer, inner], 500_000),
            (
                vec![
                    MEMINFO,
                    v1,
                    ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712"),
                ],
                1_024_000,
            ),
            (vec![MEMINFO, v1, ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "7000\n")], 7000),
            // A container that sees the host's path but only its own group at the mount.
            (vec![MEMINFO, v1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000\n")], 8000),
        ] {
            let root = machine(&files);
            assert_eq!(memory_bytes(root.path()).unwrap(), expected, "{files:?}");
        }
    }

    #[test]
    fn without_meminfo_memory_is_unknown() {
        assert!(memory_bytes(machine(&[]).path()).is_err());
        assert!(memory_bytes(machine(&[("proc/meminfo", "nonsense")]).path()).is_err());
    }

    #[test]
    fn this_machine_has_cpus_and_memory() {
        let machine = Machine::detect().unwrap();
        assert!(!machine.allowed_cpus.is_empty() && machine.memory_bytes > 0);
    }
}
