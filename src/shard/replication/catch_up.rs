//! Reading the log for followers that are behind: a piece for each partition in turn, at a bounded rate for each peer
//! shard, and only what its window takes. It goes by the connection for that, but for the last piece.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select;

use super::group::previous_epoch;
use super::host::{Outgoing, Replication};
use super::role::Role;
use crate::base::ids::{LeaderEpoch, NodeId, Offset};
use crate::base::limits::{
    REPLICATION_CATCH_UP_BYTES_PER_SECOND, REPLICATION_CATCH_UP_READ_BYTES, REPLICATION_TICK_MS,
};
use crate::protocol::batch::Batches;
use crate::replication::{Entry, PeerShard, Stream};
use crate::shard::error::StorageError;
use crate::shard::read::joined;
use crate::shard::replica::Replica;
use crate::shard::storage::Storage;

/// What came of a turn of a partition.
enum Turn {
    /// There is nothing to be read for it now.
    Over,
    /// A piece was sent.
    Sent { bytes: usize },
    /// There is no room.
    Full,
}

/// What is to be read: the leader's term, the stream, where it begins and where the log ends.
#[derive(Clone, Copy)]
struct Wanted {
    leader_epoch: LeaderEpoch,
    stream: Stream,
    from: Offset,
    log_end: Offset,
}

/// Records of one term.
struct Piece {
    records: Bytes,
    records_epoch: LeaderEpoch,
    end: Offset,
}

impl Replication {
    /// The log is to be read for a follower.
    pub(super) fn want_read(&self, replica: &Rc<Replica>, node: NodeId) {
        let peer = match &*replica.role.borrow() {
            Role::Leads(leading) => leading.peer(node),
            _ => None,
        };
        let Some(peer) = peer else { return };
        let outgoing = self.outgoing(peer);
        {
            let mut reads = outgoing.reads.borrow_mut();
            if !reads.iter().any(|it| Rc::ptr_eq(it, replica)) {
                reads.push_back(Rc::clone(replica));
            }
        }
        if !outgoing.is_reading.replace(true) {
            let this = self.storage.replication().expect("it calls");
            self.tasks.spawn(&*self.storage.runtime, this.catch_up(peer, outgoing));
        }
    }

    async fn catch_up(self: Rc<Self>, peer: PeerShard, outgoing: Rc<Outgoing>) {
        let mut due = self.storage.runtime.now();
        loop {
            let wanted = self.reads_wanted.notified();
            let next = outgoing.reads.borrow_mut().pop_front();
            let Some(replica) = next.filter(|_| !self.has_ended()) else {
                outgoing.is_reading.set(false);
                return;
            };
            let pause = Duration::from_millis(REPLICATION_TICK_MS);
            match self.read_for(&replica, peer, &outgoing).await {
                Ok(Turn::Over) => {}
                Ok(Turn::Full) => {
                    outgoing.reads.borrow_mut().push_front(replica);
                    // Also so that a stop is noticed.
                    select(std::pin::pin!(wanted), self.storage.runtime.sleep(pause)).await;
                }
                Ok(Turn::Sent { bytes }) => {
                    outgoing.reads.borrow_mut().push_back(replica);
                    self.meters.catch_up_bytes.add(bytes as u64);
                    let nanos = bytes as u64 * 1_000_000_000 / REPLICATION_CATCH_UP_BYTES_PER_SECOND;
                    let now = self.storage.runtime.now();
                    due = due.max(now) + Duration::from_nanos(nanos);
                    self.storage.runtime.sleep(due - now).await;
                }
                Err(error) => {
                    tracing::warn!(partition = %replica.id, %error, "a log cannot be read for a follower");
                    self.storage.runtime.sleep(pause).await;
                    if replica.check_online().is_ok() {
                        outgoing.reads.borrow_mut().push_back(replica);
                    }
                }
            }
        }
    }

