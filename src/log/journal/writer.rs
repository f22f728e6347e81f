//! The journal while it is being written: one open group for all partitions of the shard, closed and written
//! as soon as fewer than [`GROUPS_IN_FLIGHT_MAX`] writes are outstanding. There is no timer and no linger: under load
//! a group fills while the ones before it are being written.
//!
//! Acknowledgement is in order of the sequence, and stops for ever at the first failed write: whether a
//! failed write reached the disk is unknown, so nothing after it may be promised and nothing is written again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::entry::Entry;
use super::group::{GroupBuilder, GroupHeader, encoded_bytes};
use super::meters::JournalMeters;
use super::ring::{FileStart, Link, Place, Ring, RingShape};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, GROUPS_IN_FLIGHT_MAX, JOURNAL_RESERVED_FILES, START_GROUPS_BYTES};
use crate::base::planted::{Bug, is_planted};
use crate::runtime::{File, Runtime};

/// The exact place of a moment in the journal: entries before it are below, later ones are not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct JournalPosition {
    /// Sequence of the group that was open.
    pub sequence: u64,
    /// Entries that were in it.
    pub entries: u64,
}

impl JournalPosition {
    /// The last group with entries before this moment.
    pub fn reflected_through(self) -> u64 {
        if self.entries > 0 { self.sequence } else { self.sequence.saturating_sub(1) }
    }
}

/// Told of progress; runs inside the journal's completion and must not await.
pub trait DurabilitySink {
    /// A group is on its way to the disk. Its bytes stay as they are for as long as somebody holds them. Only told after
    /// [`Journal::tell_of_submissions`], before the group can be durable.
    fn on_submitted(&self, _group: &bytes::Bytes) {}
    /// All groups up to `sequence` are durable.
    fn on_durable(&self, sequence: u64);
    /// The writer is out of service.
    fn on_failure(&self, reason: &str);
}

/// Where a recovered journal goes on.
#[derive(Debug)]
pub struct JournalStart {
    /// The journal's random id.
    pub journal_id: [u8; 16],
    /// What the next group follows; all before it is durable.
    pub link: Link,
    /// The ring behind the last group.
    pub ring: Ring,
}

struct InFlight {
    sequence: u64,
    done: bool,
    buffer: AlignedBuf,
    submitted_at: Duration,
}

/// A group that entries are added to, or that waits for its turn.
struct Group {
    builder: GroupBuilder,
    begun_at: Duration,
}

struct State {
    ring: Ring,
    /// What the next group to be written follows.
    link: Link,
    /// Sequence of the open group; the closed groups have the ones before it.
    open_sequence: u64,
    open: Option<Group>,
    closed: VecDeque<Group>,
    closed_bytes: u64,
    in_flight: VecDeque<InFlight>,
    durable: u64,
    spare: Vec<AlignedBuf>,
    failure: Option<std::sync::Arc<str>>,
}

/// The journal of one shard.
pub struct Journal {
    runtime: Rc<dyn Runtime>,
    files: Vec<Rc<dyn File>>,
    journal_id: [u8; 16],
    group_bytes: usize,
    state: RefCell<State>,
    sink: RefCell<Option<Weak<dyn DurabilitySink>>>,
    wake_scheduled: Cell<bool>,
    tells_of_submissions: Cell<bool>,
    progress: Notify,
    meters: JournalMeters,
}

impl Journal {
    /// A journal that goes on where recovery ended. `group_bytes` is the size at which a group is closed; an
    /// entry that alone is longer gets a group of its own.
    pub fn new(
        runtime: Rc<dyn Runtime>,
        files: Vec<Rc<dyn File>>,
        start: JournalStart,
        group_bytes: usize,
    ) -> Rc<Self> {
        assert!(group_bytes as u64 <= start.ring.shape().group_bytes_max);
        Rc::new(Journal {
            runtime,
            files,
            journal_id: start.journal_id,
            group_bytes,
            state: RefCell::new(State {
                ring: start.ring,
                link: start.link,
                open_sequence: start.link.sequence,
                open: None,
                closed: VecDeque::new(),
                closed_bytes: 0,
                in_flight: VecDeque::new(),
                durable: start.link.sequence - 1,
                spare: Vec::new(),
                failure: None,
            }),
            sink: RefCell::new(None),
            wake_scheduled: Cell::new(false),
            tells_of_submissions: Cell::new(false),
            progress: Notify::new(),
            meters: JournalMeters::default(),
        })
    }

