//! Between our messages and those of the `raft` crate. What comes from a peer is checked here and in `guard.rs`, since
//! the crate ends the process on much that a well-behaved peer never says.

use raft::eraftpb::{self, EntryType, MessageType};
use raft::{CAMPAIGN_TRANSFER, eraftpb::Message as RaftMessage};

use super::members::RaftId;
use super::message::{Body, Entry, EntryKind, Message};

/// Terms and indexes at most: so that adding to them never overflows. Nobody gets there in good faith.
pub(super) const NUMBER_MAX: u64 = 1 << 60;

/// An entry in the crate's form.
pub(super) fn entry_to_raft(index: u64, entry: &Entry) -> eraftpb::Entry {
    let mut raft = eraftpb::Entry { index, term: entry.term, ..Default::default() };
    match entry.kind {
        EntryKind::Command => raft.data = entry.data.clone().into(),
        EntryKind::Members => {
            raft.set_entry_type(EntryType::EntryConfChangeV2);
            raft.context = entry.data.clone().into();
        }
    }
    raft
}

/// An entry in our form. A change of members travels as our bytes; the crate's own, which are protobuf, stay behind.
pub(super) fn entry_of_raft(raft: &eraftpb::Entry) -> Entry {
    let (kind, data) = match raft.get_entry_type() {
        EntryType::EntryNormal => (EntryKind::Command, raft.data.to_vec()),
        _ => (EntryKind::Members, raft.context.to_vec()),
    };
    Entry { term: raft.term, kind, data }
}

/// A message from a peer in the crate's form; `None` if no peer of ours says that, or it is told to nobody but us.
pub(super) fn to_raft(from: RaftId, to: RaftId, message: &Message) -> Option<RaftMessage> {
    let mut raft = RaftMessage { from, to, term: message.term, ..Default::default() };
    match &message.body {
        Body::Append { previous_index, previous_term, commit, entries } => {
            raft.set_msg_type(MessageType::MsgAppend);
            (raft.index, raft.log_term, raft.commit) = (*previous_index, *previous_term, *commit);
            let numbered = entries.iter().zip(previous_index + 1..);
            let entries: Vec<_> = numbered.map(|(entry, index)| entry_to_raft(index, entry)).collect();
            raft.set_entries(entries.into());
        }
        Body::Appended { index, commit } => {
            raft.set_msg_type(MessageType::MsgAppendResponse);
            (raft.index, raft.commit) = (*index, *commit);
        }
        Body::Refused { index, hint_index, hint_term, commit } => {
            raft.set_msg_type(MessageType::MsgAppendResponse);
            (raft.index, raft.commit, raft.reject) = (*index, *commit, true);
            (raft.reject_hint, raft.log_term) = (*hint_index, *hint_term);
        }
        Body::Vote { trial, transfer, last_index, last_term, commit, commit_term } => {
            let vote = if *trial { MessageType::MsgRequestPreVote } else { MessageType::MsgRequestVote };
            raft.set_msg_type(vote);
            (raft.index, raft.log_term) = (*last_index, *last_term);
            (raft.commit, raft.commit_term) = (*commit, *commit_term);
            if *transfer {
                raft.context = CAMPAIGN_TRANSFER.into();
            }
        }
        Body::Voted { trial, granted, commit, commit_term } => {
            let voted = MessageType::MsgRequestVoteResponse;
            raft.set_msg_type(if *trial { MessageType::MsgRequestPreVoteResponse } else { voted });
            (raft.commit, raft.commit_term, raft.reject) = (*commit, *commit_term, !granted);
        }
        Body::Heartbeat { commit, read } => {
            raft.set_msg_type(MessageType::MsgHeartbeat);
            raft.commit = *commit;
            raft.context = read_to_raft(*read).into();
        }
        Body::HeartbeatReply { commit, read } => {
            raft.set_msg_type(MessageType::MsgHeartbeatResponse);
            raft.commit = *commit;
            raft.context = read_to_raft(*read).into();
        }
        Body::ReadIndex { read } => {
            raft.set_msg_type(MessageType::MsgReadIndex);
            raft.term = 0;
            raft.set_entries(vec![read_entry(*read)].into());
        }
        Body::ReadIndexReply { read, index } => {
            raft.set_msg_type(MessageType::MsgReadIndexResp);
            raft.index = *index;
            raft.set_entries(vec![read_entry(*read)].into());
        }
        Body::TakeOver => raft.set_msg_type(MessageType::MsgTimeoutNow),
        Body::Chunk(_) | Body::ChunkReply { .. } => return None,
    }
    Some(raft)
}

/// A message of the crate in our form; `None` for those that never leave a node.
pub(super) fn of_raft(raft: &RaftMessage) -> Option<Message> {
    let (index, commit, commit_term) = (raft.index, raft.commit, raft.commit_term);
    let body = match raft.get_msg_type() {
        MessageType::MsgAppend => Body::Append {
            previous_index: index,
            previous_term: raft.log_term,
            commit,
            entries: raft.get_entries().iter().map(entry_of_raft).collect(),
        },
        MessageType::MsgAppendResponse if raft.reject => {
            let (hint_index, hint_term) = (raft.reject_hint, raft.log_term);
            Body::Refused { index, hint_index, hint_term, commit }
        }
        MessageType::MsgAppendResponse => Body::Appended { index, commit },
        vote @ (MessageType::MsgRequestVote | MessageType::MsgRequestPreVote) => Body::Vote {
            trial: vote == MessageType::MsgRequestPreVote,
            transfer: raft.context.as_ref() == CAMPAIGN_TRANSFER,
            last_index: index,
            last_term: raft.log_term,
            commit,
            commit_term,
        },
        voted @ (MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse) => {
            let trial = voted == MessageType::MsgRequestPreVoteResponse;
            Body::Voted { trial, granted: !raft.reject, commit, commit_term }
        }
        MessageType::MsgHeartbeat => Body::Heartbeat { commit, read: read_of_raft(&raft.context) },
        MessageType::MsgHeartbeatResponse => {
            Body::HeartbeatReply { commit, read: read_of_raft(&raft.context) }
        }
        MessageType::MsgReadIndex => {
            Body::ReadIndex { read: read_of_raft(&raft.get_entries().first()?.data) }
        }
        MessageType::MsgReadIndexResp => {
            Body::ReadIndexReply { read: read_of_raft(&raft.get_entries().first()?.data), index }
        }
        MessageType::MsgTimeoutNow => Body::TakeOver,
        _ => return None,
    };
    Some(Message { term: raft.term, body })
}

fn read_entry(read: u64) -> eraftpb::Entry {
    eraftpb::Entry { data: read_to_raft(read).into(), ..Default::default() }
}

/// A read's number as the crate carries it; 0 is none.
pub(super) fn read_to_raft(read: u64) -> Vec<u8> {
    if read == 0 { Vec::new() } else { read.to_le_bytes().to_vec() }
}

/// The read's number.
pub(super) fn read_of_raft(context: &[u8]) -> u64 {
    context.try_into().map_or(0, u64::from_le_bytes)
}
