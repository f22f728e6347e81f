//! Checks the metadata's database, whatever is in it: every page against its checksum, as redb does when it is opened
//! after a crash. What redb mends meanwhile it mends in memory: the file stays as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{Builder, StorageBackend};

use super::error::OfflineError;
use super::finding::{Finding, FindingKind};
use crate::base::guard::guarded;
use crate::base::limits::{BLOCK_BYTES, METADATA_CACHE_BYTES};

/// Where the databases are, below the data directory.
const CONTROL_DIR: &str = "control";
const EXTENSION: &str = "redb";

/// Checks the databases of a data directory, which the caller has locked; what is wrong with them.
pub fn check_metadata(data: &Path) -> Result<Vec<Finding>, OfflineError> {
    let directory = data.join(CONTROL_DIR);
    let mut paths = Vec::new();
    match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            for entry in entries.map_err(OfflineError::io(&directory))? {
                paths.push(entry.map_err(OfflineError::io(&directory))?.path());
            }
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    paths.sort();
    if paths.is_empty() {
        let what = "the database of the metadata is missing";
        return Ok(vec![Finding::new(FindingKind::Corruption, directory, what, OUTCOME)]);
    }
    let mut findings = Vec::new();
    for path in paths {
        findings.extend(check_database(path)?);
    }
    Ok(findings)
}

const OUTCOME: &str = "nothing starts without it: restore the whole data directory from one backup";

fn check_database(path: PathBuf) -> Result<Option<Finding>, OfflineError> {
    let overlay = Overlay::open(&path).map_err(OfflineError::io(&path))?;
    let what = if overlay.length() == 0 {
        "the database of the metadata is empty".to_owned()
    } else {
        match guarded(|| integrity(overlay)) {
            Some(Ok(true)) => return Ok(None),
            // As when a broker is killed amid a transaction.
            Some(Ok(false)) => {
                let what = "the database of the metadata was not closed";
                return Ok(Some(Finding::new(FindingKind::Note, path, what, "a start mends it")));
            }
            Some(Err(redb::Error::Io(source))) if !is_of_content(&source) => {
                return Err(OfflineError::Io { path, source });
            }
            Some(Err(error)) => format!("the database of the metadata is damaged: {error}"),
            None => "the database of the metadata is damaged: it contradicts itself".to_owned(),
        }
    };
    Ok(Some(Finding::new(FindingKind::Corruption, path, what, OUTCOME)))
}

/// Whether an error comes from what is in the file, not from reading it: redb says so where a file is none of its own, and
/// [`Overlay`] where one refers to what is behind its end.
fn is_of_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Whether nothing had to be mended.
fn integrity(overlay: Overlay) -> Result<bool, redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(METADATA_CACHE_BYTES).set_check_integrity_on_open(true);
    let mut database = builder.create_with_backend(overlay)?;
    Ok(database.check_integrity()?)
}

/// A file that is only read, with what is written kept in memory: a few pages, when redb mends what a crash has left.
#[derive(Debug)]
struct Overlay {
    file: File,
    changed: Mutex<Changed>,
}

