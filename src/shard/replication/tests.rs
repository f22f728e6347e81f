//! Shards of several nodes that lead and follow.

use super::bench::{Cluster, PARTITION, run};
use super::role::Role;
use crate::cluster::Duty;
use crate::link::Start;
use crate::shard::Uncommitted;

#[test]
fn what_all_have_synced_is_committed_and_the_same_everywhere() {
    for seed in 0..20 {
        run(seed, async |runtime| {
            let mut cluster = Cluster::start(&runtime, 3).await;
            cluster.elect(0, &[0, 1, 2]);
            let last = cluster.append(0, b"first").await;
            let committed = cluster.replica(0).commit_waiter(last).expect("nobody else has it");
            let synced = cluster.replica(0).sync_waiter(last);
            cluster.settle().await;
            assert_eq!(cluster.high_watermark(0), 0, "two members have said nothing");
            if let Some(synced) = synced {
                synced.await.expect("the leader has it");
            }
            cluster.connect(0, 1);
            cluster.settle().await;
            assert_eq!(cluster.high_watermark(0), 0, "one member has said nothing");
            cluster.connect(0, 2);
            cluster.settle().await;
            committed.await.expect("all have it");
            for value in [&b"second"[..], &[7; 3000], b"third"] {
                cluster.append(0, value).await;
            }
            cluster.settle().await;
            let log = cluster.log(0).await;
            for node in 0..3 {
                assert_eq!(cluster.log(node).await, log);
                assert_eq!((cluster.high_watermark(node), cluster.epochs(node)), (4, vec![(1, 0)]));
            }
        });
    }
}

#[test]
fn who_comes_late_catches_up_from_the_log_and_goes_on_live() {
    run(3, async |runtime| {
        let mut cluster = Cluster::start(&runtime, 2).await;
        cluster.elect(0, &[0, 1]);
        for _ in 0..30 {
            cluster.append(0, &[5; 20_000]).await;
        }
        cluster.settle().await;
        cluster.connect(0, 1);
        cluster.settle().await;
        assert_eq!((cluster.high_watermark(0), cluster.high_watermark(1)), (30, 30));
        assert!(cluster.nodes[0].replication.meters.catch_up_bytes.get() > 600_000);
        let before = cluster.nodes[0].replication.meters.catch_up_bytes.get();
        cluster.append(0, b"live").await;
        cluster.settle().await;
        assert_eq!(cluster.high_watermark(1), 31);
        assert_eq!(
            cluster.nodes[0].replication.meters.catch_up_bytes.get(),
            before,
            "it goes as it is journaled"
        );
        assert_eq!(cluster.log(1).await, cluster.log(0).await);
    });
}

#[test]
fn a_former_leader_cuts_what_only_it_has() {
    for seed in 0..20 {
        run(seed, async |runtime| {
            let mut cluster = Cluster::start(&runtime, 2).await;
            cluster.elect(0, &[0, 1]);
            cluster.connect(0, 1);
            cluster.append(0, b"both").await;
            cluster.settle().await;
            cluster.links.clear();
            let lost = cluster.append(0, b"lost").await;
            let lost = cluster.replica(0).commit_waiter(lost).expect("only one has it");
            cluster.settle().await;
            cluster.elect(1, &[0, 1]);
            assert!(lost.await.is_err(), "another one leads");
            cluster.connect(1, 0);
            cluster.append(1, b"other").await;
            cluster.settle().await;
            assert_eq!(cluster.log(0).await, cluster.log(1).await);
            assert_eq!((cluster.epochs(0), cluster.high_watermark(0)), (vec![(1, 0), (2, 1)], 2));
        });
    }
}

#[test]
fn who_has_nothing_that_the_leader_still_has_starts_anew_where_its_log_does() {
    for seed in 0..20 {
        run(seed, async |runtime| {
            let mut cluster = Cluster::with_min_in_sync(&runtime, 2, 1).await;
            cluster.elect(0, &[0]);
            for value in [&b"a"[..], b"b", b"c", b"d", b"e"] {
                cluster.append(0, value).await;
            }
            cluster.settle().await;
            assert_eq!(cluster.high_watermark(0), 5, "it is alone in the set");
            let started = cluster.nodes[0].storage.advance_log_start(&cluster.replica(0), 4).await;
            assert_eq!(started.expect("it is committed"), 4);
            cluster.connect(0, 1);
            cluster.settle().await;
            assert_eq!(cluster.log(1).await, cluster.log(0).await);
            assert_eq!((cluster.epochs(1), cluster.epochs(0)), (vec![(1, 4)], vec![(1, 4)]));
            let low = cluster.nodes[0].replication.starts_everywhere(&cluster.replica(0), 4).await;
            assert_eq!(low, Ok(4));
            // It can lead, and goes on where the other one ends.
            cluster.elect(1, &[1]);
            assert_eq!(cluster.append(1, b"f").await, 5);
        });
    }
}

#[test]
fn too_few_in_sync_refuse_and_answer_those_who_wait() {
    run(1, async |runtime| {
        let mut cluster = Cluster::start(&runtime, 2).await;
        cluster.elect(0, &[0, 1]);
        assert!(cluster.replica(0).is_enough_in_sync());
        let last = cluster.append(0, b"x").await;
        let committed = cluster.replica(0).commit_waiter(last).expect("only one has it");
        // The controller has taken the other one out.
        cluster.partition_epoch += 1;
        let image = cluster.image(0, &[0]);
        let record = image.partition(PARTITION).expect("it is there");
        cluster.nodes[0].replication.take_up(&image, record, Duty::Lead);
        assert!(!cluster.replica(0).is_enough_in_sync());
        assert_eq!(committed.await, Err(Uncommitted::NotEnoughReplicas));
    });
}

#[test]
fn a_start_that_was_not_granted_the_term_does_not_lead() {
    run(1, async |runtime| {
        let mut cluster = Cluster::start(&runtime, 2).await;
        let granted = cluster.nodes[0].start;
        // The metadata knows of another start of the node.
        cluster.nodes[0].start = Start { incarnation: 2, ..granted };
        cluster.elect(0, &[0, 1]);
        assert!(matches!(&*cluster.replica(0).role.borrow(), Role::Waits));
        assert_eq!(cluster.replica(0).state.borrow().leader_epoch(), None);
    });
}
