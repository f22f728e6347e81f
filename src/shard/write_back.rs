//! Write-back: moves bytes that are durable in the journal to their segments, in stretches short enough not to
//! hold up the journal's own writes, one at a time. Only the syncs that follow run side by side.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::error::StorageError;
use super::read::segment_name;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::buffer::AlignedBuf;
use crate::base::ids::Offset;
use crate::base::planted::{Bug, is_planted};
use crate::log::partition_log::WriteBack;
use crate::log::segment::{SegmentName, path};
use crate::runtime::{File, OpenMode};

impl Storage {
    /// Writes all whole blocks of some partitions that are durable in the journal, completes segments that were
    /// left, and makes it all durable in the files; whether there was anything. Any failure takes the writer out
    /// of service, but for a disk without room for what the journal goes on holding.
    ///
    /// The files are synced side by side: the file system makes many durable at the price of one. The caller keeps
    /// to [`WRITE_BACKS_AT_ONCE`](crate::base::limits::WRITE_BACKS_AT_ONCE).
    pub(super) async fn write_back(&self, replicas: &[Rc<Replica>]) -> Result<bool, StorageError> {
        let _turn = self.segment_turn.lock().await;
        // After a failed sync the next one would succeed, whatever became of the bytes.
        self.check_in_service()?;
        let mut any = false;
        for replica in replicas {
            any |= self.write_blocks(replica).await?;
        }
        self.sync_written(replicas).await?;
        Ok(any)
    }

    /// Makes what was written of some partitions durable in the files. The caller has the turn at segments.
    pub(super) async fn sync_written(&self, replicas: &[Rc<Replica>]) -> Result<(), StorageError> {
        try_join_all(replicas.iter().map(|replica| self.sync_segments(replica))).await.map(|_| ())
    }

    /// Everything but the sync of segments that are not complete.
    async fn write_blocks(&self, replica: &Rc<Replica>) -> Result<bool, StorageError> {
        // A partition that is being deleted has an empty log from one step to the next: then this ends.
        let bound = replica.state.borrow().progress().durable_end();
        let mut any = false;
        while self.write_one(replica, bound).await? || self.seal_one(replica, bound).await? {
            any = true;
        }
        Ok(any)
    }

    /// One stretch of records below `bound`; whether there was one.
    async fn write_one(&self, replica: &Rc<Replica>, bound: Offset) -> Result<bool, StorageError> {
        let Some(next) = replica.log.borrow().next_write_back(bound) else { return Ok(false) };
        self.write_stretch(replica, next).await?;
        Ok(true)
    }

    /// One stretch. The caller has the turn at segments.
    pub(super) async fn write_stretch(
        &self,
        replica: &Rc<Replica>,
        stretch: WriteBack,
    ) -> Result<(), StorageError> {
        let WriteBack { segment_base, position, bytes } = stretch;
        let end = position + bytes.len() as u64;
        let file = self.segment_with_space(replica, segment_base, end).await?;
        self.write_copy(&*file, position, bytes).await?;
        self.change_segment(replica, segment_base, |segment| segment.written = segment.written.max(end));
        self.room.notify_waiters();
        Ok(())
    }

    /// A segment's file, with space up to `end`. A crash may have taken the space that was there before the bytes were
    /// journaled; where there is none now, nothing was changed, and it is tried again when there is.
    pub(super) async fn segment_with_space(
        &self,
        replica: &Replica,
        base: Offset,
        end: u64,
    ) -> Result<Rc<dyn File>, StorageError> {
        let given = async {
            let file = self.segment_writer(replica, base).await?;
            if replica.log.borrow_mut().segment_mut(base).is_some_and(|segment| segment.allocated < end) {
                file.allocate(end).await.map_err(|error| self.space_error(&error))?;
                self.change_segment(replica, base, |segment| segment.allocated = segment.allocated.max(end));
            }
            Ok(file)
        };
        given.await.inspect_err(|error| self.fail_unless_full(error))
    }

    /// Writes bytes to a segment that the journal holds, too. Even where a file has space, a file system may want a block
    /// to note that it is used; on a disk without any, the same bytes are written again when there is room.
    async fn write_copy(&self, file: &dyn File, position: u64, bytes: Bytes) -> Result<(), StorageError> {
        let written = file.write_at(position, bytes).await.map_err(|error| self.space_error(&error));
        written.inspect_err(|error| self.fail_unless_full(error))
    }

    pub(super) fn fail_unless_full(&self, error: &StorageError) {
        if !matches!(error, StorageError::DiskFull(_)) {
            self.fail(error);
        }
    }

