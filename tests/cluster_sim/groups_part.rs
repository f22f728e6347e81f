//! Groups: whoever leads a partition of the groups' topic coordinates its groups, as the log tells of them. Clients that
//! are no members commit offsets, each higher than the one before.

use std::collections::{BTreeMap, VecDeque};

use corelane::base::ids::PartitionId;
use corelane::coordinator::{
    AppendId, Commit, Coordinator, Effect, Moment, NewOffset, Request, Response, Settings, Ticket,
};
use corelane::protocol::ErrorCode;

use super::copy::Role;
use super::frames::Record;
use super::links::place_of;
use super::world::World;

/// The topic that groups are kept in. It is never deleted.
pub const GROUPS: &str = "groups";
const GROUP_COUNT: u64 = 6;
/// What the groups commit offsets of.
const TOPIC: &str = "read";

/// The coordinator of a partition's groups, in one term.
pub struct Hosted {
    coordinator: Coordinator,
    /// All below must be committed before it is read; none once it was.
    loads_to: Option<i64>,
    /// Appends that are not committed, by their offsets.
    appends: VecDeque<(i64, AppendId)>,
    /// Who waits for what: the group and its offset.
    asked: BTreeMap<Ticket, (u64, i64)>,
}

fn settings() -> Settings {
    Settings {
        session_timeout_min_ms: 1_000,
        session_timeout_max_ms: 60_000,
        initial_rebalance_delay_ms: 3_000,
        group_members_max: 10,
        offset_metadata_bytes_max: 100,
        offsets_retention_ms: i64::MAX,
        retention_check_interval_ms: 1 << 40,
        batch_bytes_max: 1 << 20,
        state_bytes_max: 1 << 24,
        replies_per_turn: 1_000,
    }
}

fn group_id(group: u64) -> String {
    format!("group-{group}")
}

impl Hosted {
    /// What a group has committed; -1 if nothing.
    fn fetched(&mut self, moment: Moment, index: i32, group: u64, ticket: Ticket) -> i64 {
        let request = Request::FetchOffsets(group_id(group), None);
        self.coordinator.request(moment, index, ticket, request);
        let answers = self.coordinator.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::Reply(of, Response::FetchOffsets(Ok(topics))) if of == ticket => Some(topics),
            _ => None,
        });
        let offsets = answers.flatten().flat_map(|(_, offsets)| offsets);
        offsets.map(|offset| offset.offset).max().unwrap_or(-1)
    }
}

impl World {
    fn moment(&mut self, at: usize) -> Moment {
        let (now_ms, random) = (self.clock(at), u128::from(self.number()));
        Moment { now_ms, wall_clock_ms: now_ms as i64, random }
    }

    /// A term of a partition begins.
    pub(super) fn host_groups(&mut self, at: usize, id: PartitionId) {
        let machine = &mut self.machines[at];
        let topic = machine.image.topic(id.topic);
        if topic.is_none_or(|topic| topic.record.name != GROUPS) {
            return;
        }
        let mut coordinator = Coordinator::new(settings());
        coordinator.begin_load(id.index);
        let copy = machine.copies.get_mut(&id).expect("it leads it");
        let (loads_to, appends, asked) = (Some(copy.log_end()), VecDeque::new(), BTreeMap::new());
        copy.groups = Some(Box::new(Hosted { coordinator, loads_to, appends, asked }));
        self.serve_groups(at, id);
    }

    /// The coordinator goes on with what is committed now.
    pub(super) fn serve_groups(&mut self, at: usize, id: PartitionId) {
        let moment = self.moment(at);
        let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
        let Role::Leads(leader) = &copy.role else { return };
        let high_watermark = leader.log().high_watermark;
        let Some(hosted) = &mut copy.groups else { return };
        let is_loaded = match hosted.loads_to {
            Some(end) if end > high_watermark => return,
            Some(end) => {
                for record in &copy.log[copy.log_start as usize..end as usize] {
                    let records = self.payloads[&record.value].iter().cloned();
                    records.for_each(|it| hosted.coordinator.load(id.index, it));
                }
                hosted.loads_to = None;
                hosted.coordinator.loaded(moment, id.index);
                true
            }
            None => false,
        };
        while let Some((_, append)) = hosted.appends.pop_front_if(|(offset, _)| *offset < high_watermark) {
            hosted.coordinator.appended(moment, append, Ok(()));
        }
        self.carry_out_groups(at, id);
        if is_loaded {
            self.check_groups(at, id);
        }
    }

