//! Corelane: a drop-in Apache Kafka that fsyncs before it acknowledges. ARCHITECTURE.md is the map.

pub mod admin;
pub mod api;
pub mod base;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod control;
pub mod coordinator;
pub mod link;
pub mod log;
pub mod offline;
pub mod partition;
pub mod peers;
pub mod protocol;
pub mod quorum;
pub mod replication;
pub mod runtime;
pub mod server;
pub mod shard;
pub mod startup;
pub mod transport;
