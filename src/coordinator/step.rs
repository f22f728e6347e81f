//! What a step of the coordinator works with: its moment, the settings, and what it wants done.

use std::collections::BTreeMap;

use super::events::{AppendId, Effect, Moment, NewOffset, Response, Ticket};
use super::meters::{Forgetting, GroupMeters};
use super::settings::Settings;
use crate::protocol::ErrorCode;
use crate::protocol::group_records::GroupRecord;

/// What is to be done when an append is in the log.
#[derive(Debug)]
pub enum Purpose {
    /// The members of this generation get their shares.
    Assign {
        /// The generation.
        generation: i32,
        /// The shares by the members' ids.
        assignments: BTreeMap<String, bytes::Bytes>,
    },
    /// This is answered, and nothing else.
    Answer {
        /// Who asked.
        ticket: Ticket,
        /// The answer.
        response: Response,
    },
    /// Nothing: the group has no members any more.
    Note,
    /// Offsets hold.
    Commit {
        /// Who asked.
        ticket: Ticket,
        /// The answer, offset by offset; those without an error hold.
        errors: Vec<ErrorCode>,
        /// The offsets, in the same order.
        offsets: Vec<NewOffset>,
        /// When they were committed, in ms since 1970.
        commit_ms: i64,
        /// How long they are kept, if the client said so.
        retention_ms: Option<i64>,
    },
    /// Offsets are forgotten.
    Forget {
        /// Who asked, and the answer.
        answer: Option<(Ticket, Response)>,
        /// The offsets, by topic and partition.
        offsets: Vec<(String, i32)>,
        /// Why.
        reason: Forgetting,
    },
    /// The group is forgotten.
    Bury {
        /// Who asked.
        ticket: Option<Ticket>,
    },
}

/// An append on its way.
#[derive(Debug)]
pub struct PendingAppend {
    /// Of which group.
    pub group_id: String,
    /// Of which partition.
    pub partition: i32,
    /// And why.
    pub purpose: Purpose,
}

/// What steps want done, and what they will go on with.
#[derive(Debug, Default)]
pub struct Output {
    /// To be done, in this order.
    pub effects: Vec<Effect>,
    /// Appends on their way.
    pub appends: BTreeMap<AppendId, PendingAppend>,
    next_append: u64,
}

/// See the module.
pub struct Step<'a> {
    /// When it is.
    pub moment: Moment,
    /// What the broker's configuration says.
    pub settings: &'a Settings,
    /// Memory that is left for all groups, in bytes.
    pub room_bytes: usize,
    /// What is counted.
    pub meters: &'a GroupMeters,
    /// What is to be done.
    pub output: &'a mut Output,
}

impl Step<'_> {
    /// A time from now on, in ms.
    pub fn after(&self, ms: u64) -> u64 {
        self.moment.now_ms.saturating_add(ms)
    }

    /// The same for a timeout as it stands on the wire.
    pub fn after_timeout(&self, timeout_ms: i32) -> u64 {
        self.after(u64::try_from(timeout_ms).unwrap_or(0))
    }

    /// Answers a request.
    pub fn reply(&mut self, ticket: Ticket, response: Response) {
        self.output.effects.push(Effect::Reply(ticket, response));
    }

    /// Has records appended, for a purpose.
    pub fn append(
        &mut self,
        group_id: &str,
        partition: i32,
        records: Vec<GroupRecord>,
        purpose: Purpose,
    ) -> AppendId {
        let id = AppendId(self.output.next_append);
        self.output.next_append += 1;
        let append = PendingAppend { group_id: group_id.to_owned(), partition, purpose };
        self.output.appends.insert(id, append);
        self.output.effects.push(Effect::Append { id, partition, records });
        id
    }
}
