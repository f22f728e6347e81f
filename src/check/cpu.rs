//! The shards' CPUs: speed, sleep, and who else runs on them.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Topic};
use super::machine::Use;
use super::tree::Tree;
use crate::config::format_cpus;

const CPU: &str = "sys/devices/system/cpu";

/// From this exit latency on an idle state shows beside a durable write, which takes some 20 us on a fast disk.
const IDLE_EXIT_US_MAX: i64 = 20;

/// With this many CPUs one is well spent on everything that is not a shard.
const SPARE_CPU_FROM: usize = 4;

const GOVERNOR: Topic = Topic {
    subject: "CPU governor",
    why: "A shard sleeps between requests. A governor that saves power lowers the clock meanwhile, and the next \
          requests run slowly until it rises again.",
};
const IDLE: Topic = Topic {
    subject: "CPU idle states",
    why: "A CPU that sleeps deeply takes as long to wake as a fast disk takes to write: each lone request pays for it \
          when it arrives and when its write completes.",
};
const SIBLINGS: Topic = Topic {
    subject: "SMT siblings",
    why: "Two shards on the two threads of one core share its execution units and caches: each slows the other down.",
};
const ISOLATED: Topic = Topic {
    subject: "isolated CPUs",
    why: "The scheduler puts nothing on isolated CPUs by itself, so shards that are pinned there run undisturbed. But \
          a process has to be allowed onto them.",
};
const TICKLESS: Topic = Topic {
    subject: "nohz_full",
    why: "It takes the timer tick from CPUs that never leave one program, and makes every system call dearer for it. \
          A broker calls the kernel all the time.",
};
const SPARE: Topic = Topic {
    subject: "CPUs for others",
    why: "Control, logging, interrupts and everything else on the machine run on the CPUs that no shard has, if there \
          are any, and otherwise in between the shards' requests.",
};

/// Looks at the shards' CPUs.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    vec![
        governor(tree, used),
        idle_states(tree, used),
        siblings(tree, used),
        isolated(tree, used),
        tickless(tree, used),
        spare(tree, used),
    ]
}

/// CPUs by what `of` says of them; those of which it says nothing are left out.
fn by<T: Ord>(used: &Use, of: impl Fn(usize) -> Option<T>) -> BTreeMap<T, Vec<usize>> {
    let mut by = BTreeMap::<T, Vec<usize>>::new();
    for &cpu in &used.cpus {
        if let Some(what) = of(cpu) {
            by.entry(what).or_default().push(cpu);
        }
    }
    by
}

fn governor(tree: &Tree, used: &Use) -> Finding {
    let governors = by(used, |cpu| tree.text(format!("{CPU}/cpu{cpu}/cpufreq/scaling_governor")));
    let found: Vec<String> =
        governors.iter().map(|(governor, cpus)| format!("{governor} on {}", format_cpus(cpus))).collect();
    let slow: Vec<usize> = governors
        .iter()
        .filter(|(name, _)| *name != "performance")
        .flat_map(|(_, cpus)| cpus.clone())
        .collect();
    match (governors.is_empty(), slow.is_empty()) {
        (true, _) => GOVERNOR
            .unknown("this machine does not let Linux set the clock, as is usual for virtual machines"),
        (_, true) => GOVERNOR.ok(found.join(", ")),
        _ => GOVERNOR.advice(
            found.join(", "),
            format!("cpupower --cpu {} frequency-set --governor performance", format_cpus(&slow)),
        ),
    }
}

fn idle_states(tree: &Tree, used: &Use) -> Finding {
    let deepest = by(used, |cpu| deepest_idle_state(tree, cpu));
    let Some(((latency_us, name), _)) = deepest.last_key_value() else {
        return IDLE.unknown("this machine does not tell its idle states, as is usual for virtual machines");
    };
    let found = format!("the deepest one in use is {name}, which takes {latency_us} us to leave");
    if *latency_us < IDLE_EXIT_US_MAX {
        return IDLE.ok(found);
    }
    let deep: Vec<usize> = deepest
        .iter()
        .filter(|((latency, _), _)| *latency >= IDLE_EXIT_US_MAX)
        .flat_map(|(_, cpus)| cpus.clone())
        .collect();
    let cpus = format_cpus(&sorted(deep));
    IDLE.advice(found, format!("cpupower --cpu {cpus} idle-set --disable-by-latency {IDLE_EXIT_US_MAX}"))
}

