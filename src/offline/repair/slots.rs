//! The files of a journal one by one, where it cannot be opened as a whole: which are there, and of which only the header
//! is damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::journal::file_header::{self, FileHeader, JournalIdentity};
use crate::log::journal::files;
use crate::log::journal::ring::RingShape;
use crate::log::recovery::ShardPaths;
use crate::offline::error::OfflineError;
use crate::offline::site::Site;
use crate::runtime::{File, OpenMode};

/// A journal's files, as far as they are there.
#[derive(Clone)]
pub(super) struct Slots {
    pub identity: JournalIdentity,
    pub shape: RingShape,
    /// By slot those that can hold groups of it.
    pub readable: BTreeMap<u64, Slot>,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Slot {
    pub path: PathBuf,
    pub file: Rc<dyn File>,
    /// Whether its header is not there any more. The groups in it name the journal themselves.
    pub is_headless: bool,
    /// Whether there are only zeros in its place: so is a file that was being made.
    pub is_blank: bool,
}

/// What was found under a slot's name.
struct Found {
    slot: u64,
    path: PathBuf,
    file: Rc<dyn File>,
    length: u64,
    header: Option<FileHeader>,
    is_blank: bool,
}

impl Slots {
    /// Looks at what is in a shard's journal directory of the journal of this identity, or of the one that most files are
    /// of. `None` if no header is left of it. Files of another data directory are refused.
    pub(super) async fn look(
        site: &Site,
        paths: &ShardPaths,
        identity: Option<JournalIdentity>,
    ) -> Result<Option<Self>, OfflineError> {
        let found = found_in(site, &paths.journal_directory).await?;
        let identity = identity.or_else(|| most_common(&found));
        let of_it = |header: &FileHeader| Some(header.identity) == identity && header.shape.is_workable();
        let Some(FileHeader { identity, shape, .. }) = found.iter().filter_map(|it| it.header).find(of_it)
        else {
            return Ok(None);
        };
        let readable = found.into_iter().filter(|it| {
            let is_its = |header: FileHeader| header == FileHeader { identity, slot: it.slot, shape };
            it.slot < shape.file_count && it.length == shape.file_bytes && it.header.is_none_or(is_its)
        });
        let readable = readable
            .map(|it| {
                let Found { slot, path, file, header, is_blank, .. } = it;
                (slot, Slot { path, file, is_headless: header.is_none(), is_blank })
            })
            .collect();
        Ok(Some(Slots { identity, shape, readable }))
    }

    /// Whether nothing but headers is missing.
    pub(super) fn lacks_headers_only(&self) -> bool {
        !self.lacks_files() && self.readable.values().any(|slot| slot.is_headless)
    }

    /// Whether not all of its files are there, or one has never been written.
    pub(super) fn lacks_files(&self) -> bool {
        let is_blank = self.readable.values().any(|slot| slot.is_blank);
        is_blank || self.readable.len() as u64 != self.shape.file_count
    }

    /// Writes the headers that are damaged. Durable when it returns.
    pub(super) async fn write_headers(&self, site: &Site) -> Result<(), OfflineError> {
        for (slot, Slot { path, .. }) in self.readable.iter().filter(|(_, slot)| slot.is_headless) {
            let header = FileHeader { identity: self.identity, slot: *slot, shape: self.shape };
            let file = site.runtime.open(path, OpenMode::WriteDurable).await.map_err(LogError::io(path))?;
            let write = file.write_at(0, file_header::encode(&header).view(0..BLOCK_BYTES));
            write.await.map_err(LogError::io(path))?;
        }
        Ok(())
    }
}

async fn found_in(site: &Site, directory: &Path) -> Result<Vec<Found>, OfflineError> {
    let listed = site.runtime.list_dir(directory).await.map_err(LogError::io(directory))?;
    let mut found = Vec::new();
    for path in listed {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(slot) = stem.and_then(|stem| stem.parse().ok()) else { continue };
        if path != files::path(directory, slot) {
            continue;
        }
        let file = site.runtime.open(&path, OpenMode::Read).await.map_err(LogError::io(&path))?;
        let length = file.length().await.map_err(LogError::io(&path))?;
        let block = file.read_at(0, BLOCK_BYTES).await.map_err(LogError::io(&path))?;
        let header = file_header::decode(block.as_slice());
        if header.is_some_and(|header| header.identity.disk_id != site.disk_id) {
            return Err(OfflineError::ForeignFiles { path: directory.to_owned() });
        }
        let is_blank = block.as_slice().iter().all(|byte| *byte == 0);
        found.push(Found { slot, path, file, length, header, is_blank });
    }
    Ok(found)
}

fn most_common(found: &[Found]) -> Option<JournalIdentity> {
    let identities = || found.iter().filter_map(|it| it.header).map(|header| header.identity);
    identities().max_by_key(|identity| identities().filter(|other| other == identity).count())
}
