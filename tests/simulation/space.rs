//! A disk that fills: nothing that was acknowledged needs space that is not there, and what makes room goes on.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use corelane::cluster::TopicSettings;
use corelane::protocol::batch::BatchBuilder;
use corelane::runtime::sim::{DiskFault, DiskOp, Plan};
use corelane::shard::{PartitionSpec, PassEnd, PassError, Replica, Storage, StorageError};

use super::compaction::{boot, check_all, compacted, fill, seal};
use super::files::orphans;
use super::node::{Node, SMALL, batch_of, fills, id, produce};

const DISK: &str = "/";

fn give(node: &Node, free_bytes: u64) {
    let used_bytes = node.world.used_bytes(Path::new(DISK));
    node.world.limit_space(Path::new(DISK), Some(used_bytes + free_bytes));
}

/// Keeps records however old they are.
fn keep_for_ever(storage: &Storage, replica: &Replica) {
    let leader_epoch = replica.state.borrow().leader_epoch().expect("led");
    let settings = TopicSettings { retention_ms: None, ..replica.settings() };
    let spec = PartitionSpec { id: replica.id, topic_name: "t".to_owned(), leader_epoch, settings };
    storage.change(&spec).expect("changed");
}

async fn pass(node: &Node, seconds: u64) {
    node.runtime.sleep(Duration::from_secs(seconds)).await;
}

/// As the broker does for clients: asks for the disk's room first.
async fn produce_checked(storage: &Storage, replica: &Rc<Replica>, fill: u8) -> Result<i64, StorageError> {
    storage.check_space()?;
    produce(storage, replica, &batch_of(fill, 9_000)).await
}

#[test]
fn produce_stops_before_the_disk_is_full_and_goes_on_when_there_is_room() {
    let mut node = Node::new(1, SMALL, 1);
    node.config.disk_free_bytes_min = 400 << 10;
    node.run(async {
        let storage = node.boot().await;
        node.runtime.spawn(Box::pin(Rc::clone(&storage).watch_space()));
        let replica = storage.replica(id(0)).expect("open");
        keep_for_ever(&storage, &replica);
        give(&node, 1 << 20);
        let mut sent = 0;
        let refused = loop {
            if let Err(error) = produce_checked(&storage, &replica, sent).await {
                break error;
            }
            sent += 1;
            node.runtime.sleep(Duration::from_millis(300)).await;
        };
        assert!(matches!(refused, StorageError::DiskFull(_)), "{refused}");
        let free = node.runtime.disk_space(DISK.as_ref()).await.expect("known").usable_bytes;
        assert!((200 << 10..400 << 10).contains(&free), "early: {free} bytes are free");
        storage.check_in_service().expect("the writer is well");
        assert_eq!(fills(&storage, &replica).await, (0..sent).collect::<Vec<_>>(), "reads go on");
        // What the broker writes for itself does not ask.
        produce(&storage, &replica, &batch_of(sent, 100)).await.expect("there is space for it");

        storage.advance_log_start(&replica, i64::from(sent) - 5).await.expect("records are deleted");
        pass(&node, 3).await;
        storage.check_space().expect("there is room again");
        let last = produce_checked(&storage, &replica, sent + 1).await.expect("accepted");
        assert_eq!(last, i64::from(sent) + 1);
        storage.stop().await.expect("stopped");
    });
}

#[test]
fn retention_is_applied_when_the_disk_is_nearly_full() {
    let mut node = Node::new(1, SMALL, 1);
    node.config.disk_free_bytes_min = 400 << 10;
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for fill in 0..40 {
            produce(&storage, &replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
        }
        let log_start = || replica.state.borrow().progress().log_start();
        node.runtime.spawn(Box::pin(Rc::clone(&storage).watch_space()));
        pass(&node, 20).await;
        assert_eq!(log_start(), 0, "not its turn yet");
        give(&node, 200 << 10);
        pass(&node, 20).await;
        // The records are as old as their timestamps say.
        assert!(log_start() > 0, "long before the next round");
        storage.check_space().expect("that was enough");
    });
}

