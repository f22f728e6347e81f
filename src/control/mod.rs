//! Control: the thread beside the shards that changes the cluster's metadata. It proposes each change to the metadata
//! quorum, publishes the new image when that has committed it, and answers once every shard follows. It never touches a
//! partition.

mod ballast;
mod client;
mod cluster;
mod controller;
mod decide;
mod environment;
mod files;
mod joining;
mod lone_quorum;
mod migration;
mod node_file;
mod progress;
mod record_text;
mod reserve;
mod reserved_file;
mod start;
mod store;
mod store_file;
#[cfg(test)]
mod tests;
mod thread;
mod watch;

pub use client::{ControlClient, ControlError};
pub use cluster::{ClusterConfig, ForShards};
pub use environment::Environment;
pub use files::create_dir;
pub use joining::Joining;
pub use lone_quorum::LoneQuorum;
pub use node_file::{Layout, NodeFile, NodeFileError};
pub use progress::AppliedReporter;
pub use record_text::{change_of, cluster_change, image_of};
pub use start::{Control, ControlConfig, ShardLink, StartError};
pub use store::{MetadataStore, Space, StoreError};
pub use thread::ControlThread;
pub use watch::ControlWatch;
