//! Offsets are committed, told and forgotten.

use super::coordinator::NamedOffset;
use super::events::{AppendFailure, Commit, NewOffset, Response, Ticket};
use super::group::{Group, State};
use super::meters::Forgetting;
use super::offsets::{Committed, key};
use super::step::{Purpose, Step};
use super::subscription::CONSUMER;
use crate::base::limits::{GROUP_OFFSET_COST_BYTES, GROUP_RECORD_OVERHEAD_BYTES};
use crate::base::planted::{Bug, is_planted};
use crate::protocol::ErrorCode;
use crate::protocol::group_records::GroupRecord;

impl Group {
    /// A member, or who is none, says how far it has come.
    pub fn commit(&mut self, step: &mut Step<'_>, ticket: Ticket, commit: Commit) {
        if let Err(error_code) = self.check_commit(&commit) {
            return step.reply(ticket, Response::Commit(vec![error_code; commit.offsets.len()]));
        }
        if let Some(member) = self.members.get(&commit.member_id) {
            let session_timeout_ms = member.session_timeout_ms;
            self.hear_from(&commit.member_id, step.after_timeout(session_timeout_ms));
        }
        let Commit { offsets, retention_ms, .. } = commit;
        let metadata_bytes_max = step.settings.offset_metadata_bytes_max;
        let check = |new: &NewOffset| match new.metadata.len() > metadata_bytes_max {
            true => ErrorCode::OffsetMetadataTooLarge,
            false => ErrorCode::None,
        };
        let errors: Vec<ErrorCode> = offsets.iter().map(check).collect();
        let commit_ms = step.moment.wall_clock_ms;
        let good = || offsets.iter().zip(&errors).filter(|(_, error)| **error == ErrorCode::None);
        let records: Vec<GroupRecord> = good()
            .map(|(new, _)| {
                let value = Committed::of_commit(new, commit_ms, retention_ms).record();
                GroupRecord::Offset(key(&self.id, &new.topic, new.partition), Some(value))
            })
            .collect();
        if records.is_empty() {
            return step.reply(ticket, Response::Commit(errors));
        }
        let names: usize = good().map(|(new, _)| new.topic.len() + new.metadata.len()).sum();
        let batch_bytes = names + records.len() * (self.id.len() + GROUP_RECORD_OVERHEAD_BYTES);
        let state_bytes = names + records.len() * GROUP_OFFSET_COST_BYTES;
        if batch_bytes > step.settings.batch_bytes_max || state_bytes > step.room_bytes {
            let errors = vec![ErrorCode::InvalidCommitOffsetSize; offsets.len()];
            return step.reply(ticket, Response::Commit(errors));
        }
        if is_planted(Bug::CommitEarly) {
            step.reply(ticket, Response::Commit(errors.clone()));
        }
        self.pending_offset_appends += 1;
        let purpose = Purpose::Commit { ticket, errors, offsets, commit_ms, retention_ms };
        step.append(&self.id, self.partition, records, purpose);
    }

