//! The coordinator's records on their way to the log, by the same way as all others; what comes of them is told in
//! their order.

use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::host::{PlacedAppend, WantedAppend};
use crate::base::ids::PartitionId;
use crate::coordinator::AppendFailure;
use crate::protocol::batch::{BatchBuilder, BatchHeader};
use crate::protocol::group_records::{EncodedRecord, GroupRecord};
use crate::shard::error::StorageError;
use crate::shard::partition_error::PartitionError;
use crate::shard::shard::Shard;

impl Shard {
    /// Gives records their places in the log, one batch after the other.
    pub(super) async fn append_for_groups(self: Rc<Self>) {
        loop {
            let next = self.groups.wanted.borrow_mut().pop_front();
            let Some(WantedAppend { id, partition, records }) = next else {
                match self.notified_or_stopped(&self.groups.wanted_came).await {
                    true => continue,
                    false => return,
                }
            };
            let batch = batch(&records, self.runtime.wall_clock_ms());
            let header = BatchHeader::parse(&batch).expect("our own batch");
            let charge = self.unless_stopped(self.budgets.undurable.take(batch.len() as u64)).await;
            let Some(charge) = charge else { return };
            let partition = PartitionId { topic: self.groups.topic.get(), index: partition };
            let pending = self.append(partition, &header, batch).await;
            self.groups.placed.borrow_mut().push_back(PlacedAppend { id, pending, charge });
            self.groups.placed_came.notify_one();
        }
    }

    /// Tells the coordinator what has become of its records.
    pub(super) async fn tell_groups(self: Rc<Self>) {
        loop {
            let next = self.groups.placed.borrow_mut().pop_front();
            let Some(PlacedAppend { id, pending, charge }) = next else {
                match self.notified_or_stopped(&self.groups.placed_came).await {
                    true => continue,
                    false => return,
                }
            };
            // Other nodes are not heard any more when the shard stops, so it may never be known.
            let Some(outcome) = self.unless_stopped(pending).await else { return };
            let outcome = match outcome {
                Ok(_) => Ok(()),
                Err(PartitionError::Storage(StorageError::TooLarge(_))) => Err(AppendFailure::TooLarge),
                Err(error) => {
                    tracing::warn!(shard = self.id.0, %error, "a group's records could not be stored");
                    Err(AppendFailure::Unavailable)
                }
            };
            drop(charge);
            self.groups.step(|core, moment| core.appended(moment, id, outcome));
        }
    }

    /// `false` when the shard stops.
    async fn notified_or_stopped(&self, notify: &Notify) -> bool {
        self.until(notify.notified()).await
    }
}

fn batch(records: &[GroupRecord], now_ms: i64) -> Bytes {
    let add = |builder: BatchBuilder, record: &GroupRecord| {
        let EncodedRecord { key, value } = record.encode();
        builder.record(now_ms, Some(&key), value.as_deref())
    };
    records.iter().fold(BatchBuilder::new(), add).build().into()
}
