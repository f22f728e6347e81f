//! The disks and file systems of data and journals.

use super::device::{Device, disks};
use super::finding::{Finding, Topic};
use super::machine::{Place, Use};
use super::mounts::{Mount, mount_of};
use super::tree::Tree;

/// Requests that a queue should take: each shard has two journal writes in flight, and beside them write-backs, cold
/// reads and files' metadata.
const QUEUE_REQUESTS_PER_SHARD: usize = 8;

const OPTIONS: Topic = Topic {
    subject: "mount options",
    why: "Journal writes go around the file system's own journal as long as nothing but data changes. Options can put \
          other work before them.",
};
const KIND: Topic = Topic {
    subject: "kind of disk",
    why: "Every acknowledgement waits for a synchronous write, which takes a rotation on a hard disk and some 20 to 100 \
          us on flash.",
};
const CACHE: Topic = Topic {
    subject: "write cache",
    why: "A disk that may lose its cache has to empty it before a write counts as durable, which on NVMe without \
          power-loss protection takes up to milliseconds. One that is protected answers at once.",
};
const SCHEDULER: Topic = Topic {
    subject: "I/O scheduler",
    why: "A scheduler sorts and holds requests for the sake of slow disks. On flash it only adds time to each.",
};
const QUEUE: Topic = Topic {
    subject: "disk queue",
    why: "When the queue is full, a shard's journal write waits behind others before the disk has seen it.",
};
const SHARED: Topic = Topic {
    subject: "journal's device",
    why: "Write-back and reads of old data go through the same device as the journal. On one of its own, journal writes \
          never wait for them.",
};

/// What to do about a mount option.
enum Remedy {
    /// Mount again with this option.
    Remount(&'static str),
    /// It holds until the file system is unmounted.
    Unmount,
}

/// Mount options, what they do, and what to do about them.
const OPTIONS_TO_AVOID: [(&str, &str, Remedy); 6] = [
    ("strictatime", "each read writes a time stamp", Remedy::Remount("noatime")),
    (
        "discard",
        "the disk is told of deleted segments while records are written, which many disks take badly",
        Remedy::Remount("nodiscard"),
    ),
    ("data=journal", "all data is written twice, and direct I/O is not direct", Remedy::Unmount),
    ("sync", "every write waits for the file system's journal", Remedy::Remount("async")),
    (
        "nobarrier",
        "power loss can take what was acknowledged, unless the disk is protected",
        Remedy::Remount("barrier"),
    ),
    (
        "barrier=0",
        "power loss can take what was acknowledged, unless the disk is protected",
        Remedy::Remount("barrier=1"),
    ),
];

/// Looks at the disks of each directory. Two directories on one mount are one to look at.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    let mut seen: Vec<Mount> = Vec::new();
    let mut findings = Vec::new();
    for place in &used.places {
        let Some(mount) = mount_of(tree, &place.path) else {
            findings.push(OPTIONS.unknown(format!("{}: the mounts are not told", place.key)));
            findings.push(KIND.unknown(format!("{}: its disk is not told", place.key)));
            continue;
        };
        if !seen.contains(&mount) {
            findings.push(options(place, &mount));
            findings.extend(check_disks(tree, used, place, &mount));
            seen.push(mount);
        }
    }
    findings.extend(shared(tree, used));
    findings
}

fn options(place: &Place, mount: &Mount) -> Finding {
    let point = mount.point.display();
    let found = format!("{}: {} on {point}, {}", place.key, mount.kind, mount.options.join(","));
    let is_set = |name: &str| mount.options.iter().any(|option| option == name);
    let avoid: Vec<_> = OPTIONS_TO_AVOID.iter().filter(|(name, _, _)| is_set(name)).collect();
    if avoid.is_empty() {
        return OPTIONS.ok(found);
    }
    let what: Vec<String> = avoid.iter().map(|(name, what, _)| format!("{name}: {what}")).collect();
    let mut changes = Vec::new();
    let remount: Vec<&str> = avoid.iter().filter_map(|(_, _, remedy)| remedy.remount()).collect();
    if !remount.is_empty() {
        changes.push(format!("mount -o remount,{} {point}, and the same in /etc/fstab", remount.join(",")));
    }
    let to_unmount = avoid.iter().filter(|(_, _, remedy)| remedy.remount().is_none());
    changes.extend(
        to_unmount.map(|(name, _, _)| format!("take {name} from /etc/fstab, unmount and mount {point}")),
    );
    if is_set("discard") {
        changes.push("systemctl enable --now fstrim.timer".to_owned());
    }
    OPTIONS.advice(format!("{found}; {}", what.join("; ")), changes.join("; "))
}

impl Remedy {
    /// The option to mount again with.
    fn remount(&self) -> Option<&'static str> {
        match self {
            Remedy::Remount(option) => Some(option),
            Remedy::Unmount => None,
        }
    }
}

