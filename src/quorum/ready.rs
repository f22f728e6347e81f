//! From what the `raft` crate has ready to effects: what must be durable first, what is sent when, what is applied.

use std::sync::Arc;

use raft::eraftpb::{Entry, EntryType, HardState, Message as RaftMessage, MessageType, Snapshot};

use super::command::{Change, Command};
use super::convert::{entry_of_raft, of_raft, read_of_raft};
use super::members::{MemberChange, Members, RaftId};
use super::node::{Effect, Node};
use super::state::State;
use super::stored::{IndexedEntry, Persist};
use crate::base::limits::{QUORUM_CHECKSUMS_KEPT, QUORUM_UNSAVED_BYTES_MAX, QUORUM_UNSAVED_ENTRIES_MAX};
use crate::base::planted::{Bug, is_planted};

/// What was applied since the last [`Persist`]. It may be lost: the log has it, and it is applied anew then.
#[derive(Default, Debug)]
pub(super) struct Unsaved {
    changes: Vec<Change>,
    bytes: usize,
    entries: usize,
    replacement: Option<Arc<State>>,
}

/// A [`Persist`] under way.
#[derive(Debug)]
pub(super) struct Persisting {
    number: u64,
    /// What may be sent when it is durable.
    messages: Vec<RaftMessage>,
    /// The snapshot that it holds.
    snapshot_index: Option<u64>,
}

impl Node {
    /// What the last [`Effect::Persist`] wanted is durable.
    pub fn persisted(&mut self, number: u64) {
        let persisting = self.persisting.take().expect("there was one");
        assert_eq!(persisting.number, number, "one is under way at a time");
        if self.is_halted {
            return;
        }
        self.raw.on_persist_ready(number);
        if let Some(index) = persisting.snapshot_index {
            self.raw.advance_apply_to(index);
        }
        self.send_all(persisting.messages);
        self.settle();
    }

    pub(super) fn handle_ready(&mut self) {
        let mut ready = self.raw.ready();
        let number = ready.number();
        let hard_state = ready.hs().cloned();
        let votes = hard_state.as_ref().is_some_and(|state| self.is_promise(state));
        let (mut now, mut later) = (ready.take_messages(), ready.take_persisted_messages());
        let (entries, committed) = (ready.take_entries(), ready.take_committed_entries());
        let reads = ready.take_read_states();
        let snapshot = Some(ready.snapshot().clone()).filter(|snapshot| !snapshot.is_empty());
        if let Some(state) = hard_state {
            (self.head.term, self.head.vote, self.head.commit) = (state.term, state.vote, state.commit);
        }
        if let Some(snapshot) = &snapshot {
            self.restore(snapshot);
        }
        self.raw.mut_store().append(&entries);
        self.raw.advance_append_async(ready);

        if votes {
            // A leader need not wait for its own disk, but for the one time when its office is not durable yet: alone
            // among voters it is elected at once.
            now.append(&mut later);
            std::mem::swap(&mut now, &mut later);
        }
        if is_planted(Bug::QuorumSendEarly) {
            now.append(&mut later);
        }
        self.send_all(now);
        self.apply_all(&committed);
        for read in reads {
            self.confirm_read(read_of_raft(&read.request_ctx), read.index);
        }
        self.answer_reads();
        if self.is_halted {
            return;
        }
        let is_trimmed = self.trim();
        if votes || is_trimmed || snapshot.is_some() || !entries.is_empty() || self.unsaved.is_much() {
            let snapshot_index = snapshot.map(|snapshot| snapshot.get_metadata().index);
            self.persisting = Some(Persisting { number, messages: later, snapshot_index });
            self.persist(number, &entries, is_trimmed);
        } else {
            self.raw.on_persist_ready(number);
            self.send_all(later);
        }
    }

    /// Whether there is more in it than what is committed, which may be forgotten.
    fn is_promise(&self, state: &HardState) -> bool {
        state.term != self.head.term || state.vote != self.head.vote
    }

    fn persist(&mut self, number: u64, entries: &[Entry], is_trimmed: bool) {
        let unsaved = std::mem::take(&mut self.unsaved);
        let indexed = |entry: &Entry| IndexedEntry { index: entry.index, entry: entry_of_raft(entry) };
        let mut persist = Persist {
            number,
            replacement: unsaved.replacement,
            changes: unsaved.changes,
            entries: entries.iter().map(indexed).collect(),
            head: self.head.clone(),
        };
        if is_planted(Bug::QuorumForgetVote) {
            persist.head.vote = 0;
        }
        if is_planted(Bug::QuorumTrimUnsaved) && is_trimmed {
            persist.changes.clear();
        }
        self.effects.push(Effect::Persist(persist));
    }

