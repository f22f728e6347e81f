//! A journal group on its way to the disk: each peer shard that follows some of it is sent its part, as the same bytes.

use bytes::Bytes;

use super::host::Replication;
use super::role::{Leading, Role};
use crate::log::journal::entry::{Entry as JournalEntry, EntryKind, PayloadPlace};
use crate::log::journal::group::own_entries;
use crate::log::partition_log::ReadPlan;
use crate::partition::EpochHistory;
use crate::replication::{Entry, LeaderEffect, Stream};
use crate::shard::replica::Replica;

/// The records of a journal entry.
enum Records {
    /// In the group.
    OfGroup(PayloadPlace),
    /// In the log's memory, as the journal has only a part of them; with their checksum.
    OfLog(Vec<Bytes>, u32),
    /// On disk by now.
    Gone,
}

impl Replication {
    /// Runs before anything of the group is durable.
    pub(in crate::shard) fn group_submitted(&self, group: &Bytes) {
        for (entry, place) in own_entries(group) {
            if !matches!(entry.kind, EntryKind::Append | EntryKind::Extent) {
                continue;
            }
            let Some(replica) = self.storage.replica(entry.partition).filter(|it| it.is_replicated()) else {
                continue;
            };
            let effects = self.push_entry(&replica, &entry, place, group);
            if !effects.is_empty() {
                self.carry_out_leaders(&replica, effects);
            }
        }
        for outgoing in self.all_outgoing() {
            let mut lane = outgoing.live.borrow_mut();
            lane.flush();
            if lane.unsent() > 0 {
                outgoing.wake(Stream::Live).notify_waiters();
            }
        }
    }

    fn push_entry(
        &self,
        replica: &Replica,
        entry: &JournalEntry,
        place: PayloadPlace,
        group: &Bytes,
    ) -> Vec<LeaderEffect> {
        let mut effects = Vec::new();
        let mut role = replica.role.borrow_mut();
        let Role::Leads(leading) = &mut *role else { return effects };
        let Leading { leader, leader_epoch, followers, .. } = &mut **leading;
        let (base, end) = (entry.base_offset, entry.last_offset + 1);
        // Of an earlier term, which has ended since: whoever follows in this one is sent it from the log.
        if entry.leader_epoch != *leader_epoch || end <= leader.log().log_end {
            return effects;
        }
        leader.appended(end);
        let records = match entry.kind {
            EntryKind::Extent => of_log(replica, entry),
            _ => Records::OfGroup(place),
        };
        let wire = wire_entry(replica, entry, &records);
        for (node, peer) in followers.iter() {
            let outgoing = self.outgoing(*peer);
            let mut lane = outgoing.live.borrow_mut();
            let Some(wire) = wire.filter(|wire| lane.has_room(wire.bytes as usize)) else {
                leader.fell_behind(*node, &mut effects);
                continue;
            };
            if !leader.push_live(*node, base, end) {
                continue;
            }
            match &records {
                Records::OfGroup(place) => {
                    let start = place.offset as usize;
                    lane.add_of_group(wire, group, start..start + place.length as usize);
                }
                Records::OfLog(pieces, _) => lane.add(wire, pieces.iter().cloned()),
                Records::Gone => unreachable!("what is gone has no entry"),
            }
        }
        effects
    }
}

/// A batch that went to its segment at once: the log has it in memory still.
fn of_log(replica: &Replica, entry: &JournalEntry) -> Records {
    let plan = replica.log.borrow().read(entry.base_offset, entry.last_offset + 1, usize::MAX >> 1);
    let ReadPlan::Memory(pieces) = plan else { return Records::Gone };
    let mut checksum = crc32fast::Hasher::new();
    pieces.iter().for_each(|piece| checksum.update(piece));
    Records::OfLog(pieces, checksum.finalize())
}

fn wire_entry(replica: &Replica, entry: &JournalEntry, records: &Records) -> Option<Entry> {
    let (bytes, checksum) = match records {
        Records::OfGroup(place) => (place.length, place.checksum),
        Records::OfLog(pieces, checksum) => {
            (u32::try_from(pieces.iter().map(Bytes::len).sum::<usize>()).ok()?, *checksum)
        }
        Records::Gone => return None,
    };
    let state = replica.state.borrow();
    Some(Entry {
        topic: entry.partition.topic.to_bytes(),
        index: entry.partition.index,
        leader_epoch: entry.leader_epoch,
        records_epoch: entry.leader_epoch,
        previous_epoch: previous_epoch(state.epochs(), state.progress().log_start(), entry.base_offset),
        bytes,
        checksum,
        base_offset: entry.base_offset,
        end_offset: entry.last_offset + 1,
    })
}

/// The term of the record before `base`; -1 where the log starts there.
pub(super) fn previous_epoch(history: &EpochHistory, log_start: i64, base: i64) -> i32 {
    if base <= log_start { -1 } else { history.epoch_at(base - 1).unwrap_or(-1) }
}