#[test]
fn without_any_room_what_was_acknowledged_is_written_back_and_deleted() {
    for seed in 0..30 {
        let node = Node::new(seed, SMALL, 2);
        let acknowledged = node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            give(&node, 400 << 10);
            let mut acknowledged = Vec::new();
            for fill in 0..150 {
                match produce(&storage, &replica, &batch_of(fill, 4_000 + 100 * seed as usize)).await {
                    Ok(_) => acknowledged.push(fill),
                    Err(StorageError::DiskFull(_)) => pass(&node, 1).await,
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
            assert!(acknowledged.len() < 150, "seed {seed}: it was not full");
            storage.check_in_service().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if seed % 2 == 0 {
                storage.stop().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
            acknowledged
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            assert_eq!(fills(&storage, &replica).await, acknowledged, "seed {seed}");
            // Deleted on a disk that is still full.
            let end = replica.state.borrow().progress().high_watermark();
            storage.advance_log_start(&replica, end).await.expect("deleted");
            pass(&node, 2).await;
            for fill in 0..5 {
                let produced = produce(&storage, &replica, &batch_of(fill, 3_000)).await;
                produced.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
        });
    }
}

/// Two in a row: a checkpoint asks for less when there is not as much as it would like.
#[test]
fn a_checkpoint_without_space_is_written_when_there_is_some() {
    let mut waited_for = 0;
    for nth in 1..60 {
        let node = Node::new(nth, SMALL, 1);
        let acknowledged = node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            for fault in nth..nth + 2 {
                node.world.fail(DiskOp::Allocate, fault, DiskFault::NoSpace);
            }
            let mut acknowledged = Vec::new();
            for fill in 0..120 {
                match produce(&storage, &replica, &batch_of(fill, 9_000)).await {
                    Ok(_) => acknowledged.push(fill),
                    Err(StorageError::DiskFull(reason)) => {
                        waited_for += u32::from(reason.contains("checkpoint"));
                        pass(&node, 2).await;
                    }
                    Err(error) => panic!("{nth}: {error}"),
                }
            }
            storage.check_in_service().unwrap_or_else(|error| panic!("{nth}: {error}"));
            assert!(acknowledged.len() > 100, "{nth}: {acknowledged:?}");
            acknowledged
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            assert_eq!(fills(&storage, &replica).await, acknowledged, "{nth}");
        });
    }
    assert!(waited_for > 0, "no append met a checkpoint without space");
}

/// A crash takes space that was given and not synced; then others use it up.
#[test]
fn bytes_whose_space_a_crash_took_wait_in_the_journal() {
    let mut waited = 0;
    for seed in 0..40 {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            for fill in 0..8 {
                produce(&storage, &replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
            }
        });
        node.world.crash();
        give(&node, 0);
        node.run(async {
            let storage = node.boot().await;
            let stopped = storage.stop().await;
            assert!(matches!(stopped, Ok(()) | Err(StorageError::DiskFull(_))), "seed {seed}: {stopped:?}");
            storage.check_in_service().expect("nothing has failed");
            waited += u32::from(stopped.is_err());
        });
        node.world.crash();
        node.world.limit_space(Path::new(DISK), None);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            assert_eq!(fills(&storage, &replica).await, (0..8).collect::<Vec<_>>(), "seed {seed}");
            storage.stop().await.expect("stopped");
        });
    }
    assert!(waited > 0, "no crash took the space");
}

/// Nothing else would free a disk that compacted topics have filled.
#[test]
fn compaction_frees_a_full_disk_and_leaves_room_for_others() {
    let mut node = Node::new(5, SMALL, 1);
    node.config.disk_free_bytes_min = 400 << 10;
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        node.runtime.spawn(Box::pin(Rc::clone(&storage).watch_space()));
        // The first segments stay as they are, which needs room before any other gives some.
        for key in 0..30u8 {
            let batch = BatchBuilder::new().record(0, Some(&[key, key]), Some(&[key; 9_000])).build();
            produce(&storage, &replica, &batch).await.expect("acknowledged");
        }
        fill(&node, &storage, &replica, 350).await;
        seal(&storage, &replica).await;
        storage.checkpoint_now().await;

        give(&node, 210 << 10);
        pass(&node, 2).await;
        storage.check_space().expect_err("it is nearly full");
        let before = orphans(&node.runtime, &replica).await;
        assert_eq!(storage.compact_replica(&replica).await, Err(PassError::NoRoom));
        assert_eq!(orphans(&node.runtime, &replica).await, before, "what it wrote is gone");
        give(&node, 330 << 10);
        assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
        pass(&node, 2).await;
        storage.check_space().expect("the old segments are gone");
        storage.stop().await.expect("stopped");
    });
}

/// While room is short, each segment that compaction has put in place is followed by a checkpoint.
#[test]
fn a_checkpoint_without_room_leaves_what_compaction_has_put_in_place() {
    let mut node = Node::new(6, SMALL, 1);
    node.config.disk_free_bytes_min = 400 << 10;
    let sent = node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        node.runtime.spawn(Box::pin(Rc::clone(&storage).watch_space()));
        let sent = fill(&node, &storage, &replica, 350).await;
        seal(&storage, &replica).await;
        storage.checkpoint_now().await;
        give(&node, 330 << 10);
        pass(&node, 2).await;
        storage.check_space().expect_err("it is nearly full");
        let checkpoints = Plan::new(DiskFault::NoSpace).of(DiskOp::Allocate).below("/data/shard-0");
        node.world.plan(checkpoints.for_ever());
        assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
        node.world.forget_plans();
        storage.checkpoint_now().await;
        pass(&node, 2).await;
        check_all(&node, &storage, &replica, &sent).await;
        sent
    });
    node.world.crash();
    node.run(async {
        let (storage, replica) = boot(&node, compacted(&node)).await;
        check_all(&node, &storage, &replica, &sent).await;
    });
}