    /// Completes a segment that nobody appends to any more: its last bytes, its exact length, its indexes;
    /// whether there was one.
    async fn seal_one(&self, replica: &Rc<Replica>, bound: Offset) -> Result<bool, StorageError> {
        // What is being written behind a segment's end would stay there.
        let with_last = !replica.is_extending.get();
        let Some((base, plan)) = replica.log.borrow().next_seal(bound, with_last) else { return Ok(false) };
        let file = self.segment_with_space(replica, base, plan.end_position).await?;
        if let Some(bytes) = plan.bytes {
            self.write_copy(&*file, plan.position, bytes).await?;
        }
        let sealed = async {
            file.set_length(plan.end_position).await.map_err(|error| StorageError::disk(&error))?;
            file.sync().await.map_err(|error| StorageError::disk(&error))?;
            if let Err(error) = self.write_indexes(replica, base, &*file).await {
                // They can be made again from the segment; only half-made ones must not stay.
                tracing::warn!(%error, "a segment is left without its indexes");
                self.remove_files(&self.index_files(replica, segment_name(replica, base))).await?;
            }
            self.sync_directory(replica).await
        };
        sealed.await.inspect_err(|error| self.fail(error))?;
        self.change_segment(replica, base, |segment| {
            segment.note_sealed();
            segment.index = None;
        });
        self.make_evictable(replica);
        Ok(true)
    }

    async fn write_indexes(
        &self,
        replica: &Replica,
        base: Offset,
        log_file: &dyn File,
    ) -> Result<(), StorageError> {
        let (encoded, shape) = {
            let mut log = replica.log.borrow_mut();
            let Some(segment) = log.segment_mut(base) else { return Ok(()) };
            let index = segment.index.as_ref().filter(|_| !segment.was_cut);
            (index.map(|index| index.encode(base, segment.largest)), segment.shape())
        };
        let (offsets, times) = match encoded {
            Some(encoded) => encoded,
            None => {
                let (index, largest) = self.rebuild_index(log_file, &shape).await?;
                index.encode(base, largest)
            }
        };
        self.write_index_files(replica, shape.name, [offsets, times]).await
    }

    /// Writes the two files of a complete segment's index.
    pub(super) async fn write_index_files(
        &self,
        replica: &Replica,
        segment: SegmentName,
        contents: [Vec<u8>; 2],
    ) -> Result<(), StorageError> {
        for (path, contents) in self.index_files(replica, segment).iter().zip(contents) {
            let file =
                self.runtime.open(path, OpenMode::Write).await.map_err(|error| StorageError::disk(&error))?;
            if !contents.is_empty() {
                let mut buffer = AlignedBuf::copy_of(&contents);
                buffer.pad_to_block();
                file.write_at(0, buffer.view(0..buffer.len()))
                    .await
                    .map_err(|error| StorageError::disk(&error))?;
            }
            file.set_length(contents.len() as u64).await.map_err(|error| StorageError::disk(&error))?;
            file.sync().await.map_err(|error| StorageError::disk(&error))?;
        }
        Ok(())
    }

    pub(super) fn index_files(&self, replica: &Replica, segment: SegmentName) -> [PathBuf; 2] {
        let log = replica.log.borrow();
        [path::index_file(log.directory(), segment), path::time_index_file(log.directory(), segment)]
    }

    pub(super) async fn remove_files(&self, paths: &[PathBuf]) -> Result<(), StorageError> {
        for path in paths {
            match self.runtime.remove_file(path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StorageError::disk(&error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes what was written durable in the files; after that the journal is not needed for it.
    async fn sync_segments(&self, replica: &Rc<Replica>) -> Result<(), StorageError> {
        let unsynced: Vec<(Offset, u64)> = {
            let log = replica.log.borrow();
            let behind = log.segments().filter(|segment| segment.synced < segment.written);
            behind.map(|segment| (segment.base_offset, segment.written)).collect()
        };
        if unsynced.is_empty() {
            return Ok(());
        }
        let synced = async {
            for &(base, _) in &unsynced {
                let file = self.segment_writer(replica, base).await?;
                if is_planted(Bug::SkipSegmentSync) {
                    continue;
                }
                file.sync().await.map_err(|error| StorageError::disk(&error))?;
            }
            self.sync_directory(replica).await
        };
        synced.await.inspect_err(|error| self.fail(error))?;
        for (base, written) in unsynced {
            // An extent may have gone further meanwhile.
            self.change_segment(replica, base, |segment| segment.note_synced(written.max(segment.synced)));
        }
        self.make_evictable(replica);
        Ok(())
    }

    /// The entries of new files, without which their bytes are lost.
    pub(super) async fn sync_directory(&self, replica: &Replica) -> Result<(), StorageError> {
        let made = replica.files_made.get();
        if replica.files_made_durably.get() >= made || is_planted(Bug::SkipDirectorySync) {
            return Ok(());
        }
        let directory = replica.log.borrow().directory().to_owned();
        self.runtime.sync_dir(&directory).await.map_err(|error| StorageError::disk(&error))?;
        // Said only now: somebody else may be about to rely on it.
        replica.files_made_durably.set(replica.files_made_durably.get().max(made));
        Ok(())
    }
}
