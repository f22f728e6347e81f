//! What a look at the files finds: what is wrong, where, and what a start would make of it.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::ids::{Offset, ShardId};
use crate::base::limits::OFFLINE_FINDINGS_MAX;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// As a crash leaves it; a start sets it right, and nothing that was acknowledged is lost by that.
    Note,
    /// The torn end of a journal: a start cuts it off.
    TornTail,
    /// Something is not what was written.
    Corruption,
}

/// Offsets from one up to another, without that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct OffsetRange {
    /// The first.
    pub from: Offset,
    /// The one behind the last.
    pub until: Offset,
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub kind: FindingKind,
    /// In whose files.
    pub shard: Option<ShardId>,
    /// The partition, where it is one's alone.
    pub partition: Option<String>,
    /// The file, or directory.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub position: Option<u64>,
    /// The offsets in doubt.
    pub offsets: Option<OffsetRange>,
    /// What is wrong.
    pub what: String,
    /// What a start, or a reader, makes of it, and what can be done.
    pub outcome: String,
}

impl Finding {
    /// A finding on a file as a whole.
    pub fn new(
        kind: FindingKind,
        file: impl Into<PathBuf>,
        what: impl Into<String>,
        outcome: impl Into<String>,
    ) -> Self {
        Finding {
            kind,
            shard: None,
            partition: None,
            file: file.into(),
            position: None,
            offsets: None,
            what: what.into(),
            outcome: outcome.into(),
        }
    }

    /// In a shard's files.
    pub fn of_shard(mut self, shard: ShardId) -> Self {
        self.shard = Some(shard);
        self
    }

    /// On a partition.
    pub fn of_partition(mut self, name: &str) -> Self {
        self.partition = Some(name.to_owned());
        self
    }

    /// At a position of the file, in bytes.
    pub fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }

    /// These offsets are in doubt.
    pub fn on_offsets(mut self, from: Offset, until: Offset) -> Self {
        self.offsets = Some(OffsetRange { from, until });
        self
    }
}

/// Findings, of which so many are kept and the others counted.
#[derive(Default, Debug, Serialize)]
pub struct Findings {
    /// The first ones.
    pub listed: Vec<Finding>,
    /// How many more there were.
    pub not_listed: u64,
    /// How many of all were corruption.
    pub corruptions: u64,
}

impl Findings {
    /// One more.
    pub fn push(&mut self, finding: Finding) {
        self.corruptions += u64::from(finding.kind == FindingKind::Corruption);
        if self.listed.len() < OFFLINE_FINDINGS_MAX {
            self.listed.push(finding);
        } else {
            self.not_listed += 1;
        }
    }
}
