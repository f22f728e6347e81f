//! What a member of a group is to read, and how far it has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// A member's share of the partitions, which are told by their place in the cluster's list.
#[derive(Default, Debug)]
pub struct Share {
    /// Grows with each change.
    version: AtomicU64,
    /// Where to go on in each partition.
    positions: Mutex<BTreeMap<usize, i64>>,
}

impl Share {
    /// Which share it is: another number says that it has changed. Cheap.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The share, with the version that it has.
    pub fn read(&self) -> (u64, BTreeMap<usize, i64>) {
        let positions = self.lock();
        (self.version(), positions.clone())
    }

    /// Gives the member another share.
    pub fn assign(&self, positions: BTreeMap<usize, i64>) {
        let mut own = self.lock();
        *own = positions;
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes how far a reader of some of the partitions has come, unless the share is another one by now.
    pub fn reached(&self, version: u64, positions: &[(usize, i64)]) {
        let mut own = self.lock();
        if self.version() == version {
            own.extend(positions.iter().copied());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, i64>> {
        self.positions.lock().expect("nobody panics with it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_an_old_share_moves_nothing_of_the_new_one() {
        let share = Share::default();
        share.assign([(1, 10), (2, 20)].into());
        let (old, _) = share.read();
        share.reached(old, &[(1, 11)]);
        assert_eq!(share.read().1, [(1, 11), (2, 20)].into());
        share.assign([(2, 20)].into());
        share.reached(old, &[(1, 12)]);
        assert_eq!(share.read(), (old + 1, [(2, 20)].into()));
        assert_ne!(share.version(), old);
    }
}
