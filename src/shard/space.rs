//! A disk that fills: produce is refused while there is still room for everything that makes room again, and accepted
//! when there is enough of it, without a restart.
//!
//! Only the data directory's disk counts. The journals' files are written once and used again, so a full disk below
//! them stops nothing.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;

use super::error::StorageError;
use super::storage::Storage;
use crate::base::limits::{
    COMPACTION_FREE_PART, COMPACTION_ROOM_LOOKS, DISK_FREE_RESUME_BYTES_MAX, DISK_FREE_RESUME_PART,
    DISK_LOOKS_UNTIL_FULL, DISK_SPACE_CHECK_MS, SEGMENT_ALLOCATION_BYTES_MAX, SEGMENT_ALLOCATION_BYTES_MIN,
};
use crate::log::is_no_space;
use crate::runtime::DiskSpace;

const CHECK_PAUSE: Duration = Duration::from_millis(DISK_SPACE_CHECK_MS);

/// Room that was not enough for a pass of compaction.
#[derive(Clone, Copy)]
struct TooFew {
    /// Bytes that were free when it began.
    usable_bytes: u64,
    /// How often was looked since whether there are more.
    looks: u32,
}

/// What another look at the disk changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// Produce is refused from now on.
    Full,
    /// Produce is accepted again.
    Freed,
}

/// What is known of the room on the data directory's disk. Pure.
#[derive(Default)]
pub(super) struct Space {
    /// `disk.free.min`
    free_bytes_min: u64,
    /// As it was last seen.
    seen: Cell<Option<DiskSpace>>,
    /// What this shard has taken since, in bytes.
    taken_bytes: Cell<u64>,
    /// So much was taken that it is time to look again.
    look: Notify,
    /// Why produce is refused, if it is.
    refusal: RefCell<Option<Arc<str>>>,
    /// What the disk had no room for since the last look.
    denied: RefCell<Option<Arc<str>>>,
    /// What the journal needs to be freed and the disk has no room for.
    stuck: RefCell<Option<Arc<str>>>,
    /// Bytes that were free when a pass of compaction began for which that was not enough.
    too_few_to_compact: Cell<Option<TooFew>>,
}

impl Space {
    /// Refuses produce while less than `free_bytes_min` are free.
    pub(super) fn new(free_bytes_min: u64) -> Self {
        Space { free_bytes_min, ..Space::default() }
    }

    /// The room that was last seen, if any was.
    pub(super) fn seen(&self) -> Option<DiskSpace> {
        self.seen.get()
    }

    /// Why produce is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Arc<str>> {
        self.refusal.borrow().clone()
    }

    /// What the journal cannot be freed without, if that is so.
    pub(super) fn stuck(&self) -> Option<Arc<str>> {
        self.stuck.borrow().clone()
    }

    /// Notes that the journal cannot be freed, or can again.
    pub(super) fn set_stuck(&self, reason: Option<Arc<str>>) {
        *self.stuck.borrow_mut() = reason;
    }

    /// Notes that a segment was given space. A fast disk is full within a second: the next look comes before that, also
    /// where all shards do the same.
    pub(super) fn note_taken(&self, bytes: u64) {
        self.taken_bytes.set(self.taken_bytes.get().saturating_add(bytes));
        let left = self.seen.get().map_or(0, |seen| seen.usable_bytes.saturating_sub(self.free_bytes_min));
        if self.taken_bytes.get() >= (left / DISK_LOOKS_UNTIL_FULL).max(SEGMENT_ALLOCATION_BYTES_MAX) {
            self.look.notify_one();
        }
    }

    /// Notes that the disk had no room for something; it is logged with the next look.
    pub(super) fn note_denied(&self, reason: &Arc<str>) {
        *self.denied.borrow_mut() = Some(Arc::clone(reason));
    }

    /// Whether compaction may take `bytes` of `usable_bytes` that are free. It may have a part of what produce must leave,
    /// or nothing would ever free a disk that compacted topics have filled; the rest is for what frees space at once.
    fn may_compact(&self, usable_bytes: u64, bytes: u64) -> bool {
        usable_bytes.saturating_sub(bytes) >= self.free_bytes_min / COMPACTION_FREE_PART
    }

    /// Notes what is free now below `directory`.
    fn note(&self, space: DiskSpace, directory: &Path) -> Option<Change> {
        self.seen.set(Some(space));
        self.taken_bytes.set(0);
        let free_bytes = space.usable_bytes;
        let more = (self.free_bytes_min / DISK_FREE_RESUME_PART).min(DISK_FREE_RESUME_BYTES_MAX);
        let was_refused = self.refusal.borrow().is_some();
        let wanted = self.free_bytes_min + if was_refused { more } else { 0 };
        let is_refused = free_bytes < wanted;
        *self.refusal.borrow_mut() = is_refused.then(|| {
            format!(
                "the disk of {} is nearly full: {free_bytes} bytes are free, and produce wants {wanted} \
                 (disk.free.min): delete records or topics, shorten retention, or enlarge the disk",
                directory.display()
            )
            .into()
        });
        match (was_refused, is_refused) {
            (false, true) => Some(Change::Full),
            (true, false) => Some(Change::Freed),
            _ => None,
        }
    }
}