/// Exit latency in us and name of the deepest state that is not disabled.
fn deepest_idle_state(tree: &Tree, cpu: usize) -> Option<(i64, String)> {
    let states = format!("{CPU}/cpu{cpu}/cpuidle");
    let state = |name: &String| {
        let state = format!("{states}/{name}");
        let is_enabled = tree.number(format!("{state}/disable")).unwrap_or(0) == 0;
        let latency_us = tree.number(format!("{state}/latency"))?;
        is_enabled.then(|| (latency_us, tree.text(format!("{state}/name")).unwrap_or_default()))
    };
    tree.names(&states).iter().filter_map(state).max()
}

fn siblings(tree: &Tree, used: &Use) -> Finding {
    let siblings = |cpu| tree.cpus(format!("{CPU}/cpu{cpu}/topology/thread_siblings_list"));
    let cores: BTreeSet<Vec<usize>> = used.cpus.iter().filter_map(|cpu| siblings(*cpu)).map(sorted).collect();
    if cores.is_empty() {
        return SIBLINGS.unknown("the cores' threads are not told");
    }
    let shared: Vec<String> = cores
        .iter()
        .filter(|core| used.cpus.iter().filter(|cpu| core.contains(cpu)).count() > 1)
        .map(|core| format_cpus(core))
        .collect();
    if shared.is_empty() {
        return SIBLINGS.ok("each shard has a core of its own");
    }
    let one_each = cores.iter().filter_map(|core| core.iter().find(|cpu| used.cpus.contains(cpu)).copied());
    SIBLINGS.advice(
        format!("shards share cores: CPUs {} are one core each", shared.join(" and ")),
        format!("corelane serve --cpus {}", format_cpus(&sorted(one_each.collect()))),
    )
}

fn isolated(tree: &Tree, used: &Use) -> Finding {
    let Some(isolated) = tree.cpus(format!("{CPU}/isolated")) else {
        return ISOLATED.unknown("the kernel does not tell which CPUs are isolated");
    };
    let list = format_cpus(&isolated);
    if isolated.is_empty() {
        ISOLATED.ok(
            "none; with CPUs to spare, isolcpus= on the kernel's command line keeps others off the shards'",
        )
    } else if used.cpus.iter().all(|cpu| isolated.contains(cpu)) {
        ISOLATED.ok(format!("{list}; the shards run on them"))
    } else {
        ISOLATED.advice(
            format!("{list}; shards run on {}", format_cpus(&used.cpus)),
            format!(
                "taskset --cpu-list {list} corelane serve --cpus {list}, or CPUAffinity={list} in the unit"
            ),
        )
    }
}

fn tickless(tree: &Tree, used: &Use) -> Finding {
    if !tree.has(CPU) {
        return TICKLESS.unknown("the kernel does not tell its CPUs");
    }
    // Absent where the kernel was built without it.
    let tickless = tree.cpus(format!("{CPU}/nohz_full")).unwrap_or_default();
    if used.cpus.iter().any(|cpu| tickless.contains(cpu)) {
        return TICKLESS.advice(
            format!("on for {}", format_cpus(&tickless)),
            "take nohz_full= from the kernel's command line, and boot again",
        );
    }
    TICKLESS.ok("off for the shards' CPUs")
}

fn spare(tree: &Tree, used: &Use) -> Finding {
    let Some(online) = tree.cpus(format!("{CPU}/online")) else {
        return SPARE.unknown("the kernel does not tell its CPUs");
    };
    let others: Vec<usize> = online.iter().copied().filter(|cpu| !used.cpus.contains(cpu)).collect();
    match (others.is_empty(), online.len() < SPARE_CPU_FROM) {
        (false, _) => SPARE.ok(format_cpus(&others)),
        (true, true) => SPARE.ok("none; there are too few to leave one out"),
        (true, false) => SPARE.advice(
            "none: shards have them all",
            format!("corelane serve --cpus {}", format_cpus(&online[1..])),
        ),
    }
}

