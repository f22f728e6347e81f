//! Open segment files: at most a given number per shard, the one opened first is closed first.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::rc::Rc;

use crate::base::ids::PartitionId;
use crate::log::segment::SegmentName;
use crate::runtime::{File, OpenMode, Runtime};

/// A segment.
type Key = (PartitionId, SegmentName);

/// See the module. Files for reading and for writing are apart: reading never makes a file that is missing.
pub struct FileCache {
    files_max: usize,
    files: RefCell<HashMap<(Key, OpenMode), Rc<dyn File>>>,
    order: RefCell<VecDeque<(Key, OpenMode)>>,
    /// How often a file was forgotten.
    forgets: Cell<u64>,
}

impl FileCache {
    /// No file is open; at most `files_max` will be.
    pub fn new(files_max: usize) -> Self {
        let (files, order, forgets) = Default::default();
        FileCache { files_max, files, order, forgets }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.files.borrow().len()
    }

    /// The segment's file if it is open.
    pub fn get(&self, key: Key, mode: OpenMode) -> Option<Rc<dyn File>> {
        self.files.borrow().get(&(key, mode)).cloned()
    }

    /// Opens the segment's file (making it if `mode` does) and keeps it open.
    pub async fn open(
        &self,
        runtime: &Rc<dyn Runtime>,
        key: Key,
        path: &Path,
        mode: OpenMode,
    ) -> io::Result<Rc<dyn File>> {
        let forgets = self.forgets.get();
        let file = runtime.open(path, mode).await?;
        if self.forgets.get() != forgets {
            // Perhaps this one was removed meanwhile. Kept, it would be taken for one made later in its place.
            return Ok(file);
        }
        let key = (key, mode);
        // Another task may have opened it meanwhile; then that one is used.
        let mut files = self.files.borrow_mut();
        let kept = Rc::clone(files.entry(key).or_insert(file));
        let mut order = self.order.borrow_mut();
        order.push_back(key);
        while files.len() > self.files_max {
            let Some(oldest) = order.pop_front() else { break };
            files.remove(&oldest);
        }
        if order.len() > 2 * self.files_max {
            order.retain(|key| files.contains_key(key));
        }
        Ok(kept)
    }

    /// Closes the files of a segment that is about to be removed or cut.
    pub fn forget(&self, key: Key) {
        self.forget_where(|of| of == key);
    }

    /// Closes all files of a partition.
    pub fn forget_partition(&self, id: PartitionId) {
        self.forget_where(|of| of.0 == id);
    }

    fn forget_where(&self, is_gone: impl Fn(Key) -> bool) {
        self.forgets.set(self.forgets.get() + 1);
        self.files.borrow_mut().retain(|&(key, _), _| !is_gone(key));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::ids::TopicId;
    use crate::runtime::sim::SimWorld;

    #[test]
    fn a_file_that_was_removed_while_it_was_opened_is_not_kept() {
        let key: Key =
            (PartitionId { topic: TopicId::from_bytes([1; 16]), index: 0 }, SegmentName::filled(7));
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let cache = Rc::new(FileCache::new(2));
        world.block_on(async {
            let path = Path::new("/segment");
            let first = cache.open(&runtime, key, path, OpenMode::Write).await.expect("made");
            assert!(cache.get(key, OpenMode::Write).is_some_and(|file| Rc::ptr_eq(&file, &first)));
            assert!(cache.get(key, OpenMode::Read).is_none());
            let (opener, reader) = (Rc::clone(&cache), Rc::clone(&runtime));
            runtime.spawn(Box::pin(async move {
                opener.open(&reader, key, path, OpenMode::Read).await.expect("still there");
            }));
            runtime.yield_now().await;
            cache.forget(key);
            runtime.sleep(Duration::from_secs(1)).await;
            assert!(cache.get(key, OpenMode::Read).is_none() && cache.get(key, OpenMode::Write).is_none());
        });
    }
}
