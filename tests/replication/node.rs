//! A node with one replica: a log in memory, a journal that becomes durable bit by bit, and a role.

use std::collections::{BTreeMap, VecDeque};

use corelane::base::ids::{LeaderEpoch, NodeId, PartitionId, ShardId, TopicId};
use corelane::cluster::DiskId;
use corelane::partition::EpochHistory;
use corelane::replication::{
    Entry, Follower, FollowerEffect, FollowerLog, Leader, LeaderLog, Mark, PeerShard, Reconcile, Replica,
    Session, Sessions, Stream,
};

use super::link::{self, CLUSTER, Record, Words};

pub const PARTITION: PartitionId = PartitionId { topic: TopicId::ZERO, index: 0 };

pub enum Role {
    Idle,
    Leads(Box<Leader>),
    Follows(NodeId, Box<Follower>),
}

enum Write {
    Append(Vec<Record>),
    Truncate(i64),
    /// At that offset; with the high watermark of the log before.
    Restart(i64, i64),
    StartAt(i64),
}

pub struct Node {
    pub id: NodeId,
    disk_id: u32,
    pub incarnation: u64,
    pub is_up: bool,
    /// Whether its writer has failed, since this start: nothing becomes durable any more.
    pub has_failed: bool,
    pub role: Role,
    /// The term that it has heard of.
    pub epoch: LeaderEpoch,
    /// By offset. What is below the log start may be anything.
    pub log: Vec<Record>,
    pub log_start: i64,
    pub history: EpochHistory,
    pub high_watermark: i64,
    pub sessions: Sessions,
    pub to_peers: BTreeMap<(NodeId, Stream), Session>,
    next_ticket: u64,
    disk: Vec<Record>,
    disk_start: i64,
    journal: VecDeque<(u64, Write)>,
}

pub fn peer(node: NodeId) -> PeerShard {
    PeerShard { node, shard: ShardId(0) }
}

impl Node {
    pub fn new(id: u32) -> Self {
        Node {
            id: NodeId(id),
            disk_id: id,
            incarnation: 1,
            is_up: true,
            has_failed: false,
            role: Role::Idle,
            epoch: -1,
            log: Vec::new(),
            log_start: 0,
            history: EpochHistory::default(),
            high_watermark: 0,
            sessions: Sessions::new(CLUSTER, peer(NodeId(id)), 1),
            to_peers: BTreeMap::new(),
            next_ticket: 1,
            disk: Vec::new(),
            disk_start: 0,
            journal: VecDeque::new(),
        }
    }

    pub fn replica(&self) -> Replica {
        let disk = DiskId(TopicId::from_bytes(u128::from(self.disk_id).to_le_bytes()).0);
        Replica { node: self.id, shard: ShardId(0), disk, incarnation: self.incarnation }
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
            Write::Restart(at, _) => Some(self.disk_start.min(*at)),
            Write::Append(_) | Write::StartAt(_) => None,
        });
        cuts.fold(self.disk.len() as i64, i64::min)
    }

    pub fn crash(&mut self) {
        self.is_up = false;
        self.role = Role::Idle;
        // What is known to be committed is of one log: the old one is back where the new one was not durable yet.
        let before = |(_, write): &(u64, Write)| match write {
            Write::Restart(_, before) => Some(*before),
            _ => None,
        };
        if let Some(before) = self.journal.iter().find_map(before) {
            self.high_watermark = before;
        }
        self.journal.clear();
        self.to_peers.clear();
        self.log.clone_from(&self.disk);
        self.log_start = self.disk_start;
        self.high_watermark = self.high_watermark.min(self.log_end());
        self.history = EpochHistory::default();
        for (offset, record) in self.log.iter().enumerate().skip(self.disk_start as usize) {
            self.history.assign(record.epoch, offset as i64).expect("terms grow");
        }
    }

    /// Crashes, and comes back with an empty disk.
    pub fn lose_disk(&mut self) {
        (self.disk, self.disk_start, self.high_watermark) = (Vec::new(), 0, 0);
        self.disk_id += 10;
        self.crash();
    }

    pub fn restart(&mut self) {
        self.is_up = true;
        self.has_failed = false;
        self.incarnation += 1;
        self.epoch = -1;
        self.sessions = Sessions::new(CLUSTER, peer(self.id), self.incarnation);
    }

    fn write(&mut self, write: Write) {
        self.journal.push_back((self.next_ticket, write));
        self.next_ticket += 1;
    }

    /// Appends as leader.
    pub fn append(&mut self, record: Record) {
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
    pub fn read(&self, leader_epoch: LeaderEpoch, base: i64, most: usize) -> (Entry, Vec<Record>) {
        let first = self.log[base as usize];
        let same = self.log[base as usize..].iter().take(most).take_while(|it| it.epoch == first.epoch);
        let records: Vec<Record> = same.copied().collect();
        let previous = if base == self.log_start { -1 } else { self.log[base as usize - 1].epoch };
        (link::entry(leader_epoch, previous, base, &records), records)
    }

    /// The oldest write becomes durable; its ticket.
    pub fn sync_one(&mut self) -> Option<u64> {
        if self.has_failed {
            return None;
        }
        let (ticket, write) = self.journal.pop_front()?;
        match write {
            Write::Append(records) => self.disk.extend(records),
            Write::Truncate(end) => self.disk.truncate(end as usize),
            Write::StartAt(start) => self.disk_start = start,
            Write::Restart(at, _) => {
                self.disk = vec![Record::default(); at as usize];
                self.disk_start = at;
            }
        }
        Some(ticket)
    }

    /// Begins to follow, or does so in a new session; what is to be said.
    pub fn follow(&mut self, leader: NodeId) -> Words {
        self.history.truncate_from_end(self.log_end());
        let log = FollowerLog {
            log_start: self.log_start,
            durable_start: self.disk_start.min(self.log_start),
            high_watermark: self.high_watermark,
            durable_end: self.durable_end(),
            log_end: self.log_end(),
        };
        let mut effects = Vec::new();
        let follower =
            Follower::new(PARTITION, self.epoch, log, self.next_ticket, &self.history, &mut effects);
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
        if self.has_failed {
            return Words::default();
        }
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
                FollowerEffect::Append { ticket } => {
                    self.history.assign(records[0].epoch, self.log_end()).expect("terms grow");
                    self.log.extend_from_slice(records);
                    self.journal.push_back((ticket, Write::Append(records.to_vec())));
                }
                FollowerEffect::Truncate { ticket, log_end, is_below_high_watermark } => {
                    assert!(!is_below_high_watermark, "committed records are cut off");
                    self.log.truncate(log_end as usize);
                    self.history.truncate_from_end(log_end);
                    self.journal.push_back((ticket, Write::Truncate(log_end)));
                }
                FollowerEffect::Restart { ticket, at, drops_committed } => {
                    assert!(!drops_committed, "committed records are dropped");
                    self.log = vec![Record::default(); at as usize];
                    let before = std::mem::replace(&mut self.high_watermark, at);
                    self.log_start = at;
                    self.history = EpochHistory::default();
                    self.journal.push_back((ticket, Write::Restart(at, before)));
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
}
