//! A disk that keeps its word and not a bit more, until a test takes even that away. What it promises, and what it
//! may do:
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
//!
//! **When power is lost**
//! - Of writes that are unsynced or in flight, each sector is kept or lost on its own: a write tears between
//!   sectors. How many survive, from none to all, differs from crash to crash. Inside a sector it tears only where
//!   a test asks for that (`SimWorld::tear_sectors`): then each 512 bytes are old or new.
//! - Size changes that are unsynced or in flight survive as a prefix for each file.
//! - Changes to entries that are unsynced or in flight survive as a prefix for each directory. A file whose
//!   entry is lost vanishes whole, even if its data was synced.
//! - What was durable stays.
//!
//! **What a test may do to it** (`SimWorld`; power loss ends planned faults and slowness, and nothing else)
//! - A planned fault ([`Plan`]) fails one operation, or all from one on: of a kind, below a path. A failed read has
//!   read nothing. A failed write has changed any of its sectors. A failed sync has made any of the waiting
//!   sectors durable and **forgets the others**: they are still read, but no later sync writes them. Anything
//!   else that fails has changed nothing. A device that goes is a plan for all that lies below its path.
//! - A misdirected write reports success. Its place is as it was; its bytes are at another one of the same
//!   file, whose own bytes are gone.
//! - A directory may have a capacity. What grows a file beyond it fails with ENOSPC and changes nothing; a file
//!   counts by its length, whether written or not. What is cut or removed is free at once.
//! - A directory may be slow for a while: every operation below it takes up to so much longer.
//! - A bit of the synced bytes may flip.
//! - Between two boots a device may be gone, or be an older image of itself: one that was durable at some moment.

mod device;
mod directory;
mod fault;
#[cfg(test)]
mod fault_tests;
mod file;
mod image;
mod op;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

pub use device::DeviceImage;
pub(super) use device::{Devices, image_of, replace};
pub use directory::WrittenFile;
pub(super) use directory::{Directory, Node, directory_at, parent_of};
pub(super) use fault::End;
use fault::Plans;
pub use fault::{DiskFault, Plan};
pub(super) use file::SimInode;
pub use op::DiskOp;

use super::rng::Rng;

/// What an operation does when it ends; whether it succeeded.
pub(super) type Effect = Box<dyn FnOnce(&mut Rng, End) -> bool>;

struct InFlight {
    op: DiskOp,
    path: Rc<Path>,
    effect: Effect,
}

#[derive(Default)]
pub(super) struct Disk {
    pub(super) root: Rc<Directory>,
    pub(super) devices: Rc<Devices>,
    in_flight: RefCell<BTreeMap<u64, InFlight>>,
    plans: Plans,
    pub(super) ignores_dsync: Cell<bool>,
    pub(super) tears_sectors: Cell<bool>,
}

impl Disk {
    pub(super) fn begin(&self, number: u64, op: DiskOp, path: Rc<Path>, effect: Effect) {
        self.in_flight.borrow_mut().insert(number, InFlight { op, path, effect });
    }

    pub(super) fn plan(&self, plan: Plan) {
        self.plans.add(plan);
    }

    pub(super) fn forget_plans(&self) {
        self.plans.forget();
    }

    /// Completes an operation; says what it was and whether it succeeded.
    pub(super) fn complete(&self, number: u64, rng: &mut Rng) -> (DiskOp, bool) {
        let InFlight { op, path, effect } =
            self.in_flight.borrow_mut().remove(&number).expect("an operation completes once");
        let succeeded = effect(rng, End::by(self.plans.strike(op, &path)));
        (op, succeeded)
    }

    /// Loses power: what is left is the disk that the next boot finds.
    pub(super) fn crash(&self, rng: &mut Rng) {
        let mut in_flight: Vec<_> = std::mem::take(&mut *self.in_flight.borrow_mut()).into_values().collect();
        while !in_flight.is_empty() {
            let InFlight { op, effect, .. } =
                in_flight.swap_remove(rng.below(in_flight.len() as u64) as usize);
            if op.changes_disk() {
                effect(rng, End::Crash);
            }
        }
        self.plans.forget();
        self.devices.crash();
        let loss = Loss { keep: rng.below(5), tears_sectors: self.tears_sectors.get() };
        self.root.crash(loss, rng);
    }
}

/// What one loss of power does to what is not durable.
#[derive(Clone, Copy)]
struct Loss {
    /// So many of four unsynced sectors survive.
    keep: u64,
    /// Whether sectors tear inside.
    tears_sectors: bool,
}
