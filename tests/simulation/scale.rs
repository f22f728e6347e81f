//! Many partitions on a small ring, and the largest batches.

use std::rc::Rc;

use corelane::base::limits::{BLOCK_BYTES, JOURNAL_FILE_BYTES, JOURNAL_GROUP_BYTES_MAX, MESSAGE_BYTES_MAX};
use corelane::log::journal::ring::RingShape;
use corelane::shard::Storage;

use super::node::{Node, SMALL, append, batch_of, fills, id, produce};

async fn check(storage: &Storage, partitions: i32, sent: &[u8]) {
    for index in 0..partitions {
        let damage = storage.damage(id(index)).map(|error| error.to_string());
        assert_eq!(damage, None);
        let replica = storage.replica(id(index)).expect("open");
        assert_eq!(fills(storage, &replica).await, sent, "partition {index}");
    }
}

/// The remainders of all partitions, each just under a block, are longer than the whole ring.
#[test]
fn more_partitions_than_the_ring_has_room_for() {
    const PARTITIONS: i32 = 210;
    const { assert!(PARTITIONS as u64 * 3_900 > SMALL.file_count * SMALL.file_bytes) };
    let node = Node::new(1, SMALL, PARTITIONS);
    let mut sent = Vec::new();
    for _ in 0..2 {
        node.run(async {
            let storage = node.boot().await;
            check(&storage, PARTITIONS, &sent).await;
            for _ in 0..2 {
                sent.push(sent.len() as u8);
                let fill = *sent.last().expect("just pushed");
                let mut last = None;
                for index in 0..PARTITIONS {
                    let replica = storage.replica(id(index)).expect("open");
                    let offset = append(&storage, &replica, &batch_of(fill, 3_900)).await.expect("accepted");
                    last = Some((replica, offset));
                }
                let (replica, offset) = last.expect("there are partitions");
                if let Some(committed) = replica.commit_waiter(offset) {
                    committed.await.expect("durable");
                }
            }
        });
        node.world.crash();
    }
}

#[test]
fn the_largest_batches_go_through_journal_segment_and_recovery() {
    let shape =
        RingShape { file_count: 3, file_bytes: JOURNAL_FILE_BYTES, group_bytes_max: JOURNAL_GROUP_BYTES_MAX };
    let mut node = Node::new(1, shape, 1);
    node.config.group_bytes = 512 << 10;
    node.config.segment_bytes = 40 << 20;
    node.config.dirty_bytes_max = 60 << 20;
    node.config.tail_bytes_max = 8 << 20;
    // The value with what a batch and a record have around it.
    let largest = MESSAGE_BYTES_MAX as usize - 100;
    let lengths = [largest, 100, BLOCK_BYTES, largest, 5 << 20, largest];
    let sent: Vec<u8> = (0..lengths.len() as u8).collect();
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for (&fill, &length) in sent.iter().zip(&lengths) {
            produce(&storage, &replica, &batch_of(fill, length)).await.expect("acknowledged");
        }
        check(&storage, 1, &sent).await;
        let too_large = batch_of(1, 17 << 20);
        let refused = append(&storage, &replica, &too_large).await;
        assert!(refused.is_err(), "refused, not taken into a journal that cannot hold it");
    });
    node.world.crash();
    node.run(async {
        let storage: Rc<Storage> = node.boot().await;
        check(&storage, 1, &sent).await;
        storage.stop().await.expect("stopped");
    });
    node.world.crash();
    node.run(async { check(&*node.boot().await, 1, &sent).await });
}
