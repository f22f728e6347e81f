//! Where interrupts of the network arrive.

use std::collections::BTreeSet;
use std::path::Path;

use super::device::{Device, network_cards};
use super::finding::{Finding, Topic};
use super::machine::Use;
use super::tree::Tree;
use crate::config::format_cpus;

const IRQBALANCE: Topic = Topic {
    subject: "irqbalance",
    why: "It moves interrupts from CPU to CPU while the broker runs, onto shards' CPUs as well, which shows as \
          latency that comes and goes.",
};
const CARDS: Topic = Topic {
    subject: "network interrupts",
    why: "A CPU that takes all of a network card's interrupts receives for all shards, and the shard on it has the rest. \
          Disks need no such care: NVMe completes on the CPU that submitted.",
};

/// Looks at interrupts. Those of disks are placed by the kernel.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    let cards = network_cards(tree);
    let mut findings = vec![irqbalance(tree, used)];
    if cards.is_empty() {
        findings.push(CARDS.unknown("no network card is up"));
    }
    findings.extend(cards.iter().map(|card| interrupts(tree, used, card)));
    findings
}

fn irqbalance(tree: &Tree, used: &Use) -> Finding {
    let is_process = |name: &&String| name.bytes().all(|byte| byte.is_ascii_digit());
    let processes = tree.names("proc");
    let mut processes = processes.iter().filter(is_process).peekable();
    if processes.peek().is_none() {
        return IRQBALANCE.unknown("the processes are not told");
    }
    let is_it = |pid: &String| {
        tree.text(Path::new("proc").join(pid).join("comm")).is_some_and(|comm| comm == "irqbalance")
    };
    if !processes.any(is_it) {
        return IRQBALANCE.ok("does not run");
    }
    IRQBALANCE.advice(
        "runs",
        format!(
            "systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST={} in its environment file",
            format_cpus(&used.cpus)
        ),
    )
}

fn interrupts(tree: &Tree, used: &Use, card: &Device) -> Finding {
    let name = &card.name;
    let numbers = card.interrupts(tree);
    let cpus_of = |number: &u32| {
        let irq = format!("proc/irq/{number}");
        tree.cpus(format!("{irq}/effective_affinity_list"))
            .or_else(|| tree.cpus(format!("{irq}/smp_affinity_list")))
    };
    let taken: BTreeSet<usize> = numbers.iter().filter_map(cpus_of).flatten().collect();
    let taken: Vec<usize> = taken.into_iter().collect();
    match taken[..] {
        [] => CARDS.unknown(format!("{name} does not tell where its interrupts arrive")),
        [cpu] if used.cpus.len() > 1 && used.cpus.contains(&cpu) => CARDS.advice(
            format!("all of {name}'s arrive on CPU {cpu}, which has a shard"),
            match numbers.len() {
                1 => {
                    format!("ethtool -L {name} combined {}, if the card has as many queues", used.cpus.len())
                }
                _ => format!(
                    "one to each CPU: echo CPU > /proc/irq/NUMBER/smp_affinity_list, NUMBER of {}",
                    list(&numbers)
                ),
            },
        ),
        _ => CARDS.ok(format!("{name}'s arrive on {}", format_cpus(&taken))),
    }
}

fn list(numbers: &[u32]) -> String {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    #[test]
    fn irqbalance_is_found_by_its_name() {
        let (_kept, tree) = machine(&[("proc/1/comm", "init\n"), ("proc/77/comm", "irqbalance\n")]);
        let (status, text) = of(&check(&tree, &using(&[2, 3])), "irqbalance");
        assert!(status == Advice && text.contains("IRQBALANCE_BANNED_CPULIST=2-3"), "{text}");
        let (_kept, tree) = machine(&[("proc/1/comm", "init\n"), ("proc/irqbalance/comm", "irqbalance\n")]);
        assert_eq!(of(&check(&tree, &using(&[0])), "irqbalance").0, Ok);
    }

    /// A card with these interrupts, each with where it may arrive and where it does.
    fn card(interrupts: &[(u32, &str, &str)], cpus: &[usize]) -> (crate::check::Status, String) {
        let pci = "sys/devices/pci0/0000:01:00.0";
        let mut files = vec![
            (format!("{pci}/net/eth0/operstate"), "up".to_owned()),
            (format!("{pci}/net/eth0/device"), "-> ../..".to_owned()),
            ("sys/class/net/eth0".to_owned(), format!("-> ../../../{pci}/net/eth0")),
        ];
        for (number, allowed, effective) in interrupts {
            files.push((format!("{pci}/msi_irqs/{number}"), "msix".to_owned()));
            files.push((format!("proc/irq/{number}/smp_affinity_list"), (*allowed).to_owned()));
            if !effective.is_empty() {
                files.push((format!("proc/irq/{number}/effective_affinity_list"), (*effective).to_owned()));
            }
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (_kept, tree) = machine(&files);
        of(&check(&tree, &using(cpus)), "network interrupts")
    }

    #[test]
    fn a_shard_that_receives_for_all_is_found() {
        assert_eq!(card(&[(40, "0-3", "0"), (41, "0-3", "1")], &[0, 1]), (Ok, "eth0's arrive on 0-1".into()));
        let (status, text) = card(&[(40, "0-3", "1"), (41, "0-3", "1")], &[0, 1]);
        assert!(
            status == Advice && text.contains("CPU 1, which has a shard") && text.ends_with("40 41"),
            "{text}"
        );
        let (status, text) = card(&[(40, "0", "")], &[0, 1]);
        assert!(status == Advice && text.contains("ethtool -L eth0 combined 2"), "{text}");
        assert_eq!(card(&[(40, "0", "0")], &[0]).0, Ok, "the only shard");
        assert_eq!(card(&[(40, "0", "0")], &[1, 2]).0, Ok, "a CPU for others");
        assert_eq!(card(&[], &[0]).0, Unknown);
    }
}
