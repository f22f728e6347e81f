//! A disk that keeps its word and not a bit more. What it promises, and what it may do:
//!
//! **While power is on**
//! - Files are made of 4 KiB sectors. Positions, lengths and memory of reads and writes must be aligned.
//! - An operation is carried out once it is submitted, in virtual time; concurrent ones complete in any order.
//! - A completed write is seen by every read submitted later. A read that overlaps a write in flight sees each
//!   sector old or new. Sectors never written read as zeros; a read ends where the file ends.
//! - A write to a file opened with `WriteDurable` is durable when it completes, with the length that it needs;
//!   otherwise it is durable when a `sync` completes that was submitted after the write had completed.
//! - Size changes (`allocate`, `set_length`, growth by a write) are durable only by that sync.
//! - Creating, renaming and removing are durable when a `sync_dir` of the parent completes that was submitted
//!   after them. Renames stay within one directory; others are refused, since nothing here needs them.
//! - A planted fault fails an operation. A failed write has changed any of its sectors. A failed sync has made
//!   any of the waiting sectors durable and **forgets the others**: they are still read, but no later sync
//!   writes them. Anything else that fails has changed nothing.
//!
//! **When power is lost**
//! - Of writes that are unsynced or in flight, each sector is kept or lost on its own: a write tears between
//!   sectors, never inside one. How many survive, from none to all, differs from crash to crash.
//! - Size changes that are unsynced or in flight survive as a prefix for each file.
//! - Changes to entries that are unsynced or in flight survive as a prefix for each directory. A file whose
//!   entry is lost vanishes whole, even if its data was synced.
//! - What was durable stays. This disk does not rot by itself; a test may flip a bit (`SimWorld::rot`).

mod directory;
mod file;
mod image;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

pub(super) use directory::{Directory, Node, directory_at, parent_of};
pub(super) use file::SimInode;

use super::rng::Rng;

/// The kinds of disk operations, for planting faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskOp {
    /// `open` of a file, which may create it.
    Open,
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync` of a file.
    Sync,
    /// `allocate`.
    Allocate,
    /// `set_length`.
    SetLength,
    /// `length`.
    Length,
    /// `remove_file` and `remove_dir_all`.
    Remove,
    /// `rename`.
    Rename,
    /// `create_dir`.
    CreateDir,
    /// `sync_dir`.
    SyncDir,
    /// `list_dir`.
    List,
}

impl DiskOp {
    /// Whether it can change what survives a crash, so that a crash beside it is worth a test.
    pub(super) fn changes_disk(self) -> bool {
        !matches!(self, DiskOp::Read | DiskOp::Length | DiskOp::List)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            DiskOp::Open => "open",
            DiskOp::Read => "read",
            DiskOp::Write => "write",
            DiskOp::Sync => "sync",
            DiskOp::Allocate => "allocate",
            DiskOp::SetLength => "set_length",
            DiskOp::Length => "length",
            DiskOp::Remove => "remove",
            DiskOp::Rename => "rename",
            DiskOp::CreateDir => "create_dir",
            DiskOp::SyncDir => "sync_dir",
            DiskOp::List => "list",
        }
    }
}

/// The error of a planted fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// EIO: the device failed.
    Io,
    /// ENOSPC: the disk is full.
    NoSpace,
}

/// How an operation ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    Done,
    Failed(DiskFault),
    /// Power is lost while it is in flight: it takes effect, but only in the volatile cache.
    Crash,
}

impl End {
    pub(super) fn result(self) -> io::Result<()> {
        match self {
            End::Done | End::Crash => Ok(()),
            End::Failed(DiskFault::Io) => Err(io::Error::from_raw_os_error(libc::EIO)),
            End::Failed(DiskFault::NoSpace) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        }
    }
}

/// What an operation does when it ends.
pub(super) type Effect = Box<dyn FnOnce(&mut Rng, End)>;

#[derive(Default)]
pub(super) struct Disk {
    pub(super) root: Rc<Directory>,
    in_flight: RefCell<BTreeMap<u64, (DiskOp, Effect)>>,
    /// Faults to come: when the count of a kind's completions reaches zero, one fails.
    planted: RefCell<Vec<(DiskOp, u64, DiskFault)>>,
    pub(super) ignores_dsync: Cell<bool>,
}

impl Disk {
    pub(super) fn begin(&self, number: u64, op: DiskOp, effect: Effect) {
        self.in_flight.borrow_mut().insert(number, (op, effect));
    }

    pub(super) fn plant(&self, op: DiskOp, nth: u64, fault: DiskFault) {
        assert!(nth > 0, "the first operation is number 1");
        self.planted.borrow_mut().push((op, nth, fault));
    }

    /// Completes an operation; says what it was and whether it failed.
    pub(super) fn complete(&self, number: u64, rng: &mut Rng) -> (DiskOp, bool) {
        let (op, effect) = self.in_flight.borrow_mut().remove(&number).expect("an operation completes once");
        let fault = self.fault_for(op);
        effect(rng, fault.map_or(End::Done, End::Failed));
        (op, fault.is_some())
    }

    fn fault_for(&self, op: DiskOp) -> Option<DiskFault> {
        let mut planted = self.planted.borrow_mut();
        planted.iter_mut().filter(|(kind, ..)| *kind == op).for_each(|(_, count, _)| *count -= 1);
        let due = planted.iter().position(|(kind, count, _)| *kind == op && *count == 0)?;
        Some(planted.remove(due).2)
    }

    /// Loses power: what is left is the disk that the next boot finds.
    pub(super) fn crash(&self, rng: &mut Rng) {
        let mut in_flight: Vec<_> = std::mem::take(&mut *self.in_flight.borrow_mut()).into_values().collect();
        while !in_flight.is_empty() {
            let (op, effect) = in_flight.swap_remove(rng.below(in_flight.len() as u64) as usize);
            if op.changes_disk() {
                effect(rng, End::Crash);
            }
        }
        self.planted.borrow_mut().clear();
        let keep = rng.below(5);
        self.root.crash(keep, rng);
    }
}