fn check_disks(tree: &Tree, used: &Use, place: &Place, mount: &Mount) -> Vec<Finding> {
    let disks = disks(tree, &mount.device);
    if disks.is_empty() {
        return vec![KIND.unknown(format!("{}: {} has no disk that is told", place.key, mount.kind))];
    }
    let look = |disk: &Device| {
        let name = format!("{} ({})", disk.name, place.key);
        [
            kind(tree, disk, &name),
            cache(tree, disk, &name),
            scheduler(tree, disk, &name),
            queue(tree, used, disk, &name),
        ]
    };
    disks.iter().flat_map(look).collect()
}

/// Disks of virtual machines call themselves rotating whatever they are.
fn is_virtual(disk: &Device) -> bool {
    disk.name.starts_with("vd") || disk.name.starts_with("xvd")
}

fn kind(tree: &Tree, disk: &Device, name: &str) -> Finding {
    match tree.number(disk.path.join("queue/rotational")) {
        None => KIND.unknown(format!("{name} does not tell")),
        Some(0) => KIND.ok(format!("{name} does not rotate")),
        Some(_) if is_virtual(disk) => KIND.unknown(format!("{name} is virtual: only its host knows")),
        Some(_) => {
            KIND.advice(format!("{name} rotates"), "put `journal.dir`, or both directories, on an NVMe disk")
        }
    }
}

fn cache(tree: &Tree, disk: &Device, name: &str) -> Finding {
    match tree.text(disk.path.join("queue/write_cache")).as_deref() {
        Some("write through") => CACHE.ok(format!("{name}: none that could lose anything (write through)")),
        Some("write back") => {
            let fua = tree.number(disk.path.join("queue/fua")).unwrap_or(0) != 0;
            let how = if fua { "with FUA, one write" } else { "without FUA, a write and a flush" };
            CACHE.advice(
                format!("{name}: volatile (write back); a durable write is, {how}"),
                "put `journal.dir` on a disk with power-loss protection; never set queue/write_cache by hand, which \
                 only makes the kernel leave out what keeps records",
            )
        }
        _ => CACHE.unknown(format!("{name} does not tell")),
    }
}

fn scheduler(tree: &Tree, disk: &Device, name: &str) -> Finding {
    let rotates = tree.number(disk.path.join("queue/rotational")) == Some(1) && !is_virtual(disk);
    match tree.chosen(disk.path.join("queue/scheduler")) {
        None => SCHEDULER.unknown(format!("{name} does not tell")),
        Some(chosen) if chosen == "none" || rotates => SCHEDULER.ok(format!("{name}: {chosen}")),
        Some(chosen) => SCHEDULER.advice(
            format!("{name}: {chosen}"),
            format!("echo none > /sys/block/{}/queue/scheduler", disk.name),
        ),
    }
}

fn queue(tree: &Tree, used: &Use, disk: &Device, name: &str) -> Finding {
    let wanted = (used.cpus.len() * QUEUE_REQUESTS_PER_SHARD) as i64;
    match tree.number(disk.path.join("queue/nr_requests")) {
        None => QUEUE.unknown(format!("{name} does not tell")),
        Some(requests) if requests >= wanted => QUEUE.ok(format!("{name}: {requests} requests")),
        Some(requests) => QUEUE.advice(
            format!("{name}: {requests} requests for {} shards", used.cpus.len()),
            format!("echo {wanted} > /sys/block/{}/queue/nr_requests, as far as the disk allows", disk.name),
        ),
    }
}

