//! Control: the thread beside the shards that changes the cluster's metadata. It proposes each change to the metadata
//! quorum, publishes the new image when that has committed it, and answers once every shard follows. It never touches a
//! partition.

mod ballast;
mod client;
mod controller;
mod environment;
mod files;
mod lone_quorum;
mod migration;
mod node_file;
mod progress;
mod record_text;
mod reserve;
mod reserved_file;
mod start;
mod store;
#[cfg(test)]
mod tests;
mod thread;
mod watch;

pub use client::{ControlClient, ControlError};
pub use environment::Environment;
pub use files::create_dir;
pub use lone_quorum::LoneQuorum;
pub use node_file::{Layout, NodeFile, NodeFileError};
pub use progress::AppliedReporter;
pub use start::{Control, ControlConfig, ShardLink, StartError};
pub use store::{MetadataStore, Space, StoreError};
pub use thread::ControlThread;
pub use watch::ControlWatch;
