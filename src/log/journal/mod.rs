//! The shard's journal: one durable write for all partitions of a core (docs/journal-format.md).

pub mod entry;
pub mod extent;
pub mod file_header;
pub mod files;
pub mod group;
pub mod meters;
pub mod reader;
pub mod ring;
pub mod writer;