/// Whether journals and segments share disks, which is usual and no fault.
fn shared(tree: &Tree, used: &Use) -> Option<Finding> {
    let of = |place: &Place| Some(disks(tree, &mount_of(tree, &place.path)?.device));
    let data = of(used.places.first()?).filter(|disks| !disks.is_empty())?;
    let journal = match used.places.get(1) {
        Some(place) => of(place).filter(|disks| !disks.is_empty())?,
        None => data.clone(),
    };
    let names = |disks: &[Device]| disks.iter().map(|disk| disk.name.clone()).collect::<Vec<_>>().join(", ");
    let is_shared = journal.iter().any(|disk| data.contains(disk));
    Some(match (is_shared, used.places.len()) {
        (false, _) => SHARED.ok(format!("{}; segments are on {}", names(&journal), names(&data))),
        (true, 1) => {
            SHARED.ok(format!("{}, with the segments; `journal.dir` can put it on another", names(&data)))
        }
        (true, _) => SHARED.advice(
            format!("`journal.dir` and `data.dir` are both on {}", names(&data)),
            "put `journal.dir` on another disk; where it is on the same, it changes nothing",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};
    use std::path::PathBuf;

    const MOUNTS: &str = "\
1 0 259:1 / / rw,relatime - ext4 /dev/nvme0n1p1 rw
2 1 8:0 / /data rw,strictatime - xfs /dev/sda rw,discard
3 1 0:40 / /tmp rw - tmpfs tmpfs rw
";

    fn disk_files(extra: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        let mut files = vec![
            ("proc/self/mountinfo", MOUNTS),
            ("sys/dev/block/259:1", "-> ../../devices/pci0/nvme0n1/nvme0n1p1"),
            ("sys/dev/block/8:0", "-> ../../devices/pci1/sda"),
            ("sys/devices/pci0/nvme0n1/nvme0n1p1/partition", "1"),
            ("sys/devices/pci0/nvme0n1/queue/rotational", "0"),
            ("sys/devices/pci0/nvme0n1/queue/write_cache", "write through"),
            ("sys/devices/pci0/nvme0n1/queue/scheduler", "[none] mq-deadline"),
            ("sys/devices/pci0/nvme0n1/queue/nr_requests", "1023"),
            ("sys/devices/pci1/sda/queue/rotational", "1"),
            ("sys/devices/pci1/sda/queue/write_cache", "write back"),
            ("sys/devices/pci1/sda/queue/scheduler", "none [mq-deadline]"),
            ("sys/devices/pci1/sda/queue/nr_requests", "4"),
        ];
        files.extend(extra);
        files
    }

    fn findings(paths: &[&str], extra: &[(&'static str, &'static str)]) -> Vec<Finding> {
        let (_kept, tree) = machine(&disk_files(extra));
        let mut used = using(&[0, 1]);
        let keys = ["data.dir", "journal.dir"];
        used.places =
            keys.iter().zip(paths).map(|(key, path)| Place { key, path: PathBuf::from(path) }).collect();
        check(&tree, &used)
    }

    #[test]
    fn a_good_disk_needs_nothing() {
        let findings = findings(&["/srv"], &[]);
        for topic in [OPTIONS, KIND, CACHE, SCHEDULER, QUEUE, SHARED] {
            let (status, text) = of(&findings, topic.subject);
            assert_eq!(status, Ok, "{text}");
        }
        assert!(of(&findings, SHARED.subject).1.starts_with("nvme0n1, with the segments"));
    }

    #[test]
    fn a_bad_one_needs_much() {
        let findings = findings(&["/data/corelane"], &[]);
        let advice = |topic: Topic| {
            let (status, text) = of(&findings, topic.subject);
            assert_eq!(status, Advice, "{text}");
            text
        };
        let options = advice(OPTIONS);
        assert!(
            options.contains("mount -o remount,noatime,nodiscard /data,") && options.contains("fstrim.timer"),
            "{options}"
        );
        assert!(advice(KIND).starts_with("sda (data.dir) rotates"));
        assert!(advice(CACHE).contains("without FUA") && advice(CACHE).contains("power-loss protection"));
        assert!(advice(QUEUE).contains("echo 16 > /sys/block/sda/queue/nr_requests"));
        assert_eq!(of(&findings, SCHEDULER.subject).0, Ok, "a hard disk gains from one");
    }

    #[test]
    fn a_scheduler_is_for_hard_disks() {
        let mut files = disk_files(&[]);
        files
            .iter_mut()
            .filter(|(path, _)| path.ends_with("nvme0n1/queue/scheduler"))
            .for_each(|file| file.1 = "none [bfq]");
        let (_kept, tree) = machine(&files);
        let mut used = using(&[0]);
        used.places[0].path = PathBuf::from("/srv");
        let (status, text) = of(&check(&tree, &used), SCHEDULER.subject);
        assert_eq!(
            (status, text.as_str()),
            (Advice, "nvme0n1 (data.dir): bfq | echo none > /sys/block/nvme0n1/queue/scheduler")
        );
    }

    #[test]
    fn journals_on_a_disk_of_their_own() {
        let apart = findings(&["/data", "/journal"], &[]);
        assert_eq!(of(&apart, SHARED.subject), (Ok, "nvme0n1; segments are on sda".into()));
        assert_eq!(apart.iter().filter(|finding| finding.subject == KIND.subject).count(), 2);
        let together = findings(&["/srv", "/journal"], &[]);
        assert_eq!(of(&together, SHARED.subject).0, Advice);
        assert_eq!(of(&together, KIND.subject).0, Ok, "one disk is looked at once");
    }

    #[test]
    fn what_has_no_disk_is_unknown() {
        let findings = findings(&["/tmp/x"], &[]);
        assert_eq!(of(&findings, KIND.subject), (Unknown, "data.dir: tmpfs has no disk that is told".into()));
        assert!(!findings.iter().any(|finding| finding.subject == SHARED.subject));
    }
}
