//! What a member has on its disk, in redb. Three tables:
//!
//! ```text
//! quorum          "head"  one byte of version, an rkyv archive of Head
//! quorum_log      index   one byte of version, an rkyv archive of Entry
//! quorum_records  key     value
//! ```
//! A [`Persist`] is one durable transaction, so log, records and promises never disagree.

use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};
use thiserror::Error;

use super::archive;
use super::command::Change;
use super::state::State;
use super::stored::{IndexedEntry, Persist, Stored};
use crate::base::limits::METADATA_CACHE_BYTES;

const HEADS: TableDefinition<&str, &[u8]> = TableDefinition::new("quorum");
const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("quorum_log");
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("quorum_records");
const HEAD_KEY: &str = "head";
/// Version of heads and entries.
const VERSION: u8 = 1;

/// Why what a member knows cannot be read or kept.
#[derive(Error, Debug)]
pub enum QuorumStoreError {
    /// It was never begun, or is not what was written.
    #[error(
        "the quorum's store {} is damaged ({detail}): remove it, and let the node join anew under a new id",
        path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The database or the system refused. What was to be made durable may be or may not be.
    #[error("the quorum's store {} failed: {source}", path.display())]
    Database {
        /// The store.
        path: PathBuf,
        /// What it says.
        source: Box<redb::Error>,
    },
}

/// A member's store.
pub struct QuorumStore {
    path: PathBuf,
    database: Database,
}

impl QuorumStore {
    /// Opens the store in a file, which is made if it is not there.
    pub fn open(path: &Path) -> Result<Self, QuorumStoreError> {
        let database = builder().create(path);
        Self::new(path, database)
    }

    /// Opens the store in something else than a file, which `path` names.
    pub fn open_in(backend: impl StorageBackend, path: &Path) -> Result<Self, QuorumStoreError> {
        let database = builder().create_with_backend(backend);
        Self::new(path, database)
    }

    fn new(path: &Path, database: Result<Database, redb::DatabaseError>) -> Result<Self, QuorumStoreError> {
        Ok(Self::of(database.map_err(|error| failed(path, error.into()))?, path))
    }

    /// The store in a database that is open already, and may hold more than the store's tables.
    pub fn of(database: Database, path: &Path) -> Self {
        QuorumStore { path: path.to_owned(), database }
    }

    /// Writes what a member begins with, in the place of whatever is there.
    pub fn begin(&mut self, stored: &Stored) -> Result<(), QuorumStoreError> {
        self.transact(|transaction| Self::begin_in(transaction, stored))
    }

    /// The same as a part of somebody's transaction.
    pub fn begin_in(transaction: &WriteTransaction, stored: &Stored) -> Result<(), redb::Error> {
        replace_records(transaction, &stored.records)?;
        transaction.open_table(LOG)?.retain(|_, _| false)?;
        write_entries(transaction, &stored.entries)?;
        let head = archive::seal(VERSION, &stored.head);
        transaction.open_table(HEADS)?.insert(HEAD_KEY, head.as_slice())?;
        Ok(())
    }

    /// All that is there; `None` if nothing was ever begun.
    pub fn load(&self) -> Result<Option<Stored>, QuorumStoreError> {
        let failed = |error: redb::Error| failed(&self.path, error);
        let Some(stored) = self.read().map_err(failed)? else { return Ok(None) };
        let damaged =
            |detail: &str| QuorumStoreError::Damaged { path: self.path.clone(), detail: detail.to_owned() };
        let stored = stored.ok_or_else(|| damaged("something in it cannot be read"))?;
        match stored.fault() {
            Some(fault) => Err(damaged(fault)),
            None => Ok(Some(stored)),
        }
    }

    /// `None` if it was never begun, `Some(None)` if something does not decode.
    fn read(&self) -> Result<Option<Option<Stored>>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let heads = match transaction.open_table(HEADS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        let Some(head) = heads.get(HEAD_KEY)? else { return Ok(None) };
        let Some(head) = archive::open(VERSION, head.value()) else { return Ok(Some(None)) };
        let mut stored = Stored { head, ..Stored::default() };
        for entry in transaction.open_table(LOG)?.iter()? {
            let (index, bytes) = entry?;
            let Some(entry) = archive::open(VERSION, bytes.value()) else { return Ok(Some(None)) };
            stored.entries.push(IndexedEntry { index: index.value(), entry });
        }
        for record in transaction.open_table(RECORDS)?.iter()? {
            let (key, value) = record?;
            stored.records.put(key.value().to_owned(), value.value().into());
        }
        Ok(Some(Some(stored)))
    }

    /// Makes all of it durable, or nothing.
    pub fn persist(&mut self, persist: &Persist) -> Result<(), QuorumStoreError> {
        self.transact(|transaction| {
            let mut log = transaction.open_table(LOG)?;
            if persist.replacement.is_some() {
                log.retain(|_, _| false)?;
            }
            if let Some(first) = persist.entries.first() {
                log.retain_in(first.index.., |_, _| false)?;
            }
            drop(log);
            write_entries(transaction, &persist.entries)?;
            transaction.open_table(LOG)?.retain_in(..=persist.head.trimmed_index, |_, _| false)?;
            if let Some(records) = &persist.replacement {
                replace_records(transaction, records)?;
            }
            write_changes(transaction, &persist.changes)?;
            let head = archive::seal(VERSION, &persist.head);
            transaction.open_table(HEADS)?.insert(HEAD_KEY, head.as_slice())?;
            Ok(())
        })
    }

    fn transact(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), QuorumStoreError> {
        let transact = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            work(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        transact().map_err(|error| failed(&self.path, error))
    }
}

fn write_entries(transaction: &WriteTransaction, entries: &[IndexedEntry]) -> Result<(), redb::Error> {
    let mut log = transaction.open_table(LOG)?;
    for IndexedEntry { index, entry } in entries {
        log.insert(index, archive::seal(VERSION, entry).as_slice())?;
    }
    Ok(())
}

fn replace_records(transaction: &WriteTransaction, state: &State) -> Result<(), redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    records.retain(|_, _| false)?;
    for (key, value) in state.records() {
        records.insert(key.as_str(), &**value)?;
    }
    Ok(())
}

fn write_changes(transaction: &WriteTransaction, changes: &[Change]) -> Result<(), redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    for change in changes {
        match change {
            Change::Put { key, value } => drop(records.insert(key.as_str(), value.as_slice())?),
            Change::Remove { from, to } if from < to => {
                records.retain_in(from.as_str()..to.as_str(), |_, _| false)?;
            }
            Change::Remove { .. } => {}
        }
    }
    Ok(())
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(METADATA_CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

fn failed(path: &Path, error: redb::Error) -> QuorumStoreError {
    let path = path.to_owned();
    match error {
        redb::Error::Corrupted(detail) => QuorumStoreError::Damaged { path, detail },
        source => QuorumStoreError::Database { path, source: Box::new(source) },
    }
}
