//! The two checkpoint files of a shard.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::format::{self, BodyBuilder, CheckpointHeader};
use super::record::PartitionRecord;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{
    BLOCK_BYTES, CHECKPOINT_IO_BYTES, CHECKPOINT_SPACE_PART, CHECKPOINT_SPACE_STEP_BYTES,
};
use crate::base::planted::{Bug, is_planted};
use crate::log::{LogError, is_no_space};
use crate::runtime::{File, OpenMode, Runtime};

/// A checkpoint read back.
#[derive(Debug)]
pub struct Checkpoint {
    /// The header.
    pub header: CheckpointHeader,
    /// The partitions.
    pub partitions: Vec<PartitionRecord>,
}

/// The file of a checkpoint, by its generation.
pub fn path(directory: &Path, generation: u64) -> PathBuf {
    let slot = if is_planted(Bug::OneCheckpoint) { 0 } else { generation % 2 };
    directory.join(format!("checkpoint.{slot}"))
}

/// Writes a checkpoint over the older of the two; durable when it returns.
pub async fn write(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    header: &CheckpointHeader,
    body: BodyBuilder,
) -> Result<(), LogError> {
    let path = path(directory, header.generation);
    let (head, body) = body.finish(header);
    let file = reserve(runtime, &path, body_bytes(&body)).await?;
    let needed_bytes = BLOCK_BYTES as u64 + body_bytes(&body);
    write_body(&*file, body).await.map_err(no_space(&path, needed_bytes))?;
    file.sync().await.map_err(LogError::io(&path))?;
    file.write_at(0, head).await.map_err(no_space(&path, needed_bytes))?;
    file.sync().await.map_err(LogError::io(&path))?;
    // The files are made once; their entries must outlive the journal files that they free.
    runtime.sync_dir(directory).await.map_err(LogError::io(directory))
}

/// Makes the file of the first checkpoint's successor with space for it: a disk may be full by then.
pub async fn make_other(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    generation: u64,
) -> Result<(), LogError> {
    let path = path(directory, generation + 1);
    reserve(runtime, &path, 0).await?.sync().await.map_err(LogError::io(&path))
}

fn body_bytes(body: &[AlignedBuf]) -> u64 {
    body.iter().map(|piece| piece.len() as u64).sum()
}

/// Opens a checkpoint's file with space for a body of `body_bytes`, and for a longer one if there is so much. All that
/// is written goes where the file has space.
async fn reserve(runtime: &Rc<dyn Runtime>, path: &Path, body_bytes: u64) -> Result<Rc<dyn File>, LogError> {
    let needed_bytes = BLOCK_BYTES as u64 + body_bytes;
    let no_space = no_space(path, needed_bytes);
    let file = runtime.open(path, OpenMode::Write).await.map_err(&no_space)?;
    let spare_bytes = needed_bytes / CHECKPOINT_SPACE_PART;
    let wanted_bytes = (needed_bytes + spare_bytes).next_multiple_of(CHECKPOINT_SPACE_STEP_BYTES);
    match file.allocate(wanted_bytes).await.map_err(&no_space) {
        Ok(()) => Ok(file),
        Err(LogError::NoSpace { .. }) => file.allocate(needed_bytes).await.map_err(&no_space).map(|()| file),
        Err(error) => Err(error),
    }
}

async fn write_body(file: &dyn File, body: Vec<AlignedBuf>) -> std::io::Result<()> {
    let mut position = BLOCK_BYTES as u64;
    for piece in body {
        file.write_at(position, piece.view(0..piece.len())).await?;
        position += piece.len() as u64;
    }
    Ok(())
}

/// For `map_err`: tells want of space from other answers. Without space the other checkpoint is still the newest, and
/// this one may be written again.
fn no_space(path: &Path, needed_bytes: u64) -> impl Fn(std::io::Error) -> LogError + '_ {
    move |source| match is_no_space(&source) {
        true => LogError::NoSpace { path: path.to_owned(), needed_bytes, source },
        false => LogError::io(path)(source),
    }
}

/// Reads the newer of the two checkpoints that is whole.
pub async fn read(runtime: &Rc<dyn Runtime>, directory: &Path) -> Result<Checkpoint, LogError> {
    let mut newest: Option<Checkpoint> = None;
    for generation in 0..2 {
        let found = read_one(runtime, &path(directory, generation)).await?;
        let newer = |it: &Checkpoint| {
            newest.as_ref().is_none_or(|best| it.header.generation > best.header.generation)
        };
        if let Some(checkpoint) = found.filter(newer) {
            newest = Some(checkpoint);
        }
    }
    newest.ok_or_else(|| LogError::NoCheckpoint { path: directory.to_owned() })
}

/// What one of the two files is.
pub enum CheckpointState {
    /// There is none: the first of them is enough.
    Missing,
    /// A checkpoint.
    Whole(Checkpoint),
    /// Its header, one block, was never written: the file was made for the shard's second checkpoint.
    Unwritten,
    /// Its header is of another body: the next checkpoint was being written over it, or it has rotted.
    OtherBody,
    /// Its header, which cannot tear, is not what was written.
    Rotten,
}

async fn read_one(runtime: &Rc<dyn Runtime>, path: &Path) -> Result<Option<Checkpoint>, LogError> {
    Ok(match read_state(runtime, path).await? {
        CheckpointState::Whole(checkpoint) => Some(checkpoint),
        _ => None,
    })
}

/// Reads one of the two files.
pub async fn read_state(runtime: &Rc<dyn Runtime>, path: &Path) -> Result<CheckpointState, LogError> {
    let file = match runtime.open(path, OpenMode::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(CheckpointState::Missing),
        Err(error) => return Err(LogError::io(path)(error)),
    };
    let length = file.length().await.map_err(LogError::io(path))? as usize;
    let block = file.read_at(0, BLOCK_BYTES).await.map_err(LogError::io(path))?;
    let Some((header, body_bytes, checksum)) = format::decode_header(block.as_slice()) else {
        let is_empty = block.as_slice().iter().all(|byte| *byte == 0);
        return Ok(if is_empty { CheckpointState::Unwritten } else { CheckpointState::Rotten });
    };
    if body_bytes > length.saturating_sub(BLOCK_BYTES) {
        return Ok(CheckpointState::OtherBody);
    }
    let mut body = AlignedBuf::with_capacity(body_bytes);
    while body.len() < body_bytes {
        let position = (BLOCK_BYTES + body.len()) as u64;
        let want = CHECKPOINT_IO_BYTES.min(body.remaining());
        let part = file.read_at(position, want).await.map_err(LogError::io(path))?;
        if part.is_empty() {
            return Ok(CheckpointState::OtherBody);
        }
        body.append(part.as_slice());
    }
    let partitions = format::decode_body(&body.as_slice()[..body_bytes], checksum);
    Ok(partitions.map_or(CheckpointState::OtherBody, |partitions| {
        CheckpointState::Whole(Checkpoint { header, partitions })
    }))
}
