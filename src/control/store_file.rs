//! DATA_DIR/control/metadata.redb with the disk space that is held for it: made and opened, whatever its quorum is.

use std::path::{Path, PathBuf};

use redb::{Builder, Database, StorageBackend};

use super::files;
use super::migration::{self, database_error};
use super::reserve::{FreeBytes, Reserve, free_bytes};
use super::reserved_file::ReservedFile;
use super::store::{Space, StoreError};
use crate::base::limits::METADATA_CACHE_BYTES;
use crate::cluster::DiskId;
use crate::quorum::Stored;

const STORE_FILE: &str = "metadata.redb";

/// An open store.
pub(super) struct StoreFile {
    pub database: Database,
    pub path: PathBuf,
    pub reserve: Reserve,
}

impl StoreFile {
    /// Makes a store in `dir`, with what `begin` puts into it. What an interrupted attempt left is removed.
    pub fn create(
        dir: &Path,
        begin: impl FnOnce(&Database, &Path) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let path = dir.join(STORE_FILE);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        files::create_dir(dir).map_err(failed)?;
        files::remove(&path).map_err(failed)?;
        let file = ReservedFile::create(&path).map_err(failed)?;
        let mut reserve = Reserve::create(&path, free_bytes()).map_err(failed)?;
        let database = open_database(file, &path)?;
        reserve.make_room(0, Space::Spend)?;
        begin(&database, &path)?;
        files::sync_dir(dir).map_err(failed)?;
        Ok(StoreFile { database, path, reserve })
    }

    /// Opens the store that was made in `dir`, in the present format.
    pub fn open(dir: &Path, disk: DiskId, free_bytes: FreeBytes) -> Result<Self, StoreError> {
        let path = dir.join(STORE_FILE);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let file = ReservedFile::open(&path).map_err(failed)?;
        let Some(file) = file else { return Err(StoreError::Missing { path }) };
        let length = file.len().map_err(failed)?;
        if length == 0 {
            return Err(StoreError::Damaged { path, detail: "the file is empty".to_owned() });
        }
        let mut reserve = Reserve::open(&path, length, free_bytes).map_err(failed)?;
        let database = open_database(file, &path)?;
        // A full disk must not keep the broker from starting: nothing could be deleted then.
        let make_room = |bytes| reserve.make_room(bytes, Space::Essential);
        migration::migrate(&database, &path, disk, make_room)?;
        Ok(StoreFile { database, path, reserve })
    }
}

/// The database in a file or whatever stands for one.
pub(super) fn open_database(file: impl StorageBackend, path: &Path) -> Result<Database, StoreError> {
    let mut builder = Builder::new();
    builder.set_cache_size(METADATA_CACHE_BYTES).set_check_integrity_on_open(true);
    builder.create_with_backend(file).map_err(|error| database_error(path, error.into()))
}

/// What the log holds and the store's records do not reflect.
pub(super) fn unapplied_bytes(stored: &Stored) -> u64 {
    let entries = stored.entries.iter().filter(|entry| entry.index > stored.head.applied_index);
    entries.map(|entry| entry.entry.data.len() as u64).sum()
}
