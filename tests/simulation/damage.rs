//! Segments that are not as they were written: never served, told by name, and no more is out of service than must be.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use corelane::log::segment::{SegmentName, path};
use corelane::runtime::OpenMode;
use corelane::shard::{Replica, Storage, StorageError};

use super::node::{Node, SMALL, append, batch_of, fills, id, produce};

/// Ten of these fill a segment.
const BATCH_BYTES: usize = 9_000;

/// A node that was stopped cleanly: partition 0 has several segments, partition 1 one.
fn written(seed: u64) -> (Node, PathBuf) {
    let node = Node::new(seed, SMALL, 2);
    let first = node.run(async {
        let storage = node.boot().await;
        for (index, count) in [(0, 40), (1, 3)] {
            let replica = storage.replica(id(index)).expect("open");
            for fill in 0..count {
                produce(&storage, &replica, &batch_of(fill, BATCH_BYTES)).await.expect("acknowledged");
            }
        }
        storage.stop().await.expect("stopped");
        let replica = storage.replica(id(0)).expect("open");
        let log = replica.log.borrow();
        assert!(log.segments().count() > 3);
        path::log_file(log.directory(), SegmentName::filled(0))
    });
    node.world.crash();
    (node, first)
}

fn second_segment(replica: &Replica) -> i64 {
    replica.log.borrow().segments().nth(1).expect("several").base_offset
}

async fn check_out_of_service(storage: &Storage, replica: &Rc<Replica>, says: &[&str]) {
    let Err(StorageError::Damaged(reason)) = replica.check_intact() else { panic!("nobody knows") };
    for part in says {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let refused = append(storage, replica, &batch_of(1, 100)).await;
    assert!(matches!(refused, Err(StorageError::Damaged(told)) if told == reason));
    let other = storage.replica(id(1)).expect("open");
    produce(storage, &other, &batch_of(3, 100)).await.expect("the other partition goes on");
    assert_eq!(fills(storage, &other).await.first(), Some(&0));
}

#[test]
fn rot_in_a_segment_is_not_served_and_ends_with_the_segment() {
    let length = batch_of(0, BATCH_BYTES).len() as u64;
    // In the payload and in each part of the header: offset, length, epoch, magic, checksum, count.
    for within in [5_000, 2, 10, 14, 16, 18, 59] {
        let (node, first) = written(within);
        node.world.rot(&first, length + within);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let before = storage.read(&replica, 0, 1).await.expect("whole");
            assert_eq!(before.concat(), stored(0, 0, &before.concat()));
            if within == 14 {
                // The leader epoch is in no checksum, and nothing is wrong with the records.
                storage.read(&replica, 1, 1).await.expect("as Kafka has it");
                return;
            }
            for _ in 0..2 {
                let read = storage.read(&replica, 1, 1).await;
                assert!(matches!(read, Err(StorageError::Corrupt(_))), "{within}: {read:?}");
            }
            let next = second_segment(&replica);
            let range = format!("offsets 0 to {}", next - 1);
            check_out_of_service(&storage, &replica, &["t-0", "at offset 1 ", &range]).await;
            storage.read(&replica, next, 1).await.expect("other segments are whole");

            storage.advance_log_start(&replica, next).await.expect("records can be deleted");
            node.runtime.sleep(Duration::from_secs(1)).await;
            replica.check_intact().expect("the damage is deleted");
            produce(&storage, &replica, &batch_of(40, 100)).await.expect("back in service");
            assert_eq!(fills(&storage, &replica).await, (next as u8..=40).collect::<Vec<_>>());
        });
    }
}

/// The batch with this fill as it is stored, but for the leader epoch, which is that of `found`.
fn stored(offset: i64, fill: u8, found: &[u8]) -> Vec<u8> {
    let mut batch = batch_of(fill, BATCH_BYTES);
    batch[..8].copy_from_slice(&offset.to_be_bytes());
    batch[12..16].copy_from_slice(&found[12..16]);
    batch
}

#[test]
fn a_segment_that_is_gone_is_missed_at_the_start() {
    let (node, first) = written(1);
    node.run(async {
        node.runtime.remove_file(&first).await.expect("removed");
        node.runtime.sync_dir(first.parent().expect("below")).await.expect("synced");
    });
    node.world.crash();
    node.run(async {
        let storage = node.boot().await;
        node.runtime.sleep(Duration::from_secs(1)).await;
        let replica = storage.replica(id(0)).expect("open");
        check_out_of_service(&storage, &replica, &["file is missing", "t-0"]).await;
        let read = storage.read(&replica, 0, 1).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "{read:?}");
        storage.read(&replica, second_segment(&replica), 1).await.expect("other segments are whole");
    });
}

#[test]
fn a_segment_that_is_shorter_than_its_log_is_damaged() {
    let (node, first) = written(1);
    node.run(async {
        let file = node.runtime.open(&first, OpenMode::Write).await.expect("opened");
        file.set_length(2 * BATCH_BYTES as u64).await.expect("cut");
        file.sync().await.expect("synced");
    });
    node.world.crash();
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        let read = storage.read(&replica, 4, 1).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "{read:?}");
        check_out_of_service(&storage, &replica, &["shorter than its log"]).await;
        storage.read(&replica, second_segment(&replica), 1).await.expect("other segments are whole");
    });
}

#[test]
fn a_disk_that_does_not_read_is_no_damage() {
    use corelane::runtime::sim::{DiskFault, DiskOp};

    let (node, _) = written(2);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        // The first two are of its index, which is made anew.
        node.world.fail(DiskOp::Read, 3, DiskFault::Io);
        let mut failed = 0;
        for offset in 0..20 {
            match storage.read(&replica, offset, 1).await {
                Ok(_) => {}
                Err(StorageError::Disk(_)) => failed += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(failed, 1, "once, as the disk did");
        replica.check_intact().expect("nothing is known to be damaged");
    });
}