    fn trim(&mut self) -> bool {
        let (entries_max, bytes_max) = (self.settings.log_entries_max, self.settings.log_bytes_max);
        let log = self.raw.mut_store();
        let is_trimmed = log.trim(entries_max, bytes_max);
        (self.head.trimmed_index, self.head.trimmed_term) = log.trimmed();
        is_trimmed
    }

    /// Raft has taken a snapshot: its records are in the place of ours.
    fn restore(&mut self, snapshot: &Snapshot) {
        let metadata = snapshot.get_metadata();
        let mut records = self.restoring.take().expect("it was stepped with its records");
        if is_planted(Bug::QuorumMergeSnapshot) {
            self.state.records().for_each(|(key, value)| records.put(key.clone(), Arc::clone(value)));
        }
        self.state = Arc::new(records);
        let (index, term, checksum) = (metadata.index, metadata.term, self.state.checksum());
        self.raw.mut_store().replace(index, term, metadata.get_conf_state().clone());
        self.head.members = Members::of(metadata.get_conf_state());
        (self.head.applied_index, self.head.applied_term, self.head.checksum) = (index, term, checksum);
        self.unsaved = Unsaved { replacement: Some(Arc::clone(&self.state)), ..Unsaved::default() };
        self.checksums.clear();
        self.checksums.push_back((index, checksum));
        self.effects.push(Effect::Restored { index, term, checksum });
    }

    fn apply_all(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.apply(entry);
            if self.is_halted {
                return;
            }
        }
        if let Some(last) = entries.last() {
            self.raw.advance_apply_to(last.index);
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let is_carried_out = match entry.get_entry_type() {
            EntryType::EntryNormal if entry.data.is_empty() => None,
            EntryType::EntryNormal => match Command::decode(&entry.data) {
                Some(command) => self.apply_command(command),
                None => return self.halt("an entry is committed that this version does not understand"),
            },
            EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
                match MemberChange::decode(&entry.context) {
                    Some(change) => self.apply_members(change),
                    None => {
                        return self
                            .halt("a change of members is committed that this version does not understand");
                    }
                }
            }
        };
        if self.is_halted {
            return;
        }
        let (index, term, checksum) = (entry.index, entry.term, self.state.checksum());
        (self.head.applied_index, self.head.applied_term, self.head.checksum) = (index, term, checksum);
        let members = self.head.members.to_raft();
        self.raw.mut_store().set_applied(index, term, members);
        self.checksums.push_back((index, checksum));
        if self.checksums.len() > QUORUM_CHECKSUMS_KEPT {
            self.checksums.pop_front();
        }
        self.unsaved.entries += 1;
        let (carried_out, changes) = (is_carried_out.is_some(), is_carried_out.unwrap_or_default());
        self.effects.push(Effect::Applied { index, term, changes, checksum });
        self.answer_proposal(index, term, carried_out);
    }

    /// Applies changes, if the proposer had the records that we had at that entry.
    fn apply_command(&mut self, command: Command) -> Option<Vec<Change>> {
        let known = self.checksums.binary_search_by_key(&command.base_index, |(index, _)| *index);
        if known.is_ok_and(|at| self.checksums[at].1 != command.base_checksum) {
            self.halt("this member's records differ from the leader's");
            return None;
        }
        // Who sends the records as a snapshot keeps them as they were.
        let state = Arc::make_mut(&mut self.state);
        command.changes.iter().for_each(|change| state.apply(change));
        self.unsaved.bytes += command.changes.iter().map(Change::bytes).sum::<usize>();
        self.unsaved.changes.extend(command.changes.iter().cloned());
        Some(command.changes)
    }

    /// Changes the members, if that can be: all members see it alike.
    fn apply_members(&mut self, change: MemberChange) -> Option<Vec<Change>> {
        let state = self.raw.apply_conf_change(&change.to_raft()).ok()?;
        self.head.members = Members::of(&state);
        Some(Vec::new())
    }

    fn send_all(&mut self, messages: Vec<RaftMessage>) {
        for message in messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.begin_sending(message.to);
            } else if let Some(ours) = of_raft(&message) {
                let to: RaftId = message.to;
                self.effects.push(Effect::Send { to, message: ours });
            }
        }
    }
}

impl Persisting {
    pub fn has_snapshot(&self) -> bool {
        self.snapshot_index.is_some()
    }
}

impl Unsaved {
    fn is_much(&self) -> bool {
        self.bytes >= QUORUM_UNSAVED_BYTES_MAX || self.entries >= QUORUM_UNSAVED_ENTRIES_MAX
    }
}
