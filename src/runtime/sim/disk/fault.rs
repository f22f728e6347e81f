//! Faults that a test plants, and which operation each of them strikes.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use super::op::DiskOp;

/// What goes wrong with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// EIO: the device failed.
    Io,
    /// ENOSPC: the disk is full.
    NoSpace,
    /// A write reports success, and its sectors are at another place in the same file. Only for
    /// [`DiskOp::Write`].
    Misdirected,
}

/// A fault and the operations that it strikes; without further ado, the next one of any kind.
#[derive(Clone, Debug)]
pub struct Plan {
    fault: DiskFault,
    op: Option<DiskOp>,
    below: PathBuf,
    /// Operations that it lets pass.
    spared: u64,
    is_lasting: bool,
}

impl Plan {
    /// A fault of the next operation.
    pub fn new(fault: DiskFault) -> Self {
        Plan { fault, op: None, below: PathBuf::from("/"), spared: 0, is_lasting: false }
    }

    /// Only operations of this kind count.
    pub fn of(self, op: DiskOp) -> Self {
        Plan { op: Some(op), ..self }
    }

    /// Only operations on this path or on what lies below it count.
    pub fn below(self, path: impl Into<PathBuf>) -> Self {
        Plan { below: path.into(), ..self }
    }

    /// The `nth` of the operations that count (1 is the next) is struck instead of the next.
    pub fn nth(self, nth: u64) -> Self {
        assert!(nth > 0, "the first operation is number 1");
        Plan { spared: nth - 1, ..self }
    }

    /// All that count from there on are struck, instead of one.
    pub fn for_ever(self) -> Self {
        Plan { is_lasting: true, ..self }
    }

    fn counts(&self, op: DiskOp, path: &Path) -> bool {
        self.op.is_none_or(|kind| kind == op)
            && path.starts_with(&self.below)
            && (self.fault != DiskFault::Misdirected || op == DiskOp::Write)
    }
}

/// The faults to come.
#[derive(Default)]
pub(super) struct Plans(RefCell<Vec<Plan>>);

impl Plans {
    pub(super) fn add(&self, plan: Plan) {
        self.0.borrow_mut().push(plan);
    }

    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// What becomes of an operation that completes now. Every plan counts it; the one made first decides.
    pub(super) fn strike(&self, op: DiskOp, path: &Path) -> Option<DiskFault> {
        let mut plans = self.0.borrow_mut();
        let mut due = None;
        for (index, plan) in plans.iter_mut().enumerate().filter(|(_, plan)| plan.counts(op, path)) {
            match plan.spared.checked_sub(1) {
                Some(left) => plan.spared = left,
                None => due = due.or(Some(index)),
            }
        }
        let due = due?;
        Some(if plans[due].is_lasting { plans[due].fault } else { plans.remove(due).fault })
    }
}

/// How an operation ends.
#[derive(Clone, Copy)]
pub(in crate::runtime::sim) enum End {
    Done,
    /// It fails with the error number.
    Failed(i32),
    /// A write that goes elsewhere.
    Misdirected,
    /// Power is lost while it is in flight: it takes effect, but only in the volatile cache.
    Crash,
}

impl End {
    pub(super) fn by(fault: Option<DiskFault>) -> Self {
        match fault {
            None => End::Done,
            Some(DiskFault::Io) => End::Failed(libc::EIO),
            Some(DiskFault::NoSpace) => End::Failed(libc::ENOSPC),
            Some(DiskFault::Misdirected) => End::Misdirected,
        }
    }

    pub(in crate::runtime::sim) fn result(self) -> io::Result<()> {
        match self {
            End::Done | End::Misdirected | End::Crash => Ok(()),
            End::Failed(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }
}
