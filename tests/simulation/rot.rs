//! Bytes rot on the disk: what is known to have been acknowledged is missed, loudly, and costs no more than it
//! must. What cannot be known to have been acknowledged looks like a torn tail.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use corelane::log::LogError;
use corelane::log::segment::path;
use corelane::runtime::sim::{DiskFault, DiskOp, Plan};
use corelane::shard::{Storage, StorageError};

use super::journal_view::{self, Found};
use super::node::{Node, SMALL, append, batch_of, fills, id, paths, produce};

fn journal_file() -> PathBuf {
    paths().journal_directory.join("0000.journal")
}

/// The groups of the first journal file; the scenes stay in it.
fn groups(node: &Node) -> Vec<Found> {
    journal_view::groups(&node.run(node.bytes_of(&journal_file())))
}

/// A node whose two partitions got ten batches each, acknowledged one by one, before the power went.
fn written(seed: u64) -> Node {
    let node = Node::new(seed, SMALL, 2);
    node.run(async {
        let storage = node.boot().await;
        for fill in 1..=10 {
            for index in 0..2 {
                let replica = storage.replica(id(index)).expect("open");
                produce(&storage, &replica, &batch_of(fill, 300)).await.expect("acknowledged");
            }
        }
    });
    node.world.crash();
    node
}

/// The group that holds the batch with this fill of partition 0, which alternates with partition 1.
fn group_of(node: &Node, fill: u64) -> Found {
    let groups: Vec<_> = groups(node).into_iter().filter(|group| !group.is_start).collect();
    groups[(fill as usize - 1) * 2]
}

async fn log(storage: &Storage, index: i32) -> Vec<u8> {
    fills(storage, &storage.replica(id(index)).expect("open")).await
}

/// What becomes of the partition is told in lost_records.rs.
#[test]
fn a_rotten_payload_costs_its_partition_only() {
    let node = written(1);
    node.world.rot(&journal_file(), group_of(&node, 4).position + 300);
    node.run(async {
        let storage = node.boot().await;
        assert!(matches!(storage.damage(id(0)), Some(StorageError::Damaged(_))));
        assert_eq!(log(&storage, 1).await, (1..=10).collect::<Vec<u8>>());
        let replica = storage.replica(id(1)).expect("open");
        produce(&storage, &replica, &batch_of(11, 9_000)).await.expect("served");
        storage.delete(id(0)).await.expect("deleted");
        let left = node.runtime.list_dir("/data/topics".as_ref()).await.expect("listed");
        assert_eq!(left.len(), 1, "its files are gone: {left:?}");
    });
}

/// Why the shard's writer is out of service, if the journal is damaged.
fn journal_damage(storage: &Storage) -> Option<String> {
    storage.check_in_service().err().map(|error| error.to_string())
}

#[test]
fn a_rotten_header_among_acknowledged_groups_keeps_the_writer_out_of_service() {
    for at in [0, 30, 130 + 300, 4090] {
        let node = written(3);
        let group = group_of(&node, 4);
        // Header, table and padding; only the padding means nothing.
        node.world.rot(&journal_file(), group.position + at);
        let storage = node.run(node.open()).expect("other shards go on");
        match at {
            0 | 30 => {
                let damage = journal_damage(&storage).expect("damaged");
                assert!(damage.contains(&format!("group {} ", group.sequence)), "{damage}");
            }
            4090 => assert!(journal_damage(&storage).is_none() && storage.damage(id(0)).is_none()),
            _ => assert!(journal_damage(&storage).is_some() || storage.damage(id(0)).is_some()),
        }
    }
}

#[test]
fn before_a_damaged_group_is_read_and_behind_it_nothing_is_said() {
    let node = written(3);
    node.world.rot(&journal_file(), group_of(&node, 4).position);
    let before = node.run(node.bytes_of(&journal_file()));
    for _ in 0..3 {
        node.run(async {
            let storage = node.boot().await;
            for (index, known) in [(0, 3), (1, 3)] {
                let replica = storage.replica(id(index)).expect("open");
                assert_eq!(fills(&storage, &replica).await, (1..=known).collect::<Vec<u8>>());
                // Neither "out of range" nor "there is no more": clients would go elsewhere, or wait.
                for offset in [i64::from(known), i64::from(known) + 1, 10] {
                    let read = storage.read(&replica, offset, 1).await;
                    assert!(matches!(read, Err(StorageError::OutOfService(_))), "{offset}: {read:?}");
                }
                let refused = append(&storage, &replica, &batch_of(11, 300)).await;
                assert!(matches!(refused, Err(StorageError::OutOfService(_))));
                let moved = storage.advance_log_start(&replica, 1).await;
                assert!(matches!(moved, Err(StorageError::OutOfService(_))));
            }
            node.runtime.sleep(Duration::from_secs(1)).await;
            assert!(storage.stop().await.is_err(), "no clean stop");
        });
        node.world.crash();
        assert!(node.run(node.bytes_of(&journal_file())) == before, "the journal is as it was found");
    }
}

#[test]
fn a_rotten_last_group_looks_torn_until_something_says_that_it_was_durable() {
    for at in [0, 300] {
        let node = written(4);
        let last = *groups(&node).last().expect("there are some");
        node.world.rot(&journal_file(), last.position + at);
        node.run(async {
            let storage = node.boot().await;
            assert_eq!(log(&storage, 0).await.len(), 10);
            assert_eq!(log(&storage, 1).await.len(), 9, "cut, as a torn tail is");
        });
    }
}

