//! Whether this is a virtual machine or a container, what its host takes from it, and its clock.

use std::path::Path;

use super::finding::{Finding, Topic};
use super::machine::Use;
use super::tree::Tree;

/// Stolen time from this share on shows in latencies, in thousandths.
const STEAL_PER_MILLE_MAX: u64 = 10;

const VIRTUAL: Topic = Topic {
    subject: "virtual machine",
    why: "Time that the host gives to others while a shard has work shows in latencies as pauses, whatever is set up \
          here.",
};
const CLOCK: Topic = Topic {
    subject: "clock source",
    why: "A shard reads the clock many times for each request. From the CPU's counter that takes some 20 ns; other \
          sources take a system call and a slow device, a microsecond and more.",
};
const QUOTA: Topic = Topic {
    subject: "CPU quota",
    why: "A control group with a quota stops all shards for the rest of a period, usually of 100 ms, once they have used \
          it up, however short the burst was. A set of CPUs (cpuset) limits without stopping.",
};

/// Looks at the host.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    vec![steal(tree, used), clock(tree), quota(tree, used)]
}

fn steal(tree: &Tree, used: &Use) -> Finding {
    let Some(is_virtual) = is_virtual(tree) else { return VIRTUAL.unknown("the CPUs are not told") };
    let what = if is_virtual { "yes" } else { "no" };
    let Some((stolen, all)) = times(tree, used) else {
        return VIRTUAL.unknown(format!("{what}; the time that the host took is not told"));
    };
    let per_mille = stolen.saturating_mul(1000) / all.max(1);
    let found = format!(
        "{what}; since boot the host took {}.{} % of the shards' CPUs",
        per_mille / 10,
        per_mille % 10
    );
    if per_mille < STEAL_PER_MILLE_MAX {
        return VIRTUAL.ok(found);
    }
    VIRTUAL.advice(
        found,
        "at the host: give the machine CPUs of its own, pinned, and no more virtual CPUs than real ones",
    )
}

fn is_virtual(tree: &Tree) -> Option<bool> {
    if tree.has("sys/hypervisor/type") {
        return Some(true);
    }
    // x86 says so by a flag; the first CPU speaks for all.
    let info = tree.text("proc/cpuinfo")?;
    let flags = info.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// Stolen and whole time of the shards' CPUs, in ticks: proc_stat(5).
fn times(tree: &Tree, used: &Use) -> Option<(u64, u64)> {
    /// user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first two.
    const COLUMNS: usize = 8;
    let stat = tree.text("proc/stat")?;
    let (mut stolen, mut all) = (0u64, 0u64);
    for cpu in &used.cpus {
        let line = stat.lines().find_map(|line| line.strip_prefix(&format!("cpu{cpu} ")))?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(COLUMNS).filter_map(|word| word.parse().ok()).collect();
        stolen = stolen.saturating_add(*ticks.get(COLUMNS - 1)?);
        all = ticks.iter().fold(all, |sum, ticks| sum.saturating_add(*ticks));
    }
    Some((stolen, all))
}

fn clock(tree: &Tree) -> Finding {
    let directory = "sys/devices/system/clocksource/clocksource0";
    let Some(current) = tree.text(format!("{directory}/current_clocksource")) else {
        return CLOCK.unknown("the kernel does not tell");
    };
    let slow = ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "xen"];
    if !slow.contains(&current.as_str()) {
        return CLOCK.ok(current);
    }
    let available = tree.text(format!("{directory}/available_clocksource")).unwrap_or_default();
    let change = if available.split_whitespace().any(|source| source == "tsc") {
        format!(
            "echo tsc > /{directory}/current_clocksource, and clocksource=tsc on the kernel's command line"
        )
    } else {
        "the kernel does not trust this CPU's counter: see dmesg for `clocksource`, and the firmware's settings".to_owned()
    };
    CLOCK.advice(current, change)
}

