//! Records are deleted and their space is given back: by age and by size without anybody asking, under readers,
//! and cut off by crashes anywhere.

use std::rc::Rc;
use std::time::Duration;

use corelane::cluster::TopicSettings;
use corelane::log::partition_log::ReadPlan;
use corelane::runtime::sim::CrashPoint;
use corelane::shard::{PartitionSpec, Replica, Storage};

use super::files::orphans;
use super::node::{Node, SMALL, batch_of, fills, id, produce, topic_settings};

/// Sends so many batches of 9,000 bytes, about ten to a segment, with their numbers as timestamps.
async fn send(storage: &Storage, replica: &Rc<Replica>, fills: std::ops::Range<u8>) {
    for fill in fills {
        produce(storage, replica, &batch_of(fill, 9_000)).await.expect("acknowledged");
    }
}

fn set(storage: &Storage, settings: TopicSettings) {
    let leader_epoch = storage.replica(id(0)).expect("open").state.borrow().leader_epoch().expect("led");
    let spec = PartitionSpec { id: id(0), topic_name: "t".to_owned(), leader_epoch, settings };
    storage.change(&spec).expect("changed");
}

fn log_start(replica: &Replica) -> i64 {
    replica.state.borrow().progress().log_start()
}

fn segments(replica: &Replica) -> Vec<i64> {
    replica.log.borrow().segments().map(|segment| segment.base_offset).collect()
}

/// Restarts after a crash anywhere between the move of the log start and the last removal.
#[test]
fn a_removal_that_was_cut_off_is_finished_by_the_next_start() {
    let mut finished = 0;
    for events in 0..120 {
        let node = Node::new(events, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            send(&storage, &storage.replica(id(0)).expect("open"), 0..40).await;
        });
        node.world.crash_at(CrashPoint::DiskEvents(events));
        let alive = node.world.block_on(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            storage.advance_log_start(&replica, 33).await.expect("moved");
            node.runtime.sleep(Duration::from_secs(1)).await;
        });
        finished += u32::from(alive.is_some());
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            let start = log_start(&replica);
            assert!(start == 33 || (start == 0 && alive.is_none()), "{start}");
            assert_eq!(fills(&storage, &replica).await, (start as u8..40).collect::<Vec<_>>());
            send(&storage, &replica, 40..60).await;
            node.runtime.sleep(Duration::from_secs(1)).await;
            let left = orphans(&node.runtime, &replica).await;
            assert!(left.is_empty(), "{events} events: {left:?}");
            assert!(segments(&replica)[0] > 20 || start == 0);
        });
    }
    assert!((1..120).contains(&finished), "{finished} removals were finished before the crash");
}

#[test]
fn an_idle_partition_is_rolled_and_grows_old() {
    let mut node = Node::new(1, SMALL, 1);
    node.config.retention_check_interval = Duration::from_secs(60);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        let hour_ms = 3_600_000;
        // The records are of 1970: their age is counted in decades.
        let age_ms = node.runtime.wall_clock_ms() + 5 * hour_ms;
        let settings = TopicSettings {
            segment_ms: hour_ms,
            retention_ms: Some(age_ms),
            ..topic_settings(node.config.segment_bytes)
        };
        set(&storage, settings);
        send(&storage, &replica, 0..3).await;
        node.runtime.sleep(Duration::from_secs(1_800)).await;
        assert!(!replica.log.borrow().last_segment().expect("filled").sealed, "not yet");
        node.runtime.sleep(Duration::from_secs(3_600)).await;
        assert!(replica.log.borrow().last_segment().expect("filled").sealed, "rolled although nothing came");
        assert_eq!(fills(&storage, &replica).await, [0, 1, 2]);
        node.runtime.sleep(Duration::from_secs(5 * 3_600)).await;
        assert_eq!((log_start(&replica), segments(&replica)), (3, vec![]));
        assert!(orphans(&node.runtime, &replica).await.is_empty());
        send(&storage, &replica, 3..5).await;
        assert_eq!(fills(&storage, &replica).await, [3, 4]);
        storage.stop().await.expect("stopped");
    });
    node.world.crash();
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        assert_eq!((log_start(&replica), fills(&storage, &replica).await), (3, vec![3, 4]));
    });
}

#[test]
fn a_partition_is_kept_at_its_size_while_it_is_written() {
    let mut node = Node::new(2, SMALL, 1);
    node.config.retention_check_interval = Duration::from_millis(5);
    node.run(async {
        let storage = node.boot().await;
        let replica = storage.replica(id(0)).expect("open");
        let settings = TopicSettings {
            retention_bytes: Some(300_000),
            retention_ms: None,
            ..topic_settings(node.config.segment_bytes)
        };
        set(&storage, settings);
        let mut longest = 0;
        for round in 0..12 {
            send(&storage, &replica, round * 20..round * 20 + 20).await;
            node.runtime.sleep(Duration::from_millis(100)).await;
            let bytes: u64 = replica.log.borrow().segments().map(|segment| segment.end_position).sum();
            longest = longest.max(bytes);
        }
        assert!((300_000..300_000 + 2 * node.config.segment_bytes).contains(&longest), "{longest}");
        assert!(fills(&storage, &replica).await.ends_with(&[238, 239]));
        assert!(orphans(&node.runtime, &replica).await.is_empty());
    });
}

#[test]
fn a_file_is_left_alone_while_somebody_reads_it() {
    let mut reads_beside = 0;
    for seed in 0..30 {
        let node = Node::new(seed, SMALL, 1);
        node.run(async {
            let storage = node.boot().await;
            send(&storage, &storage.replica(id(0)).expect("open"), 0..60).await;
            storage.stop().await.expect("stopped");
        });
        node.world.crash();
        node.run(async {
            let storage = node.boot().await;
            let replica = storage.replica(id(0)).expect("open");
            // A reader that takes its time: it has planned its read and not begun it.
            let ReadPlan::Cold(cold) = replica.log.borrow().read(5, 60, 20_000) else { return };
            reads_beside += 1;
            storage.advance_log_start(&replica, 60).await.expect("moved");
            node.runtime.sleep(Duration::from_secs(1)).await;
            let directory = replica.log.borrow().directory().to_owned();
            let file = directory.join(format!("{:020}.log", cold.segment.name.base));
            assert_eq!(
                node.bytes_of(&file).await.len() as u64,
                cold.segment.end_position,
                "seed {seed}: still whole"
            );
            drop(cold);
            node.runtime.sleep(Duration::from_secs(1)).await;
            assert!(orphans(&node.runtime, &replica).await.is_empty(), "seed {seed}: and then it goes");
        });
    }
    assert!(reads_beside > 0, "no read began on disk");
}
