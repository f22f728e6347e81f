//! Partitions move from one set of shards to another: the old shards are dissolved into parcels, and new ones
//! are founded on them.
//!
//! Nobody leads a partition meanwhile, so nothing is appended and no term is entered into its history. The old
//! shards' files stay good to the last: a crash leaves them as a clean stop does, and the new shards count only
//! once somebody says so durably (server/layout.rs). The last bytes of a partition, less than a block, are in
//! the old journal until the new one holds them durably, and no block of a segment that holds a sole copy is
//! written.

use std::rc::Rc;

use bytes::Bytes;

use super::checkpointer::carry_entry;
use super::error::StorageError;
use super::open::PartitionSpec;
use super::replica::Replica;
use super::storage::{Storage, StorageConfig};
use crate::base::ids::PartitionId;
use crate::base::limits::{BLOCK_BYTES, PARTITIONS_PER_TURN};
use crate::log::LogError;
use crate::log::recovery::{DamagedPartition, Parcel, ShardPaths};
use crate::runtime::Runtime;

/// Why partitions cannot move to other shards. The old shards' files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum HandOffError {
    /// Files cannot be read, written or understood.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A partition is damaged, and what is left of it is in the journal that would go.
    #[error(
        "partition {partition} is damaged ({reason}), and its shard's journal holds what is left of it: start \
         with the number of shards that the data directory was made for, and repair or delete the topic first"
    )]
    Damaged {
        /// The partition.
        partition: PartitionId,
        /// What is wrong.
        reason: String,
    },
    /// The storage failed.
    #[error("the partitions' records cannot be written back: {0}")]
    Storage(String),
}

impl From<StorageError> for HandOffError {
    fn from(error: StorageError) -> Self {
        HandOffError::Storage(error.to_string())
    }
}

impl From<Box<DamagedPartition>> for HandOffError {
    fn from(damaged: Box<DamagedPartition>) -> Self {
        match damaged.error {
            LogError::DamagedPartition { partition, what, .. } => {
                HandOffError::Damaged { partition, reason: what }
            }
            other => HandOffError::Log(other),
        }
    }
}

impl Storage {
    /// Recovers a shard's files, writes everything back as a clean stop does, and gives a parcel for each of
    /// `partitions` that the files know. What they know beside these was deleted.
    pub async fn dissolve(
        runtime: Rc<dyn Runtime>,
        config: StorageConfig,
        paths: &ShardPaths,
        disk_id: [u8; 16],
        partitions: &[PartitionSpec],
    ) -> Result<Vec<Parcel>, HandOffError> {
        let (storage, mut recovered) = Storage::recover(runtime, config, paths, disk_id).await?;
        let mut known = Vec::new();
        for spec in partitions {
            if let Some(partition) = recovered.remove(&spec.id) {
                storage.insert(&storage.restore(spec, partition?, None)?);
                known.push(spec.clone());
            }
        }
        storage.make_directories(&known).await?;
        storage.stop().await?;
        Ok(storage.all_replicas().iter().map(|replica| storage.parcel(replica)).collect())
    }

    fn parcel(&self, replica: &Replica) -> Parcel {
        let plan = replica.log.borrow().carry_plan();
        let remainder = plan.map(|plan| {
            let bytes = Bytes::from(plan.bytes.concat());
            assert!(bytes.len() < BLOCK_BYTES, "whole blocks are written back");
            (carry_entry(replica, &plan), bytes)
        });
        let record = self.record(replica);
        let last = record.segments.len().saturating_sub(1);
        assert!(record.segments[..last].iter().all(|segment| segment.sealed), "what was left is complete");
        Parcel { record, remainder }
    }

    /// Fills a shard that [`create`](crate::log::recovery::create) has made and nobody has used with
    /// partitions: their remainders go to its journal, the rest to its checkpoint. Durable when it returns.
    pub async fn found(
        runtime: Rc<dyn Runtime>,
        config: StorageConfig,
        paths: &ShardPaths,
        disk_id: [u8; 16],
        partitions: Vec<(PartitionSpec, Parcel)>,
    ) -> Result<(), HandOffError> {
        let (storage, _) = Storage::recover(Rc::clone(&runtime), config, paths, disk_id).await?;
        for (spec, parcel) in partitions {
            storage.insert(&storage.restore(&spec, parcel.unpack(runtime.wall_clock_ms())?, None)?);
        }
        for replicas in storage.all_replicas().chunks(PARTITIONS_PER_TURN) {
            for replica in replicas {
                if !storage.carry(replica) {
                    // More remainders than the journal takes: a segment that is complete has none.
                    replica.log.borrow_mut().close_last();
                    storage.write_back(std::slice::from_ref(replica)).await?;
                }
            }
            storage.wait_all_durable().await?;
        }
        // Both of the two: the one that `create` has left knows of no partition, and must not be what is read when
        // the other is damaged.
        storage.checkpoint().await?;
        Ok(storage.checkpoint().await?)
    }
}
