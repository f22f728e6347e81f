//! Indexes of sealed segments: at most [`CACHED_INDEXES_MAX`] per shard, the one loaded first goes first.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::CACHED_INDEXES_MAX;
use crate::log::segment::index::SparseIndex;

/// See the module.
#[derive(Default)]
pub struct IndexCache {
    indexes: RefCell<VecDeque<(PartitionId, Offset, Rc<SparseIndex>)>>,
}

impl IndexCache {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.indexes.borrow().len()
    }

    /// The index of a segment, if it is here.
    pub fn get(&self, id: PartitionId, segment_base: Offset) -> Option<Rc<SparseIndex>> {
        let indexes = self.indexes.borrow();
        let found = indexes.iter().find(|(of, base, _)| (*of, *base) == (id, segment_base))?;
        Some(Rc::clone(&found.2))
    }

    /// Keeps an index, in place of another one of the segment.
    pub fn put(&self, id: PartitionId, segment_base: Offset, index: Rc<SparseIndex>) {
        let mut indexes = self.indexes.borrow_mut();
        indexes.retain(|(of, base, _)| (*of, *base) != (id, segment_base));
        if indexes.len() >= CACHED_INDEXES_MAX {
            indexes.pop_front();
        }
        indexes.push_back((id, segment_base, index));
    }

    /// Forgets a segment's index: the segment is gone.
    pub fn forget(&self, (id, segment_base): (PartitionId, Offset)) {
        self.indexes.borrow_mut().retain(|(of, base, _)| (*of, *base) != (id, segment_base));
    }

    /// Forgets a partition's indexes: it was cut or deleted.
    pub fn forget_partition(&self, id: PartitionId) {
        self.indexes.borrow_mut().retain(|(of, ..)| *of != id);
    }
}