#[test]
fn a_checkpoint_says_that_the_last_group_was_durable() {
    for at in [0, 300] {
        let node = written(5);
        node.run(async { node.boot().await.stop().await }).expect("stopped");
        node.world.crash();
        let last = *groups(&node).iter().rfind(|group| !group.is_start).expect("there are some");
        node.world.rot(&journal_file(), last.position + at);
        let storage = node.run(node.open()).expect("opened");
        match at {
            0 => assert!(journal_damage(&storage).is_some(), "not taken for torn"),
            _ => assert!(storage.damage(id(1)).is_some(), "its last bytes"),
        }
    }
}

#[test]
fn a_rotten_start_group_does_not_hide_a_whole_life() {
    let node = written(6);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for fill in 11..=20 {
            produce(&storage, &replica, &batch_of(fill, 300)).await.expect("acknowledged");
        }
    });
    node.world.crash();
    let start = *groups(&node).iter().rfind(|group| group.is_start).expect("of the second life");
    node.world.rot(&journal_file(), start.position + 50);
    let storage = node.run(node.open()).expect("opened");
    assert!(journal_damage(&storage).is_some());
}

/// Groups N+1 and N+2 were in flight when the power went; N+1 was lost, N+2 says that N was durable. Then N rots.
#[test]
fn what_is_behind_a_torn_group_still_tells_that_one_before_it_was_durable() {
    let scene = |seed| {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let mut last = 0;
            for fill in 0..30 {
                last = append(&storage, &replica, &batch_of(fill, 3_000)).await.expect("appended");
                node.runtime.yield_now().await;
            }
            let committed = replica.commit_waiter(last);
            committed.expect("not durable yet").await.expect("durable");
        });
        node.world.crash();
        let groups = groups(&node);
        let [first, torn, last] = *groups.last_chunk::<3>().expect("several groups");
        if last.durable_through != first.sequence {
            return false;
        }
        node.world.rot(&journal_file(), first.position + 300);
        node.world.rot(&journal_file(), torn.position);
        let storage = node.run(node.open()).expect("a rotten payload stops nobody else");
        assert!(storage.damage(id(0)).is_some(), "seed {seed}: acknowledged records are missed");
        true
    };
    assert!((0..50).any(scene), "no seed had two groups in flight at the end");
}

#[test]
fn the_other_checkpoint_is_used_or_the_start_refused() {
    let (mut recovered, mut refused) = (0, 0);
    for rounds in 1..12 {
        let node = Node::new(rounds, SMALL, 1);
        let mut sent: Vec<u8> = Vec::new();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            for fill in 0..rounds as u8 * 8 {
                produce(&storage, &replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
                sent.push(fill);
            }
        });
        node.world.crash();
        let newest = node.run(node.newest_checkpoint());
        node.world.rot(&newest.1, 20);
        match node.run(node.open()) {
            Ok(storage) if journal_damage(&storage).is_some() => refused += 1,
            Ok(storage) => {
                recovered += 1;
                assert_eq!(node.run(log(&storage, 0)), sent, "everything is still in the journal");
            }
            Err(LogError::NoCheckpoint { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(recovered > 0 && refused > 0, "{recovered} recovered, {refused} refused");
}

#[test]
fn without_any_checkpoint_nothing_is_guessed() {
    let node = written(7);
    node.run(async { node.boot().await.stop().await }).expect("stopped");
    node.world.crash();
    for name in ["checkpoint.0", "checkpoint.1"] {
        node.world.rot(&paths().directory.join(name), 20);
    }
    let opened: Result<Rc<Storage>, _> = node.run(node.open());
    assert!(matches!(opened, Err(LogError::NoCheckpoint { .. })));
}

/// A scrub tells what is lost from what the disk only refused to read.
#[test]
fn a_scrub_misses_a_file_that_is_gone_and_forgives_a_read_that_fails() {
    let node = Node::new(7, SMALL, 1);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for fill in 0..40 {
            produce(&storage, &replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
        }
        storage.checkpoint_now().await;
        let file = {
            let log = replica.log.borrow();
            let first = log.segments().next().expect("there are some");
            assert!(first.sealed);
            path::log_file(log.directory(), first.name())
        };
        let damaged = || storage.scrub_meters().damaged_ranges.get();
        for op in [DiskOp::Open, DiskOp::Read] {
            node.world.plan(Plan::new(DiskFault::Io).of(op).below(&file));
            storage.scrub_partition(&replica, u64::MAX).await;
            assert_eq!((damaged(), replica.check_intact().is_ok()), (0, true), "{op:?}");
        }
        let before = storage.scrub_meters().segments.get();
        storage.scrub_partition(&replica, u64::MAX).await;
        assert!(storage.scrub_meters().segments.get() > before, "the faults have struck, and are over");

        node.runtime.remove_file(&file).await.expect("removed");
        storage.scrub_partition(&replica, u64::MAX).await;
        assert_eq!(damaged(), 1);
        let refused = produce(&storage, &replica, &batch_of(41, 100)).await.expect_err("it takes no records");
        assert!(refused.to_string().contains("its file is missing"), "{refused}");
    });
}
