//! Gives up records that cannot be had, where an operator decides so. A repair is planned first, and the plan says what
//! is lost. Then, each step durable before the next: what will change is copied (`backup`), the repair is noted
//! (`repair_log`), it is carried out, and that is noted. One write to the journal is what makes it count, so a crash
//! leaves the state before or the one after.

mod backup;
mod boundary;
mod checkpoint;
mod journal;
mod journaled;
mod new_journal;
mod overlaid;
mod repair_log;
mod salvage;
mod slots;
mod truncate;
mod walk;

pub use checkpoint::{CheckpointPlan, plan_checkpoint};
pub use journal::{JournalPlan, plan_journal};
pub use truncate::{TruncatePlan, plan_truncate};

use std::path::PathBuf;

use serde::Serialize;

use super::finding::OffsetRange;
use crate::base::ids::ShardId;

/// What a repair does and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct Repair {
    /// `truncate`, `journal`, `journal headers`, `new journal` or `checkpoint`.
    pub kind: &'static str,
    /// In whose files.
    pub shard: ShardId,
    /// In a sentence.
    pub what: String,
    /// The records that are lost, by partition.
    pub lost: Vec<Lost>,
    /// Files that are copied before anything is changed.
    pub backed_up: Vec<PathBuf>,
    /// Where to.
    pub backup: PathBuf,
}

/// Records of a partition that are given up.
#[derive(Clone, Debug, Serialize)]
pub struct Lost {
    /// The partition's name.
    pub partition: String,
    /// Their offsets, as far as they are known.
    pub offsets: OffsetRange,
    /// Whether there may have been more behind these, nobody knows how many.
    pub and_more: bool,
    /// What else there is to know.
    pub note: Option<String>,
}
