//! Joining: who may, and what it sets off. After Kafka's GroupCoordinator, which clients were written against.

use bytes::Bytes;

use super::events::{Joining, Response, Ticket, join_refusal, owned, sync_refusal};
use super::group::{Group, State};
use super::member::Member;
use super::step::{Purpose, Step};
use crate::base::limits::{GROUP_NEW_MEMBER_JOIN_MS, GROUP_PENDING_MEMBERS_MAX, GROUP_PROTOCOLS_MAX};
use crate::protocol::ErrorCode;
use crate::protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};

/// A join on its way through the group.
pub struct Join {
    /// Who waits for the answer.
    pub ticket: Ticket,
    /// What it asks.
    pub request: JoinGroupRequest,
    /// Who it is.
    pub joining: Joining,
}

impl Join {
    fn refuse(&self, step: &mut Step<'_>, error_code: ErrorCode) {
        step.reply(self.ticket, Response::Join(join_refusal(&self.request.member_id, error_code)));
    }

    fn instance_id(&self) -> Option<&str> {
        self.request.group_instance_id.as_deref()
    }

    fn protocols(&self) -> Vec<(String, Bytes)> {
        let protocols = self.request.protocols.iter();
        protocols.map(|protocol| (protocol.name.clone(), owned(&protocol.metadata))).collect()
    }

    fn rebalance_timeout_ms(&self) -> i32 {
        match self.request.rebalance_timeout_ms {
            ..0 => self.request.session_timeout_ms,
            timeout_ms => timeout_ms,
        }
    }

    fn metadata_bytes(&self) -> usize {
        self.request.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
    }

    /// An id that nobody has: a name for people, and luck.
    fn new_member_id(&self, step: &Step<'_>) -> String {
        let name = self.instance_id().unwrap_or(&self.joining.client_id);
        let uuid = uuid::Builder::from_random_bytes(step.moment.random.to_be_bytes()).into_uuid();
        format!("{name}-{uuid}")
    }
}

impl Group {
    /// A member, or one that is to become one, joins.
    pub fn join(&mut self, step: &mut Step<'_>, join: Join) {
        if self.state == State::Dead {
            return join.refuse(step, ErrorCode::CoordinatorNotAvailable);
        }
        if !self.accepts(step, &join) {
            return join.refuse(step, ErrorCode::GroupMaxSizeReached);
        }
        if join.request.protocols.len() > GROUP_PROTOCOLS_MAX {
            return join.refuse(step, ErrorCode::InconsistentGroupProtocol);
        }
        if !self.supports(&join.request.protocol_type, &join.request.protocols) {
            return join.refuse(step, ErrorCode::InconsistentGroupProtocol);
        }
        if join.request.member_id.is_empty() {
            self.join_unknown(step, join);
        } else {
            self.join_known(step, join);
        }
        self.complete_if_all_joined(step);
    }

