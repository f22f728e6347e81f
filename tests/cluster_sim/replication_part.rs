//! What copies say to each other, and what their leaders decide.

use std::collections::{BTreeMap, BTreeSet};

use corelane::base::ids::{NodeId, PartitionId, ShardId};
use corelane::replication::{
    Entry, Leader, LeaderEffect, LeaderLog, Mark, PeerShard, Push, Reconcile, Replica, StaleFrame, Stream,
};
use rkyv::util::AlignedVec;

use super::controller::Request;
use super::copy::{Copy, Role};
use super::frames::{self, Heard, Record, Words};
use super::links::place_of;
use super::world::{Event, World};

/// What a frame with records counts for in the window, so that it fills now and then.
const PUSH_BYTES: usize = 1 << 20;

impl World {
    /// Two machines have a new session: who leads asks, who follows says where its logs end.
    pub(super) fn meet(&mut self, at: usize, there: usize) {
        let node = self.machines[there].node;
        let ids: Vec<PartitionId> = self.machines[at].copies.keys().copied().collect();
        for id in ids {
            let copy = self.machines[at].copies.get_mut(&id).expect("just seen");
            match &copy.role {
                Role::Leads(_) => {
                    if let Some(replica) = copy.others.iter().copied().find(|it| it.node == node) {
                        self.with_leader(at, id, |leader, effects| leader.meets(replica, effects));
                    }
                }
                Role::Follows(leader, _) if leader.node == node => {
                    let leader = *leader;
                    let words = copy.follow(leader);
                    self.say(at, id, leader, words);
                }
                Role::Follows(..) | Role::Idle => {}
            }
        }
    }

    /// The shard of a node that has a copy, as a machine knows it.
    pub(super) fn peer_of(&self, at: usize, id: PartitionId, node: NodeId) -> Option<PeerShard> {
        let partition = self.machines[at].image.partition(id)?;
        Some(PeerShard { node, shard: partition.replica(node)?.shard })
    }

    /// The nodes that have the other copies.
    pub(super) fn others(&self, at: usize, id: PartitionId) -> Vec<NodeId> {
        let machine = &self.machines[at];
        let replicas = machine.image.partition(id).map(|partition| partition.replicas.as_slice());
        let nodes = replicas.unwrap_or_default().iter().map(|replica| replica.node);
        nodes.filter(|node| *node != machine.node).collect()
    }

    pub(super) fn with_leader(
        &mut self,
        at: usize,
        id: PartitionId,
        act: impl FnOnce(&mut Leader, &mut Vec<LeaderEffect>),
    ) {
        let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
        let Role::Leads(leader) = &mut copy.role else { return };
        let mut effects = Vec::new();
        act(leader, &mut effects);
        self.carry_out_leader(at, id, effects);
    }

    pub(super) fn carry_out_leader(&mut self, at: usize, id: PartitionId, effects: Vec<LeaderEffect>) {
        for effect in effects {
            match effect {
                LeaderEffect::Committed(end) => {
                    let copy = self.machines[at].copies.get_mut(&id).expect("it leads");
                    copy.high_watermark = end;
                    let machine = &self.machines[at];
                    self.checks.look_at(machine, &machine.copies[&id]);
                    self.answer(at, id);
                    self.serve_groups(at, id);
                }
                LeaderEffect::Propose(proposal) => {
                    self.note(|| format!("{proposal:?} of {:?}", self.machines[at].copies[&id].role));
                    if let Some(registration_epoch) = self.machines[at].registration_epoch {
                        self.ask(at, Request::Alter(registration_epoch, proposal));
                    }
                }
                LeaderEffect::Reconcile(node, stream, told) => {
                    self.counts.cuts += usize::from(told.action == 1);
                    self.tell(at, id, node, stream, Push { reconciles: vec![told], ..Push::default() });
                }
                LeaderEffect::Read(node) => {
                    let starts = self.machines[at].starts;
                    self.after(1, Event::Read(at, starts, id, place_of(node)));
                }
                // Who is deposed hears of it from the metadata.
                LeaderEffect::Deposed(_) => {}
            }
        }
    }