fn quota(tree: &Tree, used: &Use) -> Finding {
    let Some(memberships) = tree.text("proc/self/cgroup") else {
        return QUOTA.unknown("the control groups are not told");
    };
    // cgroups(7): version 2 has one line without controllers, `0::PATH`.
    let Some(path) = memberships.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return QUOTA.unknown("there is no control group of version 2");
    };
    let limits = Path::new(path).ancestors().filter_map(|group| quota_percent(tree, group));
    match limits.min() {
        None => QUOTA.ok("none"),
        Some(percent) if percent >= used.cpus.len() as u64 * 100 => QUOTA.ok(format!("{percent} % of a CPU")),
        Some(percent) => QUOTA.advice(
            format!("{percent} % of a CPU for {} shards", used.cpus.len()),
            "CPUQuota= in systemd, or the container's CPU limit: take it away, or give the broker whole CPUs by a cpuset",
        ),
    }
}

/// A group's quota in per cent of one CPU: cpu.max is `QUOTA PERIOD`, in us, or `max PERIOD`.
fn quota_percent(tree: &Tree, group: &Path) -> Option<u64> {
    let text = tree.text(Path::new("sys/fs/cgroup").join(group).join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    quota.saturating_mul(100).checked_div(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    fn virtual_machine(stat: &str, cpus: &[usize]) -> (crate::check::Status, String) {
        let (_kept, tree) =
            machine(&[("proc/cpuinfo", "processor : 0\nflags : fpu hypervisor sse\n"), ("proc/stat", stat)]);
        of(&check(&tree, &using(cpus)), VIRTUAL.subject)
    }

    #[test]
    fn stolen_time_of_the_shards_cpus() {
        let stat = "cpu 9 9 9 9 9 9 9 9\ncpu0 900 0 0 0 0 0 0 100 5 5\ncpu1 500 0 0 500 0 0 0 0 0 0\ncpu10 1 1 1 1 1 1 1 1\n";
        let (status, text) = virtual_machine(stat, &[0]);
        assert!(status == Advice && text.contains("took 10.0 % of"), "{text}");
        let (status, text) = virtual_machine(stat, &[0, 1]);
        assert!(status == Advice && text.contains("took 5.0 %"), "{text}");
        assert_eq!(
            virtual_machine(stat, &[1]),
            (Ok, "yes; since boot the host took 0.0 % of the shards' CPUs".into())
        );
        assert_eq!(virtual_machine("cpu0 1 2 3\n", &[0]).0, Unknown);
    }

    #[test]
    fn the_least_quota_of_the_groups_around_counts() {
        let quota = |outer: &str, inner: &str, cpus: &[usize]| {
            let (_kept, tree) = machine(&[
                ("proc/self/cgroup", "1:name=systemd:/x\n0::/a/b\n"),
                ("sys/fs/cgroup/a/cpu.max", outer),
                ("sys/fs/cgroup/a/b/cpu.max", inner),
            ]);
            of(&check(&tree, &using(cpus)), QUOTA.subject)
        };
        assert_eq!(quota("max 100000\n", "max 100000\n", &[0]), (Ok, "none".into()));
        assert_eq!(quota("200000 100000", "max 100000", &[0, 1]), (Ok, "200 % of a CPU".into()));
        let (status, text) = quota("150000 100000", "400000 100000", &[0, 1]);
        assert!(status == Advice && text.starts_with("150 % of a CPU for 2 shards"), "{text}");
        assert_eq!(quota("1 0", "nonsense", &[0]).0, Ok);
    }

    #[test]
    fn clocks() {
        let clock = |current: &str, available: &str| {
            let directory = "sys/devices/system/clocksource/clocksource0";
            let (_kept, tree) = machine(&[
                (&format!("{directory}/current_clocksource"), current),
                (&format!("{directory}/available_clocksource"), available),
            ]);
            of(&check(&tree, &using(&[0])), CLOCK.subject)
        };
        assert_eq!(clock("tsc\n", "tsc hpet").0, Ok);
        assert_eq!(clock("kvm-clock", "kvm-clock").0, Ok);
        assert!(clock("hpet", "tsc hpet").1.contains("echo tsc > /sys/devices"));
        assert!(clock("acpi_pm", "hpet acpi_pm").1.contains("dmesg"));
    }
}
