//! What operators ask of a group, and members that go.

use super::events::{AppendFailure, Response, Ticket};
use super::group::{Group, State};
use super::offsets::key;
use super::step::{Purpose, Step};
use super::sync::group_error;
use crate::protocol::ErrorCode;
use crate::protocol::group_records::GroupRecord;
use crate::protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::leave_group::{LeaveGroupResponse, MemberIdentity, MemberResponse};

impl Group {
    /// Members go, or are removed.
    pub fn leave(&mut self, step: &mut Step<'_>, ticket: Ticket, leaving: Vec<MemberIdentity>) {
        let mut gone = Vec::new();
        let mut was_pending = false;
        let mut members = Vec::with_capacity(leaving.len());
        for identity in leaving {
            let left = match self.state {
                State::Dead => Err(ErrorCode::CoordinatorNotAvailable),
                _ => self.leaver(&identity),
            };
            let error_code = match left {
                Ok(Leaver::Member(id)) => {
                    gone.push(id);
                    ErrorCode::None
                }
                Ok(Leaver::Pending) => {
                    was_pending |= self.forget_pending(&identity.member_id);
                    ErrorCode::None
                }
                Err(error_code) => error_code,
            };
            let MemberIdentity { member_id, group_instance_id, .. } = identity;
            members.push(MemberResponse { member_id, group_instance_id, error_code });
        }
        self.drop_members(step, &gone);
        if was_pending {
            self.complete_if_all_joined(step);
        }
        step.reply(ticket, Response::Leave(LeaveGroupResponse { members, ..Default::default() }));
    }

    fn leaver(&self, identity: &MemberIdentity) -> Result<Leaver, ErrorCode> {
        let MemberIdentity { member_id, group_instance_id, .. } = identity;
        match group_instance_id {
            // An operator knows only the id that was given by hand.
            Some(instance_id) if member_id.is_empty() => {
                let id = self.static_members.get(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
                Ok(Leaver::Member(id.clone()))
            }
            None if self.pending_members.contains_key(member_id) => Ok(Leaver::Pending),
            instance_id => {
                self.check_member(member_id, instance_id.as_deref())?;
                Ok(Leaver::Member(member_id.clone()))
            }
        }
    }

    /// The group as operators see it.
    pub fn describe(&self) -> DescribedGroup {
        let is_stable = self.state == State::Stable;
        let protocol = self.protocol.clone().filter(|_| is_stable).unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| DescribedGroupMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            // Between two generations nobody has a share.
            member_metadata: if is_stable { member.metadata(&protocol) } else { Default::default() },
            member_assignment: if is_stable { member.assignment.clone() } else { Default::default() },
        });
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state.name().to_owned(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol_data: protocol,
            ..Default::default()
        }
    }

    /// An operator has the group forgotten with its offsets.
    pub fn delete(&mut self, step: &mut Step<'_>, ticket: Ticket) {
        let refusal = match self.state {
            State::Dead => Some(ErrorCode::GroupIdNotFound),
            // They would be back after a restart. Who asks comes back as well.
            State::Empty if self.pending_offset_appends > 0 => Some(ErrorCode::CoordinatorNotAvailable),
            State::Empty => None,
            _ => Some(ErrorCode::NonEmptyGroup),
        };
        match refusal {
            Some(error_code) => step.reply(ticket, Response::DeleteGroup(error_code)),
            None => self.bury(step, Some(ticket)),
        }
    }

    /// Has the group forgotten. Until that is durable it is dead to all.
    pub fn bury(&mut self, step: &mut Step<'_>, ticket: Option<Ticket>) {
        let offsets = self.offsets.iter();
        let offsets =
            offsets.map(|(topic, partition, _)| GroupRecord::Offset(key(&self.id, topic, partition), None));
        let records = offsets.chain([self.tombstone()]).collect();
        self.enter(State::Dead, step.moment.wall_clock_ms);
        self.pending_members.clear();
        step.append(&self.id, self.partition, records, Purpose::Bury { ticket });
    }

    /// The group could not be forgotten.
    pub fn unbury(&mut self, step: &mut Step<'_>, ticket: Option<Ticket>, failure: AppendFailure) {
        self.enter(State::Empty, step.moment.wall_clock_ms);
        if let Some(ticket) = ticket {
            step.reply(ticket, Response::DeleteGroup(group_error(failure)));
        }
    }
}

enum Leaver {
    Member(String),
    Pending,
}
