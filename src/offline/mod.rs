//! Looking at a data directory while no broker runs on it, and mending it where an operator decides to lose data
//! (docs/log-tools.md). Reads with the readers that recovery and consumers use; only `repair` writes.

mod damage;
mod dump;
mod error;
mod finding;
mod indexes;
mod journal;
mod metadata;
mod progress;
mod repair;
mod segments;
mod site;
mod stat;
mod verify;

pub use dump::{Batch, Dump, DumpOptions, Record, Row, dump};
pub use error::OfflineError;
pub use finding::{Finding, FindingKind, Findings, OffsetRange};
pub use metadata::check_metadata;
pub use progress::Progress;
pub use repair::{
    CheckpointPlan, JournalPlan, Lost, Repair, TruncatePlan, plan_checkpoint, plan_journal, plan_truncate,
};
pub use site::{Access, DataDirectory, Site};
pub use stat::{PartitionStat, ShardStat, Stat, stat};
pub use verify::{Totals, Verified, verify};
