//! The table of all metrics but those of consumer groups and of replication: names, meanings, and where their values come from.
//! docs/metrics.md is made of both.

use super::collector::Answer;
use super::family::{
    BYTES, BYTES_COUNTER, BYTES_GAUGE, COUNTER, Family, GAUGE, Kind, Measure, SECONDS, SECONDS_COUNTER,
    SECONDS_GAUGE, Source, Value, each, family, one, one_if, seconds,
};
use super::group_families::GROUP_FAMILIES;
use super::replication_families::REPLICATION_FAMILIES;

/// All metrics, in the order in which they are shown.
pub(super) fn all_families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().chain(&GROUP_FAMILIES).chain(&REPLICATION_FAMILIES)
}

static FAMILIES: [Family; 55] = [
    family(
        "corelane_build",
        (Kind::Info, Measure::Things),
        "The version of the program.",
        Source::Node(|_| vec![(Some(env!("CARGO_PKG_VERSION").to_owned()), Value::Whole(1))]),
    )
    .by("version"),
    family("corelane_ready", GAUGE, "Whether the node serves clients.", Source::Node(|node| one_if(node.is_ready))),
    family(
        "corelane_memory_limit",
        BYTES_GAUGE,
        "The setting `memory`, of which all budgets are parts.",
        Source::Node(|node| one(node.memory_bytes)),
    ),
    family(
        "process_resident_memory",
        BYTES_GAUGE,
        "Memory that the process takes.",
        Source::Node(|node| one(node.process.resident_bytes)),
    ),
    family(
        "process_cpu",
        SECONDS_COUNTER,
        "Time that the process's threads have run.",
        Source::Node(|node| seconds(node.process.cpu_s)),
    ),
    family("process_open_fds", GAUGE, "Open files and sockets.", Source::Node(|node| one(node.process.open_files))),
    family(
        "process_start_time",
        SECONDS_GAUGE,
        "When the process started, since 1970.",
        Source::Node(|node| seconds(node.started_ms as f64 / 1e3)),
    ),
    family(
        "corelane_shard_up",
        GAUGE,
        "Whether the shard has answered this question in time. Where it has not, its other metrics are missing.",
        Source::Answer(|answer| one_if(matches!(answer, Answer::Report(_)))),
    ),
    family(
        "corelane_writer_up",
        GAUGE,
        "Whether the shard can store records. 0 after a failed write or sync, until the broker is started again, and \
         with a damaged journal, until that is repaired.",
        Source::Shard(|shard| one_if(shard.writer_failure.is_none())),
    ),
    family(
        "corelane_disk_free",
        BYTES_GAUGE,
        "Free space on the disk of `data.dir`, as the shard last saw it.",
        Source::Shard(|shard| shard.disk_space.map_or(Vec::new(), |space| one(space.usable_bytes))),
    ),
    family(
        "corelane_disk_full",
        GAUGE,
        "Whether the shard refuses produce because the disk is full or nearly so (`disk.free.min`).",
        Source::Shard(|shard| one_if(shard.disk_full.is_some())),
    ),
    family(
        "corelane_requests",
        COUNTER,
        "Requests that were taken apart.",
        Source::Shard(|shard| each(&shard.requests, |it| it.api.name(), |it| Value::Whole(it.taken))),
    )
    .by("api"),
    family(
        "corelane_request",
        SECONDS,
        "From the time when a request was there whole until its response was given to the socket. A fetch may wait \
         for records, as its client asked.",
        Source::Shard(|shard| {
            each(&shard.requests, |it| it.api.name(), |it| Value::Distribution(it.answered.clone()))
        }),
    )
    .by("api"),
    family(
        "corelane_stage",
        SECONDS,
        "The parts of that time. Of each request: `wait` for its turn on its connection, `decode`, `append` (produce: \
         checked and put into the journal's open group, as soon as there is room) or `execute` (others), `respond` \
         (the socket takes the response). Of each journal group: `queue` (from its first batch until it is \
         submitted) and `journal` (the synchronous write).",
        Source::Shard(|shard| each(&shard.stages, |it| it.stage, |it| Value::Distribution(it.durations.clone()))),
    )
    .by("stage"),
    family(
        "corelane_received",
        BYTES_COUNTER,
        "Bytes of requests.",
        Source::Shard(|shard| one(shard.received_bytes)),
    ),
    family("corelane_sent", BYTES_COUNTER, "Bytes of responses.", Source::Shard(|shard| one(shard.sent_bytes))),
    family(
        "corelane_appended_batches",
        COUNTER,
        "Batches that were appended to partitions of the shard.",
        Source::Shard(|shard| one(shard.appended.batches)),
    ),
    family(
        "corelane_appended_records",
        COUNTER,
        "Their records.",
        Source::Shard(|shard| one(shard.appended.records)),
    ),
    family("corelane_appended", BYTES_COUNTER, "Their bytes.", Source::Shard(|shard| one(shard.appended.bytes))),
    family(
        "corelane_extents",
        COUNTER,
        "Of the appended batches, those that were written to their segments past the journal (`journal.bypass.bytes`).",
        Source::Shard(|shard| one(shard.appended.extents)),
    ),
    family(
        "corelane_extent",
        BYTES_COUNTER,
        "Their bytes.",
        Source::Shard(|shard| one(shard.appended.extent_bytes)),
    ),
    family(
        "corelane_duplicate_batches",
        COUNTER,
        "Batches that idempotent producers sent again, and that were not appended again.",
        Source::Shard(|shard| one(shard.appended.duplicates)),
    ),
    family(
        "corelane_read",
        BYTES_COUNTER,
        "Bytes of batches that consumers were given from partitions of the shard.",
        Source::Shard(|shard| one(shard.read_bytes)),
    ),
    family(
        "corelane_journal_group",
        BYTES,
        "Lengths of the journal's writes. Their number is that of synchronous writes; `corelane_stage_seconds` says \
         how long they took.",
        Source::Shard(|shard| vec![(None, Value::Distribution(shard.group_bytes.clone()))]),
    ),
    family(
        "corelane_journal_entries",
        COUNTER,
        "Entries in these writes, most of them batches. Divided by their number: how many share one.",
        Source::Shard(|shard| one(shard.group_entries)),
    ),
    family(
        "corelane_forwarded_operations",
        COUNTER,
        "Hops: operations on partitions of another shard that were sent there. None, where clients know the leaders.",
        Source::Shard(|shard| one(shard.forwarded)),
    ),
    family(
        "corelane_refused_requests",
        COUNTER,
        "Requests that would take more than all memory for their like (the budgets `requests` and `queries`). Members of \
         groups are refused by name; else the connection closes. The log says which.",
        Source::Shard(|shard| one(shard.refused_requests)),
    ),
    family("corelane_connections", GAUGE, "Open connections.", Source::Shard(|shard| one(shard.connections))),
    family(
        "corelane_connections_ended",
        COUNTER,
        "Connections that ended: by the `client`, by a `request` that could not be read or answered, by a `stall` \
         (the client did not go on while others waited for the memory), by a `stop` of the broker, `refused` (there \
         were too many).",
        Source::Shard(|shard| each(&shard.connection_ends, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("reason"),
    family(
        "corelane_paused_connections",
        GAUGE,
        "Connections that are not read, or whose request waits, until there is room: `in_flight` (too many requests \
         or bytes of the connection itself, or one before it must be answered first), `requests` (the budgets \
         `requests` and `queries`), `undurable` (the budget), `responses` (the budgets `fetches` and `replies`), \
         `room` (journal, memory for tails or segment file), `mailbox` (another shard's is full).",
        Source::Shard(|shard| each(&shard.pauses, |it| it.reason, |it| Value::Whole(it.paused))),
    )
    .by("reason"),
    family(
        "corelane_pauses",
        COUNTER,
        "Such pauses that have begun.",
        Source::Shard(|shard| each(&shard.pauses, |it| it.reason, |it| Value::Whole(it.begun))),
    )
    .by("reason"),
    family(
        "corelane_paused",
        SECONDS_COUNTER,
        "The time of all such pauses, also those that last.",
        Source::Shard(|shard| each(&shard.pauses, |it| it.reason, |it| Value::Seconds(it.time.as_secs_f64()))),
    )
    .by("reason"),
    family(
        "corelane_budget_used",
        BYTES_GAUGE,
        "What is used of each budget: `requests` (to produce, read and not executed), `queries` (other requests), \
         `undurable` (accepted and not yet durable), `fetches` and `replies` (responses being sent), `dirty` (tails not yet in their segments), `tails` (all of them, with what is kept for consumers), \
         `runs` (read from disk), `runs_being_read`, `compaction_keys` (of the pass that is under way), `groups` (consumer groups, their members and offsets), `connections` (their own memory), `journal` (on disk: files that are not free).",
        Source::Shard(|shard| each(&shard.bytes, |it| it.name, |it| Value::Whole(it.used))),
    )
    .by("budget"),
    family(
        "corelane_budget_limit",
        BYTES_GAUGE,
        "The budget.",
        Source::Shard(|shard| each(&shard.bytes, |it| it.name, |it| Value::Whole(it.limit))),
    )
    .by("budget"),
    family(
        "corelane_budget_waiting",
        GAUGE,
        "How many stand in line for a part of the budget, where there is a line.",
        Source::Shard(|shard| {
            let lines = shard.bytes.iter().filter_map(|it| Some((it.name, it.waiting?)));
            lines.map(|(name, waiting)| (Some(name.to_owned()), Value::Whole(waiting))).collect()
        }),
    )
    .by("budget"),
    family(
        "corelane_bound_used",
        GAUGE,
        "How many there are of what is bounded in number.",
        Source::Shard(|shard| each(&shard.counts, |it| it.name, |it| Value::Whole(it.used))),
    )
    .by("bound"),
    family(
        "corelane_bound_limit",
        GAUGE,
        "How many there may be.",
        Source::Shard(|shard| each(&shard.counts, |it| it.name, |it| Value::Whole(it.limit))),
    )
    .by("bound"),
    family(
        "corelane_cache_hits",
        COUNTER,
        "Looks that found: `tails` (reads of records that are in memory as they were written), `runs` (behind the \
         tails: read from disk before), `indexes` (of sealed segments), `open_segments` (files).",
        Source::Shard(|shard| each(&shard.caches, |it| it.cache, |it| Value::Whole(it.hits))),
    )
    .by("cache"),
    family(
        "corelane_cache_misses",
        COUNTER,
        "Looks that did not find.",
        Source::Shard(|shard| each(&shard.caches, |it| it.cache, |it| Value::Whole(it.misses))),
    )
    .by("cache"),
    family(
        "corelane_disk",
        SECONDS,
        "Disk operations of the shard: `read`, `write` (journal, segments, checkpoints), `sync`, `space` (allocation \
         and lengths of files), `name` (open, remove, directories).",
        Source::Shard(|shard| {
            each(&shard.disk, |it| it.operation.name(), |it| Value::Distribution(it.durations.clone()))
        }),
    )
    .by("operation"),
    family(
        "corelane_disk",
        BYTES_COUNTER,
        "Bytes that they read or wrote. Those written, divided by `corelane_appended_bytes_total`, are what a byte costs.",
        Source::Shard(|shard| each(&shard.disk, |it| it.operation.name(), |it| Value::Whole(it.bytes))),
    )
    .by("operation"),
    family(
        "corelane_disk_errors",
        COUNTER,
        "Those that failed, also for want of space. That a file is not there is no failure.",
        Source::Shard(|shard| each(&shard.disk, |it| it.operation.name(), |it| Value::Whole(it.errors))),
    )
    .by("operation"),
    family(
        "corelane_disk_oldest_operation",
        SECONDS_GAUGE,
        "For how long the oldest of them that has not ended has been under way; 0 if there is none. From 30 s on \
         /healthz names it.",
        Source::Shard(|shard| {
            each(&shard.disk, |it| it.operation.name(), |it| Value::Seconds(it.oldest.as_secs_f64()))
        }),
    )
    .by("operation"),
    family(
        "corelane_corrupt_reads",
        COUNTER,
        "Reads of segments that were not as they had been written.",
        Source::Shard(|shard| one(shard.corrupt_reads)),
    ),
    family(
        "corelane_compaction_passes",
        COUNTER,
        "Passes of compaction over a partition.",
        Source::Shard(|shard| one(shard.compaction.passes)),
    ),
    family(
        "corelane_compaction",
        BYTES_COUNTER,
        "Bytes that compaction has `read` and `written`.",
        Source::Shard(|shard| each(&shard.compaction.bytes, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("direction"),
    family(
        "corelane_compaction_removed_records",
        COUNTER,
        "Records that compaction has left out.",
        Source::Shard(|shard| one(shard.compaction.removed_records)),
    ),
    family(
        "corelane_compaction_last_pass",
        SECONDS_GAUGE,
        "How long the last pass over a partition took.",
        Source::Shard(|shard| seconds(shard.compaction.last_pass.as_secs_f64())),
    ),
    family(
        "corelane_compacted_partitions",
        BYTES_GAUGE,
        "Complete segments of compacted partitions: `clean`, which a pass has seen, and `dirty`, which may have one now. \
         The dirty part of both is the dirty ratio.",
        Source::Shard(|shard| each(&shard.compaction.partition_bytes, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("state"),
    family(
        "corelane_compaction_partitions",
        GAUGE,
        "Partitions that are not compacted although it would pay: `waiting` for their pass, or `damaged`.",
        Source::Shard(|shard| each(&shard.compaction.partitions, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("state"),
    family(
        "corelane_scrub",
        BYTES_COUNTER,
        "Bytes of sealed segments that were read in the background and checked.",
        Source::Shard(|shard| one(shard.scrub.bytes)),
    ),
    family("corelane_scrub_segments", COUNTER, "Their segments.", Source::Shard(|shard| one(shard.scrub.segments))),
    family(
        "corelane_scrub_passes",
        COUNTER,
        "How often all of them were gone through.",
        Source::Shard(|shard| one(shard.scrub.passes)),
    ),
    family(
        "corelane_scrub_damaged_ranges",
        COUNTER,
        "Stretches of them that were not as they had been written, each time that they were met. The log has file and \
         offsets.",
        Source::Shard(|shard| one(shard.scrub.damaged_ranges)),
    ),
    family(
        "corelane_partitions",
        GAUGE,
        "Partitions of the shard by their state: `online`; `damaged`, read where they are whole, and taking no \
         records, since a segment is not as it was written or the journal has lost records; `offline`, which could \
         not be recovered and are kept as they are. /healthz names them.",
        Source::Shard(|shard| {
            let states = [
                ("online", shard.partitions - shard.partitions_damaged),
                ("damaged", shard.partitions_damaged),
                ("offline", shard.partitions_offline),
            ];
            each(&states, |it| it.0, |it| Value::Whole(it.1))
        }),
    )
    .by("state"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    impl Family {
        /// The name under which its values are found; a histogram's have `_bucket`, `_sum` and `_count` behind it.
        fn name(&self) -> String {
            let measure = match self.measure {
                Measure::Things => "",
                Measure::Bytes => "_bytes",
                Measure::Seconds => "_seconds",
            };
            let kind = match self.kind {
                Kind::Counter => "_total",
                Kind::Gauge | Kind::Histogram => "",
                Kind::Info => "_info",
            };
            format!("{}{measure}{kind}", self.stem)
        }

        /// Its labels.
        fn labels(&self) -> Vec<&'static str> {
            let shard = (!matches!(self.source, Source::Node(_))).then_some("shard");
            shard.into_iter().chain(self.label).collect()
        }
    }

    fn markdown() -> String {
        let mut text = String::from("| Metric | Type | Labels | What it tells |\n|---|---|---|---|\n");
        for family in all_families() {
            let kind = format!("{:?}", family.kind).to_lowercase();
            let labels: Vec<_> = family.labels().iter().map(|label| format!("`{label}`")).collect();
            let (name, labels, help) = (family.name(), labels.join(", "), family.help);
            text.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
        }
        text
    }

    #[test]
    fn the_page_on_metrics_tells_all_of_them() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let page = fs::read_to_string(path).expect("the page");
        let table = markdown();
        assert!(page.contains(&table), "put this table into docs/metrics.md:\n{table}");
    }

    #[test]
    fn names_are_distinct_and_as_prometheus_has_them() {
        let names: HashSet<_> = all_families().map(Family::name).collect();
        assert_eq!(names.len(), all_families().count());
        for family in all_families() {
            let name = family.name();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(name.starts_with("corelane_") || name.starts_with("process_"), "{name}");
            assert!(family.help.ends_with('.') && !family.help.contains("  "), "{name}");
        }
    }
}
