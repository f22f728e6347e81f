//! Which messages a node takes. Raft proves what it does for peers that keep its rules; the crate ends the process when
//! it sees that one did not. A peer that lost its disk and kept its id is one of those, and so is one with other bugs
//! than ours: what would end the process is refused instead, and said.

use super::convert::NUMBER_MAX;
use super::message::{Body, Message};
use crate::base::limits::QUORUM_READS_MAX;

/// What of the node the check looks at.
pub(super) struct View {
    pub last_index: u64,
    pub is_leader: bool,
    pub term: u64,
    /// Reads that wait for a majority.
    pub reads: usize,
}

/// What is wrong with a message, if anything.
pub(super) fn fault(message: &Message, view: &View) -> Option<&'static str> {
    if numbers(message).into_iter().any(|number| number > NUMBER_MAX) {
        return Some("a term or an index that nobody reaches");
    }
    let is_present = message.term == view.term;
    match &message.body {
        Body::ReadIndex { read: 0 } => Some("a read without a number"),
        Body::ReadIndex { .. } if view.reads >= QUORUM_READS_MAX => Some("a read too many"),
        Body::ReadIndex { .. } => None,
        _ if message.term == 0 => Some("no term"),
        Body::Append { previous_term, entries, .. } => {
            let terms = std::iter::once(*previous_term).chain(entries.iter().map(|entry| entry.term));
            let rises = terms.chain([message.term]).is_sorted();
            (!rises).then_some("entries whose terms go back, or beyond the sender's")
        }
        Body::Heartbeat { commit, .. } if message.term >= view.term && *commit > view.last_index => {
            Some("a claim that entries are here that are not: was this node's disk replaced?")
        }
        Body::Appended { index, .. } if view.is_leader && is_present && *index > view.last_index => {
            Some("a claim to have entries that there are not")
        }
        _ => None,
    }
}

/// All terms and indexes in a message.
fn numbers(message: &Message) -> [u64; 5] {
    let [a, b, c, d] = match &message.body {
        Body::Append { previous_index, previous_term, commit, .. } => {
            [*previous_index, *previous_term, *commit, 0]
        }
        Body::Appended { index, commit } => [*index, *commit, 0, 0],
        Body::Refused { index, hint_index, hint_term, commit } => [*index, *hint_index, *hint_term, *commit],
        Body::Vote { last_index, last_term, commit, commit_term, .. } => {
            [*last_index, *last_term, *commit, *commit_term]
        }
        Body::Voted { commit, commit_term, .. } => [*commit, *commit_term, 0, 0],
        Body::Heartbeat { commit, .. } | Body::HeartbeatReply { commit, .. } => [*commit, 0, 0, 0],
        Body::ReadIndexReply { index, .. } => [*index, 0, 0, 0],
        Body::Chunk(chunk) => [chunk.index, chunk.entry_term, chunk.number, 0],
        Body::ChunkReply { index, next } => [*index, *next, 0, 0],
        Body::ReadIndex { .. } | Body::TakeOver => [0; 4],
    };
    [message.term, a, b, c, d]
}
