//! What must hold, whatever happens.

use std::collections::BTreeMap;

use corelane::base::ids::{LeaderEpoch, NodeId, PartitionId};
use corelane::cluster::{Image, PartitionRecord};
use corelane::quorum::RaftId;

use super::copy::Copy;
use super::frames::Record;
use super::machine::Machine;
use super::world::World;

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records with acks=all, and with acks=1.
    pub acknowledged: usize,
    pub acknowledged_by_leader: usize,
    /// Offsets of groups.
    pub commits: usize,
    /// Records that came again and were known.
    pub duplicates: usize,
    /// Terms of partitions.
    pub terms: usize,
    pub decisions: usize,
    pub topics: usize,
    pub deletions: usize,
    pub crashes: usize,
    pub lost_disks: usize,
    pub old_copies: usize,
    pub snapshots: usize,
    pub stale: usize,
    pub damaged: usize,
    /// Followers that had to cut their logs.
    pub cuts: usize,
    /// Shards that could not write any more.
    pub failed_writers: usize,
    /// Nodes that were told to stop when they led nothing any more.
    pub stops: usize,
}

impl Counts {
    pub fn all(&self) -> [usize; 17] {
        [
            self.acknowledged,
            self.acknowledged_by_leader,
            self.commits,
            self.duplicates,
            self.terms,
            self.decisions,
            self.topics,
            self.deletions,
            self.crashes,
            self.lost_disks,
            self.old_copies,
            self.snapshots,
            self.stale,
            self.damaged,
            self.cuts,
            self.failed_writers,
            self.stops,
        ]
    }
}

#[derive(Default)]
pub struct Checks {
    quorum_leaders: BTreeMap<u64, RaftId>,
    /// By index of the quorum's log: the term, and the checksum of the records then.
    entries: BTreeMap<u64, (u64, u64)>,
    /// What each partition was in each of its epochs.
    partitions: BTreeMap<(PartitionId, i32), PartitionRecord>,
    leaders: BTreeMap<(PartitionId, LeaderEpoch), NodeId>,
    /// What any node has taken for committed, for ever.
    committed: BTreeMap<PartitionId, Vec<Record>>,
    /// By partition and idempotent producer: the sequence number that comes next.
    sequences: BTreeMap<(PartitionId, u64), i32>,
    /// By machine, its start and partition: how far a copy's committed records were looked at.
    looked_at: BTreeMap<(NodeId, u64, PartitionId), i64>,
    /// By partition: the newest term that a client has heard of, and the highest end that it was told.
    latest: BTreeMap<PartitionId, (LeaderEpoch, i64)>,
    /// Acknowledged since the faults ended.
    pub calm: BTreeMap<PartitionId, usize>,
}

impl Checks {
    pub fn leads_quorum(&mut self, term: u64, id: RaftId) {
        let first = *self.quorum_leaders.entry(term).or_insert(id);
        assert_eq!(first, id, "two leaders of the quorum in term {term}");
    }

    pub fn applied(&mut self, index: u64, term: u64, checksum: u64) {
        let first = *self.entries.entry(index).or_insert((term, checksum));
        assert_eq!(first, (term, checksum), "two histories at index {index} of the quorum's log");
    }

    /// The metadata as a machine knows it: a partition is one thing in one epoch, and whoever counts takes part.
    pub fn metadata(&mut self, image: &Image) {
        for partition in image.partitions() {
            let id = partition.id();
            let key = (id, partition.partition_epoch);
            let first = self.partitions.entry(key).or_insert_with(|| partition.clone());
            assert_eq!(&*first, partition, "{id}: two states of one epoch");
            let Some(leader) = partition.leader else { continue };
            assert!(partition.in_sync_replicas.contains(&leader), "{id}: {leader} leads and is not in sync");
            for replica in partition.in_sync() {
                let node = image.node(replica.node).expect("registered");
                let counts = node.has_working(replica.shard) && node.disk == replica.disk;
                assert!(counts, "{id}: {} counts, and cannot", replica.node);
            }
        }
    }

    /// A node begins to lead: nobody else does in that term, and it has all that was committed before.
    pub fn leads(&mut self, node: NodeId, copy: &Copy) {
        let first = *self.leaders.entry((copy.id, copy.epoch)).or_insert(node);
        assert_eq!(first, node, "{}: two leaders in term {}", copy.id, copy.epoch);
        // Who was paused may begin when the next term has begun long ago: nobody follows it.
        let later = (copy.id, copy.epoch + 1)..=(copy.id, LeaderEpoch::MAX);
        if self.leaders.range(later).next().is_none() {
            self.holds_all(node, copy);
        }
    }

