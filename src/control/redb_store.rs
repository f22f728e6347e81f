//! The metadata in redb, one table from text to JSON:
//!
//! ```text
//! cluster                   ClusterRecord, first: it has the format's version
//! config/broker/0000001000  BrokerConfigsRecord of one broker
//! config/broker/default     BrokerConfigsRecord of all brokers
//! node/0000000001           NodeRecord
//! producer_ids              ProducerIdsRecord
//! topic/<uuid>              TopicRecord
//! topic/<uuid>/0000000000   PartitionRecord, after its topic and in order of the index
//! ```
//!
//! redb checks every page against its checksum when the store is opened, and each commit is one durable
//! transaction.

use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ballast::Ballast;
use super::files;
use super::reserved_file::ReservedFile;
use super::store::{MetadataStore, Space, StoreError};
use crate::base::ids::TopicId;
use crate::base::limits::{BALLAST_BYTES_MIN, METADATA_CACHE_BYTES, METADATA_RECORD_BYTES_MAX};
use crate::cluster::{Change, ClusterRecord, Image, METADATA_FORMAT_VERSION, Record, RecordKey};

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
const STORE_FILE: &str = "metadata.redb";
const CLUSTER_KEY: &str = "cluster";

/// Pages that one byte of a record may cost in the worst case: copied with their neighbours, in a file that
/// grows by doubling.
const GROWTH_PER_BYTE: u64 = 8;

type FreeBytes = Box<dyn Fn(&Path) -> io::Result<u64> + Send>;

/// The store in DATA_DIR/control.
pub struct RedbStore {
    path: PathBuf,
    database: Database,
    ballast: Ballast,
    free_bytes: FreeBytes,
}

impl RedbStore {
    /// Makes a new store of a new cluster. What an interrupted attempt left is removed.
    pub fn create(dir: &Path, cluster: ClusterRecord) -> Result<Self, StoreError> {
        let path = dir.join(STORE_FILE);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        files::create_dir(dir).map_err(failed)?;
        files::remove(&path).map_err(failed)?;
        let file = ReservedFile::create(&path).map_err(failed)?;
        let mut ballast = Ballast::open(dir).map_err(failed)?;
        let held = ballast.hold(BALLAST_BYTES_MIN).map_err(failed)?;
        if !held {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let database = open_database(file, &path)?;
        let free_bytes = Box::new(files::free_bytes);
        let mut store = RedbStore { path: path.clone(), database, ballast, free_bytes };
        store.commit(&[Change::Put(Record::Cluster(cluster))], Space::Spend)?;
        files::sync_dir(dir).map_err(failed)?;
        Ok(store)
    }

    /// Opens the store that was made in `dir`. Never makes one: a store that is gone is a loss to be told of.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Box::new(files::free_bytes))
    }

    /// The same, with another idea of the free space.
    pub(super) fn open_with(dir: &Path, free_bytes: FreeBytes) -> Result<Self, StoreError> {
        let path = dir.join(STORE_FILE);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let file = ReservedFile::open(&path).map_err(failed)?;
        let Some(file) = file else { return Err(StoreError::Missing { path }) };
        let length = file.len().map_err(failed)?;
        if length == 0 {
            return Err(StoreError::Damaged { path, detail: "the file is empty".to_owned() });
        }
        let mut ballast = Ballast::open(dir).map_err(failed)?;
        if free_bytes(&path).map_err(failed)? < length {
            // Opening after a crash repairs, and that takes space as a commit does.
            ballast.release().map_err(failed)?;
        }
        let database = open_database(file, &path)?;
        let mut store = RedbStore { path, database, ballast, free_bytes };
        store.check_format()?;
        store.restore_ballast();
        Ok(store)
    }

    /// Lets go of the space that is held for what must be written on a full disk. The next commit takes it back.
    pub fn release_reserve(&mut self) -> Result<(), StoreError> {
        tracing::warn!("the disk is full: the metadata store's reserve is used");
        self.ballast.release().map_err(|source| self.io(source))
    }