impl Storage {
    /// Whether produce may be accepted, as far as the disk's room is concerned. What the broker itself writes, such as
    /// the offsets of consumer groups, does not ask.
    pub fn check_space(&self) -> Result<(), StorageError> {
        self.space.refusal().map_or(Ok(()), |reason| Err(StorageError::DiskFull(reason)))
    }

    /// Looks at the disk's room every second, and when much was taken, until the storage stops. A writer that failed ends nothing: what is free
    /// goes on being told.
    pub async fn watch_space(self: Rc<Self>) {
        while !self.is_stopping.get() {
            let ended = std::pin::pin!(self.ended.notified());
            self.look_at_space().await;
            let pause = select(self.runtime.sleep(CHECK_PAUSE), ended);
            select(pause, std::pin::pin!(self.space.look.notified())).await;
        }
    }

    pub(super) async fn look_at_space(&self) {
        if let Some(denied) = self.space.denied.borrow_mut().take() {
            tracing::error!(
                reason = &*denied,
                "the disk has no room: produce is refused where it needs some"
            );
        }
        let directory = &self.config.data_directory;
        let change = match self.runtime.disk_space(directory).await {
            Ok(space) => self.space.note(space, directory),
            Err(error) => return tracing::warn!(%error, "the disk's free space is not known"),
        };
        match change {
            Some(Change::Full) => {
                let reason = self.space.refusal().unwrap_or_default();
                tracing::error!(reason = &*reason, "produce is refused; retention is applied now");
                self.retention_wanted.notify_one();
            }
            Some(Change::Freed) => {
                let free_bytes = self.space.seen().map_or(0, |space| space.usable_bytes);
                tracing::info!(free_bytes, "the disk has room again: produce is accepted");
            }
            None => {}
        }
    }

    /// Bytes that are free now, if that is known.
    pub(super) async fn usable_bytes(&self) -> Option<u64> {
        Some(self.runtime.disk_space(&self.config.data_directory).await.ok()?.usable_bytes)
    }

    /// Whether compaction may take so many bytes. Where nothing is known of the disk's room, the disk itself will say.
    pub(super) async fn has_room_to_compact(&self, bytes: u64) -> bool {
        self.usable_bytes().await.is_none_or(|usable_bytes| self.space.may_compact(usable_bytes, bytes))
    }

    /// Notes that there was not enough room for a pass that had begun with so many bytes free.
    pub(super) fn put_compaction_off(&self, usable_bytes: Option<u64>) {
        let too_few = usable_bytes.map(|usable_bytes| TooFew { usable_bytes, looks: 0 });
        self.space.too_few_to_compact.set(too_few);
    }

