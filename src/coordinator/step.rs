//! What a step of the coordinator works with: its moment, the settings, and what it wants done.

use std::collections::{BTreeMap, VecDeque};

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

impl PendingAppend {
    /// Memory that groups take with it once it is in the log, in bytes, as far as it is much.
    fn bytes(&self) -> usize {
        match &self.purpose {
            Purpose::Assign { assignments, .. } => assignments.values().map(bytes::Bytes::len).sum(),
            _ => 0,
        }
    }
}

/// What steps want done, and what they will go on with.
#[derive(Debug, Default)]
pub struct Output {
    /// To be done besides answers, in this order.
    pub effects: Vec<Effect>,
    /// Answers, in this order.
    replies: VecDeque<(Ticket, Response)>,
    /// Appends on their way.
    appends: BTreeMap<AppendId, PendingAppend>,
    /// Memory of those.
    pending_bytes: usize,
    next_append: u64,
}

impl Output {
    /// Answers a request.
    pub fn reply(&mut self, ticket: Ticket, response: Response) {
        self.replies.push_back((ticket, response));
    }

    /// Whether answers have not been taken yet.
    pub fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    /// What is to be done, with this many answers at most.
    pub fn take_effects(&mut self, replies_max: usize) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        let replies = self.replies.drain(..replies_max.min(self.replies.len()));
        effects.extend(replies.map(|(ticket, response)| Effect::Reply(ticket, response)));
        effects
    }

    /// Memory of appends on their way, in bytes.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// An append that is on its way no more.
    pub fn take_append(&mut self, id: AppendId) -> Option<PendingAppend> {
        let append = self.appends.remove(&id)?;
        self.pending_bytes -= append.bytes();
        Some(append)
    }

    /// The same for all to a partition.
    pub fn take_appends_to(&mut self, partition: i32) -> Vec<PendingAppend> {
        let ids = self.appends.iter().filter(|(_, append)| append.partition == partition);
        let ids: Vec<AppendId> = ids.map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.take_append(id)).collect()
    }
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
        self.output.reply(ticket, response);
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
        self.output.pending_bytes += append.bytes();
        self.output.appends.insert(id, append);
        self.output.effects.push(Effect::Append { id, partition, records });
        id
    }
}
