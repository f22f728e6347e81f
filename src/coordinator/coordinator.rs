//! All groups of one shard: who is meant, what is due, what comes of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::rc::Rc;

use super::commits::Committable;
use super::events::{
    AppendFailure, AppendId, Effect, ListFilter, Listing, Moment, Request, Response, Ticket, join_refusal,
    sync_refusal,
};
use super::group::{Group, State};
use super::join::Join;
use super::meters::{Census, Forgetting, GroupMeters, Tally};
use super::offsets::nothing_committed;
use super::partitions::{Knowledge, Partitions};
use super::settings::Settings;
use super::step::{Output, PendingAppend, Purpose, Step};
use super::sync::group_error;
use crate::base::limits::GROUPS_PER_TURN;
use crate::protocol::ErrorCode;
use crate::protocol::group_records::GroupRecord;
use crate::protocol::messages::describe_groups::DescribedGroup;
use crate::protocol::messages::join_group::JoinGroupRequest;
use crate::protocol::messages::leave_group::{LeaveGroupResponse, MemberResponse};
use crate::protocol::messages::list_groups::ListedGroup;

/// A partition by its topic's name and its index.
pub type NamedOffset = (String, i32);

/// Kafka's name for the only type of group that there is.
const CLASSIC: &str = "classic";

/// A walk over all groups, some at a time.
#[derive(Debug)]
struct Sweep {
    /// Topics that were deleted; none if it is about age.
    deleted_topics: Option<BTreeSet<String>>,
    /// The group that was looked at last.
    behind: Option<Rc<str>>,
}

/// See the module.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    partitions: Partitions,
    groups: BTreeMap<Rc<str>, Group>,
    /// Groups that are to be looked at, by when.
    timers: BTreeSet<(u64, Rc<str>)>,
    sweeps: VecDeque<Sweep>,
    /// When ages are looked at next, once there are groups.
    retention_due_ms: Option<u64>,
    output: Output,
    bytes: usize,
    census: Census,
    meters: GroupMeters,
    has_resigned: bool,
}

impl Coordinator {
    /// A coordinator of nothing yet.
    pub fn new(settings: Settings) -> Self {
        Coordinator {
            settings,
            partitions: Partitions::default(),
            groups: BTreeMap::new(),
            timers: BTreeSet::new(),
            sweeps: VecDeque::new(),
            retention_due_ms: None,
            output: Output::default(),
            bytes: 0,
            census: Census::default(),
            meters: GroupMeters::default(),
            has_resigned: false,
        }
    }