    /// A coordinator that has read its partition knows of every commit that was answered.
    pub(super) fn check_groups(&mut self, at: usize, id: PartitionId) {
        let moment = self.moment(at);
        for group in 0..GROUP_COUNT {
            let ticket = Ticket(self.number());
            let Some(&answered) = self.answered_commits.get(&(id, group)) else { continue };
            let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
            let Some(hosted) = copy.groups.as_mut().filter(|hosted| hosted.loads_to.is_none()) else {
                return;
            };
            let found = hosted.fetched(moment, id.index, group, ticket);
            assert!(found >= answered, "{id}: group {group} has committed {answered}, and {found} is found");
        }
    }

    fn carry_out_groups(&mut self, at: usize, id: PartitionId) {
        let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
        let Some(hosted) = &mut copy.groups else { return };
        for effect in hosted.coordinator.take_effects() {
            match effect {
                Effect::Append { id: append, records, .. } => {
                    let value = self.number();
                    self.payloads.insert(value, records);
                    self.append_groups(at, id, append, value);
                }
                Effect::Reply(ticket, Response::Commit(errors)) => {
                    self.commit_answered(at, id, ticket, &errors)
                }
                Effect::Reply(..) | Effect::Load { .. } => {}
            }
        }
    }

    fn append_groups(&mut self, at: usize, id: PartitionId, append: AppendId, value: u64) {
        let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
        let (base, epoch) = (copy.log_end(), copy.epoch);
        let Role::Leads(leader) = &mut copy.role else { return };
        leader.appended(base + 1);
        copy.append(Record { epoch, value, ..Record::default() });
        copy.groups.as_mut().expect("it asked").appends.push_back((base, append));
        self.sync_later(at, id);
        self.replicate(at, id, base);
    }

    fn commit_answered(&mut self, at: usize, id: PartitionId, ticket: Ticket, errors: &[ErrorCode]) {
        let Some(copy) = self.machines[at].copies.get_mut(&id) else { return };
        let hosted = copy.groups.as_mut();
        let Some((group, offset)) = hosted.and_then(|hosted| hosted.asked.remove(&ticket)) else { return };
        if errors.iter().all(|error| *error == ErrorCode::None) {
            let answered = self.answered_commits.entry((id, group)).or_insert(offset);
            *answered = offset.max(*answered);
            self.counts.commits += 1;
            if self.is_calm() {
                *self.checks.calm.entry(id).or_default() += 1;
            }
        }
    }

    /// A client commits how far a group has come.
    pub(super) fn commit_offsets(&mut self) {
        let at = self.random.below(self.machines.len() as u64) as usize;
        let group = self.random.below(GROUP_COUNT);
        let offset = self.number() as i64;
        let Some(topic) = self.machines[at].image.topic_named(GROUPS) else { return };
        let partition = &topic.partitions[group as usize % topic.partitions.len()];
        let (id, leader) = (partition.id(), partition.leader);
        let Some(to) = leader.map(place_of) else { return };
        let moment = self.moment(to);
        let ticket = Ticket(self.number());
        let machine = &mut self.machines[to];
        if !machine.is_up() || machine.paused_until_ms > self.now_ms {
            return;
        }
        let Some(copy) = machine.copies.get_mut(&id) else { return };
        if !matches!(&copy.role, Role::Leads(leader) if leader.is_enough_in_sync()) {
            return;
        }
        let Some(hosted) = &mut copy.groups else { return };
        let (leader_epoch, metadata) = (-1, String::new());
        let offsets =
            vec![NewOffset { topic: TOPIC.to_owned(), partition: 0, offset, leader_epoch, metadata }];
        let commit = Commit {
            group_id: group_id(group),
            generation_id: -1,
            member_id: String::new(),
            group_instance_id: None,
            retention_ms: None,
            offsets,
        };
        hosted.asked.insert(ticket, (group, offset));
        hosted.coordinator.request(moment, id.index, ticket, Request::Commit(commit));
        self.carry_out_groups(to, id);
    }
}