    /// Names the one to be told of progress.
    pub fn set_sink(&self, sink: Weak<dyn DurabilitySink>) {
        *self.sink.borrow_mut() = Some(sink);
    }

    /// Whether the sink is told of groups as they go to the disk.
    pub fn tell_of_submissions(&self, tells: bool) {
        self.tells_of_submissions.set(tells);
    }

    /// Adds an entry with the payload `parts` to the open group and returns the group's sequence. The entry
    /// is durable once [`Journal::durable_sequence`] has reached it. Never blocks and never fails: callers
    /// ask [`Journal::has_room`] first. After a failure the entry goes nowhere.
    pub fn append(self: &Rc<Self>, entry: &Entry, parts: &[&[u8]]) -> u64 {
        let payload_bytes = parts.iter().map(|part| part.len()).sum();
        let mut state = self.state.borrow_mut();
        if state.failure.is_some() {
            return state.open_sequence;
        }
        if state.open.as_ref().is_some_and(|open| !open.builder.fits(payload_bytes)) {
            state.close_open();
        }
        if state.open.is_none() {
            let buffer = state.buffer_for(encoded_bytes(payload_bytes, 1), self.group_bytes);
            let begun_at = self.runtime.now();
            state.open = Some(Group { builder: GroupBuilder::new(buffer), begun_at });
        }
        state.open.as_mut().expect("just opened").builder.push(entry, parts);
        let sequence = state.open_sequence;
        drop(state);
        self.schedule();
        sequence
    }

    /// Whether `payload_bytes` more can be accepted without using what is reserved for making room.
    pub fn has_room(&self, payload_bytes: usize) -> bool {
        self.room_bytes() >= group_bytes_of(payload_bytes)
    }

    /// Bytes that can still be accepted without using what is reserved for making room.
    pub fn room_bytes(&self) -> u64 {
        self.state.borrow().room_bytes(JOURNAL_RESERVED_FILES)
    }

    /// Whether `payload_bytes` more can be accepted if the reserve is used: for entries that make room. What
    /// later recoveries need for their start groups stays untouched.
    pub fn has_reserve(&self, payload_bytes: usize) -> bool {
        let needed = group_bytes_of(payload_bytes) + START_GROUPS_BYTES;
        self.state.borrow().room_bytes(0) >= needed
    }

