//! A leader sends its records to a member that is behind the start of its log: chunk by chunk, each after the one
//! before was acknowledged, so that no more than one is in memory besides the records themselves.

use std::sync::Arc;

use raft::{ProgressState, SnapshotStatus};

use super::members::{Members, RaftId};
use super::message::{Body, Chunk};
use super::node::Node;
use super::state::State;

/// Election timeouts without an acknowledgement after which sending is given up. Raft begins anew with newer records.
const PATIENCE_ELECTIONS: usize = 4;

/// A snapshot on its way to a member.
#[derive(Debug)]
pub(super) struct Sending {
    /// The records as they were at `index`; those of the node go on.
    records: Arc<State>,
    index: u64,
    entry_term: u64,
    members: Members,
    number: u64,
    /// The last key of the chunks before this one.
    after: Option<String>,
    /// The last key of this chunk, and whether it is the last one.
    end: (Option<String>, bool),
    /// Ticks since the last acknowledgement.
    waited_ticks: usize,
}

impl Sending {
    /// The records of the present chunk, and whether they are the last ones.
    fn records_of_chunk(&self, chunk_bytes: usize) -> (Vec<(String, Vec<u8>)>, bool) {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for (key, value) in self.records.records_after(self.after.as_deref()) {
            bytes += key.len() + value.len();
            if bytes > chunk_bytes && !records.is_empty() {
                return (records, false);
            }
            records.push((key.clone(), value.to_vec()));
        }
        (records, true)
    }
}

impl Node {
    /// Raft wants a member to have a snapshot: it gets the records as they are now, which is later than Raft asks.
    pub(super) fn begin_sending(&mut self, to: RaftId) {
        let sending = Sending {
            records: Arc::clone(&self.state),
            index: self.head.applied_index,
            entry_term: self.head.applied_term,
            members: self.head.members.clone(),
            number: 0,
            after: None,
            end: (None, false),
            waited_ticks: 0,
        };
        self.sending.insert(to, sending);
        self.send_chunk(to);
    }

    fn send_chunk(&mut self, to: RaftId) {
        let chunk_bytes = self.settings.chunk_bytes;
        let Some(sending) = self.sending.get_mut(&to) else { return };
        let (records, is_last) = sending.records_of_chunk(chunk_bytes);
        sending.end = (records.last().map(|(key, _)| key.clone()), is_last);
        let chunk = Chunk {
            index: sending.index,
            entry_term: sending.entry_term,
            members: sending.members.clone(),
            checksum: sending.records.checksum(),
            number: sending.number,
            is_last,
            records,
        };
        self.send(to, Body::Chunk(chunk));
    }

    pub(super) fn receive_chunk_reply(&mut self, from: RaftId, index: u64, next: u64) {
        let Some(sending) = self.sending.get_mut(&from).filter(|sending| sending.index == index) else {
            return;
        };
        if next == sending.number + 1 {
            sending.waited_ticks = 0;
            let (end, is_last) = std::mem::take(&mut sending.end);
            if is_last {
                return self.end_sending(from, SnapshotStatus::Finish);
            }
            (sending.after, sending.number) = (end, next);
        } else if next == 0 && sending.number > 0 {
            // The receiver has started anew.
            (sending.after, sending.number) = (None, 0);
        } else {
            return;
        }
        self.send_chunk(from);
    }

    fn end_sending(&mut self, to: RaftId, status: SnapshotStatus) {
        self.sending.remove(&to);
        self.raw.report_snapshot(to, status);
    }

    /// Chunks and their acknowledgements may be lost.
    pub(super) fn tick_sending(&mut self) {
        let election_ticks = self.settings.election_ticks;
        for to in self.sending.keys().copied().collect::<Vec<_>>() {
            let progress = self.raw.raft.prs().get(to).map(|progress| progress.state);
            let sending = self.sending.get_mut(&to).expect("a key of the map");
            sending.waited_ticks += 1;
            if progress != Some(ProgressState::Snapshot) {
                // It has caught up by itself, or is gone.
                self.sending.remove(&to);
            } else if sending.waited_ticks >= PATIENCE_ELECTIONS * election_ticks {
                self.end_sending(to, SnapshotStatus::Failure);
            } else if sending.waited_ticks.is_multiple_of(election_ticks) {
                self.send_chunk(to);
            }
        }
    }
}