fn sorted(mut cpus: Vec<usize>) -> Vec<usize> {
    cpus.sort_unstable();
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    fn on(files: &[(&str, &str)], cpus: &[usize], topic: Topic) -> (crate::check::Status, String) {
        let files: Vec<(String, &str)> =
            files.iter().map(|(path, text)| (format!("{CPU}/{path}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let (_kept, tree) = machine(&files);
        of(&check(&tree, &using(cpus)), topic.subject)
    }

    #[test]
    fn governors() {
        let files = [
            ("cpu0/cpufreq/scaling_governor", "performance\n"),
            ("cpu1/cpufreq/scaling_governor", "powersave\n"),
        ];
        assert_eq!(on(&files, &[0], GOVERNOR), (Ok, "performance on 0".into()));
        let (status, text) = on(&files, &[0, 1], GOVERNOR);
        assert_eq!(status, Advice);
        let expected =
            "performance on 0, powersave on 1 | cpupower --cpu 1 frequency-set --governor performance";
        assert_eq!(text, expected);
        assert_eq!(on(&[], &[0], GOVERNOR).0, Unknown);
    }

    #[test]
    fn idle_states_in_use_count() {
        let mut files = vec![
            ("cpu0/cpuidle/state0/latency", "0"),
            ("cpu0/cpuidle/state0/name", "POLL"),
            ("cpu0/cpuidle/state1/latency", "2"),
            ("cpu0/cpuidle/state1/name", "C1"),
            ("cpu0/cpuidle/state2/latency", "133"),
            ("cpu0/cpuidle/state2/name", "C6"),
        ];
        let (status, text) = on(&files, &[0, 1], IDLE);
        assert_eq!(status, Advice);
        assert!(
            text.contains("C6, which takes 133 us")
                && text.ends_with("--cpu 0 idle-set --disable-by-latency 20"),
            "{text}"
        );
        files.push(("cpu0/cpuidle/state2/disable", "1"));
        assert_eq!(
            on(&files, &[0], IDLE),
            (Ok, "the deepest one in use is C1, which takes 2 us to leave".into())
        );
    }

    #[test]
    fn shards_on_one_core() {
        let files = [
            ("cpu0/topology/thread_siblings_list", "0,2"),
            ("cpu1/topology/thread_siblings_list", "1,3"),
            ("cpu2/topology/thread_siblings_list", "0,2"),
            ("cpu3/topology/thread_siblings_list", "1,3"),
        ];
        assert_eq!(on(&files, &[0, 3], SIBLINGS).0, Ok);
        let (status, text) = on(&files, &[0, 1, 2], SIBLINGS);
        assert_eq!(status, Advice);
        assert!(text.contains("CPUs 0,2 are") && text.ends_with("--cpus 0-1"), "{text}");
    }

    #[test]
    fn isolation() {
        assert_eq!(on(&[("isolated", "\n")], &[0], ISOLATED).0, Ok);
        assert_eq!(on(&[("isolated", "2-5")], &[2, 3], ISOLATED).0, Ok);
        let (status, text) = on(&[("isolated", "2-5")], &[0, 1], ISOLATED);
        assert!(status == Advice && text.contains("CPUAffinity=2-5"), "{text}");
        assert_eq!(on(&[], &[0], ISOLATED).0, Unknown);
        assert_eq!(on(&[("nohz_full", "(null)")], &[0], TICKLESS).0, Ok);
        assert_eq!(on(&[("online", "0-3")], &[0], TICKLESS).0, Ok);
        assert_eq!(on(&[("nohz_full", "1-3")], &[0], TICKLESS).0, Ok);
        assert_eq!(on(&[("nohz_full", "1-3")], &[0, 1], TICKLESS).0, Advice);
    }

    #[test]
    fn a_cpu_for_others() {
        assert_eq!(on(&[("online", "0-1")], &[0, 1], SPARE).0, Ok);
        assert_eq!(on(&[("online", "0-7")], &[1, 2, 3, 4, 5, 6, 7], SPARE), (Ok, "0".into()));
        let (status, text) = on(&[("online", "0-7")], &[0, 1, 2, 3, 4, 5, 6, 7], SPARE);
        assert!(status == Advice && text.ends_with("--cpus 1-7"), "{text}");
    }
}
