//! What peer shards say to each other. Archived by rkyv: fields little-endian, in this order, at their natural alignment;
//! the golden bytes of version 1 are in `tests/frames-1.txt`. A field is never moved or taken away within a version.

use rkyv::{Archive, Serialize};
use uuid::Uuid;

use super::frame::PeerShard;
use super::replica::Replica;
use crate::base::ids::{PartitionId, TopicId};
use crate::cluster::DiskId;

/// From a leader's shard to a follower's. The bytes of the records follow the archive, entry by entry.
#[derive(Archive, Serialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Push {
    /// Records. There may be several entries of one partition; they are in order.
    pub entries: Vec<Entry>,
    /// What to do with logs that may differ. To be looked at before the entries.
    pub reconciles: Vec<Reconcile>,
    /// What is committed. To be looked at after the entries.
    pub marks: Vec<Mark>,
}

/// Records of one partition and one term, as the leader's log has them.
#[derive(Archive, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The topic.
    pub topic: [u8; 16],
    /// The partition.
    pub index: i32,
    /// The term in which the leader sends it.
    pub leader_epoch: i32,
    /// The term in which the records were written.
    pub records_epoch: i32,
    /// The term of the record before them; -1 where the leader's log starts here.
    pub previous_epoch: i32,
    /// Length of the records, in bytes.
    pub bytes: u32,
    /// CRC-32 of the records; the journal has the same, so that the leader need not compute it twice.
    pub checksum: u32,
    /// The offset of the first record, and the end of the follower's log before it.
    pub base_offset: i64,
    /// The end of the log after them.
    pub end_offset: i64,
}

/// The answer to a [`Resume`], or the wish for one.
#[derive(Archive, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reconcile {
    /// The topic.
    pub topic: [u8; 16],
    /// The partition.
    pub index: i32,
    /// The leader's term.
    pub leader_epoch: i32,
    /// The [`Resume`] that it answers.
    pub round: u32,
    /// What to do: an [`Action`]'s code.
    pub action: u32,
    /// The term that [`Action::Truncate`] is about.
    pub epoch: i32,
    /// The end of that term in the leader's log, or where the follower's log is to go on.
    pub offset: i64,
}

/// What a follower is to do with its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Say where the log ends: the leader does not know.
    Ask,
    /// Cut the log where both logs have the end of a term in common, and ask again.
    Truncate,
    /// Drop the whole log: it goes on at an offset that it does not reach.
    Restart,
    /// The logs agree; what follows begins where the follower's ends.
    Follow,
}

/// How far a partition is committed.
#[derive(Archive, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The topic.
    pub topic: [u8; 16],
    /// The partition.
    pub index: i32,
    /// The leader's term.
    pub leader_epoch: i32,
    /// The leader's high watermark.
    pub high_watermark: i64,
    /// The leader's log start.
    pub log_start_offset: i64,
}

/// From a follower's shard to a leader's.
#[derive(Archive, Serialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    /// The follower's disk: acknowledgements are of a disk, not of a node.
    pub disk: [u8; 16],
    /// Which start of the follower's node it is.
    pub incarnation: u64,
    /// All frames of the leader's session and stream up to this sequence were looked at: their bytes leave the window.
    pub through_sequence: u64,
    /// Whether the follower's shard cannot write any more in this start of its node. Nobody is to wait for it.
    pub writer_failed: bool,
    /// What is synced.
    pub acks: Vec<Ack>,
    /// Where logs end.
    pub resumes: Vec<Resume>,
}

/// A follower's log is synced up to an offset.
#[derive(Archive, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// The topic.
    pub topic: [u8; 16],
    /// The partition.
    pub index: i32,
    /// The term of the leader that it is for.
    pub leader_epoch: i32,
    /// All records below are synced.
    pub durable_end: i64,
    /// The log starts there, and will after a crash.
    pub durable_start: i64,
}

/// Where a follower's log ends.
#[derive(Archive, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resume {
    /// The topic.
    pub topic: [u8; 16],
    /// The partition.
    pub index: i32,
    /// The newest term that the follower knows of.
    pub leader_epoch: i32,
    /// Counts the follower's questions of this partition, so that late answers are known.
    pub round: u32,
    /// The term of the last record; -1 if the log is empty, -2 if the term is unknown.
    pub last_epoch: i32,
    /// The end of the log.
    pub log_end: i64,
    /// All records below are synced.
    pub durable_end: i64,
}

