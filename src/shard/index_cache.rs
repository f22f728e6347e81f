//! Indexes of sealed segments, up to a bound on their memory; the one loaded first goes first.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::base::ids::PartitionId;
use crate::base::limits::CACHED_INDEXES_MAX;
use crate::log::segment::SegmentName;
use crate::log::segment::index::SparseIndex;

/// See the module.
pub struct IndexCache {
    bytes_max: usize,
    indexes: RefCell<VecDeque<(PartitionId, SegmentName, Rc<SparseIndex>)>>,
}

impl IndexCache {
    /// An empty cache.
    pub fn new(bytes_max: usize) -> Self {
        IndexCache { bytes_max, indexes: RefCell::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.indexes.borrow().len()
    }

    /// The index of a segment, if it is here.
    pub fn get(&self, id: PartitionId, segment: SegmentName) -> Option<Rc<SparseIndex>> {
        let indexes = self.indexes.borrow();
        let found = indexes.iter().find(|(of, name, _)| (*of, *name) == (id, segment))?;
        Some(Rc::clone(&found.2))
    }

    /// Keeps an index, in place of another one of the segment. One is kept however long it is.
    pub fn put(&self, id: PartitionId, segment: SegmentName, index: Rc<SparseIndex>) {
        let mut indexes = self.indexes.borrow_mut();
        indexes.retain(|(of, name, _)| (*of, *name) != (id, segment));
        indexes.push_back((id, segment, index));
        let bytes = |indexes: &VecDeque<(_, _, Rc<SparseIndex>)>| -> usize {
            indexes.iter().map(|(_, _, index)| index.memory_bytes()).sum()
        };
        while indexes.len() > 1 && (indexes.len() > CACHED_INDEXES_MAX || bytes(&indexes) > self.bytes_max) {
            indexes.pop_front();
        }
    }

    /// Forgets a segment's index: the segment is gone.
    pub fn forget(&self, (id, segment): (PartitionId, SegmentName)) {
        self.indexes.borrow_mut().retain(|(of, name, _)| (*of, *name) != (id, segment));
    }

    /// Forgets a partition's indexes: it was cut or deleted.
    pub fn forget_partition(&self, id: PartitionId) {
        self.indexes.borrow_mut().retain(|(of, ..)| *of != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TopicId;
    use crate::base::limits::INDEX_INTERVAL_BYTES;
    use crate::log::segment::index::{OffsetRow, TimeRow};

    #[test]
    fn the_first_ones_go_where_they_take_too_much() {
        let mut index = SparseIndex::default();
        for row in 1..100 {
            let batch = OffsetRow { last_offset: row, position: row as u64 * INDEX_INTERVAL_BYTES };
            index.note(batch, TimeRow { timestamp: row, offset: row });
        }
        let index = Rc::new(index);
        let id = PartitionId { topic: TopicId::from_bytes([1; 16]), index: 0 };
        let kept = |bytes_max: usize| {
            let cache = IndexCache::new(bytes_max);
            let name = SegmentName::filled;
            (0..5).for_each(|base| cache.put(id, name(base), Rc::clone(&index)));
            (0..5).filter(|&base| cache.get(id, name(base)).is_some()).collect::<Vec<i64>>()
        };
        assert_eq!(kept(3 * index.memory_bytes()), [2, 3, 4]);
        assert_eq!(kept(0), [4]);
        assert_eq!(kept(usize::MAX).len(), 5);
    }
}
