//! Shares are handed in and out, and members show that they live.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::events::{AppendFailure, AppendId, Response, Ticket, owned, sync_refusal};
use super::group::{Group, State};
use super::step::{Purpose, Step};
use crate::base::limits::GROUP_RECORD_OVERHEAD_BYTES;
use crate::base::planted::{Bug, is_planted};
use crate::protocol::ErrorCode;
use crate::protocol::messages::heartbeat::HeartbeatRequest;
use crate::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

impl Group {
    /// A member asks for its share; the leader brings all.
    pub fn sync(&mut self, step: &mut Step<'_>, ticket: Ticket, request: SyncGroupRequest) {
        match self.check_sync(&request) {
            Err(error_code) => step.reply(ticket, Response::Sync(sync_refusal(error_code))),
            Ok(State::Stable) => {
                let id = &request.member_id;
                let session_timeout_ms = self.members[id].session_timeout_ms;
                self.hear_from(id, step.after_timeout(session_timeout_ms));
                self.change_member(id, |member| member.has_synced = true);
                step.reply(ticket, Response::Sync(self.share(id)));
            }
            Ok(_) => self.await_share(step, ticket, request),
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<State, ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |wanted: &Option<String>, have: &Option<String>| wanted.is_some() && wanted != have;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            State::Empty | State::Dead => Err(ErrorCode::UnknownMemberId),
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            state @ (State::CompletingRebalance | State::Stable) => Ok(state),
        }
    }

    fn await_share(&mut self, step: &mut Step<'_>, ticket: Ticket, request: SyncGroupRequest) {
        let id = &request.member_id;
        let replaced = self.change_member(id, |member| {
            member.has_synced = true;
            member.awaited_sync.replace(ticket)
        });
        if let Some(replaced) = replaced.flatten() {
            step.reply(replaced, Response::Sync(sync_refusal(ErrorCode::RebalanceInProgress)));
        }
        let is_leader = self.leader.as_ref() == Some(id);
        if !is_leader || self.assigning.is_some() {
            return;
        }
        // Of two shares for a member the later one counts, as in Kafka.
        let handed_in: BTreeMap<&str, &Bytes> = request
            .assignments
            .iter()
            .filter(|share| self.members.contains_key(&share.member_id))
            .map(|share| (share.member_id.as_str(), &share.assignment))
            .collect();
        let bytes: usize = handed_in.values().map(|share| share.len()).sum();
        let record_bytes = bytes + self.bytes + self.members.len() * GROUP_RECORD_OVERHEAD_BYTES;
        if bytes > step.room_bytes || record_bytes > step.settings.batch_bytes_max {
            return self.fail_assignment(step, ErrorCode::UnknownServerError);
        }
        let share = |id: &String| handed_in.get(id.as_str()).map(|share| owned(share)).unwrap_or_default();
        let assignments: BTreeMap<String, Bytes> =
            self.members.keys().map(|id| (id.clone(), share(id))).collect();
        let record = self.record(&assignments);
        let early = is_planted(Bug::ShareEarly).then(|| assignments.clone());
        let purpose = Purpose::Assign { generation: self.generation, assignments };
        let id = step.append(&self.id, self.partition, vec![record], purpose);
        self.assigning = Some(id);
        if let Some(assignments) = early {
            self.assigned(step, id, assignments, Ok(()));
        }
    }

    /// The shares are durable, or cannot be.
    pub fn assigned(
        &mut self,
        step: &mut Step<'_>,
        id: AppendId,
        assignments: BTreeMap<String, Bytes>,
        outcome: Result<(), AppendFailure>,
    ) {
        if self.assigning != Some(id) {
            // A rebalance came between: nobody gets these any more.
            return;
        }
        self.assigning = None;
        if let Err(failure) = outcome {
            return self.fail_assignment(step, group_error(failure));
        }
        for (id, assignment) in assignments {
            self.change_member(&id, |member| member.assignment = assignment);
        }
        self.enter(State::Stable, step.moment.wall_clock_ms);
        if let Some(since_ms) = self.rebalancing_since_ms.take() {
            let took = Duration::from_millis(step.moment.now_ms.saturating_sub(since_ms));
            step.meters.rebalance_durations.record_duration(took);
        }
        for (id, ticket) in self.take_awaited_syncs() {
            let session_timeout_ms = self.members[&id].session_timeout_ms;
            self.hear_from(&id, step.after_timeout(session_timeout_ms));
            step.reply(ticket, Response::Sync(self.share(&id)));
        }
    }

    /// Nobody gets a share, and all are asked to join again.
    fn fail_assignment(&mut self, step: &mut Step<'_>, error_code: ErrorCode) {
        for (id, ticket) in self.take_awaited_syncs() {
            let session_timeout_ms = self.members[&id].session_timeout_ms;
            self.hear_from(&id, step.after_timeout(session_timeout_ms));
            step.reply(ticket, Response::Sync(sync_refusal(error_code)));
        }
        self.prepare_rebalance_if_possible(step);
    }

    fn share(&self, id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: self.members[id].assignment.clone(),
            ..Default::default()
        }
    }

    /// A member lives. It is told whether it has to join again.
    pub fn heartbeat(&mut self, step: &mut Step<'_>, request: &HeartbeatRequest) -> ErrorCode {
        if self.state == State::Dead {
            return ErrorCode::CoordinatorNotAvailable;
        }
        let id = &request.member_id;
        if let Err(error_code) = self.check_member(id, request.group_instance_id.as_deref()) {
            return error_code;
        }
        if request.generation_id != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        let session_timeout_ms = self.members[id].session_timeout_ms;
        self.hear_from(id, step.after_timeout(session_timeout_ms));
        match self.state {
            State::Empty | State::Dead => ErrorCode::UnknownMemberId,
            State::PreparingRebalance => ErrorCode::RebalanceInProgress,
            State::CompletingRebalance | State::Stable => ErrorCode::None,
        }
    }
}

/// What members are told where a group's record is not in the log.
pub fn group_error(failure: AppendFailure) -> ErrorCode {
    match failure {
        AppendFailure::TooLarge => ErrorCode::UnknownServerError,
        AppendFailure::Unavailable => ErrorCode::CoordinatorNotAvailable,
    }
}