    fn check_commit(&self, commit: &Commit) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let is_anonymous = commit.generation_id < 0;
        if is_anonymous && self.state == State::Empty {
            return Ok(());
        }
        if is_anonymous && commit.member_id.is_empty() && commit.group_instance_id.is_none() {
            // While there are members, only they commit.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_member(&commit.member_id, commit.group_instance_id.as_deref())?;
        if commit.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            // Who still has its share finishes its work; who is to get another has none to commit.
            State::Stable | State::PreparingRebalance => Ok(()),
            State::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            State::Empty | State::Dead => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// Offsets are in the log, or are not.
    pub fn committed(
        &mut self,
        step: &mut Step<'_>,
        ticket: Ticket,
        mut errors: Vec<ErrorCode>,
        offsets: &[Committable<'_>],
        outcome: Result<(), AppendFailure>,
    ) {
        self.pending_offset_appends -= 1;
        for (error, new) in errors.iter_mut().zip(offsets) {
            match outcome {
                _ if *error != ErrorCode::None => {}
                Ok(()) => {
                    let committed = Committed::of_commit(new.offset, new.commit_ms, new.retention_ms);
                    let change = self.offsets.put(&new.offset.topic, new.offset.partition, committed);
                    self.bytes = self.bytes.saturating_add_signed(change);
                    step.meters.committed_offsets.increment();
                }
                Err(failure) => *error = commit_error(failure),
            }
        }
        step.reply(ticket, Response::Commit(errors));
    }

    /// A group forgets offsets, but not where its members are at work.
    pub fn delete_offsets(&mut self, step: &mut Step<'_>, ticket: Ticket, wanted: Vec<NamedOffset>) {
        let subscribed = match self.state {
            State::Dead => {
                return step.reply(ticket, Response::DeleteOffsets(Err(ErrorCode::GroupIdNotFound)));
            }
            State::Empty => None,
            _ if self.protocol_type.as_deref() == Some(CONSUMER) => Some(self.subscribed_topics()),
            _ => return step.reply(ticket, Response::DeleteOffsets(Err(ErrorCode::NonEmptyGroup))),
        };
        let is_subscribed = |topic: &str| match &subscribed {
            None => false,
            // What cannot be read may be any topic.
            Some(None) => true,
            Some(Some(topics)) => topics.contains(topic),
        };
        let (mut results, mut deleted) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (topic, partition) in wanted {
            if is_subscribed(&topic) {
                results.push(ErrorCode::GroupSubscribedToTopic);
                continue;
            }
            results.push(ErrorCode::None);
            if self.offsets.get(&topic, partition).is_some() || self.pending_offset_appends > 0 {
                deleted.push((topic, partition));
            }
        }
        let response = Response::DeleteOffsets(Ok(results));
        if deleted.is_empty() {
            return step.reply(ticket, response);
        }
        self.forget_offsets(step, deleted, Forgetting::Deleted, Some((ticket, response)));
    }

    /// Has offsets forgotten.
    pub fn forget_offsets(
        &mut self,
        step: &mut Step<'_>,
        offsets: Vec<NamedOffset>,
        reason: Forgetting,
        answer: Option<(Ticket, Response)>,
    ) {
        let tombstone =
            |(topic, partition): &NamedOffset| GroupRecord::Offset(key(&self.id, topic, *partition), None);
        let records = offsets.iter().map(tombstone).collect();
        self.pending_offset_appends += 1;
        step.append(&self.id, self.partition, records, Purpose::Forget { answer, offsets, reason });
    }

    /// The tombstones are in the log, or are not.
    pub fn forgotten(
        &mut self,
        step: &mut Step<'_>,
        answer: Option<(Ticket, Response)>,
        offsets: &[NamedOffset],
        reason: Forgetting,
        outcome: Result<(), AppendFailure>,
    ) {
        self.pending_offset_appends -= 1;
        if outcome.is_ok() {
            let count = self.offsets.len();
            for (topic, partition) in offsets {
                let change = self.offsets.remove(topic, *partition);
                self.bytes = self.bytes.saturating_add_signed(change);
            }
            step.meters.forgotten_offsets(reason).add((count - self.offsets.len()) as u64);
        }
        if let Some((ticket, response)) = answer {
            let response = match outcome {
                Ok(()) => response,
                Err(failure) => Response::DeleteOffsets(Err(commit_error(failure))),
            };
            step.reply(ticket, response);
        }
    }
}

/// An offset that is about to hold.
pub struct Committable<'a> {
    /// The offset.
    pub offset: &'a NewOffset,
    /// When it was committed, in ms since 1970.
    pub commit_ms: i64,
    /// How long it is kept, in ms, if the client said so.
    pub retention_ms: Option<i64>,
}

/// What clients are told where an offset's record is not in the log.
pub fn commit_error(failure: AppendFailure) -> ErrorCode {
    match failure {
        AppendFailure::TooLarge => ErrorCode::InvalidCommitOffsetSize,
        AppendFailure::Unavailable => ErrorCode::CoordinatorNotAvailable,
    }
}
