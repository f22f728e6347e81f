//! The beginning of the quorum's store: of a new cluster, or out of a store of version 1, which kept the same records
//! in a table of its own, without a log. Either way it is one transaction, so that a crash leaves all of it or nothing,
//! and the next start goes on from there.
//!
//! Of version 1's table, one record stays for ever: the cluster's, with the present version. Every version of the
//! software looks there first, and an earlier one tells by it that it may not read the rest.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::record_text::{self, CLUSTER_KEY, change_of};
use super::store::StoreError;
use crate::base::planted::{Bug, is_planted};
use crate::cluster::{Change, ClusterRecord, DiskId, METADATA_FORMAT_VERSION, Record, is_known_format};
use crate::quorum::{QuorumStore, RaftId, State, Stored};

/// The table of version 1, and the place of the cluster's record in every version.
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
/// The version that had no quorum.
const VERSION_WITHOUT_QUORUM: u32 = 1;

/// The member that a disk is. Another disk is another member, as it knows nothing of what was promised on this one.
pub(super) fn raft_id(disk: DiskId) -> RaftId {
    let bits = disk.0.as_u128();
    // 0 is nobody.
    ((bits >> 64) as u64 ^ bits as u64).max(1)
}

/// Begins the quorum of a new cluster, whose only member is `id`.
pub(super) fn begin_cluster(
    database: &Database,
    path: &Path,
    id: RaftId,
    cluster: ClusterRecord,
) -> Result<(), StoreError> {
    let mut records = State::default();
    records.apply(&change_of(&Change::Put(Record::Cluster(cluster))));
    begin(database, id, records).map_err(|error| database_error(path, error))
}

/// Begins the store of a member that is to learn everything from the others.
pub(super) fn begin_blank(
    database: &Database,
    path: &Path,
    id: RaftId,
    cluster: ClusterRecord,
) -> Result<(), StoreError> {
    let begin = || -> Result<(), redb::Error> {
        let mut signpost = State::default();
        signpost.apply(&change_of(&Change::Put(Record::Cluster(cluster))));
        let transaction = database.begin_write()?;
        write_signpost(&transaction, &signpost)?;
        QuorumStore::begin_in(&transaction, &Stored::blank(id))?;
        transaction.commit()?;
        Ok(())
    };
    begin().map_err(|error| database_error(path, error))
}

/// Makes sure that the store is of the present version, or refuses it. A store of version 1 becomes a quorum whose only
/// member is the disk that the store was used with last, or `disk` if there is none yet; `make_room` is told how many
/// bytes of records that will write.
pub(super) fn migrate(
    database: &Database,
    path: &Path,
    disk: DiskId,
    make_room: impl FnOnce(u64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let damaged = |detail: String| StoreError::Damaged { path: path.to_owned(), detail };
    let failed = |error: redb::Error| database_error(path, error);
    let cluster = cluster_record(database).map_err(failed)?;
    let cluster = cluster.ok_or_else(|| damaged("it has no cluster record".to_owned()))?;
    match record_text::format_version(&cluster).map_err(damaged)? {
        version if is_known_format(version) => Ok(()),
        VERSION_WITHOUT_QUORUM => {
            let mut records = read_records(database).map_err(failed)?;
            raise(&mut records, &cluster).map_err(damaged)?;
            // What could not be read later is refused while the old table is still there.
            let image = record_text::image_of(&records).map_err(damaged)?;
            // Not that of a node.json that may not belong to the store: who starts looks at that later.
            let id = raft_id(image.nodes().next().map_or(disk, |node| node.disk));
            make_room(records.bytes() as u64)?;
            let count = records.records().len();
            begin(database, id, records).map_err(failed)?;
            tracing::info!(records = count, "the metadata is kept by a quorum from now on");
            Ok(())
        }
        found => Err(StoreError::OtherFormat { path: path.to_owned(), found }),
    }
}

/// The cluster's record as it is stored, whatever its version.
fn cluster_record(database: &Database) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(RECORDS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    Ok(table.get(CLUSTER_KEY)?.map(|record| record.value().to_vec()))
}

/// All records of version 1.
fn read_records(database: &Database) -> Result<State, redb::Error> {
    let transaction = database.begin_read()?;
    let mut records = State::default();
    for entry in transaction.open_table(RECORDS)?.iter()? {
        let (key, value) = entry?;
        records.put(key.value().to_owned(), value.value().into());
    }
    Ok(records)
}

/// Puts the present version into the cluster's record.
fn raise(records: &mut State, cluster: &[u8]) -> Result<(), String> {
    let cluster: ClusterRecord = record_text::parse(CLUSTER_KEY, cluster)?;
    let cluster = ClusterRecord { format_version: METADATA_FORMAT_VERSION, ..cluster };
    records.apply(&change_of(&Change::Put(Record::Cluster(cluster))));
    Ok(())
}

fn begin(database: &Database, id: RaftId, records: State) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    write_signpost(&transaction, &records)?;
    if is_planted(Bug::MigrateInTwo) {
        transaction.commit()?;
        transaction = database.begin_write()?;
    }
    QuorumStore::begin_in(&transaction, &Stored::founding(id, vec![id], records))?;
    transaction.commit()?;
    Ok(())
}

/// Leaves the cluster's record, and nothing else, where every version looks for it.
fn write_signpost(transaction: &WriteTransaction, records: &State) -> Result<(), redb::Error> {
    let cluster = records.get(CLUSTER_KEY).expect("whoever made the records has put it there");
    let mut table = transaction.open_table(RECORDS)?;
    table.retain(|_, _| false)?;
    table.insert(CLUSTER_KEY, &**cluster)?;
    Ok(())
}

/// What a failure of the database is to whoever uses the store.
pub(super) fn database_error(path: &Path, error: redb::Error) -> StoreError {
    let path = path.to_owned();
    match error {
        redb::Error::Corrupted(detail) => StoreError::Damaged { path, detail },
        redb::Error::Io(source) => StoreError::Io { path, source },
        source => StoreError::Database { path, source: Box::new(source) },
    }
}