    /// Whether there is room for the member, or it has its place; what it says of itself may need more of that than before.
    fn accepts(&self, step: &Step<'_>, join: &Join) -> bool {
        let member = self.members.get(&join.request.member_id);
        let replaced = join.instance_id().and_then(|id| self.static_members.get(id));
        let replaces = replaced.is_some();
        let former = member.or_else(|| self.members.get(replaced?));
        let held_bytes = former.map_or(0, Member::protocol_bytes);
        if join.metadata_bytes() > held_bytes.saturating_add(step.room_bytes) {
            return false;
        }
        let members_max = step.settings.group_members_max;
        match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.awaited_join.is_some()) || self.awaited_joins < members_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || replaces || self.members.len() < members_max
            }
        }
    }

    fn join_unknown(&mut self, step: &mut Step<'_>, join: Join) {
        let id = join.new_member_id(step);
        if let Some(instance_id) = join.instance_id() {
            match self.static_members.get(instance_id).cloned() {
                Some(old) => self.replace_static(step, join, &old, id),
                None => self.add_and_rebalance(step, join, id),
            }
            return;
        }
        if !join.joining.requires_known_member_id {
            return self.add_and_rebalance(step, join, id);
        }
        if self.pending_members.len() >= GROUP_PENDING_MEMBERS_MAX {
            // Whoever it was for is told that it is unknown, and asks for another.
            let oldest = self.pending_members.iter().min_by_key(|(_, deadline)| **deadline);
            let oldest = oldest.map(|(id, _)| id.clone()).expect("there are many");
            self.forget_pending(&oldest);
        }
        let deadline_ms = step.after_timeout(join.request.session_timeout_ms);
        self.bytes += id.len();
        self.pending_members.insert(id.clone(), deadline_ms);
        self.look_at(deadline_ms);
        step.reply(join.ticket, Response::Join(join_refusal(&id, ErrorCode::MemberIdRequired)));
    }

    /// An id that was given out is not waited for any more.
    pub fn forget_pending(&mut self, id: &str) -> bool {
        let was_pending = self.pending_members.remove(id).is_some();
        self.bytes -= if was_pending { id.len() } else { 0 };
        was_pending
    }

    fn join_known(&mut self, step: &mut Step<'_>, join: Join) {
        let id = join.request.member_id.clone();
        if join.instance_id().is_none() && self.forget_pending(&id) {
            return self.add_and_rebalance(step, join, id);
        }
        if let Err(error_code) = self.check_member(&id, join.instance_id()) {
            return join.refuse(step, error_code);
        }
        let is_leader = self.leader.as_ref() == Some(&id);
        let same = self.members[&id].has_protocols(&join.request.protocols);
        match self.state {
            State::PreparingRebalance => self.update_and_rebalance(step, join, &id),
            // The answer got lost, or the member has changed its mind.
            State::CompletingRebalance if same => self.answer_join(step, &id, join.ticket),
            State::CompletingRebalance => self.update_and_rebalance(step, join, &id),
            // A leader that joins again wants to assign anew.
            State::Stable if is_leader || !same => self.update_and_rebalance(step, join, &id),
            State::Stable => self.answer_join(step, &id, join.ticket),
            State::Empty | State::Dead => join.refuse(step, ErrorCode::UnknownMemberId),
        }
    }

    fn add_and_rebalance(&mut self, step: &mut Step<'_>, join: Join, id: String) {
        let deadline_ms = step.after(GROUP_NEW_MEMBER_JOIN_MS);
        let member = Member {
            instance_id: join.request.group_instance_id.clone(),
            client_id: join.joining.client_id.clone(),
            client_host: join.joining.client_host.clone(),
            session_timeout_ms: join.request.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms(),
            protocols: join.protocols(),
            assignment: Bytes::new(),
            awaited_join: Some(join.ticket),
            awaited_sync: None,
            has_synced: false,
            is_new: true,
            deadline_ms,
        };
        if let Some(initial) = self.rebalance.as_mut().and_then(|rebalance| rebalance.initial.as_mut()) {
            initial.has_new_member = true;
        }
        self.add(&id, member, &join.request.protocol_type);
        self.look_at(deadline_ms);
        self.prepare_rebalance_if_possible(step);
    }

    fn update_and_rebalance(&mut self, step: &mut Step<'_>, join: Join, id: &str) {
        let replaced = self.take_join(id, &join);
        self.refuse_replaced(step, replaced, id, ErrorCode::RebalanceInProgress);
        self.prepare_rebalance_if_possible(step);
    }

    /// The member's new word is what counts, and its newest request is the one that is answered. Returns the request
    /// that was waiting before.
    fn take_join(&mut self, id: &str, join: &Join) -> Option<Ticket> {
        let change = |member: &mut Member| {
            member.protocols = join.protocols();
            member.session_timeout_ms = join.request.session_timeout_ms;
            member.rebalance_timeout_ms = join.rebalance_timeout_ms();
            member.client_id.clone_from(&join.joining.client_id);
            member.client_host.clone_from(&join.joining.client_host);
            member.awaited_join.replace(join.ticket)
        };
        self.change_protocols(id, change).flatten()
    }

    fn refuse_replaced(&self, step: &mut Step<'_>, ticket: Option<Ticket>, id: &str, error_code: ErrorCode) {
        if let Some(ticket) = ticket {
            step.reply(ticket, Response::Join(join_refusal(id, error_code)));
        }
    }

    /// A static member is back after it was started again: it takes its old place under a new id (KIP-345).
    fn replace_static(&mut self, step: &mut Step<'_>, join: Join, old_id: &str, new_id: String) {
        let was_leader = self.leader.as_deref() == Some(old_id);
        let leader_before = self.leader.clone();
        let mut member = self.remove(old_id).expect("static ids point to members");
        self.refuse_replaced(step, member.awaited_join.take(), old_id, ErrorCode::FencedInstanceId);
        if let Some(ticket) = member.awaited_sync.take() {
            step.reply(ticket, Response::Sync(sync_refusal(ErrorCode::FencedInstanceId)));
        }
        let same_protocols = member.has_protocols(&join.request.protocols);
        member.deadline_ms = step.after_timeout(join.request.session_timeout_ms);
        self.look_at(member.deadline_ms);
        let protocol_type = join.request.protocol_type.clone();
        self.add(&new_id, member, &protocol_type);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        self.take_join(&new_id, &join);
        let keeps_generation = self.state == State::Stable
            && (same_protocols || self.elected_protocol() == self.protocol)
            && self.assigning.is_none();
        if !keeps_generation {
            return self.prepare_rebalance_if_possible(step);
        }
        self.change_member(&new_id, |member| (member.awaited_join, member.has_synced) = (None, true));
        let leads = was_leader && join.joining.can_skip_assignment;
        let mut response = self.generation(&new_id, leads);
        response.skip_assignment = leads;
        if !leads {
            // It must not assign: to its client the leader is somebody else.
            response.leader = leader_before.unwrap_or_default();
        }
        let record = self.record(&Default::default());
        let answer = Purpose::Answer { ticket: join.ticket, response: Response::Join(response) };
        step.append(&self.id, self.partition, vec![record], answer);
    }

    fn answer_join(&mut self, step: &mut Step<'_>, id: &str, ticket: Ticket) {
        let session_timeout_ms = self.members[id].session_timeout_ms;
        self.hear_from(id, step.after_timeout(session_timeout_ms));
        // Only who assigns needs to know the members.
        let assigns = self.state != State::Stable && self.leader.as_deref() == Some(id);
        step.reply(ticket, Response::Join(self.generation(id, assigns)));
    }

    /// The generation as the member is told of it, with all members if it is to assign.
    pub fn generation(&self, id: &str, assigns: bool) -> JoinGroupResponse {
        let protocol = self.protocol.clone().unwrap_or_default();
        let member = |(id, member): (&String, &Member)| JoinGroupResponseMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: Some(protocol.clone()),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.to_owned(),
            members: if assigns { self.members.iter().map(member).collect() } else { Vec::new() },
            ..Default::default()
        }
    }

    /// The member lives: it has until then to show that again.
    pub fn hear_from(&mut self, id: &str, deadline_ms: u64) {
        if let Some(member) = self.members.get_mut(id) {
            member.deadline_ms = deadline_ms;
            self.look_at(deadline_ms);
        }
    }
}
