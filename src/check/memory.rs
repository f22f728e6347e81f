//! Memory: swap and huge pages.

use super::finding::{Finding, Topic};
use super::machine::Use;
use super::tree::Tree;

const SWAP: Topic = Topic {
    subject: "swap",
    why: "What the kernel swaps out, a shard waits for with all its clients when it touches it. The broker keeps within \
          `memory` and needs no swap.",
};
const HUGE_PAGES: Topic = Topic {
    subject: "transparent huge pages",
    why: "With `always` the kernel rounds memory up to 2 MiB and moves pages to make room for them: resident memory \
          beyond what budgets count, and stalls while it does.",
};
const RESERVED: Topic = Topic {
    subject: "reserved huge pages",
    why: "The broker does not use them. They count as RAM, of which `memory` is a part by default, and nobody else \
          gets them.",
};

/// Looks at memory.
pub fn check(tree: &Tree, _used: &Use) -> Vec<Finding> {
    vec![swap(tree), huge_pages(tree), reserved(tree)]
}

fn swap(tree: &Tree) -> Finding {
    let Some(areas) = tree.text("proc/swaps") else { return SWAP.unknown("the swap areas are not told") };
    // The first line names the columns.
    let names: Vec<&str> = areas.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    if names.is_empty() {
        return SWAP.ok("none");
    }
    let Some(swappiness) = tree.number("proc/sys/vm/swappiness") else {
        return SWAP.unknown(format!("on {}", names.join(", ")));
    };
    let found = format!("on {}, vm.swappiness = {swappiness}", names.join(", "));
    if swappiness <= 1 {
        return SWAP.ok(found);
    }
    SWAP.advice(found, "sysctl -w vm.swappiness=1, or MemorySwapMax=0 in the unit, or swapoff -a")
}

fn huge_pages(tree: &Tree) -> Finding {
    let directory = "sys/kernel/mm/transparent_hugepage";
    match tree.chosen(format!("{directory}/enabled")) {
        None => HUGE_PAGES.unknown("this kernel has none"),
        Some(chosen) if chosen == "always" => {
            HUGE_PAGES.advice(chosen, format!("echo madvise > /{directory}/enabled"))
        }
        Some(chosen) => HUGE_PAGES.ok(chosen),
    }
}

fn reserved(tree: &Tree) -> Finding {
    let info = tree.text("proc/meminfo").unwrap_or_default();
    let number = |name: &str| -> Option<u64> {
        let rest = info.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let (Some(pages), Some(page_kib)) = (number("HugePages_Total:"), number("Hugepagesize:")) else {
        return RESERVED.unknown("the kernel tells of none");
    };
    if pages == 0 {
        return RESERVED.ok("none");
    }
    RESERVED.advice(
        format!("{} MiB", pages.saturating_mul(page_kib) >> 10),
        "sysctl -w vm.nr_hugepages=0, unless others on this machine use them; then set --memory without them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    fn on(files: &[(&str, &str)], subject: &str) -> (crate::check::Status, String) {
        let (_kept, tree) = machine(files);
        of(&check(&tree, &using(&[0])), subject)
    }

    #[test]
    fn swap_areas() {
        let none = ("proc/swaps", "Filename\tType\tSize\n");
        let one = ("proc/swaps", "Filename\tType\tSize\n/dev/sda2\tpartition\t100\n");
        assert_eq!(on(&[none], "swap").0, Ok);
        assert_eq!(on(&[one, ("proc/sys/vm/swappiness", "1")], "swap").0, Ok);
        assert_eq!(on(&[one], "swap").0, Unknown);
        let (status, text) = on(&[one, ("proc/sys/vm/swappiness", "60")], "swap");
        assert!(status == Advice && text.starts_with("on /dev/sda2, vm.swappiness = 60"), "{text}");
    }

    #[test]
    fn huge_pages_of_both_kinds() {
        let file = "sys/kernel/mm/transparent_hugepage/enabled";
        let subject = HUGE_PAGES.subject;
        assert_eq!(on(&[(file, "always [madvise] never")], subject), (Ok, "madvise".into()));
        let (status, text) = on(&[(file, "[always] madvise never")], subject);
        assert!(
            status == Advice && text.ends_with("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
            "{text}"
        );

        let info =
            |pages| format!("MemTotal: 5 kB\nHugePages_Total:    {pages}\nHugepagesize:       2048 kB\n");
        assert_eq!(on(&[("proc/meminfo", &info(0))], RESERVED.subject).0, Ok);
        let (status, text) = on(&[("proc/meminfo", &info(512))], RESERVED.subject);
        assert!(status == Advice && text.starts_with("1024 MiB"), "{text}");
    }
}