    /// Whether compaction is to wait since a pass had not enough room, and there is hardly more by now.
    pub(super) async fn waits_for_room_to_compact(&self) -> bool {
        let Some(too_few) = self.space.too_few_to_compact.get() else { return false };
        let enough_bytes = too_few.usable_bytes.saturating_add(SEGMENT_ALLOCATION_BYTES_MIN);
        let is_more = self.usable_bytes().await.is_none_or(|now| now >= enough_bytes);
        // What had the room may have been another shard's compaction, which has given it back.
        let waits = !is_more && too_few.looks < COMPACTION_ROOM_LOOKS;
        let looks = too_few.looks + 1;
        self.space.too_few_to_compact.set(waits.then_some(TooFew { looks, ..too_few }));
        waits
    }

    /// What an operation that changed nothing had no room for, as its error.
    pub(super) fn no_space(&self, error: &dyn std::fmt::Display) -> StorageError {
        let reason: Arc<str> = error.to_string().into();
        self.space.note_denied(&reason);
        StorageError::DiskFull(reason)
    }

    /// The error of an operation that asked for room.
    pub(super) fn space_error(&self, error: &io::Error) -> StorageError {
        if is_no_space(error) { self.no_space(error) } else { StorageError::disk(error) }
    }

    /// Rests after the disk had no room for what frees the journal, before it is tried again. Meanwhile who waits for
    /// the journal's room is told.
    pub(super) async fn rest_without_space(&self, reason: Arc<str>) {
        self.space.set_stuck(Some(reason));
        self.room.notify_waiters();
        self.pause(CHECK_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(space: &Space, usable_bytes: u64) -> Option<Change> {
        space.note(DiskSpace { total_bytes: 1 << 40, usable_bytes }, Path::new("/data"))
    }

    #[test]
    fn produce_is_refused_below_the_bound_and_accepted_when_a_little_more_is_free() {
        let space = Space::new(1000);
        let steps = [
            (1000, None, false),
            (999, Some(Change::Full), true),
            (500, None, true),
            (1249, None, true),
            (1250, Some(Change::Freed), false),
            (1000, None, false),
            (0, Some(Change::Full), true),
        ];
        for (free, change, is_refused) in steps {
            assert_eq!((note(&space, free), space.refusal().is_some()), (change, is_refused), "{free}");
        }
        let reason = space.refusal().expect("refused");
        for part in ["/data", "0 bytes are free", "wants 1000 ", "disk.free.min", "delete records"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert_eq!(note(&Space::new(u64::MAX >> 18), (u64::MAX >> 18) - 1), Some(Change::Full));
    }

    #[test]
    fn who_takes_much_has_the_disk_looked_at_sooner() {
        use futures_util::FutureExt;

        let space = Space::new(1 << 30);
        let is_time = |space: &Space| space.look.notified().now_or_never().is_some();
        note(&space, 33 << 30);
        space.note_taken((2 << 30) - 1);
        assert!(!is_time(&space));
        space.note_taken(1);
        assert!(is_time(&space));
        note(&space, 1 << 30);
        space.note_taken(SEGMENT_ALLOCATION_BYTES_MAX - 1);
        assert!(!is_time(&space), "not for every small step");
        space.note_taken(1);
        assert!(is_time(&space));
    }

    #[test]
    fn compaction_leaves_a_part_of_what_produce_leaves() {
        let space = Space::new(1000);
        let taken =
            [(2000, 1500, true), (2000, 1501, false), (900, 400, true), (900, 401, false), (400, 1, false)];
        for (usable, bytes, may) in taken {
            assert_eq!(space.may_compact(usable, bytes), may, "{bytes} of {usable}");
        }
        assert!(Space::new(0).may_compact(0, 1), "the disk itself will say");
    }

    #[test]
    fn without_a_bound_nothing_is_refused_early() {
        let space = Space::new(0);
        assert_eq!((note(&space, 0), space.refusal()), (None, None));
    }
}