    /// Refuses a store that is none, or that other software wrote, before anything else of it is read.
    fn check_format(&self) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let table = self.table()?;
        let cluster = table.get(CLUSTER_KEY).map_err(|error| self.failed(error))?;
        let cluster = cluster.ok_or_else(|| self.damaged("it has no cluster record".to_owned()))?;
        let version: Version = self.parse(CLUSTER_KEY, cluster.value())?;
        if version.format_version != METADATA_FORMAT_VERSION {
            let found = version.format_version;
            return Err(StoreError::OtherFormat { path: self.path.clone(), found });
        }
        Ok(())
    }

    fn table(&self) -> Result<redb::ReadOnlyTable<&'static str, &'static [u8]>, StoreError> {
        let transaction = self.database.begin_read().map_err(|error| self.failed(error))?;
        match transaction.open_table(RECORDS) {
            Err(redb::TableError::TableDoesNotExist(_)) => Err(self.damaged("it has no records".to_owned())),
            table => table.map_err(|error| self.failed(error)),
        }
    }

    fn parse<T: DeserializeOwned>(&self, key: &str, value: &[u8]) -> Result<T, StoreError> {
        if value.len() > METADATA_RECORD_BYTES_MAX {
            return Err(self.damaged(format!("record {key} has {} bytes", value.len())));
        }
        serde_json::from_slice(value).map_err(|error| self.damaged(format!("record {key}: {error}")))
    }

    fn parse_record(&self, key: &str, value: &[u8]) -> Result<Record, StoreError> {
        let record = match key.split('/').collect::<Vec<_>>()[..] {
            [CLUSTER_KEY] => Record::Cluster(self.parse(key, value)?),
            ["producer_ids"] => Record::ProducerIds(self.parse(key, value)?),
            ["config", "broker", _] => Record::BrokerConfigs(self.parse(key, value)?),
            ["node", _] => Record::Node(self.parse(key, value)?),
            ["topic", _] => Record::Topic(self.parse(key, value)?),
            ["topic", _, _] => Record::Partition(self.parse(key, value)?),
            _ => return Err(self.damaged(format!("record {key} is of no known kind"))),
        };
        if key_text(&record.key()) != key {
            return Err(self.damaged(format!("record {key} holds {}", key_text(&record.key()))));
        }
        Ok(record)
    }

    fn write(&self, changes: &[EncodedChange]) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|error| self.failed(error))?;
        let mut table = transaction.open_table(RECORDS).map_err(|error| self.failed(error))?;
        for change in changes {
            let changed = match change {
                EncodedChange::Put(key, value) => table.insert(key.as_str(), value.as_slice()).map(drop),
                EncodedChange::RemoveTopic(id) => {
                    let topic = key_text(&RecordKey::Topic(*id));
                    // Its own key and all that continue it with '/', whose successor is '0'.
                    let after = format!("{topic}0");
                    table.retain_in(topic.as_str()..after.as_str(), |_, _| false)
                }
            };
            changed.map_err(|error| self.failed(error))?;
        }
        drop(table);
        transaction.commit().map_err(|error| self.failed(error))
    }

    /// Makes sure that the file can grow as far as it may have to.
    fn make_room(&mut self, bytes: u64, space: Space) -> Result<(), StoreError> {
        let needed_bytes = self.file_bytes()? + GROWTH_PER_BYTE * bytes + BALLAST_BYTES_MIN;
        let free_bytes = (self.free_bytes)(&self.path).map_err(|source| self.io(source))?;
        if free_bytes >= needed_bytes {
            return Ok(());
        }
        if space == Space::Spend {
            return Err(StoreError::DiskFull { path: self.path.clone(), free_bytes, needed_bytes });
        }
        tracing::warn!(free_bytes, "the disk is nearly full: the metadata store uses its reserve");
        self.ballast.release().map_err(|source| self.io(source))
    }

    /// Holds as much as the file, which grows by doubling, may take at once. If that fails it is tried again
    /// after the next commit: what was committed stays committed.
    fn restore_ballast(&mut self) {
        let held = self.file_bytes().and_then(|bytes| {
            self.ballast.hold(bytes.max(BALLAST_BYTES_MIN)).map_err(|source| self.io(source))
        });
        let held_bytes = self.ballast.held_bytes();
        match held {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(held_bytes, "the disk is full: the reserve for deletions is not whole")
            }
            Err(error) => tracing::warn!(held_bytes, %error, "the reserve for deletions is not whole"),
        }
    }

    fn file_bytes(&self) -> Result<u64, StoreError> {
        Ok(std::fs::metadata(&self.path).map_err(|source| self.io(source))?.len())
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        database_error(&self.path, error.into())
    }

    fn damaged(&self, detail: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), detail }
    }
}

