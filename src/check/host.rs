//! Whether this is a virtual machine, what its host takes from it, and its clock.

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

/// Looks at the host.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    vec![steal(tree, used), clock(tree)]
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
