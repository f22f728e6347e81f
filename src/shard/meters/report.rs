//! A copy of everything that a shard counts, for other threads. Taking it is a bounded piece of work, however much the
//! shard holds: a few thousand numbers.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionEnd, GroupReport, PauseReason, Stage};
use crate::base::ids::ShardId;
use crate::base::limits::{
    CACHED_INDEXES_MAX, CONNECTION_BYTES, DISK_OPERATIONS_IN_FLIGHT_MAX, DISK_READS_WAITING_MAX,
    GROUPS_IN_FLIGHT_MAX, PARTITIONS_PER_SHARD_MAX,
};
use crate::base::meter::Distribution;
use crate::protocol::ApiKey;
use crate::runtime::{DiskOperation, DiskSpace};
use crate::shard::budget::Budget;
use crate::shard::replication::ReplicationReport;
use crate::shard::shard::Shard;

/// See the module. Counts are since the start, unless they say otherwise.
#[derive(Clone, Debug)]
pub struct ShardReport {
    /// The shard.
    pub shard: ShardId,
    /// Why its writer is out of service, if it is.
    pub writer_failure: Option<Arc<str>>,
    /// Why produce is refused for want of space, if it is.
    pub disk_full: Option<Arc<str>>,
    /// What the disk has not answered for too long, if there is such a thing.
    pub stall: Option<Arc<str>>,
    /// What is damaged, in words.
    pub damage: Vec<String>,
    /// The room on the data directory's disk as it was last seen.
    pub disk_space: Option<DiskSpace>,
    /// Requests by API, those that there were.
    pub requests: Vec<RequestReport>,
    /// The stages of requests and of journal groups.
    pub stages: Vec<StageReport>,
    /// Bytes of requests.
    pub received_bytes: u64,
    /// Bytes of responses.
    pub sent_bytes: u64,
    /// Requests that memory does not hold.
    pub refused_requests: u64,
    /// Operations that were sent to other shards.
    pub forwarded: u64,
    /// Connections that are open now.
    pub connections: u64,
    /// Connections that ended, by the word for why.
    pub connection_ends: Vec<(&'static str, u64)>,
    /// Pauses of connections.
    pub pauses: Vec<PauseReport>,
    /// Bounds on bytes.
    pub bytes: Vec<BudgetReport>,
    /// Bounds on numbers of things.
    pub counts: Vec<BudgetReport>,
    /// Batches, records and bytes that were appended, and batches that were there already.
    pub appended: AppendedReport,
    /// Bytes of batches that readers were given.
    pub read_bytes: u64,
    /// Lengths of the journal's groups.
    pub group_bytes: Distribution,
    /// Entries in them.
    pub group_entries: u64,
    /// What is served without the disk.
    pub caches: Vec<CacheReport>,
    /// The disk.
    pub disk: Vec<DiskReport>,
    /// Reads of segments that were not as they had been written.
    pub corrupt_reads: u64,
    /// Compaction.
    pub compaction: CompactionReport,
    /// Scrubbing.
    pub scrub: ScrubReport,
    /// Consumer groups.
    pub groups: GroupReport,
    /// Other replicas of its partitions.
    pub replication: ReplicationReport,
    /// Partitions that it serves now.
    pub partitions: u64,
    /// Those of them that take no records, because a segment is damaged or the journal has lost records.
    pub partitions_damaged: u64,
    /// Partitions besides that could not be recovered.
    pub partitions_offline: u64,
}

/// Requests of one API.
#[derive(Clone, Debug)]
pub struct RequestReport {
    /// The API.
    pub api: ApiKey,
    /// Those that were taken apart.
    pub taken: u64,
    /// How long those took that were answered, in ns.
    pub answered: Distribution,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// A word for it.
    pub stage: &'static str,
    /// How long it took, in ns.
    pub durations: Distribution,
}

/// Pauses for one reason.
#[derive(Clone, Debug)]
pub struct PauseReport {
    /// A word for it.
    pub reason: &'static str,
    /// Pauses that have begun.
    pub begun: u64,
    /// Connections that are paused now.
    pub paused: u64,
    /// The time of all pauses.
    pub time: Duration,
}

/// A bound and what is used of it now.
#[derive(Clone, Debug)]
pub struct BudgetReport {
    /// A word for it.
    pub name: &'static str,
    /// What is used.
    pub used: u64,
    /// The bound.
    pub limit: u64,
    /// How many wait for a part of it, where they stand in line.
    pub waiting: Option<u64>,
}

/// What was appended.
#[derive(Clone, Debug)]
pub struct AppendedReport {
    /// Batches.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Batches that were there already.
    pub duplicates: u64,
    /// Batches that were written to their segments past the journal.
    pub extents: u64,
    /// Their bytes.
    pub extent_bytes: u64,
}

/// What scrubbing has done.
#[derive(Clone, Debug)]
pub struct ScrubReport {
    /// Times that all sealed segments were gone through.
    pub passes: u64,
    /// Segments that were gone through.
    pub segments: u64,
    /// Bytes that were checked.
    pub bytes: u64,
    /// Stretches that were not as they had been written.
    pub damaged_ranges: u64,
}

/// What compaction has done, and has to do.
#[derive(Clone, Debug)]
pub struct CompactionReport {
    /// Passes.
    pub passes: u64,
    /// Bytes by direction: read, written.
    pub bytes: [(&'static str, u64); 2],
    /// Records that were left out.
    pub removed_records: u64,
    /// How long the last pass took.
    pub last_pass: Duration,
    /// Bytes of compacted partitions: those that it has seen, and those that it has not.
    pub partition_bytes: [(&'static str, u64); 2],
    /// Partitions by why they are not compacted: they wait, or are damaged.
    pub partitions: [(&'static str, u64); 2],
}

/// Looks into one cache.
#[derive(Clone, Debug)]
pub struct CacheReport {
    /// A word for it.
    pub cache: &'static str,
    /// Found.
    pub hits: u64,
    /// Not found.
    pub misses: u64,
}

/// Disk operations of one kind.
#[derive(Clone, Debug)]
pub struct DiskReport {
    /// The kind.
    pub operation: DiskOperation,
    /// How long they took, in ns.
    pub durations: Distribution,
    /// Bytes read or written.
    pub bytes: u64,
    /// Those that failed.
    pub errors: u64,
    /// For how long the oldest one that has not ended has been under way; zero if there is none.
    pub oldest: Duration,
}

impl Shard {
    /// Everything that the shard counts.
    pub fn report(&self) -> ShardReport {
        let (requests, storage) = (&self.counters.requests, &self.storage);
        let (journal, meters) = (storage.journal.meters(), &storage.meters);
        ShardReport {
            shard: self.id,
            writer_failure: storage.journal.failure(),
            disk_full: storage.space.refusal().or(storage.space.stuck()),
            stall: storage.stall(),
            damage: [storage.damage_in_words(), self.groups.unreadable_in_words()].concat(),
            disk_space: storage.space.seen(),
            requests: self.request_reports(),
            stages: self.stage_reports(),
            received_bytes: requests.received_bytes.get(),
            sent_bytes: requests.sent_bytes.get(),
            refused_requests: requests.too_costly.get(),
            forwarded: self.counters.forwarded_requests.get(),
            connections: self.counters.connections.get() as u64,
            connection_ends: ConnectionEnd::ALL
                .map(|end| (end.name(), self.counters.connection_ends.ended(end).get()))
                .to_vec(),
            pauses: self.pause_reports(),
            bytes: self.byte_reports(),
            counts: self.count_reports(),
            appended: AppendedReport {
                batches: meters.batches.get(),
                records: meters.records.get(),
                bytes: meters.bytes.get(),
                duplicates: meters.duplicates.get(),
                extents: meters.extents.get(),
                extent_bytes: meters.extent_bytes.get(),
            },
            read_bytes: meters.read_bytes.get(),
            group_bytes: journal.group_bytes.copy(),
            group_entries: journal.entries.get(),
            caches: self.cache_reports(),
            disk: self.disk_reports(),
            corrupt_reads: meters.corrupt_reads.get(),
            compaction: self.compaction_report(),
            scrub: ScrubReport {
                passes: meters.scrub.passes.get(),
                segments: meters.scrub.segments.get(),
                bytes: meters.scrub.bytes.get(),
                damaged_ranges: meters.scrub.damaged_ranges.get(),
            },
            groups: self.groups.report(),
            replication: self.replication.report(),
            partitions: storage.replicas.borrow().len() as u64,
            partitions_damaged: storage.corrupt_partitions() as u64,
            partitions_offline: storage.offline_partitions() as u64,
        }
    }

    fn compaction_report(&self) -> CompactionReport {
        let meters = &self.storage.meters.compaction;
        CompactionReport {
            passes: meters.passes.get(),
            bytes: [("read", meters.read_bytes.get()), ("written", meters.written_bytes.get())],
            removed_records: meters.removed_records.get(),
            last_pass: meters.last_pass.get(),
            partition_bytes: [("clean", meters.clean_bytes.get()), ("dirty", meters.dirty_bytes.get())],
            partitions: [("waiting", meters.waiting.get()), ("damaged", meters.stuck.get())],
        }
    }

    fn request_reports(&self) -> Vec<RequestReport> {
        let requests = &self.counters.requests;
        let met = ApiKey::ALL.iter().filter(|api| requests.taken(**api).get() > 0);
        met.map(|&api| RequestReport {
            api,
            taken: requests.taken(api).get(),
            answered: requests.answered(api).copy(),
        })
        .collect()
    }

    fn stage_reports(&self) -> Vec<StageReport> {
        let journal = self.storage.journal.meters();
        let of_journal = [("queue", &journal.queue), ("journal", &journal.write)];
        let of_requests = Stage::ALL.map(|stage| (stage.name(), self.counters.requests.stage(stage)));
        let stages = of_requests.into_iter().chain(of_journal);
        stages.map(|(stage, durations)| StageReport { stage, durations: durations.copy() }).collect()
    }

    fn pause_reports(&self) -> Vec<PauseReport> {
        let now = self.runtime.now();
        let pause = |reason: PauseReason| {
            let (begun, paused, time) = self.counters.pauses.read(reason, now);
            PauseReport { reason: reason.name(), begun, paused, time }
        };
        PauseReason::ALL.map(pause).to_vec()
    }

    fn byte_reports(&self) -> Vec<BudgetReport> {
        let (storage, connections) = (&self.storage, self.counters.connections.get() as u64);
        let (config, journal) = (&storage.config, &storage.journal);
        let used_files = journal.file_count() - journal.free_files();
        vec![
            in_line("requests", &self.budgets.requests),
            in_line("queries", &self.budgets.queries),
            in_line("undurable", &self.budgets.undurable),
            in_line("fetches", &self.budgets.fetches),
            in_line("replies", &self.budgets.replies),
            bound("dirty", storage.dirty_bytes(), config.dirty_bytes_max),
            bound("tails", storage.resident_bytes() as u64, config.tail_bytes_max as u64),
            bound("runs", storage.cold_bytes() as u64, config.cold_bytes_max as u64),
            in_line("runs_being_read", storage.cold.reading_budget()),
            bound(
                "connections",
                connections * CONNECTION_BYTES,
                self.config.max_connections as u64 * CONNECTION_BYTES,
            ),
            bound(
                "compaction_keys",
                storage.meters.compaction.key_map_bytes.get(),
                storage.cleaner_key_map_bytes() as u64,
            ),
            bound("groups", self.groups.bytes(), self.config.budgets.group_state_bytes()),
            bound("journal", used_files * journal.file_bytes(), journal.file_count() * journal.file_bytes()),
        ]
    }

    fn count_reports(&self) -> Vec<BudgetReport> {
        let storage = &self.storage;
        let (sessions, session_partitions) = self.fetch_sessions.sizes();
        let reads = storage.disk.of(DiskOperation::Read).outstanding.count();
        let mailbox = &self.mailboxes[usize::from(self.id.0)];
        let counts = [
            ("connections", self.counters.connections.get(), self.config.max_connections),
            ("groups_in_flight", storage.journal.groups_in_flight(), GROUPS_IN_FLIGHT_MAX),
            ("disk_reads", reads, DISK_OPERATIONS_IN_FLIGHT_MAX + DISK_READS_WAITING_MAX),
            ("open_segments", storage.files.len(), storage.config.open_segments_max),
            ("indexes", storage.indexes.len(), CACHED_INDEXES_MAX),
            ("fetch_sessions", sessions, self.config.fetch_sessions_max),
            ("fetch_session_partitions", session_partitions, self.config.budgets.fetch_session_partitions()),
            ("mailbox_appends", waiting(&mailbox.appends), mailbox.appends.max_capacity()),
            ("mailbox_queries", waiting(&mailbox.queries), mailbox.queries.max_capacity()),
            ("partitions", storage.replicas.borrow().len(), PARTITIONS_PER_SHARD_MAX),
            ("producers", storage.known_producers.count(), storage.config.producers.producers_max),
        ];
        counts.map(|(name, used, limit)| bound(name, used as u64, limit as u64)).to_vec()
    }

    fn cache_reports(&self) -> Vec<CacheReport> {
        let meters = &self.storage.meters;
        let caches = [
            ("tails", &meters.tails),
            ("runs", &meters.runs),
            ("indexes", &meters.indexes),
            ("open_segments", &meters.files),
        ];
        let report = |(cache, meters): (_, &super::storage::CacheMeters)| CacheReport {
            cache,
            hits: meters.hits.get(),
            misses: meters.misses.get(),
        };
        caches.map(report).to_vec()
    }

    fn disk_reports(&self) -> Vec<DiskReport> {
        let now = self.runtime.now();
        let report = |operation| {
            let meters = self.storage.disk.of(operation);
            let oldest = meters.outstanding.oldest();
            DiskReport {
                operation,
                durations: meters.durations.copy(),
                bytes: meters.bytes.get(),
                errors: meters.errors.get(),
                oldest: oldest.map_or(Duration::ZERO, |begun| now.saturating_sub(begun.at)),
            }
        };
        DiskOperation::ALL.map(report).to_vec()
    }
}

fn bound(name: &'static str, used: u64, limit: u64) -> BudgetReport {
    BudgetReport { name, used, limit, waiting: None }
}

fn in_line(name: &'static str, budget: &Budget) -> BudgetReport {
    BudgetReport { name, used: budget.used(), limit: budget.total(), waiting: Some(budget.waiting() as u64) }
}

fn waiting<T>(queue: &tokio::sync::mpsc::Sender<T>) -> usize {
    queue.max_capacity() - queue.capacity()
}
