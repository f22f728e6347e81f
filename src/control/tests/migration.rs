//! A store of format 1 becomes one of format 2: once, whole, and also where the power goes meanwhile.

use std::fs;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::super::NodeFile;
use super::super::lone_quorum::LoneQuorum;
use super::super::migration::{migrate, raft_id};
use super::super::record_text::{change_of, image_of};
use super::super::store::{MetadataStore, StoreError};
use super::super::store_file::open_database;
use super::crashing_disk::CrashingDisk;
use super::store::{DISK, cluster, creating};
use super::{NODE, start};
use crate::cluster::{Change, ClusterRecord, Image, Record};
use crate::quorum::{self, QuorumStore, Stored};

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");

/// What a store of format 1 with two topics holds, and its image.
fn version_1() -> (Vec<Change>, Image) {
    let cluster = ClusterRecord { format_version: 1, ..cluster() };
    let (changes, image) = creating(&Image::new(cluster.clone()), &[("a", 3), ("b", 1)]);
    (std::iter::once(Change::Put(Record::Cluster(cluster))).chain(changes).collect(), image)
}

/// Writes it as format 1 does: the keys and values have stayed what they were.
fn write_version_1(database: &Database, changes: &[Change]) {
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(RECORDS).unwrap();
        for change in changes {
            let quorum::Change::Put { key, value } = change_of(change) else { panic!("records only") };
            table.insert(key.as_str(), value.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Makes a directory's store one of format 1.
fn make_version_1(control: &Path, changes: &[Change]) {
    fs::create_dir_all(control).unwrap();
    let _ = fs::remove_file(control.join("metadata.redb"));
    write_version_1(&Database::create(control.join("metadata.redb")).unwrap(), changes);
}

fn assert_same(image: &Image, before: &Image) {
    assert!(image.topics().eq(before.topics()) && image.nodes().eq(before.nodes()));
    assert_eq!(*image.cluster(), cluster(), "the same cluster, in the present format");
    assert_eq!(image.next_producer_id(), before.next_producer_id());
}

#[test]
fn the_records_are_the_same_and_an_earlier_corelane_is_told_that_it_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let (changes, image) = version_1();
    make_version_1(dir.path(), &changes);
    // The second time there is nothing left to do.
    for _ in 0..2 {
        assert_same(&LoneQuorum::open(dir.path(), DISK).unwrap().load().unwrap(), &image);
    }
    let database = Database::open(dir.path().join("metadata.redb")).unwrap();
    let table = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    assert_eq!(table.len().unwrap(), 1);
    let cluster = table.get("cluster").unwrap().expect("it looks there");
    assert!(cluster.value().starts_with(br#"{"format_version":2"#));
}

#[test]
fn a_store_of_format_1_that_makes_no_sense_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (mut changes, _) = version_1();
    // A partition without its topic.
    changes.retain(|change| !matches!(change, Change::Put(Record::Topic(topic)) if topic.name == "a"));
    make_version_1(dir.path(), &changes);
    for _ in 0..2 {
        let error = LoneQuorum::open(dir.path(), DISK).err().expect("refused");
        assert!(
            matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("has no topic")),
            "{error}"
        );
    }
    let database = Database::open(dir.path().join("metadata.redb")).unwrap();
    let table = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    assert_eq!(table.len().unwrap(), changes.len() as u64);
}

#[test]
fn a_node_of_format_1_starts_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let file: NodeFile = start(dir.path(), 2).unwrap().node_file().clone();
    // The same node as format 1 would have written it.
    let control = dir.path().join("control");
    let store = LoneQuorum::open(&control, file.disk_id).unwrap();
    let node = store.load().unwrap().node(NODE).expect("registered").clone();
    drop(store);
    let cluster = ClusterRecord { format_version: 1, cluster_id: file.cluster_id };
    make_version_1(&control, &[Change::Put(Record::Cluster(cluster)), Change::Put(Record::Node(node))]);
    for boot_count in 2..4 {
        let control = start(dir.path(), 2).unwrap();
        assert_eq!(control.node_file().boot_count, boot_count);
        assert_eq!(control.image().node(NODE).unwrap().incarnation, boot_count);
    }
}

/// The bytes of a store of format 1 that was closed.
fn version_1_bytes(changes: &[Change]) -> Vec<u8> {
    let disk = CrashingDisk::new(Vec::new(), u64::MAX);
    write_version_1(&open_database(disk.clone(), Path::new("simulated")).unwrap(), changes);
    disk.content()
}

/// Opens the store on a disk, migrates it, and reads it back.
fn open(disk: &CrashingDisk) -> Result<Stored, String> {
    let path = Path::new("simulated");
    let database = open_database(disk.clone(), path).map_err(|error| error.to_string())?;
    migrate(&database, path, DISK, |_| Ok(())).map_err(|error| error.to_string())?;
    let stored = QuorumStore::of(database, path).load().map_err(|error| error.to_string())?;
    stored.ok_or_else(|| "it was never begun".to_owned())
}

/// Cuts the migration off after every operation. Returns what is wrong with what the next start finds, if anything.
fn crash_everywhere(seeds: std::ops::Range<u64>) -> Option<String> {
    let (changes, image) = version_1();
    let before = version_1_bytes(&changes);
    let whole = open(&CrashingDisk::new(before.clone(), u64::MAX)).expect("nothing fails");
    assert_same(&image_of(&whole.records).expect("sound records"), &image);
    assert_eq!(whole.head.id, raft_id(DISK));
    for left in 0.. {
        let disk = CrashingDisk::new(before.clone(), left);
        let is_done = open(&disk).is_ok();
        for seed in seeds.clone() {
            let at = format!("cut off after {left} operations, seed {seed}");
            match open(&CrashingDisk::new(disk.survivors(seed), u64::MAX)) {
                Err(error) => return Some(format!("{at}: {error}")),
                Ok(stored) if stored != whole => return Some(format!("{at}: {stored:?}")),
                Ok(_) => {}
            }
        }
        if is_done {
            assert!(left > 3, "it writes more than that");
            return None;
        }
    }
    unreachable!("the migration ends")
}

#[test]
fn a_migration_that_is_cut_off_anywhere_is_made_good_by_the_next_start() {
    assert_eq!(crash_everywhere(0..20), None);
}

#[cfg(feature = "planted-bugs")]
#[test]
fn a_migration_in_two_transactions_would_be_noticed() {
    use crate::base::planted::{Bug, plant};

    plant(Some(Bug::MigrateInTwo));
    let noticed = crash_everywhere(0..20);
    plant(None);
    assert!(noticed.expect("a planted bug").contains("never begun"));
}