#[derive(Debug)]
struct Changed {
    length: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let changed = Changed { length: file.metadata()?.len(), blocks: BTreeMap::new() };
        Ok(Overlay { file, changed: Mutex::new(changed) })
    }

    fn length(&self) -> u64 {
        self.changed().length
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of the file, with zeros behind its end.
    fn read_block(&self, block: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            let at = block * BLOCK_BYTES as u64 + filled as u64;
            match self.file.read_at(&mut bytes[filled..], at) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

/// Block, range within it, and range of the whole, of each block that `length` bytes at `offset` touch.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let position = offset + done as u64;
        let within = (position % BLOCK_BYTES as u64) as usize;
        let count = (BLOCK_BYTES - within).min(length - done);
        let range = done..done + count;
        done += count;
        (count > 0).then_some((position / BLOCK_BYTES as u64, within, range))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changed = self.changed();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > changed.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, within, range) in blocks(offset, out.len()) {
            let count = range.len();
            let from_file;
            let bytes = match changed.blocks.get(&block) {
                Some(bytes) => bytes,
                None => {
                    from_file = self.read_block(block)?;
                    &from_file
                }
            };
            out[range].copy_from_slice(&bytes[within..within + count]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        // What grows again is not read before it is written.
        self.changed().length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed();
        for (block, within, range) in blocks(offset, data.len()) {
            let mut bytes = match changed.blocks.remove(&block) {
                Some(bytes) => bytes,
                None => self.read_block(block)?,
            };
            bytes[within..within + range.len()].copy_from_slice(&data[range]);
            changed.blocks.insert(block, bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableDatabase, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("any");
    const RECORDS: u32 = 400;

    /// A data directory with a database; what is in the file while a broker that was killed had it open, and after a
    /// stop.
    fn written() -> (tempfile::TempDir, PathBuf, [Vec<u8>; 2]) {
        let data = tempfile::tempdir().expect("a directory");
        let path = data.path().join(CONTROL_DIR).join("metadata.redb");
        std::fs::create_dir(path.parent().expect("below")).expect("made");
        let database = Database::create(&path).expect("made");
        let transaction = database.begin_write().expect("begun");
        {
            let mut table = transaction.open_table(TABLE).expect("opened");
            for record in 0..RECORDS {
                table.insert(&*format!("{record:08}"), &[record as u8; 100][..]).expect("inserted");
            }
        }
        transaction.commit().expect("committed");
        let killed = std::fs::read(&path).expect("read");
        drop(database);
        let stopped = std::fs::read(&path).expect("read");
        (data, path, [killed, stopped])
    }

    fn kinds(data: &Path) -> Vec<FindingKind> {
        check_metadata(data).expect("checked").into_iter().map(|finding| finding.kind).collect()
    }

    /// All records, if they can be read.
    fn records(path: &Path) -> Option<Vec<(String, Vec<u8>)>> {
        let read = || -> Result<_, redb::Error> {
            let mut builder = Builder::new();
            let database = builder.set_check_integrity_on_open(true).open(path)?;
            let table = database.begin_read()?.open_table(TABLE)?;
            let mut records = Vec::new();
            for record in redb::ReadableTable::iter(&table)? {
                let (key, value) = record?;
                records.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(records)
        };
        read().ok()
    }

    #[test]
    fn a_whole_database_is_sound_and_stays_as_it_is() {
        let (data, path, contents) = written();
        for content in contents {
            std::fs::write(&path, &content).expect("written");
            assert!(!kinds(data.path()).contains(&FindingKind::Corruption));
            assert!(std::fs::read(&path).expect("read") == content, "nothing was changed");
        }
    }

    #[test]
    fn what_is_called_sound_can_be_read_and_what_is_rotten_is_not_called_so() {
        let (data, path, [_, whole]) = written();
        let all = records(&path).expect("whole");
        let mut corrupt = 0;
        for at in (0..whole.len()).step_by(whole.len() / 150) {
            let mut content = whole.clone();
            content[at] ^= 0x10;
            std::fs::write(&path, &content).expect("written");
            let is_corrupt = kinds(data.path()).contains(&FindingKind::Corruption);
            corrupt += u32::from(is_corrupt);
            assert!(is_corrupt || records(&path).as_ref() == Some(&all), "byte {at}");
        }
        assert!(corrupt > 0, "some bytes count");
    }

    #[test]
    fn a_database_that_is_gone_or_empty_is_missed() {
        let (data, path, [_, whole]) = written();
        std::fs::write(&path, []).expect("written");
        assert_eq!(kinds(data.path()), [FindingKind::Corruption]);
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
        assert_eq!(kinds(data.path()), [FindingKind::Corruption]);
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(kinds(data.path()), [FindingKind::Corruption]);
    }
}
