//! Reading what is only on disk: rot is noticed where it is and nowhere else, and nothing is read twice for two who
//! read the same place.

use std::rc::Rc;

use corelane::base::limits::BLOCK_BYTES;
use corelane::protocol::batch::Batches;
use corelane::shard::{Replica, Storage, StorageError};
use futures_util::future::join_all;

use super::node::{Node, SMALL, batch_of, fills, id, produce};

const BATCHES: u8 = 250;
const RECORD_BYTES: usize = 8_000;

/// A node with two partitions whose batches are on disk, and after a restart only there.
fn on_disk(seed: u64, cold_bytes_max: usize) -> Node {
    let mut node = Node::new(seed, SMALL, 2);
    node.config.cold_bytes_max = cold_bytes_max;
    node.config.segment_bytes = 4 << 20;
    node.run(async {
        let storage = node.boot().await;
        for fill in 1..=BATCHES {
            for index in 0..2 {
                let replica = storage.replica(id(index)).expect("open");
                produce(&storage, &replica, &batch_of(fill, RECORD_BYTES)).await.expect("acknowledged");
            }
        }
        storage.stop().await.expect("stopped");
    });
    node.world.crash();
    node
}

/// Offsets of the batches that are read from `offset` to the end or to an error, and the error.
async fn walk(storage: &Storage, replica: &Rc<Replica>, mut offset: i64) -> (Vec<i64>, Option<StorageError>) {
    let mut found = Vec::new();
    loop {
        let pieces = match storage.read(replica, offset, 20_000).await {
            Ok(pieces) => pieces.concat(),
            Err(error) => return (found, Some(error)),
        };
        if pieces.is_empty() {
            return (found, None);
        }
        for batch in Batches::new(&pieces).check_crc() {
            let base_offset = batch.expect("whole").batch.header().base_offset;
            found.push(base_offset);
            offset = base_offset + 1;
        }
    }
}

#[test]
fn a_rotten_batch_costs_those_who_read_it_and_no_others() {
    for (seed, cold_bytes_max) in [(1, 0), (2, 64 * BLOCK_BYTES), (3, 4 << 20)] {
        let node = on_disk(seed, cold_bytes_max);
        let rotten = 40;
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let segment = replica.log.borrow().directory().join("00000000000000000000.log");
            let length = batch_of(1, RECORD_BYTES).len() as u64;
            node.world.rot(&segment, rotten * length + 200);
            for _ in 0..2 {
                let (found, error) = walk(&storage, &replica, 0).await;
                assert_eq!(found, (0..rotten as i64).collect::<Vec<_>>(), "all that lies before it");
                assert!(matches!(error, Some(StorageError::Corrupt(_))), "{error:?}");
            }
            let (found, error) = walk(&storage, &replica, rotten as i64 + 1).await;
            assert!(found.is_empty() || error.is_none(), "{found:?} {error:?}");
            let other = storage.replica(id(1)).expect("open");
            assert_eq!(fills(&storage, &other).await, (1..=BATCHES).collect::<Vec<u8>>());
            let refused = produce(&storage, &replica, &batch_of(251, 100)).await;
            assert!(
                matches!(refused, Err(StorageError::Damaged(_))),
                "until somebody has decided: {refused:?}"
            );
            produce(&storage, &other, &batch_of(251, 100)).await.expect("other partitions take more");
        });
    }
}

#[test]
fn what_several_read_at_once_is_read_once() {
    let reads = |readers: usize| {
        let node = on_disk(7, 4 << 20);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let all = join_all((0..readers).map(|_| walk(&storage, &replica, 0))).await;
            for (found, error) in all {
                assert_eq!((found.len(), error.is_none()), (usize::from(BATCHES), true));
            }
            storage.cold_reads()
        })
    };
    let bytes = usize::from(BATCHES) * RECORD_BYTES;
    let one = reads(1);
    assert!(one > 2 && one as usize <= 5 + bytes / (512 << 10), "{one} reads");
    // Each meets the last batch, which ends in memory, twice: at the end of others and as its first.
    assert_eq!((reads(2), reads(5)), (one + 2, one + 4 * 2));
}

#[test]
fn what_is_read_does_not_outgrow_its_bound() {
    for cold_bytes_max in [0, 1, 40_000, 1 << 20] {
        let node = on_disk(9, cold_bytes_max);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let (found, error) = walk(&storage, &replica, 0).await;
            assert_eq!((found.len(), error.is_none()), (usize::from(BATCHES), true));
            assert!(storage.cold_bytes() <= cold_bytes_max);
        });
    }
}
