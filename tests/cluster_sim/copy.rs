//! One copy of a partition: a log in memory, a disk that becomes what the log is bit by bit, and a role.

use std::collections::VecDeque;

use corelane::base::ids::{LeaderEpoch, PartitionId};
use corelane::partition::{EpochHistory, ProducerTable};
use corelane::protocol::batch::{BatchBuilder, BatchHeader};
use corelane::replication::{
    Entry, Follower, FollowerEffect, FollowerLog, Leader, LeaderLog, Mark, PeerShard, Reconcile, Replica,
};

use super::frames::{self, Record, Words};
use super::groups_part::Hosted;

const PRODUCERS_MAX: usize = 64;

#[derive(Debug)]
pub enum Role {
    Idle,
    Leads(Box<Leader>),
    Follows(PeerShard, Box<Follower>),
}

/// What is on the disk for sure.
#[derive(Clone, Default)]
pub struct Synced {
    pub log: Vec<Record>,
    pub log_start: i64,
}

enum Write {
    Append(Vec<Record>),
    Truncate(i64),
    Restart(i64),
    StartAt(i64),
}

pub struct Copy {
    pub id: PartitionId,
    /// Who it is, in this start of its node.
    pub own: Replica,
    pub role: Role,
    /// The term that it has taken up a role in.
    pub epoch: LeaderEpoch,
    /// By offset. What is below the log start may be anything.
    pub log: Vec<Record>,
    pub log_start: i64,
    pub history: EpochHistory,
    pub high_watermark: i64,
    /// Where the log ended when it began to lead.
    pub epoch_start: i64,
    pub producers: ProducerTable,
    /// The other replicas as the metadata has them, while it leads.
    pub others: Vec<Replica>,
    /// Of a partition that groups are kept in, while it leads.
    pub groups: Option<Box<Hosted>>,
    /// Whether the disk is at work for it.
    pub is_syncing: bool,
    pub synced: Synced,
    journal: VecDeque<(u64, Write)>,
    next_ticket: u64,
}

impl Copy {
    /// The copy that a disk has, or an empty one.
    pub fn of(id: PartitionId, own: Replica, synced: Synced) -> Self {
        let mut copy = Copy {
            id,
            own,
            role: Role::Idle,
            epoch: -1,
            log: synced.log.clone(),
            log_start: synced.log_start,
            history: EpochHistory::default(),
            // Nobody has said yet what is committed.
            high_watermark: synced.log_start,
            epoch_start: 0,
            producers: ProducerTable::new(PRODUCERS_MAX),
            others: Vec::new(),
            groups: None,
            is_syncing: false,
            synced,
            journal: VecDeque::new(),
            next_ticket: 1,
        };
        for (offset, record) in copy.log.iter().enumerate().skip(copy.log_start as usize) {
            copy.history.assign(record.epoch, offset as i64).expect("terms grow");
        }
        copy.rebuild_producers();
        copy
    }

    fn rebuild_producers(&mut self) {
        self.producers = ProducerTable::new(PRODUCERS_MAX);
        for (offset, record) in self.log.iter().enumerate().skip(self.log_start as usize) {
            self.producers.record(&header_of(record, offset as i64), 0);
        }
    }

    pub fn log_end(&self) -> i64 {
        self.log.len() as i64
    }

    pub fn leader_log(&self) -> LeaderLog {
        LeaderLog {
            log_start: self.log_start,
            high_watermark: self.high_watermark,
            durable_end: self.durable_end(),
            log_end: self.log_end(),
        }
    }

    /// What is synced and not about to be cut.
    pub fn durable_end(&self) -> i64 {
        let cuts = self.journal.iter().filter_map(|(_, write)| match write {
            Write::Truncate(end) => Some(*end),
            Write::Restart(at) => Some(self.synced.log_start.min(*at)),
            Write::Append(_) | Write::StartAt(_) => None,
        });
        cuts.fold(self.synced.log.len() as i64, i64::min)
    }

    pub fn has_writes(&self) -> bool {
        !self.journal.is_empty()
    }

    fn write(&mut self, write: Write) {
        self.journal.push_back((self.next_ticket, write));
        self.next_ticket += 1;
    }

    /// Appends as leader.
    pub fn append(&mut self, record: Record) {
        self.producers.record(&header_of(&record, self.log_end()), 0);
        self.log.push(record);
        self.write(Write::Append(vec![record]));
    }

    /// Moves the log start as leader.
    pub fn delete_below(&mut self, log_start: i64) {
        self.log_start = log_start;
        self.history.truncate_from_start(log_start);
        self.write(Write::StartAt(log_start));
    }

    /// The records of one term from `base` on, at most so many, as a peer is sent them.
    pub fn read(&self, base: i64, most: usize) -> (Entry, Vec<Record>) {
        let first = self.log[base as usize];
        let same = self.log[base as usize..].iter().take(most).take_while(|it| it.epoch == first.epoch);
        let records: Vec<Record> = same.copied().collect();
        let previous = if base == self.log_start { -1 } else { self.log[base as usize - 1].epoch };
        (frames::entry(self.id, self.epoch, previous, base, &records), records)
    }