impl Action {
    /// The number that stands for it.
    pub fn code(self) -> u32 {
        match self {
            Action::Ask => 0,
            Action::Truncate => 1,
            Action::Restart => 2,
            Action::Follow => 3,
        }
    }

    /// What a number stands for.
    pub fn of_code(code: u32) -> Option<Self> {
        [Action::Ask, Action::Truncate, Action::Restart, Action::Follow]
            .into_iter()
            .find(|it| it.code() == code)
    }
}

/// The identity of a partition that a frame names.
fn partition(topic: &[u8; 16], index: i32) -> PartitionId {
    PartitionId { topic: TopicId::from_bytes(*topic), index }
}

impl ArchivedEntry {
    /// The same in memory: a copy of 56 bytes, so that the pure parts do not know of archives.
    pub fn to_entry(&self) -> Entry {
        Entry {
            topic: self.topic,
            index: self.index.to_native(),
            leader_epoch: self.leader_epoch.to_native(),
            records_epoch: self.records_epoch.to_native(),
            previous_epoch: self.previous_epoch.to_native(),
            bytes: self.bytes.to_native(),
            checksum: self.checksum.to_native(),
            base_offset: self.base_offset.to_native(),
            end_offset: self.end_offset.to_native(),
        }
    }
}

impl ArchivedReconcile {
    /// The same in memory.
    pub fn to_reconcile(&self) -> Reconcile {
        Reconcile {
            topic: self.topic,
            index: self.index.to_native(),
            leader_epoch: self.leader_epoch.to_native(),
            round: self.round.to_native(),
            action: self.action.to_native(),
            epoch: self.epoch.to_native(),
            offset: self.offset.to_native(),
        }
    }
}

impl ArchivedMark {
    /// The same in memory.
    pub fn to_mark(&self) -> Mark {
        Mark {
            topic: self.topic,
            index: self.index.to_native(),
            leader_epoch: self.leader_epoch.to_native(),
            high_watermark: self.high_watermark.to_native(),
            log_start_offset: self.log_start_offset.to_native(),
        }
    }
}

impl ArchivedAnswers {
    /// Whose answers they are, in a frame that came from that shard.
    pub fn replica(&self, from: PeerShard) -> Replica {
        let disk = DiskId(Uuid::from_bytes(self.disk));
        Replica { node: from.node, shard: from.shard, disk, incarnation: self.incarnation.to_native() }
    }
}

impl ArchivedAck {
    /// The same in memory.
    pub fn to_ack(&self) -> Ack {
        Ack {
            topic: self.topic,
            index: self.index.to_native(),
            leader_epoch: self.leader_epoch.to_native(),
            durable_end: self.durable_end.to_native(),
            durable_start: self.durable_start.to_native(),
        }
    }
}

impl ArchivedResume {
    /// The same in memory.
    pub fn to_resume(&self) -> Resume {
        Resume {
            topic: self.topic,
            index: self.index.to_native(),
            leader_epoch: self.leader_epoch.to_native(),
            round: self.round.to_native(),
            last_epoch: self.last_epoch.to_native(),
            log_end: self.log_end.to_native(),
            durable_end: self.durable_end.to_native(),
        }
    }
}

impl Entry {
    /// The partition that it is of.
    pub fn partition(&self) -> PartitionId {
        partition(&self.topic, self.index)
    }
}

impl Reconcile {
    /// The partition that it is of.
    pub fn partition(&self) -> PartitionId {
        partition(&self.topic, self.index)
    }
}

impl Mark {
    /// The partition that it is of.
    pub fn partition(&self) -> PartitionId {
        partition(&self.topic, self.index)
    }
}

impl Ack {
    /// The partition that it is of.
    pub fn partition(&self) -> PartitionId {
        partition(&self.topic, self.index)
    }
}

impl Resume {
    /// The partition that it is of.
    pub fn partition(&self) -> PartitionId {
        partition(&self.topic, self.index)
    }
}