    /// Time passes for those who lead.
    pub(super) fn tick_leaders(&mut self, at: usize) {
        let now_ms = self.clock(at);
        let led = self.machines[at].copies.values().filter(|copy| matches!(copy.role, Role::Leads(_)));
        let led: Vec<PartitionId> = led.map(|copy| copy.id).collect();
        for id in led {
            self.with_leader(at, id, |leader, effects| leader.tick(now_ms, effects));
            let Some(copy) = self.machines[at].copies.get(&id) else { continue };
            let Role::Leads(leader) = &copy.role else { continue };
            let LeaderLog { high_watermark, log_start: log_start_offset, .. } = leader.log();
            let (topic, index, leader_epoch) = (id.topic.to_bytes(), id.index, copy.epoch);
            let mark = Mark { topic, index, leader_epoch, high_watermark, log_start_offset };
            for node in self.others(at, id) {
                self.tell(at, id, node, Stream::Live, Push { marks: vec![mark], ..Push::default() });
            }
        }
    }

    /// Sends what is no records to a follower.
    fn tell(&mut self, at: usize, id: PartitionId, node: NodeId, stream: Stream, push: Push) {
        let Some(to) = self.peer_of(at, id, node) else { return };
        let machine = &mut self.machines[at];
        let own = PeerShard { node: machine.node, shard: machine.copies[&id].own.shard };
        let Some(session) = machine.to_peers.get_mut(&(own, to, stream)) else { return };
        let frame = frames::push_frame(session.word(), &push, &[]);
        self.send(at, own, to, stream, frame);
    }

    /// Sends the records at the end of the log to all followers that have everything before them.
    pub(super) fn replicate(&mut self, at: usize, id: PartitionId, base: i64) {
        for node in self.others(at, id) {
            if self.has_room(at, id, node, Stream::Live) {
                let copy = self.machines[at].copies.get_mut(&id).expect("it leads");
                let (entry, records) = copy.read(base, 1);
                let Role::Leads(leader) = &mut copy.role else { return };
                if leader.push_live(node, base, base + 1) {
                    self.push(at, id, node, Stream::Live, entry, &records);
                }
            } else {
                self.with_leader(at, id, |leader, effects| leader.fell_behind(node, effects));
            }
        }
    }

    fn has_room(&self, at: usize, id: PartitionId, node: NodeId, stream: Stream) -> bool {
        let machine = &self.machines[at];
        let (Some(copy), Some(to)) = (machine.copies.get(&id), self.peer_of(at, id, node)) else {
            return false;
        };
        let own = PeerShard { node: machine.node, shard: copy.own.shard };
        machine.to_peers.get(&(own, to, stream)).is_some_and(|session| session.has_room(PUSH_BYTES))
    }

    fn push(
        &mut self,
        at: usize,
        id: PartitionId,
        node: NodeId,
        stream: Stream,
        entry: Entry,
        records: &[Record],
    ) {
        let to = self.peer_of(at, id, node).expect("there is room");
        let machine = &mut self.machines[at];
        let own = PeerShard { node: machine.node, shard: machine.copies[&id].own.shard };
        let session = machine.to_peers.get_mut(&(own, to, stream)).expect("there is room");
        let push = Push { entries: vec![entry], ..Push::default() };
        let frame = frames::push_frame(session.push(PUSH_BYTES), &push, records);
        self.send(at, own, to, stream, frame);
    }

