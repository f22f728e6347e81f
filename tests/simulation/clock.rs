//! The wall clock steps: nothing is deleted early, nobody is forgotten, and nothing is kept for ever.

use std::rc::Rc;
use std::time::Duration;

use corelane::base::limits::CLOCK_STEP_HELD_MS;
use corelane::protocol::batch::{BatchBuilder, BatchHeader};
use corelane::shard::{Replica, Storage};

use super::node::{Node, SMALL, id, produce};

const DAY_MS: i64 = 24 * 3_600_000;
const YEAR_MS: i64 = 365 * DAY_MS;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}

fn log_start(replica: &Replica) -> i64 {
    replica.state.borrow().progress().log_start()
}

/// Batches of now, in several segments.
async fn send(node: &Node, storage: &Storage, replica: &Rc<Replica>) {
    for _ in 0..30 {
        let batch = BatchBuilder::new().record(node.runtime.wall_clock_ms(), None, Some(&[1; 9_000])).build();
        produce(storage, replica, &batch).await.expect("acknowledged");
    }
}

#[test]
fn retention_does_not_follow_a_step_until_it_has_lasted() {
    for step_ms in [YEAR_MS, -YEAR_MS] {
        let node = Node::new(1, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            send(&node, &storage, &replica).await;
            node.runtime.sleep(hours(1)).await;
            node.world.step_wall_clock(step_ms);
            node.runtime.sleep(hours(20)).await;
            assert_eq!(log_start(&replica), 0, "{step_ms}: a day has not passed");
            node.world.step_wall_clock(-step_ms);
            node.runtime.sleep(hours(6 * 24)).await;
            assert_eq!(log_start(&replica), 0, "{step_ms}: a week has not passed");
            node.runtime.sleep(hours(2 * 24)).await;
            assert_eq!(log_start(&replica), 30, "{step_ms}: kept for ever");
        });
    }
}

#[test]
fn a_clock_that_stays_where_it_was_set_is_believed() {
    let node = Node::new(1, SMALL, 1);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        send(&node, &storage, &replica).await;
        node.world.step_wall_clock(YEAR_MS);
        let held = Duration::from_millis(CLOCK_STEP_HELD_MS);
        node.runtime.sleep(held - hours(1)).await;
        assert_eq!(log_start(&replica), 0);
        node.runtime.sleep(hours(2)).await;
        assert_eq!(log_start(&replica), 30);
    });
}

#[test]
fn a_producer_is_not_forgotten_because_the_clock_stepped() {
    for step_ms in [0, YEAR_MS, -YEAR_MS] {
        let node = Node::new(1, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let now_ms = node.runtime.wall_clock_ms();
            let batch = BatchBuilder::new().producer(7, 0, 0).record(now_ms, None, Some(b"once")).build();
            produce(&storage, &replica, &batch).await.expect("acknowledged");
            node.world.step_wall_clock(step_ms);
            node.runtime.sleep(hours(1)).await;
            let header = BatchHeader::parse(&batch).expect("built here");
            let again = storage.append(&replica, &header, &batch).await.expect("known");
            assert_eq!(again.base_offset, 0, "{step_ms}: it is there already");
            node.world.step_wall_clock(-step_ms);
            node.runtime.sleep(hours(25)).await;
            assert_eq!(replica.state.borrow().producers().len(), 0, "{step_ms}: idle for a day");
        });
    }
}
