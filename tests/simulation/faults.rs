//! The disk refuses: what was acknowledged stays, nothing more is acknowledged, nobody hangs. And scenes in which
//! two tasks of a shard meet over the same files.

use std::rc::Rc;
use std::time::Duration;

use corelane::runtime::sim::{CrashPoint, DiskFault, DiskOp};
use corelane::shard::{Replica, StorageError};

use super::files::orphans;
use super::node::{Node, SMALL, append, batch_of, fills, id, produce};

/// Fills of the batches that were acknowledged, and of all that were sent.
type Sent = (Vec<u8>, Vec<u8>);

/// Sends batches until one is refused, or for so many.
async fn send(node: &Node, storage: &Rc<corelane::shard::Storage>, count: u8, length: usize) -> Sent {
    let replica = storage.replica(id(0)).expect("open");
    let (mut acknowledged, mut sent) = (Vec::new(), Vec::new());
    for fill in 0..count {
        sent.push(fill);
        match produce(storage, &replica, &batch_of(fill, length)).await {
            Ok(_) => acknowledged.push(fill),
            Err(_) => break,
        }
        node.runtime.yield_now().await;
    }
    (acknowledged, sent)
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_acknowledged_and_nothing_is_lost() {
    let mut struck = 0;
    for op in [DiskOp::Write, DiskOp::Sync, DiskOp::SyncDir, DiskOp::SetLength] {
        for (seed, nth) in (0..).zip([1, 2, 3, 5, 8, 13, 21, 34]) {
            let node = Node::new(seed, SMALL, 1);
            let (acknowledged, sent) = node.run(async {
                let storage = node.boot().await;
                node.world.fail(op, nth, DiskFault::Io);
                let (acknowledged, sent) = send(&node, &storage, 100, 5_000).await;
                let replica = storage.replica(id(0)).expect("open");
                if storage.check_in_service().is_err() {
                    struck += 1;
                    let again = produce(&storage, &replica, &batch_of(200, 100)).await;
                    assert!(matches!(again, Err(StorageError::OutOfService(_))));
                    let late = replica.commit_waiter(i64::MAX - 1).expect("will never be committed");
                    assert!(late.await.is_err(), "who asks late is told too");
                    assert!(storage.stop().await.is_err(), "no clean stop");
                }
                let read = fills(&storage, &replica).await;
                assert!(read.starts_with(&acknowledged), "reads go on");
                (acknowledged, sent)
            });
            node.world.crash();
            node.run(async {
                let storage = node.boot().await;
                let damage = storage.damage(id(0)).map(|error| error.to_string());
                assert_eq!(damage, None, "{op:?} {nth}");
                let found = fills(&storage, &storage.replica(id(0)).expect("open")).await;
                assert!(found.starts_with(&acknowledged) && sent.starts_with(&found), "{op:?} {nth}");
            });
        }
    }
    assert!(struck > 12, "{struck} faults struck");
}

#[test]
fn a_full_disk_refuses_the_batch_and_no_more() {
    let node = Node::new(1, SMALL, 2);
    node.run(async {
        let storage = node.boot().await;
        let [first, second] = [0, 1].map(|index| storage.replica(id(index)).expect("open"));
        node.world.fail(DiskOp::Allocate, 1, DiskFault::NoSpace);
        let refused = append(&storage, &first, &batch_of(1, 100)).await;
        assert!(matches!(refused, Err(StorageError::DiskFull(_))));
        produce(&storage, &second, &batch_of(2, 100)).await.expect("the shard is in service");
        produce(&storage, &first, &batch_of(3, 100)).await.expect("there is space again");
        assert_eq!(fills(&storage, &first).await, [3]);
    });
}

/// Indexes can be made again: a disk too full for them does not take the writer out of service.
#[test]
fn a_segment_is_complete_without_its_indexes() {
    let mut without = 0;
    for nth in 1..40 {
        let mut node = Node::new(1, SMALL, 1);
        node.config.dirty_bytes_max = 1 << 20;
        let stopped = node.run(async {
            let storage = node.open().await.expect("recovered");
            assert_eq!(send(&node, &storage, 24, 9_000).await.0.len(), 24, "it all fits the journal");
            node.world.fail(DiskOp::Write, nth, DiskFault::NoSpace);
            storage.stop().await
        });
        node.world.crash();
        node.run(async {
            let storage = node.open().await.expect("recovered");
            let replica = storage.replica(id(0)).expect("open");
            let directory = replica.log.borrow().directory().to_owned();
            let paths = node.runtime.list_dir(&directory).await.expect("listed");
            let count =
                |kind: &str| paths.iter().filter(|it| it.extension().is_some_and(|it| it == kind)).count();
            if stopped.is_ok() && count("index") + 1 < count("log") {
                without += 1;
            }
            let sent: Vec<u8> = (0..24).collect();
            assert_eq!(fills(&storage, &replica).await, sent);
            let found = storage.batch_for_time(&replica, 13).await.expect("looked up").expect("found");
            assert_eq!(found, batch_at(&storage, &replica, 13).await);
        });
    }
    assert!(without > 0, "no fault struck an index");
}

async fn batch_at(storage: &corelane::shard::Storage, replica: &Rc<Replica>, offset: i64) -> bytes::Bytes {
    storage.read(replica, offset, 1).await.expect("read").concat().into()
}

/// One task's sync of a segment fails, and another comes to the same segment.
#[test]
fn a_failed_sync_is_not_taken_for_mended_by_the_next() {
    for seed in 0..20 {
        let node = Node::new(seed, SMALL, 1);
        let acknowledged = node.run(async {
            let storage = node.boot().await;
            let (acknowledged, _) = send(&node, &storage, 6, 3_000).await;
            node.world.fail(DiskOp::Sync, 1, DiskFault::Io);
            let (first, second) = futures_util::future::join(storage.stop(), storage.stop()).await;
            assert!(first.is_err() && second.is_err(), "neither is clean");
            acknowledged
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            assert_eq!(
                fills(&storage, &storage.replica(id(0)).expect("open")).await,
                acknowledged,
                "seed {seed}"
            );
        });
    }
}

#[test]
fn a_partition_is_deleted_at_any_moment_of_its_write_back() {
    for seed in 0..60 {
        let node = Node::new(seed, SMALL, 2);
        node.run(async {
            let storage = node.boot().await;
            send(&node, &storage, 30, 9_000).await;
        });
        node.world.crash();
        node.run(async {
            // After a start no file is open yet.
            let storage = node.boot().await;
            let other = storage.replica(id(1)).expect("open");
            let (writer, runtime) = (Rc::clone(&storage), Rc::clone(&node.runtime));
            let replica = storage.replica(id(0)).expect("open");
            runtime.clone().spawn(Box::pin(async move {
                while append(&writer, &replica, &batch_of(1, 9_000)).await.is_ok() {
                    runtime.yield_now().await;
                }
            }));
            node.runtime.sleep(Duration::from_micros(seed * 100)).await;
            storage.delete(id(0)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            node.runtime.sleep(Duration::from_millis(50)).await;
            produce(&storage, &other, &batch_of(1, 100)).await.expect("the shard is in service");
            let left = node.runtime.list_dir("/data/topics".as_ref()).await.expect("listed");
            assert_eq!(left.len(), 1, "seed {seed}: nobody made its files again");
        });
    }
}

#[test]
fn a_partition_is_deleted_at_any_moment_of_its_truncation() {
    for seed in 0..60 {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            send(&node, &storage, 30, 9_000).await;
            storage.stop().await.expect("stopped");
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            replica.state.borrow_mut().resign();
            let delete = async {
                node.runtime.sleep(Duration::from_micros(seed * 10)).await;
                storage.delete(id(0)).await
            };
            let (cut, deleted) = futures_util::future::join(storage.truncate(&replica, 13), delete).await;
            deleted.expect("deleted");
            assert!(matches!(cut, Ok(()) | Err(StorageError::Deleted | StorageError::Disk(_))), "{cut:?}");
            storage.check_in_service().expect("the shard goes on");
        });
    }
}

