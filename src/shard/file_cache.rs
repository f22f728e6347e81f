//! Open segment files: at most [`OPEN_SEGMENTS_MAX`] per shard, the one opened first is closed first.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::rc::Rc;

use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::OPEN_SEGMENTS_MAX;
use crate::runtime::{File, OpenMode, Runtime};

type Key = (PartitionId, Offset);

/// See the module.
#[derive(Default)]
pub struct FileCache {
    files: RefCell<HashMap<Key, Rc<dyn File>>>,
    order: RefCell<VecDeque<Key>>,
}

impl FileCache {
    /// The segment's file, opened (and made) if it is not open.
    pub async fn get(
        &self,
        runtime: &Rc<dyn Runtime>,
        key: Key,
        path: &Path,
        mode: OpenMode,
    ) -> io::Result<Rc<dyn File>> {
        if let Some(file) = self.get_open(key) {
            return Ok(file);
        }
        let file = runtime.open(path, mode).await?;
        // Another task may have opened it meanwhile; then that one is used.
        let mut files = self.files.borrow_mut();
        let kept = Rc::clone(files.entry(key).or_insert(file));
        let mut order = self.order.borrow_mut();
        order.push_back(key);
        while files.len() > OPEN_SEGMENTS_MAX {
            let Some(oldest) = order.pop_front() else { break };
            files.remove(&oldest);
        }
        if order.len() > 2 * OPEN_SEGMENTS_MAX {
            order.retain(|key| files.contains_key(key));
        }
        Ok(kept)
    }

    /// The segment's file if it is open.
    pub fn get_open(&self, key: Key) -> Option<Rc<dyn File>> {
        self.files.borrow().get(&key).cloned()
    }

    /// Closes the file of a segment that no longer exists.
    pub fn forget(&self, key: Key) {
        self.files.borrow_mut().remove(&key);
    }

    /// Closes all files of a partition.
    pub fn forget_partition(&self, id: PartitionId) {
        self.files.borrow_mut().retain(|key, _| key.0 != id);
    }
}
