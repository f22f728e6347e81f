//! What is to go to a follower's shard by one of its two connections, in the order in which it is to arrive. Bounded: by
//! the session's window, and by what the socket has not taken yet; words wait once for each partition.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use rkyv::util::AlignedVec;

use super::links::OutFrame;
use crate::base::ids::PartitionId;
use crate::base::limits::{
    REPLICATION_ENTRIES_MAX, REPLICATION_RECORDS_BYTES_MAX, REPLICATION_UNSENT_FRAMES_MAX,
};
use crate::replication::{
    Address, Entry, FRAME_HEADER_BYTES, Mark, NeverSent, Push, Reconcile, Session, encode_push,
};

/// What an entry takes of the window besides its records.
const ENTRY_COST_BYTES: usize = size_of::<Entry>();
/// Buffers for frames' heads that are kept for the next ones.
const SPARE_MAX: usize = REPLICATION_UNSENT_FRAMES_MAX;

/// See the module.
#[derive(Default)]
pub(super) struct PushLane {
    /// None while there is no connection, or no session yet.
    session: Option<Session>,
    queue: VecDeque<OutFrame>,
    /// The frame that is being gathered.
    push: Push,
    records: Vec<Bytes>,
    records_bytes: usize,
    /// Where the last of `records` lies in the group that they are of.
    last: Range<usize>,
    reconciles: BTreeMap<PartitionId, Reconcile>,
    marks: BTreeMap<PartitionId, Mark>,
    spare: Vec<AlignedVec>,
}

impl PushLane {
    /// A session begins. What waited was of an older one.
    pub(super) fn begin(&mut self, session: Session) {
        self.end();
        self.session = Some(session);
    }

    /// There is no session any more.
    pub(super) fn end(&mut self) {
        *self = PushLane { spare: std::mem::take(&mut self.spare), ..PushLane::default() };
    }

    /// Whether there is a session.
    pub(super) fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// Frames that the socket has not taken.
    pub(super) fn unsent(&self) -> usize {
        self.queue.len()
    }

    /// Whether an entry of so many bytes may go, together with what was gathered.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let is_full = self.push.entries.len() >= REPLICATION_ENTRIES_MAX
            || self.records_bytes + bytes > REPLICATION_RECORDS_BYTES_MAX;
        if is_full {
            self.flush();
        }
        let cost = self.cost() + ENTRY_COST_BYTES + bytes;
        let fits =
            |session: &Session| session.has_room(cost) && self.queue.len() < REPLICATION_UNSENT_FRAMES_MAX;
        bytes <= REPLICATION_RECORDS_BYTES_MAX && self.session.as_ref().is_some_and(fits)
    }

    fn cost(&self) -> usize {
        FRAME_HEADER_BYTES + self.push.entries.len() * ENTRY_COST_BYTES + self.records_bytes
    }

    /// Adds an entry of a journal group, for which there is room; its records are at `range`. Neighbours stay one piece.
    pub(super) fn add_of_group(&mut self, entry: Entry, group: &Bytes, range: Range<usize>) {
        match self.records.last_mut() {
            Some(last) if self.last.end == range.start && !self.last.is_empty() => {
                self.last.end = range.end;
                *last = group.slice(self.last.clone());
            }
            _ => {
                self.last = range.clone();
                self.records.push(group.slice(range.clone()));
            }
        }
        self.note(entry, range.len());
    }

    /// Adds an entry whose records are these, for which there is room.
    pub(super) fn add(&mut self, entry: Entry, pieces: impl IntoIterator<Item = Bytes>) {
        let bytes = entry.bytes as usize;
        self.records.extend(pieces);
        self.last = 0..0;
        self.note(entry, bytes);
    }

    fn note(&mut self, entry: Entry, bytes: usize) {
        self.push.entries.push(entry);
        self.records_bytes += bytes;
    }

    /// What was gathered is to go, if there is anything.
    pub(super) fn flush(&mut self) {
        if self.push.entries.is_empty() {
            return;
        }
        let cost = self.cost();
        self.take_words();
        let session = self.session.as_mut().expect("there was room");
        let address = session.push(cost);
        self.enqueue(address);
    }

    /// Words that wait become a frame, if there is a session and nothing else waits that they may go with.
    fn flush_words(&mut self) {
        if self.reconciles.is_empty() && self.marks.is_empty() {
            return;
        }
        let Some(session) = self.session.as_mut() else { return };
        let address = session.word();
        self.take_words();
        self.enqueue(address);
    }

    fn take_words(&mut self) {
        while self.push.reconciles.len() < REPLICATION_ENTRIES_MAX
            && let Some((_, reconcile)) = self.reconciles.pop_first()
        {
            self.push.reconciles.push(reconcile);
        }
        while self.push.marks.len() < REPLICATION_ENTRIES_MAX
            && let Some((_, mark)) = self.marks.pop_first()
        {
            self.push.marks.push(mark);
        }
    }

    fn enqueue(&mut self, address: Address) {
        let head = encode_push(address, &self.push, self.spare.pop().unwrap_or_default());
        self.push.entries.clear();
        self.push.reconciles.clear();
        self.push.marks.clear();
        (self.records_bytes, self.last) = (0, 0..0);
        self.queue.push_back(OutFrame { head, records: std::mem::take(&mut self.records) });
    }

    /// What a follower is to do with its log. The newest word on a partition is the one that counts.
    pub(super) fn reconcile(&mut self, reconcile: Reconcile) {
        if self.is_up() {
            self.reconciles.insert(reconcile.partition(), reconcile);
        }
    }

    /// How far a partition is committed. The newest word on a partition holds all older ones.
    pub(super) fn mark(&mut self, mark: Mark) {
        if self.is_up() {
            self.marks.insert(mark.partition(), mark);
        }
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Option<OutFrame> {
        if self.queue.is_empty() {
            self.flush_words();
        }
        self.queue.pop_front()
    }

    /// A frame is sent: its memory is used again.
    pub(super) fn give_back(&mut self, head: AlignedVec) {
        if self.spare.len() < SPARE_MAX {
            self.spare.push(head);
        }
    }

    /// The peer has looked at all frames up to `through_sequence`.
    pub(super) fn answered(&mut self, through_sequence: u64) -> Result<(), NeverSent> {
        self.session.as_mut().map_or(Ok(()), |session| session.answered(through_sequence))
    }

    /// Bytes on their way by the session, as far as its window counts them.
    pub(super) fn window_bytes(&self) -> usize {
        self.session.as_ref().map_or(0, Session::window_bytes)
    }
}
