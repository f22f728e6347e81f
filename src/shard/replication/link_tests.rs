//! Connections that come and go one at a time, and copies that must not keep the others of their link from going on.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Cluster, OTHER, PARTITION, run};
use super::role::Role;
use crate::base::limits::REPLICATION_SET_ASIDE_MS;
use crate::replication::Stream::{self, CatchUp, Live};

async fn with_much_to_catch_up(cluster: &Cluster) {
    for _ in 0..30 {
        cluster.append(0, &[5; 20_000]).await;
    }
    cluster.settle().await;
}

/// In whatever order the connections come, and however long the second one takes: who is behind catches up.
#[test]
fn who_is_behind_catches_up_whichever_connection_comes_first() {
    for (first, second) in [(Live, CatchUp), (CatchUp, Live)] {
        run(1, async |runtime| {
            let mut cluster = Cluster::start(&runtime, 2).await;
            cluster.elect(0, &[0, 1]);
            with_much_to_catch_up(&cluster).await;
            cluster.connect_by(0, 1, first);
            cluster.settle().await;
            assert_eq!(cluster.high_watermark(0), 0, "it needs both");
            cluster.connect_by(0, 1, second);
            cluster.settle().await;
            assert_eq!((cluster.high_watermark(0), cluster.high_watermark(1)), (30, 30));
            assert_eq!(cluster.log(1).await, cluster.log(0).await);
        });
    }
}

#[test]
fn connections_that_break_and_come_back_one_by_one_lose_no_word() {
    let orders: [&[Stream]; 4] = [&[Live], &[Live, CatchUp], &[CatchUp, Live], &[Live, CatchUp, CatchUp]];
    for (broken, came) in
        [(Live, orders[0]), (CatchUp, orders[1]), (CatchUp, orders[2]), (CatchUp, orders[3])]
    {
        run(2, async |runtime| {
            let mut cluster = Cluster::start(&runtime, 2).await;
            cluster.elect(0, &[0, 1]);
            cluster.connect(0, 1);
            cluster.append(0, b"x").await;
            cluster.settle().await;
            cluster.cut(broken);
            with_much_to_catch_up(&cluster).await;
            for stream in came {
                cluster.connect_by(0, 1, *stream);
                cluster.settle().await;
            }
            cluster.append(0, b"y").await;
            cluster.settle().await;
            assert_eq!(
                (cluster.high_watermark(0), cluster.high_watermark(1)),
                (32, 32),
                "{broken:?} {came:?}"
            );
        });
    }
}

#[test]
fn a_copy_that_takes_no_records_keeps_no_other_one_from_its_own() {
    run(3, async |runtime| {
        let mut cluster = Cluster::start(&runtime, 2).await;
        cluster.elect(0, &[0, 1]);
        cluster.connect(0, 1);
        cluster.append(0, b"x").await;
        cluster.settle().await;
        *cluster.replica(1).cut_short.borrow_mut() = Some(Arc::from("records are lost"));
        for id in [PARTITION, OTHER, PARTITION, OTHER] {
            cluster.append_to(0, id, b"y").await;
            cluster.settle().await;
        }
        let high_watermark = |id| cluster.replica_of(0, id).state.borrow().progress().high_watermark();
        assert_eq!((high_watermark(PARTITION), high_watermark(OTHER)), (1, 2));
        assert!(matches!(&*cluster.replica(1).role.borrow(), Role::Waits));

        // It is whole again, and is looked at again in time.
        let follower = &cluster.nodes[1].replication;
        *cluster.replica(1).cut_short.borrow_mut() = None;
        follower.try_again();
        assert!(follower.look_again.borrow().is_empty(), "it is too early");
        runtime.sleep(Duration::from_millis(REPLICATION_SET_ASIDE_MS)).await;
        follower.try_again();
        assert_eq!(follower.look_again.take().into_iter().collect::<Vec<_>>(), [PARTITION]);
        cluster.learn(1, &cluster.image(0, &[0, 1]));
        cluster.settle().await;
        assert_eq!((high_watermark(PARTITION), high_watermark(OTHER)), (3, 2));
        assert_eq!(cluster.log(1).await, cluster.log(0).await);
        runtime.sleep(Duration::from_millis(REPLICATION_SET_ASIDE_MS)).await;
        follower.try_again();
        assert!(follower.look_again.borrow().is_empty() && follower.set_aside.borrow().is_empty());
    });
}

#[test]
fn a_damaged_copy_neither_leads_nor_follows() {
    run(4, async |runtime| {
        let mut cluster = Cluster::start(&runtime, 2).await;
        cluster.elect(0, &[0, 1]);
        for node in [0, 1] {
            *cluster.replica(node).cut_short.borrow_mut() = Some(Arc::from("records are lost"));
        }
        // It leads a term in which all was there when it began.
        cluster.learn(0, &cluster.image(0, &[0]));
        assert!(matches!(&*cluster.replica(0).role.borrow(), Role::Leads(_)));
        cluster.elect(0, &[0, 1]);
        for node in [0, 1] {
            let replica = cluster.replica(node);
            assert!(matches!(&*replica.role.borrow(), Role::Waits));
            assert_eq!(replica.state.borrow().leader_epoch(), None);
        }
        assert!(matches!(&*cluster.replica_of(0, OTHER).role.borrow(), Role::Leads(_)));
        assert!(matches!(&*cluster.replica_of(1, OTHER).role.borrow(), Role::Follows(_)));
    });
}
