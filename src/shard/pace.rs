//! The pace of write-back: as the journal fills, not as fast as the disk can. A synchronous write waits for everything
//! that the disk was given before it, so what is written back in a burst is paid for by the producers of that moment.
//! PostgreSQL spreads its checkpoints for the same reason (`checkpoint_completion_target`).

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::{WRITE_BACK_PAUSE_MS, WRITE_BACK_ROOM_PART};

const PAUSE: Duration = Duration::from_millis(WRITE_BACK_PAUSE_MS);

/// How far the moving of some bytes out of the journal has come, against the room that it had when that began.
pub(super) struct Pace {
    total_bytes: u64,
    moved_bytes: u64,
    room_bytes: u64,
}

impl Pace {
    /// For bytes that are to be moved while the journal takes at most `room_bytes`.
    pub fn new(total_bytes: u64, room_bytes: u64) -> Self {
        Pace { total_bytes, moved_bytes: 0, room_bytes }
    }

    /// Whether the next step is due when this room is left.
    fn is_due(&self, room_bytes: u64) -> bool {
        let used = self.room_bytes.saturating_sub(room_bytes) * WRITE_BACK_ROOM_PART;
        u128::from(self.moved_bytes) * u128::from(self.room_bytes)
            <= u128::from(self.total_bytes) * u128::from(used)
    }
}

impl Storage {
    /// After a step of so many bytes: waits until the next one is due, or somebody waits for it.
    pub(super) async fn keep(&self, pace: &mut Pace, step_bytes: u64) {
        pace.moved_bytes += step_bytes;
        let mut pause = pin!(self.runtime.sleep(PAUSE));
        loop {
            let (mut ended, mut work) = (pin!(self.ended.notified()), pin!(self.work.notified()));
            let mut progressed = pin!(self.journal.progressed());
            if self.has_ended() || self.room_line.len() > 0 || pace.is_due(self.journal.room_bytes()) {
                return;
            }
            let changed = select(ended.as_mut(), select(work.as_mut(), progressed.as_mut()));
            if let Either::Left(_) = select(pause.as_mut(), changed).await {
                return;
            }
        }
    }

    /// Writes back the whole blocks of some partitions for which journal files before `target` are needed and that are
    /// durable in the journal by now, and makes them durable in the files.
    pub(super) async fn write_back_paced(
        &self,
        replicas: &[Rc<Replica>],
        target: u64,
        pace: &mut Pace,
    ) -> Result<(), StorageError> {
        for replica in replicas {
            // Of a partition that is appended to all the time there would be no end.
            let end = replica.state.borrow().progress().durable_end();
            while let Some(step_bytes) = self.write_one_before(replica, end, target).await? {
                self.keep(pace, step_bytes).await;
            }
        }
        let _turn = self.segment_turn.lock().await;
        self.check_in_service()?;
        self.sync_written(replicas).await
    }

    /// One stretch before `end`; how many of its bytes needed journal files before `target`. Others get the turn at
    /// segments between two.
    async fn write_one_before(
        &self,
        replica: &Rc<Replica>,
        end: Offset,
        target: u64,
    ) -> Result<Option<u64>, StorageError> {
        let _turn = self.segment_turn.lock().await;
        // After a failed write the next one would succeed, whatever became of the bytes.
        self.check_in_service()?;
        // The log may have been cut since the last one.
        let bound = end.min(replica.state.borrow().progress().durable_end());
        let next = replica.log.borrow().next_write_back_before(bound, target);
        let Some(stretch) = next else { return Ok(None) };
        let before = replica.log.borrow().unwritten_before(target);
        self.write_stretch(replica, stretch).await?;
        Ok(Some(before.saturating_sub(replica.log.borrow().unwritten_before(target))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_moved_when_half_of_the_room_is_used() {
        let mut pace = Pace::new(600, 100);
        assert!(pace.is_due(100), "the first step is due at once");
        pace.moved_bytes = 60;
        assert!(!pace.is_due(96) && pace.is_due(95));
        pace.moved_bytes = 600;
        assert!(!pace.is_due(51) && pace.is_due(50));
    }

    #[test]
    fn without_room_everything_is_due() {
        let mut pace = Pace::new(600, 0);
        pace.moved_bytes = 600;
        assert!(pace.is_due(0));
    }
}
