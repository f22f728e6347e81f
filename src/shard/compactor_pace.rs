//! Keeps compaction behind everything else that a shard does.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::compactor_pass::PassError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{COMPACTION_BYTES_PER_TURN, COMPACTION_PAUSE_MS_MAX};

/// Keeps a pass to its steps and its share of the disk.
pub(super) struct Pace<'a> {
    storage: &'a Storage,
    pub(super) replica: &'a Rc<Replica>,
    /// When so many bytes may have been read and written as were.
    due: Cell<Duration>,
    /// Bytes worked on since others had their turn.
    in_turn: Cell<usize>,
}

impl<'a> Pace<'a> {
    /// A pass begins.
    pub(super) fn begin(storage: &'a Storage, replica: &'a Rc<Replica>) -> Self {
        let due = Cell::new(storage.runtime.now());
        Pace { storage, replica, due, in_turn: Cell::new(0) }
    }

    /// So many bytes were worked on: lets others have their turn when it is time.
    pub(super) async fn worked(&self, bytes: usize) -> Result<(), PassError> {
        self.in_turn.set(self.in_turn.get() + bytes);
        if self.in_turn.get() < COMPACTION_BYTES_PER_TURN {
            return Ok(());
        }
        self.end_turn();
        self.storage.runtime.yield_now().await;
        self.check()
    }

    /// So many bytes were read or written: waits until more may be.
    pub(super) async fn moved(&self, bytes: u64) -> Result<(), PassError> {
        self.end_turn();
        let rate = self.storage.cleaner_bytes_per_second();
        // What a slow disk has not moved in time is not made up for.
        let earliest = self.storage.runtime.now().saturating_sub(Duration::from_secs(1));
        self.due.set(self.due.get().max(earliest) + Duration::from_secs_f64(bytes as f64 / rate as f64));
        loop {
            self.check()?;
            let left = self.due.get().saturating_sub(self.storage.runtime.now());
            if left.is_zero() {
                return Ok(());
            }
            // It may have to end meanwhile.
            self.storage.runtime.sleep(left.min(Duration::from_millis(COMPACTION_PAUSE_MS_MAX))).await;
        }
    }

    /// Asks for so many bytes of the disk before they are taken.
    pub(super) async fn take_room(&self, bytes: u64) -> Result<(), PassError> {
        if self.storage.has_room_to_compact(bytes).await { Ok(()) } else { Err(PassError::NoRoom) }
    }

    fn end_turn(&self) {
        let longest = &self.storage.meters.compaction.longest_turn_bytes;
        longest.set(longest.get().max(self.in_turn.replace(0) as u64));
    }

    pub(super) fn check(&self) -> Result<(), PassError> {
        let has_ended = self.storage.has_ended() || self.replica.check_online().is_err();
        if has_ended { Err(PassError::Interrupted) } else { Ok(()) }
    }
}
