//! Control: the thread beside the shards that changes the cluster's metadata. It makes each change durable,
//! publishes the new image, and answers once every shard follows it. It never touches a partition.

mod ballast;
mod client;
mod controller;
mod environment;
mod files;
mod node_file;
mod progress;
mod redb_store;
mod reserved_file;
mod start;
mod store;
#[cfg(test)]
mod tests;
mod thread;

pub use client::{ControlClient, ControlError};
pub use environment::Environment;
pub use files::create_dir;
pub use node_file::{Layout, NodeFile, NodeFileError};
pub use progress::AppliedReporter;
pub use redb_store::RedbStore;
pub use start::{Control, ControlConfig, ShardLink, StartError};
pub use store::{MetadataStore, Space, StoreError};
pub use thread::ControlThread;