    /// A leader reads some records of one term for a follower that wants them.
    pub(super) fn read_for(&mut self, at: usize, id: PartitionId, there: usize) {
        let most = 1 + self.random.below(30) as usize;
        let node = self.machines[there].node;
        let Some(copy) = self.machines[at].copies.get(&id) else { return };
        let Role::Leads(leader) = &copy.role else { return };
        let Some((stream, base)) = leader.read_from(node) else { return };
        let (entry, records) = copy.read(base, most);
        if self.has_room(at, id, node, stream) {
            let copy = self.machines[at].copies.get_mut(&id).expect("just seen");
            let Role::Leads(leader) = &mut copy.role else { return };
            if leader.push_from_log(node, stream, base, entry.end_offset) {
                self.push(at, id, node, stream, entry, &records);
            }
        }
        let (starts, pause_ms) = (self.machines[at].starts, 2 + self.random.below(10));
        self.after(pause_ms, Event::Read(at, starts, id, there));
    }

    /// A follower says something to its leader.
    pub(super) fn say(&mut self, at: usize, id: PartitionId, to: PeerShard, words: Words) {
        let Some(copy) = self.machines[at].copies.get(&id) else { return };
        let own = PeerShard { node: self.machines[at].node, shard: copy.own.shard };
        if !words.is_empty() {
            self.answer_frame(at, own, to, Stream::Live, 0, words);
        }
        self.sync_later(at, id);
    }

    fn answer_frame(
        &mut self,
        at: usize,
        own: PeerShard,
        to: PeerShard,
        stream: Stream,
        through_sequence: u64,
        words: Words,
    ) {
        let machine = &mut self.machines[at];
        let replica = machine.replica(own.shard);
        let Some(session) = machine.to_peers.get_mut(&(own, to, stream)) else { return };
        let has_failed = machine.failed.contains(&own.shard);
        let frame = frames::answers_frame(session.word(), replica, has_failed, through_sequence, words);
        self.send(at, own, to, stream, frame);
    }

    /// The disk gets to what a copy has written.
    pub(super) fn sync_later(&mut self, at: usize, id: PartitionId) {
        let disk_ms = self.disk_ms();
        let machine = &mut self.machines[at];
        let Some(copy) = machine.copies.get_mut(&id) else { return };
        if copy.has_writes() && !copy.is_syncing {
            copy.is_syncing = true;
            let starts = machine.starts;
            self.after(disk_ms, Event::Sync(at, starts, id));
        }
    }

    /// Some of a copy's writes are durable.
    pub(super) fn synced(&mut self, at: usize, id: PartitionId) {
        let writes = 1 + self.random.below(6);
        let machine = &mut self.machines[at];
        let Some(copy) = machine.copies.get_mut(&id) else { return };
        if machine.failed.contains(&copy.own.shard) {
            return;
        }
        copy.is_syncing = false;
        let last = (0..writes).map_while(|_| copy.sync_one()).last();
        let durable_end = copy.durable_end();
        if let Some(ticket) = last {
            match &copy.role {
                Role::Leads(_) => {
                    self.with_leader(at, id, |leader, effects| leader.synced(durable_end, effects));
                    self.answer(at, id);
                }
                Role::Follows(leader, _) => {
                    let leader = *leader;
                    let words = copy.follower_synced(ticket);
                    self.say(at, id, leader, words);
                }
                Role::Idle => {}
            }
        }
        self.sync_later(at, id);
    }

    /// A frame arrives.
    pub(super) fn hear_frame(&mut self, at: usize, frame: &AlignedVec) {
        if !self.machines[at].is_up() {
            return;
        }
        let Ok((address, heard)) = frames::read(frame) else {
            self.counts.damaged += 1;
            // Whose it was nobody can tell; here all sessions end.
            (0..self.machines.len()).for_each(|other| self.links.break_off(at, other));
            return;
        };
        let sessions = self.machines[at].sessions.get_mut(&address.to.shard);
        match sessions.map(|sessions| sessions.admit(&address)) {
            Some(Ok(())) => {}
            refused => {
                self.counts.stale += 1;
                if let Some(Err(StaleFrame::OutOfOrder { .. })) = refused {
                    self.links.break_off(at, place_of(address.from.node));
                }
                return;
            }
        }
        match heard {
            Heard::Push { entries, reconciles, marks } => {
                let touched = self.hear_push(at, address.from, &entries, &reconciles, &marks);
                if address.stream == Stream::CatchUp {
                    let words = Words::default();
                    self.answer_frame(at, address.to, address.from, Stream::CatchUp, address.sequence, words);
                    self.answer_frame(at, address.to, address.from, Stream::Live, 0, touched);
                } else {
                    let (own, to) = (address.to, address.from);
                    self.answer_frame(at, own, to, Stream::Live, address.sequence, touched);
                }
            }
            Heard::Answers { replica, has_failed, through_sequence, words } => {
                let key = (address.to, address.from, address.stream);
                if let Some(session) = self.machines[at].to_peers.get_mut(&key) {
                    session.answered(through_sequence).expect("it was sent");
                }
                if has_failed {
                    self.hear_failure(at, replica);
                }
                self.hear_words(at, replica, &words);
            }
        }
    }