    /// What is to be done since this was called last, in this order: all appends, and some of the answers. If there
    /// are more of those, [`Coordinator::next_deadline_ms`] is now.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.output.take_effects(self.settings.replies_per_turn)
    }

    /// Memory that the groups take, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many groups, members and offsets there are.
    pub fn census(&self) -> Census {
        self.census
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub fn recounted(&self) -> Census {
        let mut census = Census::default();
        self.groups.values().for_each(|group| census.enter(Tally::of(group)));
        census
    }

    /// What has become of groups.
    pub fn meters(&self) -> &GroupMeters {
        &self.meters
    }

    /// How many partitions are known.
    pub fn partitions_complete(&self) -> usize {
        self.partitions.count(Knowledge::Complete)
    }

    /// Whether the partition is known, or is being read.
    pub fn has_partition(&self, partition: i32) -> bool {
        self.partitions.knowledge(partition).is_some()
    }

    /// The partitions that are known or being read.
    pub fn partitions(&self) -> Vec<i32> {
        self.partitions.indexes()
    }

    /// The records of a partition will follow. Until all are here its groups are refused.
    pub fn begin_load(&mut self, partition: i32) {
        self.partitions.begin(partition);
    }

    /// A record of a partition that is being loaded; nothing, if the partition has gone meanwhile.
    pub fn load(&mut self, partition: i32, record: GroupRecord) {
        if !self.has_partition(partition) {
            return;
        }
        let id = match &record {
            GroupRecord::Offset(key, _) => &key.group,
            GroupRecord::Group(key, _) => &key.group,
        };
        if !self.groups.contains_key(id.as_str()) {
            self.found(Group::new(id, partition, 0));
        }
        let group = self.groups.get_mut(id.as_str()).expect("just made sure");
        let (bytes, tally) = (group.bytes, Tally::of(group));
        group.load(record);
        self.bytes = self.bytes - bytes + group.bytes;
        self.census.change(tally, Tally::of(group));
    }

    /// All records of the partition are here: its groups are served.
    pub fn loaded(&mut self, moment: Moment, partition: i32) {
        self.partitions.complete(partition);
        let ids: Vec<Rc<str>> = self.ids_in(partition);
        for id in ids {
            self.on_group(moment, &id, |group, _| group.finish_load(moment));
        }
        let interval_ms = self.settings.retention_check_interval_ms;
        self.retention_due_ms.get_or_insert(moment.now_ms.saturating_add(interval_ms));
    }

    /// The partition cannot be read. Its groups are refused as though somebody else coordinated them, as Kafka does it:
    /// clients go on looking for their coordinator. It is read again after a pause ([`Effect::Load`]).
    pub fn load_failed(&mut self, moment: Moment, partition: i32) {
        self.drop_groups(partition);
        self.partitions.fail(partition, moment.now_ms);
    }

    /// The partition is gone, and its groups with it.
    pub fn unload(&mut self, partition: i32) {
        self.drop_groups(partition);
        self.partitions.forget(partition);
    }

    fn drop_groups(&mut self, partition: i32) {
        let orphans = self.output.take_appends_to(partition);
        orphans.into_iter().for_each(|append| self.answer_orphan(append.purpose));
        for id in self.ids_in(partition) {
            self.refuse_waiting(&id);
            self.remove(&id);
        }
    }

    fn ids_in(&self, partition: i32) -> Vec<Rc<str>> {
        let inside = self.groups.values().filter(|group| group.partition == partition);
        inside.map(|group| Rc::clone(&group.id)).collect()
    }

    /// The shard stops: nobody waits here any more.
    pub fn resign(&mut self) {
        self.has_resigned = true;
        let ids: Vec<Rc<str>> = self.groups.keys().cloned().collect();
        ids.iter().for_each(|id| self.refuse_waiting(id));
    }

    /// Who waits is told to look for the coordinator again.
    fn refuse_waiting(&mut self, id: &str) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let ids: Vec<String> = group.members.keys().cloned().collect();
        for id in ids {
            let waiting =
                group.change_member(&id, |member| (member.awaited_join.take(), member.awaited_sync.take()));
            let (join, sync) = waiting.unwrap_or_default();
            let code = ErrorCode::NotCoordinator;
            if let Some(ticket) = join {
                self.output.reply(ticket, Response::Join(join_refusal(&id, code)));
            }
            if let Some(ticket) = sync {
                self.output.reply(ticket, Response::Sync(sync_refusal(code)));
            }
        }
    }

    /// A client asks for something. `partition` is the one that keeps the group.
    pub fn request(&mut self, moment: Moment, partition: i32, ticket: Ticket, request: Request) {
        if let Err(error_code) = self.check(partition, &request) {
            let response = Response::refusal(&request, error_code);
            return self.output.reply(ticket, response);
        }
        let id = request.group_id().to_owned();
        if !self.groups.contains_key(id.as_str()) {
            match self.without_group(&request) {
                Some(response) => return self.output.reply(ticket, response),
                None => self.found(Group::new(&id, partition, moment.wall_clock_ms)),
            }
        }
        self.on_group(moment, &id, |group, step| match request {
            Request::Join(request, joining) => group.join(step, Join { ticket, request, joining }),
            Request::Sync(request) => group.sync(step, ticket, request),
            Request::Heartbeat(request) => {
                let error_code = group.heartbeat(step, &request);
                step.reply(ticket, Response::Heartbeat(error_code));
            }
            Request::Leave(_, members) => group.leave(step, ticket, members),
            Request::Commit(commit) => group.commit(step, ticket, commit),
            Request::FetchOffsets(_, wanted) => {
                let offsets = match group.state {
                    State::Dead => nothing_committed(wanted),
                    _ => group.offsets.fetch(wanted),
                };
                step.reply(ticket, Response::FetchOffsets(Ok(offsets)));
            }
            Request::DeleteOffsets(_, wanted) => group.delete_offsets(step, ticket, wanted),
            Request::Describe(_) => step.reply(ticket, Response::Describe(group.describe())),
            Request::DeleteGroup(_) => group.delete(step, ticket),
        });
    }

    fn check(&self, partition: i32, request: &Request) -> Result<(), ErrorCode> {
        match self.partitions.knowledge(partition) {
            None | Some(Knowledge::Unreadable) => return Err(ErrorCode::NotCoordinator),
            Some(Knowledge::Loading) => return Err(ErrorCode::CoordinatorLoadInProgress),
            Some(Knowledge::Complete) => {}
        }
        let waits = matches!(request, Request::Join(..) | Request::Sync(_));
        if waits && self.has_resigned {
            return Err(ErrorCode::NotCoordinator);
        }
        let needs_name = waits || matches!(request, Request::Heartbeat(_) | Request::Leave(..));
        if needs_name && request.group_id().is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if let Request::Join(join, _) = request {
            let allowed = self.settings.session_timeout_min_ms..=self.settings.session_timeout_max_ms;
            if !allowed.contains(&join.session_timeout_ms) {
                return Err(ErrorCode::InvalidSessionTimeout);
            }
        }
        Ok(())
    }

    /// What is answered where there is no such group; `None` if it is to be founded.
    fn without_group(&self, request: &Request) -> Option<Response> {
        let has_room = self.bytes < self.settings.state_bytes_max;
        match request {
            Request::Join(JoinGroupRequest { member_id, .. }, _) if member_id.is_empty() => {
                (!has_room).then(|| Response::refusal(request, ErrorCode::GroupMaxSizeReached))
            }
            Request::Commit(commit) if commit.generation_id < 0 => {
                (!has_room).then(|| Response::refusal(request, ErrorCode::InvalidCommitOffsetSize))
            }
            Request::Commit(_) => Some(Response::refusal(request, ErrorCode::IllegalGeneration)),
            Request::FetchOffsets(_, wanted) => {
                Some(Response::FetchOffsets(Ok(nothing_committed(wanted.clone()))))
            }
            Request::Leave(_, members) => {
                let unknown = members.iter().map(|member| MemberResponse {
                    member_id: member.member_id.clone(),
                    group_instance_id: member.group_instance_id.clone(),
                    error_code: ErrorCode::UnknownMemberId,
                });
                let members = unknown.collect();
                Some(Response::Leave(LeaveGroupResponse { members, ..Default::default() }))
            }
            Request::Describe(group_id) => Some(Response::Describe(DescribedGroup {
                group_id: group_id.clone(),
                group_state: State::Dead.name().to_owned(),
                ..Default::default()
            })),
            Request::DeleteOffsets(..) | Request::DeleteGroup(_) => {
                Some(Response::refusal(request, ErrorCode::GroupIdNotFound))
            }
            Request::Join(..) | Request::Sync(_) | Request::Heartbeat(_) => {
                Some(Response::refusal(request, ErrorCode::UnknownMemberId))
            }
        }
    }

    fn found(&mut self, group: Group) {
        self.bytes += group.bytes;
        self.census.enter(Tally::of(&group));
        self.groups.insert(Rc::clone(&group.id), group);
    }

    /// The groups, in order of their ids.
    pub fn list(&self, filter: &ListFilter) -> Listing {
        let is_wanted = |wanted: &[String], name: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let is_partial = self.partitions.count(Knowledge::Loading) > 0;
        let complete = |group: &&Group| self.partitions.is_complete(group.partition);
        let groups = self.groups.values().filter(complete).filter(|group| {
            is_wanted(&filter.states, group.state.name()) && is_wanted(&filter.types, CLASSIC)
        });
        let groups = groups.map(|group| ListedGroup {
            group_id: group.id.to_string(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            group_state: group.state.name().to_owned(),
            group_type: CLASSIC.to_owned(),
        });
        Listing { groups: groups.collect(), is_partial }
    }

    /// What has become of an append. Must be told in the order of the appends.
    pub fn appended(&mut self, moment: Moment, id: AppendId, outcome: Result<(), AppendFailure>) {
        // Those of a partition that is gone were answered then.
        let Some(PendingAppend { group_id, purpose, .. }) = self.output.take_append(id) else { return };
        let mut is_buried = false;
        self.on_group(moment, &group_id, |group, step| match purpose {
            Purpose::Assign { generation, assignments } => {
                assert!(group.assigning != Some(id) || group.generation == generation, "one at a time");
                group.assigned(step, id, assignments, outcome);
            }
            Purpose::Note => {}
            Purpose::Answer { ticket, response } => {
                let response = match (outcome, response) {
                    (Err(failure), Response::Join(join)) => {
                        Response::Join(join_refusal(&join.member_id, group_error(failure)))
                    }
                    (_, response) => response,
                };
                step.reply(ticket, response);
            }
            Purpose::Commit { ticket, errors, offsets, commit_ms, retention_ms } => {
                let offsets: Vec<_> =
                    offsets.iter().map(|offset| Committable { offset, commit_ms, retention_ms }).collect();
                group.committed(step, ticket, errors, &offsets, outcome);
            }
            Purpose::Forget { answer, offsets, reason } => {
                group.forgotten(step, answer, &offsets, reason, outcome);
            }
            Purpose::Bury { ticket } => match outcome {
                Err(failure) => group.unbury(step, ticket, failure),
                Ok(()) => {
                    is_buried = true;
                    step.meters.forgotten_offsets(Forgetting::Deleted).add(group.offsets.len() as u64);
                    if let Some(ticket) = ticket {
                        step.reply(ticket, Response::DeleteGroup(ErrorCode::None));
                    }
                }
            },
        });
        if is_buried {
            self.remove(&group_id);
        }
    }

    /// The group's partition went while its records were on their way.
    fn answer_orphan(&mut self, purpose: Purpose) {
        let code = ErrorCode::NotCoordinator;
        let (ticket, response) = match purpose {
            Purpose::Assign { .. } | Purpose::Note => return,
            Purpose::Answer { ticket, response: Response::Join(join) } => {
                (ticket, Response::Join(join_refusal(&join.member_id, code)))
            }
            Purpose::Answer { ticket, response } => (ticket, response),
            Purpose::Commit { ticket, errors, .. } => (ticket, Response::Commit(vec![code; errors.len()])),
            Purpose::Forget { answer: Some((ticket, _)), .. } => (ticket, Response::DeleteOffsets(Err(code))),
            Purpose::Bury { ticket: Some(ticket) } => (ticket, Response::DeleteGroup(code)),
            Purpose::Forget { answer: None, .. } | Purpose::Bury { ticket: None } => return,
        };
        self.output.reply(ticket, response);
    }

    /// When [`Coordinator::advance`] has something to do next, by the moments' clock.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        if !self.sweeps.is_empty() || self.output.has_replies() {
            return Some(0);
        }
        let timer = self.timers.first().map(|(at, _)| *at);
        let retry_ms = self.partitions.next_retry_ms().filter(|_| !self.has_resigned);
        timer.into_iter().chain(self.retention_due_ms).chain(retry_ms).min()
    }

    /// Does some of what is due: a bounded piece, so that others get their turn.
    pub fn advance(&mut self, moment: Moment) {
        if !self.has_resigned {
            let due = self.partitions.take_due(moment.now_ms).into_iter();
            self.output.effects.extend(due.map(|partition| Effect::Load { partition }));
        }
        for _ in 0..GROUPS_PER_TURN {
            let Some((at, id)) = self.timers.first().cloned() else { break };
            if at > moment.now_ms {
                break;
            }
            self.on_group(moment, &id, |group, step| {
                group.timer_ms = None;
                group.expire_members(step);
                group.expire_syncs(step);
                group.advance_rebalance(step);
                if let Some(deadline_ms) = group.next_deadline_ms() {
                    group.look_at(deadline_ms);
                }
            });
        }
        if self.retention_due_ms.is_some_and(|due| due <= moment.now_ms) {
            let interval_ms = self.settings.retention_check_interval_ms;
            self.retention_due_ms = Some(moment.now_ms.saturating_add(interval_ms));
            self.sweeps.push_back(Sweep { deleted_topics: None, behind: None });
        }
        self.sweep(moment);
    }

    /// Topics were deleted: nobody has come anywhere in them any more.
    pub fn forget_topics(&mut self, topics: BTreeSet<String>) {
        self.sweeps.push_back(Sweep { deleted_topics: Some(topics), behind: None });
    }

    fn sweep(&mut self, moment: Moment) {
        let Some(mut sweep) = self.sweeps.pop_front() else { return };
        let from = sweep.behind.take().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.groups.range::<Rc<str>, _>((from, Bound::Unbounded)).take(GROUPS_PER_TURN);
        let next: Vec<Rc<str>> = next.map(|(id, _)| Rc::clone(id)).collect();
        for id in &next {
            let partition = self.groups[id].partition;
            if !self.partitions.is_complete(partition) {
                continue;
            }
            self.on_group(moment, id, |group, step| match &sweep.deleted_topics {
                None => group.expire(step),
                Some(topics) => group.forget_topics(step, topics),
            });
        }
        if next.len() == GROUPS_PER_TURN {
            sweep.behind = next.last().cloned();
            self.sweeps.push_front(sweep);
        }
    }

    /// Works on a group and keeps queue and sums right.
    fn on_group(&mut self, moment: Moment, id: &str, work: impl FnOnce(&mut Group, &mut Step<'_>)) {
        let group = self.groups.get_mut(id).expect("whoever calls has looked");
        let (bytes, tally) = (group.bytes, Tally::of(group));
        let taken_bytes = self.bytes + self.output.pending_bytes();
        let room_bytes = self.settings.state_bytes_max.saturating_sub(taken_bytes);
        let (settings, meters, output) = (&self.settings, &self.meters, &mut self.output);
        work(group, &mut Step { moment, settings, room_bytes, meters, output });
        self.bytes = self.bytes - bytes + group.bytes;
        self.census.change(tally, Tally::of(group));
        if group.timer_ms != group.queued_ms {
            if let Some(at) = group.queued_ms {
                self.timers.remove(&(at, Rc::clone(&group.id)));
            }
            if let Some(at) = group.timer_ms {
                self.timers.insert((at, Rc::clone(&group.id)));
            }
            group.queued_ms = group.timer_ms;
        }
        if group.is_trivial() {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(group) = self.groups.remove(id) else { return };
        self.bytes -= group.bytes;
        self.census.leave(Tally::of(&group));
        if let Some(at) = group.queued_ms {
            self.timers.remove(&(at, group.id));
        }
    }
}
