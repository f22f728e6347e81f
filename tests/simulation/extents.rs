//! Long batches that go to their segment past the journal: scenes that the workload at large seldom meets.

use std::cell::Cell;
use std::rc::Rc;

use corelane::base::limits::BLOCK_BYTES;
use corelane::base::planted::{Bug, plant};
use futures_util::FutureExt;

use super::node::{Node, SMALL, append, batch_of, fills, id, produce};

/// Long enough for the nodes here.
const LONG: usize = 5 * BLOCK_BYTES;

/// A cut while a long batch is on its way behind the log's end. Returns whether the cut came to its end only after the
/// batch's last write.
fn cut_waits_for_the_disk(seed: u64) -> bool {
    let node = Node::new(seed, SMALL, 1);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for fill in 1..=4 {
            produce(&storage, &replica, &batch_of(fill, 1_000)).await.expect("appended");
        }
        let has_ended = Rc::new(Cell::new(false));
        let (ended, appender, its) = (Rc::clone(&has_ended), Rc::clone(&storage), Rc::clone(&replica));
        node.runtime.spawn(Box::pin(async move {
            let outcome = append(&appender, &its, &batch_of(9, LONG)).await;
            outcome.expect_err("nobody leads the partition any more");
            ended.set(true);
        }));
        node.runtime.yield_now().await;
        replica.state.borrow_mut().resign();
        storage.truncate(&replica, 2).await.expect("cut");
        let has_ended = has_ended.get();
        replica.state.borrow_mut().become_leader(1_001).expect("a later term");
        for fill in [5, 6] {
            produce(&storage, &replica, &batch_of(fill, LONG)).await.expect("appended");
        }
        assert_eq!(fills(&storage, &replica).await, [1, 2, 5, 6]);
        has_ended
    })
}

#[test]
fn a_log_is_not_cut_while_something_is_written_behind_the_cut() {
    assert!((0..30).all(cut_waits_for_the_disk));
    plant(Some(Bug::CutAmidExtent));
    let noticed = (0..30).find(|&seed| !cut_waits_for_the_disk(seed));
    plant(None);
    println!("cut a log amid an extent: noticed after {} seeds", noticed.expect("noticed") + 1);
}

/// What is given up before its bytes are in the segment was not appended, and what comes next goes to the same place.
#[test]
fn a_long_batch_that_nobody_waits_for_is_not_appended() {
    for seed in 0..20 {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            produce(&storage, &replica, &batch_of(1, 1_000)).await.expect("appended");
            let given_up = batch_of(2, LONG);
            assert!(append(&storage, &replica, &given_up).now_or_never().is_none());
            produce(&storage, &replica, &batch_of(3, LONG + 100)).await.expect("appended");
            produce(&storage, &replica, &batch_of(4, 100)).await.expect("appended");
            assert_eq!(fills(&storage, &replica).await, [1, 3, 4]);
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            assert_eq!(fills(&storage, &replica).await, [1, 3, 4], "seed {seed}");
        });
    }
}

/// Bytes are written once, but for a header and less than a block; and a segment that is full is completed although
/// nothing is ever dirty.
#[test]
fn long_batches_are_written_once() {
    let node = Node::new(1, SMALL, 1);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        for fill in 1..=30 {
            produce(&storage, &replica, &batch_of(fill, LONG)).await.expect("appended");
            assert_eq!(storage.dirty_bytes(), 0);
        }
        assert_eq!(fills(&storage, &replica).await, (1..=30).collect::<Vec<u8>>());
        node.runtime.sleep(std::time::Duration::from_millis(50)).await;
        let log = replica.log.borrow();
        let unsealed = log.segments().filter(|segment| !segment.sealed).count();
        assert!(log.segments().count() > 5 && unsealed <= 2, "{unsealed} are not complete");
        assert!(
            log.segments().last().is_some_and(|last| last.end_position - last.synced < BLOCK_BYTES as u64)
        );
    });
}
