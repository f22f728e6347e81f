//! The admin port: metrics and health by HTTP, on a thread of its own beside the shards.
//!
//! A request asks every shard for a copy of its counters (`collector`), and says what it was told as health (`health`)
//! or as metrics (`exposition`, by the tables of `families` and `group_families`). Shards do a bounded piece of work for it; one that does not
//! answer is told as such.

mod collector;
mod exposition;
mod families;
mod family;
mod group_families;
mod health;
mod process;
mod replication_families;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod thread;

pub use thread::{AdminConfig, AdminPort, AdminThread, Complaint};
