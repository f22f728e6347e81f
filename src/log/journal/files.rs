//! The journal's files: made once, written with zeros so that no later write allocates, then reused for ever.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::file_header::{self, FileHeader, JournalIdentity};
use super::ring::RingShape;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, JOURNAL_ZERO_WRITE_BYTES};
use crate::log::LogError;
use crate::runtime::{File, OpenMode, Runtime};

/// The path of the file in a slot.
pub fn path(directory: &Path, slot: u64) -> PathBuf {
    directory.join(format!("{slot:04}.journal"))
}

/// Makes a journal's files in an existing directory, replacing any that an unfinished attempt left, and
/// makes them durable.
pub async fn create(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    identity: JournalIdentity,
    shape: RingShape,
) -> Result<(), LogError> {
    assert!(shape.is_workable(), "{shape:?}");
    for slot in 0..shape.file_count {
        let path = path(directory, slot);
        let file = runtime.open(&path, OpenMode::Write).await.map_err(LogError::io(&path))?;
        let header = FileHeader { identity, slot, shape };
        write_zeros(&*file, shape.file_bytes, &header).await.map_err(LogError::io(&path))?;
    }
    runtime.sync_dir(directory).await.map_err(LogError::io(directory))
}

/// Zeros really written, not only allocated: writes into unwritten extents cost a metadata commit each, which
/// doubles the time of a durable write. The header goes last, so that a file with a header is a whole one.
async fn write_zeros(file: &dyn File, file_bytes: u64, header: &FileHeader) -> io::Result<()> {
    file.allocate(file_bytes).await?;
    let mut zeros = AlignedBuf::with_capacity(JOURNAL_ZERO_WRITE_BYTES);
    zeros.append_zeros(JOURNAL_ZERO_WRITE_BYTES);
    let mut position = 0;
    while position < file_bytes {
        let length = (file_bytes - position).min(JOURNAL_ZERO_WRITE_BYTES as u64);
        file.write_at(position, zeros.view(0..length as usize)).await?;
        position += length;
    }
    file.sync().await?;
    file.write_at(0, file_header::encode(header).view(0..BLOCK_BYTES)).await?;
    file.sync().await
}

/// Opens all files of a journal for durable writes and checks that they belong together.
pub async fn open(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    identity: JournalIdentity,
) -> Result<(Vec<Rc<dyn File>>, RingShape), LogError> {
    let (readers, shape) = open_to_read(runtime, directory, identity).await?;
    let mut files = Vec::with_capacity(readers.len());
    for slot in 0..shape.file_count {
        let path = path(directory, slot);
        files.push(runtime.open(&path, OpenMode::WriteDurable).await.map_err(LogError::io(&path))?);
    }
    Ok((files, shape))
}

/// Opens all files of a journal for reading only and checks that they belong together.
pub async fn open_to_read(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    identity: JournalIdentity,
) -> Result<(Vec<Rc<dyn File>>, RingShape), LogError> {
    let first = open_one(runtime, directory, 0, identity, None).await?;
    let (shape, mut files) = (first.1, vec![first.0]);
    for slot in 1..shape.file_count {
        files.push(open_one(runtime, directory, slot, identity, Some(shape)).await?.0);
    }
    Ok((files, shape))
}

async fn open_one(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    slot: u64,
    identity: JournalIdentity,
    shape: Option<RingShape>,
) -> Result<(Rc<dyn File>, RingShape), LogError> {
    let path = path(directory, slot);
    let foreign = |what: &str| LogError::ForeignJournal { path: path.clone(), what: what.to_owned() };
    // The other modes would create a file that is missing.
    let reader = runtime.open(&path, OpenMode::Read).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LogError::MissingJournal { path: path.clone() },
        _ => LogError::io(&path)(source),
    })?;
    let block = reader.read_at(0, BLOCK_BYTES).await.map_err(LogError::io(&path))?;
    let length = reader.length().await.map_err(LogError::io(&path))?;
    let header = file_header::decode(block.as_slice()).ok_or_else(|| foreign("its header is damaged"))?;
    if header.identity.disk_id != identity.disk_id {
        return Err(foreign("it was made for another data directory"));
    }
    if header.identity != identity || header.slot != slot || shape.is_some_and(|it| it != header.shape) {
        return Err(foreign("it is part of another journal"));
    }
    if !header.shape.is_workable() || length != header.shape.file_bytes {
        return Err(foreign("its length is not the one in its header"));
    }
    Ok((reader, header.shape))
}
