//! Retention: every few minutes, what is too much or too old goes, and segments that have spanned their time are
//! completed although nothing more came.

use std::rc::Rc;

use futures_util::future::select;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::log::Retention;

impl Storage {
    /// Looks after all partitions, one after the other, until the storage stops or fails.
    pub async fn keep_retention(self: Rc<Self>) {
        loop {
            let ended = self.ended.notified();
            if self.has_ended() {
                return;
            }
            let wanted = std::pin::pin!(self.retention_wanted.notified());
            let next = select(self.runtime.sleep(self.config.retention_check_interval), wanted);
            select(std::pin::pin!(ended), next).await;
            for replica in self.all_replicas() {
                if self.has_ended() {
                    return;
                }
                match self.retain(&replica).await {
                    Ok(_) | Err(StorageError::Deleted | StorageError::OutOfService(_)) => {}
                    Err(error) => tracing::warn!(partition = %replica.id, %error, "retention failed"),
                }
                self.runtime.yield_now().await;
            }
        }
    }

    /// Applies a partition's retention and segment age. Returns the log's start, which is durable then; files below
    /// it are removed a little later.
    pub async fn retain(&self, replica: &Rc<Replica>) -> Result<Offset, StorageError> {
        let now_ms = self.steady_ms();
        replica.state.borrow_mut().expire_producers(now_ms, self.producer_expiration_ms());
        self.count_producers(replica);
        let settings = replica.settings();
        let retention = match settings.cleanup.delete {
            true => Retention { bytes: settings.retention_bytes, age_ms: settings.retention_ms },
            false => Retention::default(),
        };
        let wanted = {
            let state = replica.state.borrow();
            let (log_start, high_watermark) =
                (state.progress().log_start(), state.progress().high_watermark());
            replica.log.borrow().retained_from(&retention, log_start, high_watermark, now_ms)
        };
        // A follower's log starts where its leader's does.
        let is_led = replica.state.borrow().leader_epoch().is_some();
        if let Some(offset) = wanted.filter(|_| is_led || !replica.is_replicated()) {
            let log_start = self.advance_log_start(replica, offset).await?;
            tracing::info!(partition = %replica.id, log_start, "retention has moved the log start");
        }
        let is_overdue = replica.log.borrow().is_overdue(now_ms);
        if is_overdue && !replica.is_allocating.get() {
            replica.log.borrow_mut().close_last();
            self.write_back(std::slice::from_ref(replica)).await?;
        }
        Ok(replica.durable_log_start.get())
    }
}