    fn hear_push(
        &mut self,
        at: usize,
        from: PeerShard,
        entries: &[(Entry, Vec<Record>)],
        reconciles: &[Reconcile],
        marks: &[Mark],
    ) -> Words {
        let mut words = Words::default();
        let mut touched = Vec::new();
        let copies = &mut self.machines[at].copies;
        for told in reconciles {
            if let Some(copy) = following(copies, from, told.topic, told.index) {
                touched.push(copy.id);
                words.append(copy.hear_reconcile(told));
            }
        }
        for (entry, records) in entries {
            if let Some(copy) = following(copies, from, entry.topic, entry.index) {
                touched.push(copy.id);
                words.append(copy.hear_push(entry, records));
            }
        }
        for mark in marks {
            if let Some(copy) = following(copies, from, mark.topic, mark.index) {
                touched.push(copy.id);
                words.append(copy.hear_mark(mark));
            }
        }
        touched.into_iter().for_each(|id| self.sync_later(at, id));
        words
    }

    /// A shard cannot write any more: it says so to whom it follows.
    pub(super) fn tell_failure(&mut self, at: usize, shard: ShardId) {
        let own = self.machines[at].peer(shard);
        let leaders: BTreeSet<PeerShard> = self.machines[at]
            .copies
            .values()
            .filter(|copy| copy.own.shard == shard)
            .filter_map(|copy| if let Role::Follows(leader, _) = &copy.role { Some(*leader) } else { None })
            .collect();
        for leader in leaders {
            self.answer_frame(at, own, leader, Stream::Live, 0, Words::default());
        }
    }

    fn hear_failure(&mut self, at: usize, replica: Replica) {
        let ids: Vec<PartitionId> = self.machines[at].copies.keys().copied().collect();
        ids.into_iter().for_each(|id| {
            self.with_leader(at, id, |leader, effects| leader.writer_failed(replica, effects))
        });
    }

    fn hear_words(&mut self, at: usize, replica: Replica, words: &Words) {
        for resume in &words.resumes {
            let id = frames::partition(resume.topic, resume.index);
            let Some(copy) = self.machines[at].copies.get_mut(&id) else { continue };
            let Role::Leads(leader) = &mut copy.role else { continue };
            let mut effects = Vec::new();
            // What does not count is refused, and that is all.
            let _ = leader.resumed(replica, resume, &copy.history, &mut effects);
            self.carry_out_leader(at, id, effects);
        }
        for ack in &words.acks {
            let id = frames::partition(ack.topic, ack.index);
            self.with_leader(at, id, |leader, effects| {
                let _ = leader.acknowledged(replica, ack, effects);
            });
        }
    }
}

/// The copy that follows that shard. Of which term what it says is, the follower compares.
fn following(
    copies: &mut BTreeMap<PartitionId, Copy>,
    from: PeerShard,
    topic: [u8; 16],
    index: i32,
) -> Option<&mut Copy> {
    let copy = copies.get_mut(&frames::partition(topic, index))?;
    let follows = matches!(&copy.role, Role::Follows(leader, _) if *leader == from);
    follows.then_some(copy)
}