    /// The oldest write becomes durable; its ticket.
    pub fn sync_one(&mut self) -> Option<u64> {
        let (ticket, write) = self.journal.pop_front()?;
        let synced = &mut self.synced;
        match write {
            Write::Append(records) => synced.log.extend(records),
            Write::Truncate(end) => synced.log.truncate(end as usize),
            Write::StartAt(start) => synced.log_start = start,
            Write::Restart(at) => {
                synced.log = vec![Record::default(); at as usize];
                synced.log_start = at;
            }
        }
        Some(ticket)
    }

    /// Begins to follow, or does so in a new session; what is to be said.
    pub fn follow(&mut self, leader: PeerShard) -> Words {
        self.history.truncate_from_end(self.log_end());
        let log = FollowerLog {
            log_start: self.log_start,
            durable_start: self.synced.log_start.min(self.log_start),
            high_watermark: self.high_watermark,
            durable_end: self.durable_end(),
            log_end: self.log_end(),
        };
        let mut effects = Vec::new();
        let follower = Follower::new(self.id, self.epoch, log, self.next_ticket, &self.history, &mut effects);
        self.role = Role::Follows(leader, Box::new(follower));
        self.carry_out(effects, &[])
    }

    fn with_follower(
        &mut self,
        records: &[Record],
        act: impl FnOnce(&mut Follower, &EpochHistory, &mut Vec<FollowerEffect>),
    ) -> Words {
        let Role::Follows(_, follower) = &mut self.role else { return Words::default() };
        let mut effects = Vec::new();
        act(follower, &self.history, &mut effects);
        self.carry_out(effects, records)
    }

    pub fn hear_reconcile(&mut self, told: &Reconcile) -> Words {
        self.with_follower(&[], |follower, history, effects| {
            follower.reconcile(told, history, effects).expect("a leader's");
        })
    }

    pub fn hear_push(&mut self, entry: &Entry, records: &[Record]) -> Words {
        self.with_follower(records, |follower, history, effects| {
            follower.pushed(entry, history, effects).expect("a leader's");
        })
    }

    pub fn hear_mark(&mut self, mark: &Mark) -> Words {
        self.with_follower(&[], |follower, _, effects| {
            follower.marked(mark, effects).expect("a leader's");
        })
    }

    /// A ticket is durable; what is to be said.
    pub fn follower_synced(&mut self, ticket: u64) -> Words {
        self.with_follower(&[], |follower, _, effects| follower.synced(ticket, effects))
    }

    fn carry_out(&mut self, effects: Vec<FollowerEffect>, records: &[Record]) -> Words {
        let mut words = Words::default();
        for effect in effects {
            match effect {
                FollowerEffect::Resume(resume) => words.resumes.push(resume),
                FollowerEffect::Acknowledge(ack) => words.acks.push(ack),
                FollowerEffect::Append { ticket } => self.take(ticket, records),
                FollowerEffect::Truncate { ticket, log_end, is_below_high_watermark } => {
                    assert!(!is_below_high_watermark, "{}: committed records are cut off", self.id);
                    self.log.truncate(log_end as usize);
                    self.history.truncate_from_end(log_end);
                    self.producers.truncate_to(log_end);
                    self.journal.push_back((ticket, Write::Truncate(log_end)));
                }
                FollowerEffect::Restart { ticket, at, drops_committed } => {
                    assert!(!drops_committed, "{}: committed records are dropped", self.id);
                    self.log = vec![Record::default(); at as usize];
                    (self.log_start, self.high_watermark) = (at, at);
                    self.history = EpochHistory::default();
                    self.producers = ProducerTable::new(PRODUCERS_MAX);
                    self.journal.push_back((ticket, Write::Restart(at)));
                }
                FollowerEffect::StartAt { ticket, log_start } => {
                    self.log_start = log_start;
                    self.history.truncate_from_start(log_start);
                    self.journal.push_back((ticket, Write::StartAt(log_start)));
                }
                FollowerEffect::Committed(end) => self.high_watermark = end,
            }
        }
        if let Role::Follows(_, follower) = &self.role {
            self.next_ticket = follower.next_ticket();
        }
        words
    }

    fn take(&mut self, ticket: u64, records: &[Record]) {
        self.history.assign(records[0].epoch, self.log_end()).expect("terms grow");
        for record in records {
            self.producers.record(&header_of(record, self.log_end()), 0);
            self.log.push(*record);
        }
        self.journal.push_back((ticket, Write::Append(records.to_vec())));
    }
}

/// The header of the batch of one record that the record came in.
pub fn header_of(record: &Record, base_offset: i64) -> BatchHeader {
    let plain = BatchHeader::parse(&BatchBuilder::new().build()).expect("a header");
    let placed = BatchHeader { base_offset, record_count: 1, last_offset_delta: 0, ..plain };
    if record.producer == 0 {
        return placed;
    }
    let producer_id = record.producer as i64;
    BatchHeader { producer_id, producer_epoch: 0, base_sequence: record.sequence, ..placed }
}
