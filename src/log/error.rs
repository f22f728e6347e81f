//! What can go wrong in the log. Each says what it means for the data and what an operator can do.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::ids::{Offset, PartitionId};

/// Whether the disk said that it has no room, or a quota.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An operating error of the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The disk's answer.
        source: io::Error,
    },
    /// There is no space for a file. Nothing that counts was changed.
    #[error("{}: there is no space for its {needed_bytes} bytes: {source}", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// How long it would be.
        needed_bytes: u64,
        /// The disk's answer.
        source: io::Error,
    },
    /// A journal file that does not belong here.
    #[error(
        "{}: not this shard's journal: {what}; put the original files back (or check `journal.dir`), or go on without \
         what only they hold with `corelane log repair --journal`", path.display()
    )]
    ForeignJournal {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// Checkpoints that do not belong here.
    #[error(
        "{}: its checkpoints were made for another data directory; restore the whole data directory from one backup",
        path.display()
    )]
    ForeignCheckpoint {
        /// The shard's directory.
        path: PathBuf,
    },
    /// A journal file that should be here and is not.
    #[error(
        "{}: the journal file is missing; acknowledged records may be in it. Put the original back (or check \
         `journal.dir`), start with an empty data directory if other nodes have copies of everything, or go on without \
         what only the journal holds with `corelane log repair --journal`", path.display()
    )]
    MissingJournal {
        /// The file.
        path: PathBuf,
    },
    /// Neither checkpoint can be read.
    #[error(
        "{}: no readable checkpoint; without it the journal cannot be replayed. Restore the directory from \
         a copy, start with an empty data directory if other nodes have copies of everything, or have one made of \
         what segments and journal hold with `corelane log repair --checkpoint`",
        path.display()
    )]
    NoCheckpoint {
        /// The shard's directory.
        path: PathBuf,
    },
    /// A group that was acknowledged is damaged.
    #[error(
        "{}: journal group {sequence} is damaged although it is known to have been durable: acknowledged records are \
         in doubt from there on. Restore the file from a copy, or give them up with `corelane log repair`, and start \
         again", path.display()
    )]
    CorruptJournal {
        /// The journal's directory.
        path: PathBuf,
        /// The damaged group.
        sequence: u64,
    },
    /// The journal ends before a recovery that it has begun.
    #[error(
        "{}: the journal ends in recovery {found} and has begun recovery {noted}: it is an older copy of this shard's \
         journal, or its end is damaged, and acknowledged records are missing from it. Put the journal back that was \
         used last, or give up what is missing with `corelane log repair --journal`, and start again", path.display()
    )]
    OldJournal {
        /// The journal's directory.
        path: PathBuf,
        /// The first group that is missing.
        sequence: u64,
        /// The recovery in which it ends.
        found: u64,
        /// The newest that is known to have begun.
        noted: u64,
    },
    /// Not even recovery's own group fits.
    #[error(
        "{}: the journal is full of groups that no checkpoint has freed; this is a defect of Corelane: keep \
         the directory and report it", path.display()
    )]
    JournalFull {
        /// The journal's directory.
        path: PathBuf,
    },
    /// The journal contradicts itself or the checkpoint on one partition.
    #[error("partition {partition}: damaged at offset {offset}: {what}")]
    DamagedPartition {
        /// The partition.
        partition: PartitionId,
        /// The first offset in doubt.
        offset: Offset,
        /// What is wrong.
        what: String,
    },
    /// A write or sync failed earlier; nothing is acknowledged after that.
    #[error("the shard's writer is out of service after a failed write: {0}")]
    OutOfService(String),
}

impl LogError {
    /// For `map_err`: the disk's answer with the path that it is about.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> LogError + '_ {
        move |source| LogError::Io { path: path.to_owned(), source }
    }
}