    pub fn holds_all(&self, node: NodeId, copy: &Copy) {
        let committed = self.committed.get(&copy.id).map(Vec::as_slice).unwrap_or_default();
        let from = (copy.log_start as usize).min(committed.len());
        let held = copy.log.get(from..committed.len());
        assert_eq!(held, Some(&committed[from..]), "{}: {node} leads without what was committed", copy.id);
    }

    /// What was answered with acks=all is committed, there.
    pub fn acknowledged(&self, id: PartitionId, offset: i64, record: &Record) {
        let committed = self.committed.get(&id).and_then(|records| records.get(offset as usize));
        assert!(
            committed.is_some_and(|it| (it.value, it.producer) == (record.value, record.producer)),
            "{id}: {record:?} was acknowledged at {offset}, where {committed:?} is"
        );
    }

    /// A client asks where a partition ends. It asks nobody who leads in an older term than it has heard of (KIP-320);
    /// and a leader says nothing before it has committed what there was when its term began (KIP-207).
    pub fn tells_latest(&mut self, copy: &Copy) {
        let (epoch, latest) = self.latest.entry(copy.id).or_insert((copy.epoch, 0));
        if copy.epoch < *epoch || copy.high_watermark < copy.epoch_start {
            return;
        }
        assert!(copy.high_watermark >= *latest, "{}: a client saw it end at {latest} before", copy.id);
        (*epoch, *latest) = (copy.epoch, copy.high_watermark);
    }

    /// Replicas agree below the high watermark, which never goes back on a node that lives.
    pub fn look(&mut self, machines: &[Machine]) {
        for machine in machines.iter().filter(|machine| machine.is_up()) {
            for copy in machine.copies.values() {
                self.look_at(machine, copy);
            }
        }
    }

    pub fn look_at(&mut self, machine: &Machine, copy: &Copy) {
        let key = (machine.node, machine.starts, copy.id);
        let looked_at = *self.looked_at.entry(key).or_insert(copy.log_start);
        let end = copy.high_watermark;
        assert!(end >= looked_at, "{}: the high watermark of {} goes back", copy.id, machine.node);
        if end == looked_at {
            return;
        }
        assert!(end <= copy.log_end(), "{}: {} has committed what it does not have", copy.id, machine.node);
        self.looked_at.insert(key, end);
        let committed = self.committed.entry(copy.id).or_default();
        for offset in looked_at.max(copy.log_start)..end {
            let (at, record) = (offset as usize, copy.log[offset as usize]);
            if let Some(known) = committed.get(at) {
                assert_eq!(*known, record, "{}: {} has another record at {at}", copy.id, machine.node);
                continue;
            }
            assert_eq!(
                at,
                committed.len(),
                "{}: {} knows of what nobody has committed",
                copy.id,
                machine.node
            );
            committed.push(record);
            if record.producer > 0 {
                let next = self.sequences.entry((copy.id, record.producer)).or_default();
                assert_eq!(record.sequence, *next, "{}: a gap or a duplicate of {record:?}", copy.id);
                *next += 1;
            }
        }
    }
}

impl World {
    /// All is well: one history, every partition led, in sync everywhere, and written to.
    pub(super) fn check_healed(&self) {
        assert!(self.is_quorum_whole(20), "the quorum has a leader, whom all follow");
        let image = self
            .machines
            .iter()
            .map(|machine| &machine.image)
            .max_by_key(|image| image.nodes().map(|node| node.record_epoch).sum::<u64>());
        let image = image.expect("there are machines");
        assert!(image.nodes().all(|node| node.is_active()), "all take part");
        for partition in image.partitions() {
            let id = partition.id();
            let leader = partition.leader.unwrap_or_else(|| panic!("nobody leads: {partition:?}"));
            assert_eq!(partition.in_sync_replicas.len(), partition.replicas.len(), "{id}: all are in sync");
            let of = |node: NodeId| self.machines.iter().find(|it| it.node == node).expect("a machine");
            let leading = of(leader).copies.get(&id).expect("it leads it");
            self.checks.holds_all(leader, leading);
            for replica in &partition.replicas {
                let copy = of(replica.node).copies.get(&id).expect("it has it");
                let behind = leading.high_watermark - copy.high_watermark;
                assert!(behind.abs() < 300, "{id}: {} is {behind} behind", replica.node);
            }
            let written = self.checks.calm.get(&id).copied().unwrap_or(0);
            assert!(written > 0, "{id}: nothing was written to it when all was well");
        }
        assert!(image.partitions().count() > 0, "there are partitions");
    }
}
