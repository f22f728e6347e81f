//! Giving disk space back: segments below the log start are removed, a little at a time and behind the back of
//! whoever moved it.
//!
//! The log start is durable before a file is touched, and nobody who began to read a file is still at it. A crash
//! may come before or amid the removal, or undo it, since directories are not synced for it. So the first thing
//! after each start is to look for files that belong to no segment.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::RECLAIM_PAUSE_MS;
use crate::log::segment::{Segment, SegmentName, path};
use crate::runtime::OpenMode;

const PAUSE: Duration = Duration::from_millis(RECLAIM_PAUSE_MS);

impl Storage {
    /// Removes files until the storage stops or fails. What fails is left for the next start.
    pub async fn reclaim(self: Rc<Self>) {
        for replica in self.all_replicas() {
            if self.has_ended() {
                return;
            }
            if let Err(error) = self.sweep(&replica).await {
                tracing::warn!(partition = %replica.id, %error, "leftover segment files were not looked for");
            }
            self.runtime.yield_now().await;
        }
        loop {
            let work = self.reclaim_work.notified();
            if self.has_ended() {
                return;
            }
            let next = self.reclaimable.borrow_mut().pop_front();
            match next {
                Some(replica) => self.reclaim_replica(&replica).await,
                None => work.await,
            }
        }
    }

    /// Has segments below the partition's durable log start removed.
    pub(super) fn reclaim_later(&self, replica: &Rc<Replica>) {
        if !replica.is_reclaimable.replace(true) {
            self.reclaimable.borrow_mut().push_back(Rc::clone(replica));
        }
        self.reclaim_work.notify_one();
    }

    /// Removes what is in the partition's log no more.
    pub(super) async fn reclaim_replica(&self, replica: &Rc<Replica>) {
        let _reclaiming = self.reclaim_turn.lock().await;
        replica.is_reclaimable.set(false);
        let removed = {
            // Write-back and allocation make a file that is missing.
            let _turn = self.segment_turn.lock().await;
            let mut removed = self.remove_below_log_start(replica);
            removed.append(&mut replica.discardable.borrow_mut());
            removed
        };
        self.forget_corruption(replica);
        for segment in removed {
            if self.has_ended() || replica.check_online().is_err() {
                return;
            }
            let name = segment.name();
            if let Err(error) = self.discard(replica, segment).await {
                tracing::warn!(partition = %replica.id, segment = ?name, %error, "a segment's files remain");
            }
        }
    }

    /// Takes the segments below the durable log start out of the log.
    pub(super) fn remove_below_log_start(&self, replica: &Replica) -> Vec<Segment> {
        let log_start = replica.durable_log_start.get();
        let with_last = !replica.is_allocating.get();
        self.change_log(replica, |log| log.remove_below(log_start, with_last))
    }

    /// Removes the files of a segment that is in no log any more, once nobody reads them.
    async fn discard(&self, replica: &Replica, segment: Segment) -> Result<(), StorageError> {
        let name = segment.name();
        while segment.lease.is_shared() {
            if self.has_ended() {
                return Ok(());
            }
            self.runtime.sleep(PAUSE).await;
        }
        self.files.forget((replica.id, name));
        self.indexes.forget((replica.id, name));
        self.cold.forget((replica.id, name));
        let log_file = path::log_file(replica.log.borrow().directory(), name);
        self.remove_files(&self.index_files(replica, name)).await?;
        self.shorten(&log_file).await.map_err(|error| StorageError::disk(&error))?;
        self.remove_files(&[log_file]).await?;
        self.runtime.sleep(PAUSE).await;
        Ok(())
    }

    /// Cuts a long file down in steps, so that its removal is a short one.
    async fn shorten(&self, path: &Path) -> io::Result<()> {
        let step = self.config.reclaim_step_bytes;
        let mut length = match self.runtime.open(path, OpenMode::Read).await {
            Ok(file) => file.length().await?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if length <= step {
            return Ok(());
        }
        let file = self.runtime.open(path, OpenMode::Write).await?;
        while length > step && !self.has_ended() {
            length -= step;
            file.set_length(length).await?;
            self.runtime.sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Removes the files that a crash has left in a partition's directory: of segments that were being removed,
    /// or that were made for records which were lost. Files that should be there and are not are told.
    async fn sweep(&self, replica: &Rc<Replica>) -> Result<(), StorageError> {
        let _reclaiming = self.reclaim_turn.lock().await;
        let orphans = {
            let _turn = self.segment_turn.lock().await;
            let _allocation = self.wait_allocation(replica).await;
            // What lies behind a damage is left for whoever repairs it.
            if replica.check_online().is_err() || replica.check_not_cut_short().is_err() {
                return Ok(());
            }
            let directory = replica.log.borrow().directory().to_owned();
            let paths =
                self.runtime.list_dir(&directory).await.map_err(|error| StorageError::disk(&error))?;
            for name in missing(replica, &paths) {
                self.note_corruption(replica, name.base, name.base, "its file is missing");
            }
            let (below, others) = orphans(replica, paths);
            // The log may come to a segment of that name: so these go while none can be made.
            self.remove_files(&others).await?;
            replica.is_swept.set(true);
            below
        };
        for orphan in orphans {
            if self.has_ended() || replica.check_online().is_err() {
                return Ok(());
            }
            self.shorten(&orphan).await.map_err(|error| StorageError::disk(&error))?;
            self.remove_files(&[orphan]).await?;
        }
        Ok(())
    }
}

/// Segments of which bytes are on disk, by all that is known, and the file is not there.
fn missing(replica: &Replica, paths: &[PathBuf]) -> Vec<SegmentName> {
    let log = replica.log.borrow();
    let there: HashSet<&PathBuf> = paths.iter().collect();
    let is_missing = |name| !there.contains(&path::log_file(log.directory(), name));
    let on_disk = log.segments().filter(|segment| segment.synced > 0).map(Segment::name);
    on_disk.filter(|&name| is_missing(name)).collect()
}

/// Segment files that belong to no segment: those before the log's first, and others.
fn orphans(replica: &Replica, paths: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let log = replica.log.borrow();
    let known: HashSet<SegmentName> = log.segments().map(Segment::name).collect();
    let first = log.segments().next().map_or(log.next_offset(), |segment| segment.base_offset);
    let orphans = paths.into_iter().filter_map(|path| Some((path::segment_of(&path)?, path)));
    let (below, others): (Vec<_>, Vec<_>) =
        orphans.filter(|(name, _)| !known.contains(name)).partition(|(name, _)| name.base < first);
    let paths = |orphans: Vec<(SegmentName, PathBuf)>| orphans.into_iter().map(|(_, path)| path).collect();
    (paths(below), paths(others))
}