    /// Completes when, from now on, something becomes durable, room is made or the writer fails.
    pub fn progressed(&self) -> Notified<'_> {
        self.progress.notified()
    }

    /// All groups up to this sequence are durable.
    pub fn durable_sequence(&self) -> u64 {
        self.state.borrow().durable
    }

    /// Why the writer is out of service, if it is.
    pub fn failure(&self) -> Option<std::sync::Arc<str>> {
        self.state.borrow().failure.clone()
    }

    /// The present moment.
    pub fn position(&self) -> JournalPosition {
        let state = self.state.borrow();
        let entries = state.open.as_ref().map_or(0, |open| open.builder.entries()) as u64;
        JournalPosition { sequence: state.open_sequence, entries }
    }

    /// What it counts.
    pub fn meters(&self) -> &JournalMeters {
        &self.meters
    }

    /// Groups that are being written.
    pub fn groups_in_flight(&self) -> usize {
        self.state.borrow().in_flight.len()
    }

    /// The file that entries appended now will be written to, or an earlier one. Entries may end up in a
    /// later file, never in an earlier.
    pub fn current_file(&self) -> u64 {
        self.state.borrow().ring.current_file()
    }

    /// The oldest file that is not free.
    pub fn oldest_file(&self) -> u64 {
        self.state.borrow().ring.oldest_file()
    }

    /// Files that are free.
    pub fn free_files(&self) -> u64 {
        self.state.borrow().ring.free_files()
    }

    /// The ring's shape.
    pub fn shape(&self) -> RingShape {
        self.state.borrow().ring.shape()
    }

    /// The longest payload of one entry, in bytes.
    pub fn payload_bytes_max(&self) -> usize {
        self.shape().group_bytes_max as usize - BLOCK_BYTES
    }

    /// Length of a file, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.shape().file_bytes
    }

    /// Number of files.
    pub fn file_count(&self) -> u64 {
        self.files.len() as u64
    }

    /// Where replay begins for a checkpoint that needs nothing before the file.
    pub fn start_of(&self, file_number: u64) -> FileStart {
        self.state.borrow().ring.start_of(file_number)
    }

    /// Frees the files before `file_number`. Only after a checkpoint that names it is durable.
    pub fn recycle_before(self: &Rc<Self>, file_number: u64) {
        self.state.borrow_mut().ring.recycle_before(file_number);
        self.progress.notify_waiters();
        self.schedule();
    }

    /// Waits until all groups up to `sequence` are durable; the reason if the writer failed before.
    pub async fn wait_durable(&self, sequence: u64) -> Result<(), std::sync::Arc<str>> {
        loop {
            let progressed = self.progress.notified();
            if self.durable_sequence() >= sequence {
                return Ok(());
            }
            if let Some(reason) = self.failure() {
                return Err(reason);
            }
            progressed.await;
        }
    }

    /// Lets the tasks that are ready now add to the open group before it is closed: the pump runs behind
    /// them in the executor's queue.
    fn schedule(self: &Rc<Self>) {
        if !self.wake_scheduled.replace(true) {
            let journal = Rc::clone(self);
            self.runtime.spawn(Box::pin(async move {
                // A task may be polled inside its spawner. Here that would write each entry on its own, and a
                // fast disk could make it durable before its appender has noted what waits for it.
                journal.runtime.yield_now().await;
                journal.wake_scheduled.set(false);
                journal.pump();
            }));
        }
    }

    /// Submits groups while fewer than the maximum are outstanding.
    fn pump(self: &Rc<Self>) {
        while let Some((place, sequence, write)) = self.next_write() {
            let journal = Rc::clone(self);
            let file = Rc::clone(&self.files[place.slot]);
            let group = self.tells_of_submissions.get().then(|| write.clone());
            let written = file.write_at(place.position, write);
            if let Some(group) = group
                && let Some(sink) = self.sink()
            {
                // The disk has it first; and nobody can have been told yet that it is durable.
                sink.on_submitted(&group);
            }
            self.runtime.spawn(Box::pin(async move {
                if is_planted(Bug::AcknowledgeEarly) {
                    journal.complete(sequence, Ok(()));
                    return;
                }
                journal.complete(sequence, written.await);
            }));
        }
    }

    fn next_write(&self) -> Option<(Place, u64, bytes::Bytes)> {
        let mut state = self.state.borrow_mut();
        if state.failure.is_some() || state.in_flight.len() >= GROUPS_IN_FLIGHT_MAX {
            return None;
        }
        if state.closed.is_empty() && state.open.is_some() {
            state.close_open();
        }
        let bytes = state.closed.front()?.builder.encoded_bytes() as u64;
        let link = state.link;
        let place = state.ring.place(bytes, link)?;
        let group = state.closed.pop_front().expect("looked at above");
        state.closed_bytes -= bytes;
        let submitted_at = self.runtime.now();
        self.meters.queue.record_duration(submitted_at.saturating_sub(group.begun_at));
        self.meters.group_bytes.record(bytes);
        self.meters.entries.add(group.builder.entries() as u64);
        let (buffer, checksum) = group.builder.finish(&GroupHeader {
            journal_id: self.journal_id,
            recovery_count: link.recovery_count,
            sequence: link.sequence,
            durable_through: state.durable,
            previous_checksum: link.previous_checksum,
            is_start: false,
        });
        let sequence = link.sequence;
        state.link = Link { sequence: sequence + 1, previous_checksum: checksum, ..link };
        let write = buffer.view(0..buffer.len());
        state.in_flight.push_back(InFlight { sequence, done: false, buffer, submitted_at });
        Some((place, sequence, write))
    }

    fn complete(self: &Rc<Self>, sequence: u64, result: io::Result<()>) {
        if let Err(error) = result
            && !is_planted(Bug::AcknowledgeFailed)
        {
            self.fail(&error.to_string());
            return;
        }
        let now = self.runtime.now();
        let Some(durable) = self.state.borrow_mut().mark_done(sequence, self.group_bytes, |submitted_at| {
            self.meters.write.record_duration(now.saturating_sub(submitted_at));
        }) else {
            return;
        };
        // The next group goes to the disk before anybody is answered: the disk must not idle meanwhile.
        self.pump();
        if let Some(sink) = self.sink() {
            sink.on_durable(durable);
        }
        self.progress.notify_waiters();
    }

    /// Takes the writer out of service: nothing that is not durable by now will be acknowledged.
    pub fn fail(&self, reason: &str) {
        {
            let mut state = self.state.borrow_mut();
            if state.failure.is_some() {
                return;
            }
            state.failure = Some(std::sync::Arc::from(reason));
            state.open = None;
            state.closed.clear();
        }
        if let Some(sink) = self.sink() {
            sink.on_failure(reason);
        }
        self.progress.notify_waiters();
    }

    fn sink(&self) -> Option<Rc<dyn DurabilitySink>> {
        self.sink.borrow().as_ref().and_then(Weak::upgrade)
    }
}

