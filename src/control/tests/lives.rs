//! A quorum of one on a disk whose power goes again and again: what was answered is there, and of what was not at most
//! the one change that was under way.

use std::path::Path;

use super::super::lone_quorum::LoneQuorum;
use super::super::migration::{begin_cluster, raft_id};
use super::super::reserve::Reserve;
use super::super::store::{MetadataStore, Space, StoreError};
use super::super::store_file::open_database;
use super::crashing_disk::{CrashingDisk, next_chance};
use super::store::{DISK, cluster};
use crate::base::limits::{LONE_QUORUM_LOG_ENTRIES_MAX, PRODUCER_ID_BLOCK};
use crate::cluster::Draft;

/// Lives of one disk.
const LIVES: usize = 40;
/// Disk operations in a life at most.
const OPERATIONS_MAX: u64 = 1000;

/// The quorum on a disk. Its reserve is beside `path`, where there is room.
fn open(disk: &CrashingDisk, path: &Path) -> Result<LoneQuorum, StoreError> {
    let reserve = Reserve::open(path, 0, Box::new(|_| Ok(u64::MAX))).expect("a real directory");
    LoneQuorum::elect(open_database(disk.clone(), path)?, path, reserve)
}

/// Blocks of producer ids that were given out.
fn blocks(quorum: &LoneQuorum) -> i64 {
    quorum.load().expect("sound records").next_producer_id() / PRODUCER_ID_BLOCK
}

/// Gives out blocks of producer ids until the disk fails. Returns how many were answered.
fn give_out(quorum: &mut LoneQuorum) -> i64 {
    let mut image = quorum.load().expect("sound records");
    for answered in 0.. {
        let mut draft = Draft::of(&image);
        draft.allocate_producer_ids().expect("there are many");
        if quorum.commit(draft.changes(), Space::Essential).is_err() {
            return answered;
        }
        image = draft.finish();
    }
    unreachable!("the power goes")
}

/// Goes through all lives. Returns the blocks that were given out, or what is wrong.
fn live(seed: u64) -> Result<i64, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("metadata.redb");
    std::fs::write(&path, b"").expect("a file");
    let disk = CrashingDisk::new(Vec::new(), u64::MAX);
    let database = open_database(disk.clone(), &path).expect("memory");
    begin_cluster(&database, &path, raft_id(DISK), cluster()).expect("memory");
    drop(database);
    let (mut content, mut answered, mut chance) = (disk.content(), 0, seed);
    for life in 0..LIVES {
        chance = next_chance(chance);
        let disk = CrashingDisk::new(content, (chance >> 32) % OPERATIONS_MAX);
        if let Ok(mut quorum) = open(&disk, &path) {
            answered = blocks(&quorum) + give_out(&mut quorum);
        }
        content = disk.survivors(chance);
        // A copy is looked at, so that the next life begins as this one has ended.
        let copy = CrashingDisk::new(content.clone(), u64::MAX);
        let found = open(&copy, &path).map(|quorum| blocks(&quorum));
        match found {
            Ok(found) if found == answered || found == answered + 1 => {}
            other => return Err(format!("life {life}: {answered} were answered, and there is {other:?}")),
        }
    }
    Ok(answered)
}

#[test]
fn what_was_answered_outlives_every_crash() {
    for seed in 0..4 {
        let answered = live(seed).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        assert!(answered > LONE_QUORUM_LOG_ENTRIES_MAX as i64, "the log is trimmed on the way: {answered}");
    }
}

#[cfg(feature = "planted-bugs")]
#[test]
fn entries_that_go_from_the_log_before_their_changes_are_durable_would_be_noticed() {
    use crate::base::planted::{Bug, plant};

    plant(Some(Bug::QuorumTrimUnsaved));
    let noticed = (0..4).any(|seed| live(seed).is_err());
    plant(None);
    assert!(noticed);
}
