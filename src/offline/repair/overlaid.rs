//! A segment as its file and the journal have it together: read through one another, a piece at a time.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use super::journaled::{Journaled, Patch};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, OFFLINE_READ_BYTES};
use crate::log::LogError;
use crate::log::segment::{SegmentName, path};
use crate::offline::error::OfflineError;
use crate::offline::site::Site;
use crate::runtime::{File, OpenMode};

const BLOCK: u64 = BLOCK_BYTES as u64;

/// See the module. For reading.
#[derive(Clone)]
pub(super) struct Overlaid {
    /// The segment's file.
    pub path: PathBuf,
    /// Where the file ends or the last of the journal's bytes, in bytes.
    pub length: u64,
    /// Whether the journal's bytes go on behind the file's end.
    pub is_file_short: bool,
    file_length: u64,
    file: Option<Rc<dyn File>>,
    patches: Rc<[Patch]>,
}

impl Overlaid {
    /// A segment of which file or journal, or both, have something.
    pub(super) async fn open(
        site: &Site,
        directory: &Path,
        name: SegmentName,
        journaled: Option<&Journaled>,
    ) -> Result<Self, OfflineError> {
        let path = path::log_file(directory, name);
        let file = match site.runtime.open(&path, OpenMode::Read).await {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LogError::io(&path)(error).into()),
        };
        let mut length = 0;
        if let Some(file) = &file {
            length = file.length().await.map_err(LogError::io(&path))?;
        }
        // What compaction has written anew was complete, and its positions are others than the journal's.
        let journaled = journaled.filter(|_| name.generation == 0);
        let patches = journaled.into_iter().flat_map(|journaled| &journaled.patches);
        let patches: Rc<[Patch]> = patches.filter(|patch| patch.segment_base == name.base).cloned().collect();
        let file_length = length;
        let length = patches.iter().map(Patch::end).fold(file_length, u64::max);
        let is_file_short = file.is_some() && file_length < length;
        Ok(Overlaid { path, length, is_file_short, file_length, file, patches })
    }

    /// The same without its file being open, of which there are only so many at a time: for [`Overlaid::make_whole`].
    pub(super) fn closed(self) -> Self {
        Overlaid { file: None, ..self }
    }

    /// The segment's file alone, if there is one and bytes of the journal lie over it behind `position`.
    pub(super) fn written_behind(&self, position: u64) -> Option<Self> {
        let is_covered = self.patches.iter().any(|patch| patch.end() > position);
        let (file_length, path) = (self.file_length, self.path.clone());
        let file = self.file.clone().filter(|_| is_covered && position < file_length);
        file.map(|file| Overlaid {
            path,
            length: file_length,
            file_length,
            is_file_short: false,
            file: Some(file),
            patches: Rc::new([]),
        })
    }

    /// The same, but what the file has in these places, in bytes, counts and not the journal.
    pub(super) fn without_patches_in(self, places: &[Range<u64>]) -> Self {
        let mut patches = self.patches.to_vec();
        for place in places {
            patches = patches.iter().flat_map(|patch| patch.outside(place)).collect();
        }
        Overlaid { patches: patches.into(), ..self }
    }

    /// Whether any byte of it is the journal's.
    pub(super) fn has_patches(&self) -> bool {
        !self.patches.is_empty()
    }

    /// Whether only zeros follow from `position` on: space that was reserved.
    pub(super) async fn is_empty_from(&self, position: u64) -> Result<bool, OfflineError> {
        if self.patches.iter().any(|patch| patch.end() > position) {
            return Ok(false);
        }
        let mut start = position - position % BLOCK;
        while start < self.length {
            let read = self.read_at(start, OFFLINE_READ_BYTES).await;
            let piece = read.map_err(LogError::io(&self.path))?;
            let skipped = position.saturating_sub(start).min(piece.len() as u64) as usize;
            if piece.as_slice()[skipped..].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            start += OFFLINE_READ_BYTES as u64;
        }
        Ok(true)
    }

    /// Has the file hold all of it up to `end_position`, and nothing behind. Durable when it returns, but for the file's
    /// name.
    pub(super) async fn make_whole(&self, site: &Site, end_position: u64) -> Result<(), OfflineError> {
        let path = &self.path;
        let file = site.runtime.open(path, OpenMode::Write).await.map_err(LogError::io(path))?;
        let whole = Overlaid { file: Some(Rc::clone(&file)), ..self.clone() };
        let first = self.patches.iter().map(|patch| patch.position).min().unwrap_or(end_position);
        let mut position = first - first % BLOCK;
        while position < end_position && !self.patches.is_empty() {
            let want = (end_position - position).min(OFFLINE_READ_BYTES as u64) as usize;
            let read = whole.read_at(position, want.next_multiple_of(BLOCK_BYTES)).await;
            let mut piece = read.map_err(LogError::io(path))?;
            piece.pad_to_block();
            let length = piece.len();
            file.write_at(position, piece.view(0..length)).await.map_err(LogError::io(path))?;
            position += length as u64;
        }
        file.set_length(end_position).await.map_err(LogError::io(path))?;
        // Also what was written back before: nobody may have synced it.
        file.sync().await.map_err(LogError::io(path))?;
        Ok(())
    }
}

impl File for Overlaid {
    fn read_at(&self, position: u64, length: usize) -> LocalBoxFuture<'static, io::Result<AlignedBuf>> {
        let it = self.clone();
        Box::pin(async move {
            let end = it.length.min(position + length as u64);
            let mut bytes = vec![0; end.saturating_sub(position) as usize];
            if let Some(file) = &it.file {
                let read = file.read_at(position, length).await?;
                let count = read.len().min(bytes.len());
                bytes[..count].copy_from_slice(&read.as_slice()[..count]);
            }
            for patch in it.patches.iter() {
                let (from, until) = (patch.position.max(position), patch.end().min(end));
                if from < until {
                    let at = patch.at + (from - patch.position);
                    let target = &mut bytes[(from - position) as usize..(until - position) as usize];
                    read_exactly(&*patch.file, at, target).await?;
                }
            }
            Ok(AlignedBuf::copy_of(&bytes))
        })
    }

    fn write_at(&self, _position: u64, _bytes: Bytes) -> LocalBoxFuture<'static, io::Result<()>> {
        read_only()
    }

    fn sync(&self) -> LocalBoxFuture<'static, io::Result<()>> {
        read_only()
    }

    fn allocate(&self, _length: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        read_only()
    }

    fn set_length(&self, _length: u64) -> LocalBoxFuture<'static, io::Result<()>> {
        read_only()
    }

    fn length(&self) -> LocalBoxFuture<'static, io::Result<u64>> {
        let length = self.length;
        Box::pin(async move { Ok(length) })
    }
}

fn read_only() -> LocalBoxFuture<'static, io::Result<()>> {
    Box::pin(async { Err(io::ErrorKind::ReadOnlyFilesystem.into()) })
}

/// Bytes at any position of a journal's file.
async fn read_exactly(file: &dyn File, at: u64, target: &mut [u8]) -> io::Result<()> {
    let start = at - at % BLOCK;
    let skipped = (at - start) as usize;
    let read = file.read_at(start, (skipped + target.len()).next_multiple_of(BLOCK_BYTES)).await?;
    let found = read.as_slice().get(skipped..skipped + target.len());
    target.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}
