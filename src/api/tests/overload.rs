//! More than the disk takes: everybody gets on, whatever the length of their batches and wherever they come in.

use std::cell::Cell;

use futures_util::future::{join_all, select};

use super::*;
use crate::shard::testing::owner_and_other;

/// Much for the dirty bytes of a test's shard, which are 1 MiB.
const LONG_BYTES: usize = 200_000;
const SHORT_BYTES: usize = 20_000;

/// Produces to partition 0 without end, and counts.
async fn produce_on(caller: &Caller, bytes: usize, produced: &Cell<usize>) {
    loop {
        let produced_to = produce(caller, "t", 0, batch(&[&vec![7; bytes]])).await;
        assert_eq!(produced_to.error_code, crate::protocol::ErrorCode::None);
        produced.set(produced.get() + 1);
    }
}

#[test]
fn a_long_batch_waits_no_longer_than_the_short_ones_before_it() {
    on_node(&[], |node| async move {
        const SHORT_ONES: usize = 60;
        let (owner, _) = owner_and_other(&node, node.create_topic("t").await, 0);
        let caller = caller(&owner);
        let (short, long) = (Cell::new(0), Cell::new(0));
        let short_ones = join_all((0..SHORT_ONES).map(|_| produce_on(&caller, SHORT_BYTES, &short)));
        let long_one = async {
            let mut most = 0;
            for _ in 0..20 {
                let before = short.get();
                produce(&caller, "t", 0, batch(&[&[7; LONG_BYTES]])).await;
                most = most.max(short.get() - before);
                long.set(long.get() + 1);
            }
            most
        };
        let (long_one, short_ones) = (std::pin::pin!(long_one), std::pin::pin!(short_ones));
        let most = match select(long_one, short_ones).await {
            futures_util::future::Either::Left((most, _)) => most,
            futures_util::future::Either::Right(_) => unreachable!("they go on for ever"),
        };
        println!("{most} short batches in the time of a long one");
        assert!(most <= 3 * SHORT_ONES, "{most} short batches were answered before a long one");
    });
}

#[test]
fn those_who_come_in_by_another_shard_get_their_share() {
    on_node(&[], |node| async move {
        const EACH: usize = 30;
        let (owner, other) = owner_and_other(&node, node.create_topic("t").await, 0);
        let (here, there) = (Cell::new(0), Cell::new(0));
        let (owner, other) = (caller(&owner), caller(&other));
        let all =
            join_all((0..EACH).flat_map(|_| {
                [produce_on(&owner, LONG_BYTES, &here), produce_on(&other, LONG_BYTES, &there)]
            }));
        let enough = async {
            while here.get() < 20 * EACH {
                owner.shard.runtime.sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        select(std::pin::pin!(all), std::pin::pin!(enough)).await;
        println!("{} here, {} there", here.get(), there.get());
        assert!(there.get() * 3 >= here.get(), "{} here, {} there", here.get(), there.get());
    });
}

#[test]
fn many_partitions_that_have_begun_a_chunk_of_memory_share_what_there_is() {
    on_node(&[], |node| async move {
        const PARTITIONS: i32 = 300;
        let caller = caller(&node.shards[0]);
        let topic = NewTopic { num_partitions: PARTITIONS, ..NewTopic::with_defaults("t") };
        let created = caller.shard.metadata.create_topics(vec![topic], false).await;
        created.expect("metadata works").remove(0).expect("a valid topic");
        // For more than half of a chunk of the largest size.
        let records = batch(&[&[7; 70_000]]);
        for index in 0..PARTITIONS {
            let produced = produce(&caller, "t", index, records.clone()).await;
            assert_eq!(produced.error_code, crate::protocol::ErrorCode::None);
        }
        let resident = node.shards.iter().map(|shard| shard.storage.resident_bytes()).max();
        // A test's shard has 8 MiB for tails, and 1 MiB of each that is dirty is in chunks of up to twice the length.
        assert!(resident <= Some(9 << 20), "{resident:?} bytes");
        for index in 0..PARTITIONS {
            let next = produce(&caller, "t", index, records.clone()).await;
            assert_eq!(next.base_offset, 1);
        }
    });
}