impl MetadataStore for RedbStore {
    fn load(&self) -> Result<Image, StoreError> {
        let table = self.table()?;
        let mut records = Vec::new();
        for entry in table.iter().map_err(|error| self.failed(error))? {
            let (key, value) = entry.map_err(|error| self.failed(error))?;
            records.push(self.parse_record(key.value(), value.value())?);
        }
        let mut records = records.into_iter();
        match records.next() {
            Some(Record::Cluster(cluster)) => {
                Image::from_records(cluster, records).map_err(|error| self.damaged(error.to_string()))
            }
            _ => Err(self.damaged("it has no cluster record".to_owned())),
        }
    }

    fn commit(&mut self, changes: &[Change], space: Space) -> Result<(), StoreError> {
        let changes: Vec<EncodedChange> = changes.iter().map(EncodedChange::of).collect();
        self.make_room(changes.iter().map(EncodedChange::bytes).sum(), space)?;
        self.write(&changes)?;
        self.restore_ballast();
        Ok(())
    }
}

/// A change as it goes into the table.
enum EncodedChange {
    Put(String, Vec<u8>),
    RemoveTopic(TopicId),
}

impl EncodedChange {
    fn of(change: &Change) -> Self {
        let record = match change {
            Change::RemoveTopic(id) => return EncodedChange::RemoveTopic(*id),
            Change::Put(record) => record,
        };
        let value = match record {
            Record::Cluster(cluster) => serde_json::to_vec(cluster),
            Record::Node(node) => serde_json::to_vec(node),
            Record::Topic(topic) => serde_json::to_vec(topic),
            Record::Partition(partition) => serde_json::to_vec(partition),
            Record::ProducerIds(ids) => serde_json::to_vec(ids),
            Record::BrokerConfigs(configs) => serde_json::to_vec(configs),
        };
        let value = value.expect("plain data");
        assert!(value.len() <= METADATA_RECORD_BYTES_MAX, "a record that could not be read again");
        EncodedChange::Put(key_text(&record.key()), value)
    }

    fn bytes(&self) -> u64 {
        match self {
            EncodedChange::Put(key, value) => (key.len() + value.len()) as u64,
            EncodedChange::RemoveTopic(_) => 0,
        }
    }
}

fn key_text(key: &RecordKey) -> String {
    match key {
        RecordKey::Cluster => CLUSTER_KEY.to_owned(),
        RecordKey::ProducerIds => "producer_ids".to_owned(),
        RecordKey::BrokerConfigs(None) => "config/broker/default".to_owned(),
        RecordKey::BrokerConfigs(Some(broker)) => format!("config/broker/{broker:010}"),
        RecordKey::Node(node) => format!("node/{:010}", node.0),
        RecordKey::Topic(id) => format!("topic/{id}"),
        RecordKey::Partition(id) => format!("topic/{}/{:010}", id.topic, id.index),
    }
}

fn open_database(file: ReservedFile, path: &Path) -> Result<Database, StoreError> {
    let mut builder = Builder::new();
    builder.set_cache_size(METADATA_CACHE_BYTES).set_check_integrity_on_open(true);
    builder.create_with_backend(file).map_err(|error| database_error(path, error.into()))
}

fn database_error(path: &Path, error: redb::Error) -> StoreError {
    let path = path.to_owned();
    match error {
        redb::Error::Corrupted(detail) => StoreError::Damaged { path, detail },
        redb::Error::Io(source) => StoreError::Io { path, source },
        source => StoreError::Database { path, source: Box::new(source) },
    }
}
