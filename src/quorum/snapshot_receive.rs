//! A member takes in a snapshot. Its records are put together beside the present ones, and replace them when all are
//! there and have the checksum that they should have.

use raft::eraftpb::{Message as RaftMessage, MessageType};

use super::members::RaftId;
use super::message::{Body, Chunk};
use super::node::{Effect, Node};
use super::state::State;
use crate::base::limits::QUORUM_SNAPSHOT_BYTES_MAX;

/// A snapshot on its way in.
#[derive(Debug)]
pub(super) struct Receiving {
    from: RaftId,
    term: u64,
    index: u64,
    next: u64,
    records: State,
}

impl Node {
    pub(super) fn receive_chunk(&mut self, from: RaftId, term: u64, chunk: Chunk) {
        // Heartbeats have told who leads; whoever leads no more will notice.
        if term != self.raw.raft.term || self.leader() != Some(from) {
            return;
        }
        // One that Raft has taken waits for the disk.
        if self.restoring.is_some() {
            return;
        }
        let (index, number) = (chunk.index, chunk.number);
        if index <= self.raw.raft.raft_log.committed {
            // It is here already; the acknowledgement was lost.
            return self.send(from, Body::ChunkReply { index, next: number + 1 });
        }
        if number == 0 {
            self.receiving = Some(Receiving { from, term, index, next: 0, records: State::default() });
        }
        let is_it = |it: &&mut Receiving| (it.from, it.term, it.index) == (from, term, index);
        let Some(receiving) = self.receiving.as_mut().filter(is_it) else {
            return self.send(from, Body::ChunkReply { index, next: 0 });
        };
        if number == receiving.next {
            let bytes: usize = chunk.records.iter().map(|(key, value)| key.len() + value.len()).sum();
            if receiving.records.bytes() + bytes > QUORUM_SNAPSHOT_BYTES_MAX {
                self.receiving = None;
                return self.effects.push(Effect::Suspicious { from, what: "a snapshot that is too long" });
            }
            receiving.next += 1;
            for (key, value) in &chunk.records {
                receiving.records.put(key.clone(), value.as_slice().into());
            }
            if chunk.is_last {
                return self.finish_receiving(from, term, &chunk);
            }
        }
        let next = self.receiving.as_ref().map_or(0, |receiving| receiving.next);
        self.send(from, Body::ChunkReply { index, next });
    }

    fn finish_receiving(&mut self, from: RaftId, term: u64, chunk: &Chunk) {
        let records = self.receiving.take().expect("its last chunk is here").records;
        if records.checksum() != chunk.checksum {
            return self.effects.push(Effect::Suspicious { from, what: "a snapshot with another checksum" });
        }
        if !chunk.members.is_sound() {
            return self
                .effects
                .push(Effect::Suspicious { from, what: "a snapshot with impossible members" });
        }
        let mut message = RaftMessage { from, to: self.settings.id, term, ..Default::default() };
        message.set_msg_type(MessageType::MsgSnapshot);
        let metadata = message.mut_snapshot().mut_metadata();
        (metadata.index, metadata.term) = (chunk.index, chunk.entry_term);
        metadata.set_conf_state(chunk.members.to_raft());
        self.restoring = Some(records);
        self.step(message);
        if self.raw.snap().is_none() {
            // Raft has had no use for it.
            self.restoring = None;
        }
        self.send(from, Body::ChunkReply { index: chunk.index, next: chunk.number + 1 });
    }
}