#[test]
fn two_checkpoints_do_not_meet_in_one_file() {
    for seed in 0..60 {
        let node = Node::new(seed, SMALL, 3);
        let sent = node.run(async {
            let storage = node.boot().await;
            let (_, sent) = send(&node, &storage, 20 + seed as u8 % 20, 9_000).await;
            let before = node.newest_checkpoint().await.0;
            // Both write a checkpoint in the end, as a stop and the maintenance do.
            let (first, second) = futures_util::future::join(storage.stop(), storage.stop()).await;
            first.and(second).expect("stopped");
            assert!(node.newest_checkpoint().await.0 >= before + 2, "each has a file of its own");
            sent
        });
        node.world.crash();
        node.run(async {
            let storage = node.open().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(storage.damage(id(0)).map(|error| error.to_string()), None, "seed {seed}");
            assert_eq!(fills(&storage, &storage.replica(id(0)).expect("open")).await, sent, "seed {seed}");
        });
    }
}

#[test]
fn who_reads_what_is_just_removed_is_out_of_range() {
    for seed in 0..40 {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            send(&node, &storage, 60, 9_000).await;
            storage.stop().await.expect("stopped");
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let mut readers = Vec::new();
            for offset in 0..20 {
                let (storage, replica) = (Rc::clone(&storage), Rc::clone(&replica));
                readers.push(async move { storage.read(&replica, offset, 1).await });
            }
            let reads = futures_util::future::join_all(readers);
            let (reads, moved) =
                futures_util::future::join(reads, storage.advance_log_start(&replica, 40)).await;
            moved.expect("moved");
            for read in reads {
                assert!(matches!(read, Ok(_) | Err(StorageError::Fetch(_))), "seed {seed}: {read:?}");
            }
            node.runtime.sleep(Duration::from_secs(1)).await;
            let left = orphans(&node.runtime, &replica).await;
            assert!(left.is_empty(), "seed {seed}: made by a reader, or not removed: {left:?}");
        });
    }
}

#[test]
fn the_memory_of_complete_segments_is_given_up() {
    let mut node = Node::new(1, SMALL, 1);
    node.config.tail_bytes_max = 256 << 10;
    node.run(async {
        let storage = node.boot().await;
        send(&node, &storage, 250, 20_000).await;
        let resident = storage.resident_bytes();
        let allowed = node.config.tail_bytes_max + node.config.dirty_bytes_max as usize + (256 << 10);
        assert!(resident <= allowed, "{resident} bytes of tails are kept, {allowed} are allowed");
        let replica = storage.replica(id(0)).expect("open");
        assert_eq!(fills(&storage, &replica).await.len(), 250);
    });
}

#[test]
fn a_shard_whose_creation_was_cut_short_is_created_again() {
    for events in 0.. {
        let node = Node::uncreated(events, 1);
        node.world.crash_at(CrashPoint::DiskEvents(events));
        let created = node.world.block_on(node.create(SMALL));
        if created.is_some() {
            assert!(events > 20, "it takes a while");
            return;
        }
        node.run(async {
            node.create(SMALL).await.expect("created at last");
            let storage = node.boot().await;
            assert_eq!(send(&node, &storage, 3, 100).await.0, [0, 1, 2]);
        });
    }
}
