//! Why a command failed.

use thiserror::Error;

use crate::broker::WatchError;
use crate::client::ClientError;
use crate::report::ReportError;

/// A command that did not do what it was asked for.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The brokers.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A thread that cannot be started.
    #[error(
        "cannot start a thread on CPU {cpu}: {source}; io_uring must be allowed, and `ulimit -l` be at least 512 KiB"
    )]
    Thread {
        /// The CPU.
        cpu: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A thread that panicked: a defect.
    #[error("a thread ended unexpectedly; this is a defect of loadgen")]
    Panicked,
    /// Only a part was measured.
    #[error("the results are partial: {0}")]
    Partial(String),
    /// Requests were refused.
    #[error("{0} requests were answered with errors; see the summary")]
    RequestsFailed(u64),
    /// Verification found something.
    #[error("records were lost, duplicated, reordered or changed; see the counts")]
    NotClean,
    /// A sweep whose first rates were all too high.
    #[error("no rate that was tried holds the bound")]
    NoKnee,
    /// A broker that took nothing.
    #[error(
        "the broker acknowledged nothing while its capacity was measured; see what `loadgen run --closed` says"
    )]
    NoCapacity,
    /// A broker that cannot be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Sizes that contradict each other.
    #[error("{0}")]
    DiskPlan(String),
    /// The disk.
    #[error("{}: {source}; direct I/O needs a directory on ext4, XFS or the like, with enough space (--dir)", path.display())]
    Disk {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The loopback network.
    #[error("loopback cannot be measured: {0}")]
    Net(std::io::Error),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Signals cannot be handled, or the terminal is gone.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}
