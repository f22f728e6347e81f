//! The clean stop: everything written back, and the segments cut to their exact length for other tools.

use std::rc::Rc;

use futures_util::future::try_join_all;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::WRITE_BACKS_AT_ONCE;

impl Storage {
    /// Writes everything back and a last checkpoint. Nothing may be appended any more; the storage's tasks
    /// end by themselves. The last bytes of a partition, less than a block, stay in the journal as well: the next
    /// start goes on writing in that block, and no block that holds a sole copy is ever written again.
    pub async fn stop(&self) -> Result<(), StorageError> {
        self.is_stopping.set(true);
        self.wake_tasks();
        self.cold.ahead.finished().await;
        for replica in self.all_replicas() {
            self.wait_extended(&replica).await;
        }
        self.wait_all_durable().await?;
        for some in self.replicas_to_write().chunks(WRITE_BACKS_AT_ONCE) {
            self.write_back(some).await?;
        }
        self.checkpoint().await?;
        for some in self.replicas_to_write().chunks(WRITE_BACKS_AT_ONCE) {
            try_join_all(some.iter().map(|replica| self.park(replica))).await?;
        }
        Ok(())
    }

    async fn park(&self, replica: &Rc<Replica>) -> Result<(), StorageError> {
        let plan = {
            let log = replica.log.borrow();
            log.segments().last().filter(|it| !it.sealed).map(|it| (it.base_offset, it.seal_plan()))
        };
        let Some((base, plan)): Option<(Offset, _)> = plan else { return Ok(()) };
        let file = self.segment_with_space(replica, base, plan.end_position).await?;
        if let Some(bytes) = plan.bytes {
            file.write_at(plan.position, bytes).await.map_err(|error| StorageError::disk(&error))?;
        }
        file.set_length(plan.end_position).await.map_err(|error| StorageError::disk(&error))
    }
}
