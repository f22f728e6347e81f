//! From the configuration to what the shards' files are made of.

use rustix::process::Resource;

use super::layout::{Assigned, Ground};
use crate::base::limits::{
    COLD_CACHE_PERCENT, JOURNAL_GROUP_BYTES, JOURNAL_GROUP_OVERHEAD_BYTES, RECLAIM_STEP_BYTES,
};
use crate::cluster::{DiskId, Image};
use crate::config::Config;
use crate::log::journal::ring::RingShape;
use crate::shard::{CompactionConfig, ProducersConfig, StorageConfig, partition_specs};
use crate::startup::resources;

/// What layouts are made of under this configuration.
pub fn ground(config: &Config, disk: DiskId) -> Ground {
    let budgets = &config.budgets;
    let cold_bytes = budgets.cached_bytes / 100 * COLD_CACHE_PERCENT;
    let bytes = |bytes: u64| usize::try_from(bytes).expect("memory fits the address space");
    Ground {
        data_directory: config.data_dir.clone(),
        journal_directory: config.journal_dir.clone(),
        disk_id: *disk.0.as_bytes(),
        shape: RingShape::of_bytes(config.journal_bytes),
        storage: StorageConfig {
            data_directory: config.data_dir.clone(),
            shard_directory: config.data_dir.clone(),
            group_bytes: JOURNAL_GROUP_BYTES,
            segment_bytes: config.log_segment_bytes,
            dirty_bytes_max: budgets.dirty_bytes,
            tail_bytes_max: bytes(budgets.dirty_bytes + budgets.cached_bytes - cold_bytes),
            cold_bytes_max: bytes(cold_bytes),
            open_segments_max: resources::open_segments_that_fit(
                resources::raise(Resource::Nofile),
                config.shards(),
                config.max_connections,
            ),
            retention_check_interval: config.log_retention_check_interval,
            reclaim_step_bytes: RECLAIM_STEP_BYTES,
            compaction: CompactionConfig {
                key_map_bytes_max: bytes(
                    config.log_cleaner_dedupe_buffer_size.min(budgets.compaction_key_bytes()),
                ),
                key_map_bytes_budget: bytes(budgets.compaction_key_bytes()),
                batch_bytes_max: bytes(budgets.compaction_batch_bytes()),
                bytes_per_second: config.log_cleaner_io_max_bytes_per_second,
                backoff: config.log_cleaner_backoff,
            },
            producers: ProducersConfig {
                producers_max: budgets.producers(),
                expiration_ms: config.producer_id_expiration_ms,
            },
            extent_bytes_min: bytes(config.journal_bypass_bytes),
            disk_free_bytes_min: config.disk_free_bytes_min,
        },
    }
}

/// The longest batch that a journal takes.
pub fn batch_bytes_max(shape: RingShape) -> u64 {
    shape.group_bytes_max - JOURNAL_GROUP_OVERHEAD_BYTES
}

/// The node's partitions, each with its shard.
pub fn assigned(config: &Config, image: &Image) -> Vec<Assigned> {
    let of_shard = |shard| {
        let specs = partition_specs(image, config, shard);
        specs.into_iter().map(move |spec| Assigned { shard, spec })
    };
    config.shard_ids().flat_map(of_shard).collect()
}
