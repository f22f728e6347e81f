//! The two checkpoint files of a shard.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::format::{self, BodyBuilder, CheckpointHeader};
use super::record::PartitionRecord;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, CHECKPOINT_IO_BYTES};
use crate::base::planted::{Bug, is_planted};
use crate::log::LogError;
use crate::runtime::{File, OpenMode, Runtime};

/// A checkpoint read back.
#[derive(Debug)]
pub struct Checkpoint {
    /// The header.
    pub header: CheckpointHeader,
    /// The partitions.
    pub partitions: Vec<PartitionRecord>,
}

fn path(directory: &Path, generation: u64) -> PathBuf {
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
    let file = runtime.open(&path, OpenMode::Write).await.map_err(LogError::io(&path))?;
    write_parts(&*file, head, body).await.map_err(LogError::io(&path))?;
    // The files are made once; their entries must outlive the journal files that they free.
    runtime.sync_dir(directory).await.map_err(LogError::io(directory))
}

async fn write_parts(file: &dyn File, head: bytes::Bytes, body: Vec<AlignedBuf>) -> std::io::Result<()> {
    let mut position = BLOCK_BYTES as u64;
    for piece in body {
        file.write_at(position, piece.view(0..piece.len())).await?;
        position += piece.len() as u64;
    }
    file.sync().await?;
    file.write_at(0, head).await?;
    file.sync().await
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

async fn read_one(runtime: &Rc<dyn Runtime>, path: &Path) -> Result<Option<Checkpoint>, LogError> {
    let file = match runtime.open(path, OpenMode::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LogError::io(path)(error)),
    };
    let length = file.length().await.map_err(LogError::io(path))? as usize;
    let block = file.read_at(0, BLOCK_BYTES).await.map_err(LogError::io(path))?;
    let Some((header, body_bytes, checksum)) = format::decode_header(block.as_slice()) else {
        return Ok(None);
    };
    if body_bytes > length.saturating_sub(BLOCK_BYTES) {
        return Ok(None);
    }
    let mut body = AlignedBuf::with_capacity(body_bytes);
    while body.len() < body_bytes {
        let position = (BLOCK_BYTES + body.len()) as u64;
        let want = CHECKPOINT_IO_BYTES.min(body.remaining());
        let part = file.read_at(position, want).await.map_err(LogError::io(path))?;
        if part.is_empty() {
            return Ok(None);
        }
        body.append(part.as_slice());
    }
    let partitions = format::decode_body(&body.as_slice()[..body_bytes], checksum);
    Ok(partitions.map(|partitions| Checkpoint { header, partitions }))
}