    async fn read_for(
        &self,
        replica: &Rc<Replica>,
        peer: PeerShard,
        outgoing: &Outgoing,
    ) -> Result<Turn, StorageError> {
        let Some(wanted) = wanted(replica, peer.node) else { return Ok(Turn::Over) };
        let lane = outgoing.lane(wanted.stream);
        if !lane.borrow().is_up() {
            // With the next session the follower says anew where its log ends.
            return Ok(Turn::Over);
        }
        if !lane.borrow_mut().has_room(REPLICATION_CATCH_UP_READ_BYTES) {
            return Ok(Turn::Full);
        }
        let max_bytes = REPLICATION_CATCH_UP_READ_BYTES;
        let read = self.storage.read_below(replica, wanted.from, wanted.log_end, max_bytes).await?;
        let piece = piece(replica, &wanted, joined(read))?;
        let bytes = piece.records.len();
        if !lane.borrow_mut().has_room(bytes) {
            return Ok(Turn::Full);
        }
        if !self.is_still_wanted(replica, peer.node, &wanted, piece.end) {
            // The term, the session or the log's start is another one by now.
            return Ok(Turn::Sent { bytes: 0 });
        }
        let entry = entry(replica, &wanted, &piece);
        let mut lane = lane.borrow_mut();
        lane.add(entry, [piece.records]);
        lane.flush();
        outgoing.wake(wanted.stream).notify_waiters();
        Ok(Turn::Sent { bytes })
    }

    fn is_still_wanted(&self, replica: &Replica, node: NodeId, wanted: &Wanted, end: Offset) -> bool {
        match &mut *replica.role.borrow_mut() {
            Role::Leads(leading) if leading.leader_epoch == wanted.leader_epoch => {
                leading.leader.push_from_log(node, wanted.stream, wanted.from, end)
            }
            _ => false,
        }
    }
}

fn wanted(replica: &Replica, node: NodeId) -> Option<Wanted> {
    let role = replica.role.borrow();
    let Role::Leads(leading) = &*role else { return None };
    let (stream, from) = leading.leader.read_from(node)?;
    let log_end = leading.leader.log().log_end;
    Some(Wanted { leader_epoch: leading.leader_epoch, stream, from, log_end })
}

/// What is sent of the batches that were read from `wanted.from` on. Where compaction has left none, batches without
/// records stand for them: a follower's log has no gaps.
fn piece(replica: &Replica, wanted: &Wanted, read: Bytes) -> Result<Piece, StorageError> {
    let first = Batches::new(&read).next().transpose();
    let first = first.map_err(|error| StorageError::Corrupt(error.to_string().into()))?;
    let first = first.map(|first| *first.batch.header());
    let state = replica.state.borrow();
    let found = first.map_or(wanted.log_end, |header| header.base_offset);
    if found > wanted.from {
        let at_from = state.epoch_at(wanted.from).or(first.map(|header| header.partition_leader_epoch));
        let records_epoch = at_from.unwrap_or(0);
        let term_end = state.end_offset_for_epoch(records_epoch).map_or(found, |end| end.end_offset);
        let end = if term_end > wanted.from { found.min(term_end) } else { found };
        let records = Storage::fillers(wanted.from, end, records_epoch).concat().into();
        return Ok(Piece { records, records_epoch, end });
    }
    if found < wanted.from {
        let what = format!("no batch begins at {}, but one at {found}", wanted.from);
        return Err(StorageError::Corrupt(what.into()));
    }
    let records_epoch = first.map_or(0, |header| header.partition_leader_epoch);
    let (mut length, mut end) = (0, wanted.from);
    for batch in Batches::new(&read).map_while(Result::ok) {
        let header = batch.batch.header();
        if header.partition_leader_epoch != records_epoch || header.base_offset != end {
            break;
        }
        (length, end) = (batch.position + batch.batch.bytes().len(), header.last_offset() + 1);
    }
    Ok(Piece { records: read.slice(..length), records_epoch, end })
}

fn entry(replica: &Replica, wanted: &Wanted, piece: &Piece) -> Entry {
    let state = replica.state.borrow();
    Entry {
        topic: replica.id.topic.to_bytes(),
        index: replica.id.index,
        leader_epoch: wanted.leader_epoch,
        records_epoch: piece.records_epoch,
        previous_epoch: previous_epoch(state.epochs(), state.progress().log_start(), wanted.from),
        bytes: piece.records.len() as u32,
        checksum: crc32fast::hash(&piece.records),
        base_offset: wanted.from,
        end_offset: piece.end,
    }
}