/// A cautious bound: the entry may need a group of its own.
fn group_bytes_of(payload_bytes: usize) -> u64 {
    encoded_bytes(payload_bytes, 1) as u64
}

impl State {
    fn close_open(&mut self) {
        let open = self.open.take().expect("a group is open");
        self.closed_bytes += open.builder.encoded_bytes() as u64;
        self.closed.push_back(open);
        self.open_sequence += 1;
    }

    fn room_bytes(&self, reserved_files: u64) -> u64 {
        let open = self.open.as_ref().map_or(0, |open| open.builder.encoded_bytes() as u64);
        self.ring.room_bytes(reserved_files).saturating_sub(self.closed_bytes + open)
    }

    fn buffer_for(&mut self, bytes: usize, group_bytes: usize) -> AlignedBuf {
        if bytes > group_bytes {
            return AlignedBuf::with_capacity(bytes);
        }
        // A runtime may let go of a written buffer a little after it says that the write is done.
        let spare = self.spare.pop().filter(|buffer| buffer.is_unique());
        spare.unwrap_or_else(|| AlignedBuf::with_capacity(group_bytes))
    }

    /// Notes a completed write, and gives the time of its submission to `took`; the new durable sequence if it moved.
    fn mark_done(&mut self, sequence: u64, group_bytes: usize, took: impl FnOnce(Duration)) -> Option<u64> {
        if self.failure.is_some() {
            return None;
        }
        let group = self.in_flight.iter_mut().find(|group| group.sequence == sequence);
        let group = group.expect("a completed write is in flight");
        group.done = true;
        took(group.submitted_at);
        let before = self.durable;
        if is_planted(Bug::AcknowledgeOutOfOrder) {
            self.durable = self.durable.max(sequence);
        }
        while self.in_flight.front().is_some_and(|group| group.done) {
            let group = self.in_flight.pop_front().expect("looked at above");
            if is_planted(Bug::AcknowledgeOutOfOrder) {
                self.durable = self.durable.max(group.sequence);
                continue;
            }
            assert_eq!(group.sequence, self.durable + 1, "acknowledged in order");
            self.durable = group.sequence;
            if group.buffer.capacity() == group_bytes && self.spare.len() <= GROUPS_IN_FLIGHT_MAX {
                self.spare.push(group.buffer);
            }
        }
        (self.durable > before).then_some(self.durable)
    }
}
