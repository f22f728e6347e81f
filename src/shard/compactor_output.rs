//! The file of a segment that compaction writes: complete and durable before anything knows of it.

use std::rc::Rc;

use super::compactor_pace::Pace;
use super::compactor_pass::PassError;
use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, COMPACTION_IO_BYTES, SEGMENT_ALLOCATION_BYTES_MAX};
use crate::log::compaction::{Group, Output};
use crate::log::segment::{Segment, path};
use crate::protocol::batch::BatchHeader;
use crate::runtime::{File, OpenMode};

/// A segment file that is being written.
pub(super) struct OutputFile {
    file: Rc<dyn File>,
    output: Output,
    buffer: AlignedBuf,
    /// Bytes that are in the file.
    written: u64,
    /// Bytes that it has space for.
    allocated: u64,
    /// Length of what it is made of: it hardly becomes longer.
    input_bytes: u64,
    /// Whether anything is different from what the batches were.
    pub(super) is_changed: bool,
}

impl OutputFile {
    /// Writes a batch behind the ones before.
    pub(super) async fn push(
        &mut self,
        header: &BatchHeader,
        parts: &[&[u8]],
        pace: &Pace<'_>,
    ) -> Result<(), PassError> {
        self.output.note(header);
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(self.buffer.remaining()));
                self.buffer.append(now);
                rest = later;
                pace.worked(now.len()).await?;
                if self.buffer.remaining() == 0 {
                    self.flush(pace).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes the buffer, padded to whole blocks.
    async fn flush(&mut self, pace: &Pace<'_>) -> Result<(), PassError> {
        let mut buffer = std::mem::replace(&mut self.buffer, AlignedBuf::with_capacity(COMPACTION_IO_BYTES));
        buffer.pad_to_block();
        let end = self.written + buffer.len() as u64;
        if end > self.allocated {
            let likely_end = self.input_bytes.next_multiple_of(BLOCK_BYTES as u64).max(end);
            let length = end.next_multiple_of(SEGMENT_ALLOCATION_BYTES_MAX).min(likely_end);
            pace.take_room(length - self.allocated).await?;
            self.file.allocate(length).await.map_err(PassError::disk)?;
            self.allocated = length;
        }
        self.file.write_at(self.written, buffer.view(0..buffer.len())).await.map_err(PassError::disk)?;
        self.written = end;
        pace.moved(buffer.len() as u64).await
    }
}

impl Storage {
    /// Makes the file of a group's segment; `None` if the log no longer has the group's segments.
    pub(super) async fn begin_output(
        &self,
        replica: &Rc<Replica>,
        group: &Group,
    ) -> Result<Option<OutputFile>, PassError> {
        // Whoever deletes the partition waits for those who make files in its directory.
        let _turn = self.segment_turn.lock().await;
        replica.check_online().map_err(|_| PassError::Interrupted)?;
        let Some(output) = Output::begin(&mut replica.log.borrow_mut(), group) else { return Ok(None) };
        let path = path::log_file(replica.log.borrow().directory(), group.output);
        let file = self.runtime.open(&path, OpenMode::Write).await.map_err(PassError::disk)?;
        let buffer = AlignedBuf::with_capacity(COMPACTION_IO_BYTES);
        let input_bytes = group.bytes();
        Ok(Some(OutputFile {
            file,
            output,
            buffer,
            written: 0,
            allocated: 0,
            input_bytes,
            is_changed: false,
        }))
    }

    /// Makes the segment complete and durable, with its indexes.
    pub(super) async fn complete_output(
        &self,
        replica: &Rc<Replica>,
        mut output: OutputFile,
        group: &Group,
        pace: &Pace<'_>,
    ) -> Result<Segment, PassError> {
        if !output.buffer.is_empty() {
            output.flush(pace).await?;
        }
        let end_position = output.output.end_position();
        output.file.set_length(end_position).await.map_err(PassError::disk)?;
        output.file.sync().await.map_err(PassError::disk)?;
        let _turn = self.segment_turn.lock().await;
        pace.check()?;
        let (offsets, times) = output.output.encode_index();
        self.write_index_files(replica, group.output, [offsets, times]).await.map_err(PassError::disk)?;
        let directory = replica.log.borrow().directory().to_owned();
        // Entries of other files may be lost with it, and the next sync would not tell.
        let synced = self.runtime.sync_dir(&directory).await.map_err(|error| StorageError::disk(&error));
        synced.inspect_err(|error| self.fail(error)).map_err(PassError::disk)?;
        self.meters.compaction.written_bytes.add(end_position);
        Ok(output.output.finish(group))
    }

    /// Removes the files of a segment that will not be used. What stays is looked for by the next start.
    pub(super) async fn remove_output(&self, replica: &Rc<Replica>, group: &Group) {
        if replica.check_online().is_err() {
            return;
        }
        let log_file = path::log_file(replica.log.borrow().directory(), group.output);
        let [offsets, times] = self.index_files(replica, group.output);
        if let Err(error) = self.remove_files(&[log_file, offsets, times]).await {
            tracing::warn!(partition = %replica.id, segment = ?group.output, %error, "a file that nobody uses remains");
        }
    }
}
