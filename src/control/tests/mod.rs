//! Control on real files in a temporary directory, and its store on a disk that crashes.

mod commands;
mod crashing_disk;
mod lives;
mod migration;
mod start;
mod store;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Control, ControlConfig, Environment, StartError};
use crate::base::ids::NodeId;
use crate::cluster::{NewTopic, TopicDefaults};
use crate::config::Advertise;

const NODE: NodeId = NodeId(1);

/// Ids from a counter that all tests share, so that none comes twice.
fn environment() -> Environment {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Environment {
        random_u64: Box::new(|| NEXT.fetch_add(1, Ordering::Relaxed)),
        wall_clock_ms: Box::new(|| 1_700_000_000_000),
    }
}

fn config(dir: &Path, shards: u16) -> ControlConfig {
    ControlConfig {
        data_dir: dir.to_owned(),
        node: NODE,
        shards,
        advertise: Advertise::Shard,
        num_partitions: 1,
        default_replication_factor: 1,
        replicas_max: crate::base::limits::REPLICAS_PER_PARTITION_MAX,
        defaults: TopicDefaults::default(),
        cpu: None,
        environment: environment(),
    }
}

fn start(dir: &Path, shards: u16) -> Result<Control, StartError> {
    Control::start(config(dir, shards))
}

fn topic(name: &str, num_partitions: i32) -> NewTopic {
    NewTopic { num_partitions, ..NewTopic::with_defaults(name) }
}
