use std::time::Duration;

use super::*;
use crate::base::limits::FETCH_WAIT_MS_MAX;
use crate::protocol::ErrorCode;
use crate::protocol::batch::Batches;
use crate::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use crate::shard::Phase;
use crate::shard::testing::owner_and_other;

pub(super) fn request(partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |&(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: vec![FetchTopic {
            topic: "t".to_owned(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn partitions(response: &FetchResponse) -> &[PartitionData] {
    assert_eq!((response.error_code, response.session_id), (ErrorCode::None, 0));
    &response.responses[0].partitions
}

pub(super) fn offsets(data: &PartitionData) -> Vec<i64> {
    let records = data.records.as_ref().expect("records are never null").0.concat();
    Batches::new(&records).map(|batch| batch.expect("whole").batch.header().base_offset).collect()
}

#[test]
fn what_was_produced_is_fetched_in_every_version() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 0);
        for _ in 0..3 {
            produce(&caller(&owner), "t", 0, batch(&[b"a", b"b"])).await;
        }
        for version in 4..=18 {
            for shard in [&owner, &other] {
                let mut request = request(&[(0, 3)]);
                request.topics[0].topic_id = topic_id;
                let response = call(&caller(shard), &request, version).await;
                let data = &partitions(&response)[0];
                assert_eq!(
                    (data.error_code, data.high_watermark, data.last_stable_offset),
                    (ErrorCode::None, 6, 6)
                );
                assert_eq!(offsets(data), [2, 4], "the batch that holds the offset comes whole");
            }
        }
        assert_eq!((owner.budgets.fetches.used(), other.budgets.fetches.used()), (0, 0));
    });
}

#[test]
fn a_fetch_waits_for_records_and_is_woken_by_them() {
    on_node(&[], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        for (offset, shard) in [(0, &owner), (1, &other)] {
            let started = owner.runtime.now();
            let asking = caller(shard);
            let mut waiting = request(&[(1, 0), (0, offset)]);
            waiting.max_wait_ms = 20_000;
            let fetch = call(&asking, &waiting, 11);
            let append = async {
                owner.runtime.sleep(Duration::from_millis(100)).await;
                produce(&caller(&owner), "t", 0, batch(&[b"a"])).await
            };
            let (response, _) = futures_util::future::join(fetch, append).await;
            assert_eq!(offsets(&partitions(&response)[1]), [offset]);
            let waited = owner.runtime.now() - started;
            assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(1), "{waited:?}");
        }
    });
}

#[test]
fn a_fetch_ends_when_time_is_up_or_the_shard_drains() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let shard = &node.shards[0];
        let waited = async |max_wait_ms| {
            let started = shard.runtime.now();
            let empty = FetchRequest { max_wait_ms, ..request(&[(0, 0), (1, 0)]) };
            let response = call(&caller(shard), &empty, 11).await;
            assert!(partitions(&response).iter().all(|data| offsets(data).is_empty()));
            shard.runtime.now() - started
        };
        assert!(waited(0).await < Duration::from_millis(1));
        let half = waited(500).await;
        assert!(half >= Duration::from_millis(500) && half < Duration::from_millis(600), "{half:?}");
        let longest = waited(i32::MAX).await;
        assert!(longest < Duration::from_millis(FETCH_WAIT_MS_MAX + 100), "{longest:?}");
        let drain = async {
            shard.runtime.sleep(Duration::from_millis(50)).await;
            shard.phases.enter(Phase::Draining);
        };
        let (waited, ()) = futures_util::future::join(waited(10_000), drain).await;
        assert!(waited < Duration::from_millis(100), "{waited:?}");
    });
}

#[test]
fn limits_hold_but_for_the_first_batch() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        for index in [0, 1] {
            for _ in 0..4 {
                produce(&caller, "t", index, batch(&[&[7; 1000]])).await;
            }
        }
        let fetched = async |request: FetchRequest| {
            let response = call(&caller, &request, 11).await;
            partitions(&response).iter().map(|data| offsets(data).len()).collect::<Vec<_>>()
        };
        let both = || request(&[(1, 0), (0, 0)]);
        assert_eq!(fetched(both()).await, [4, 4]);
        assert_eq!(fetched(FetchRequest { max_bytes: 1, ..both() }).await, [1, 0]);
        assert_eq!(fetched(FetchRequest { max_bytes: 0, ..both() }).await, [1, 0]);
        assert_eq!(fetched(FetchRequest { max_bytes: 5_500, ..both() }).await, [4, 1]);
        assert_eq!(fetched(FetchRequest { max_bytes: 4_800, ..both() }).await, [4, 0]);
        let mut narrow = both();
        narrow.topics[0].partitions.iter_mut().for_each(|it| it.partition_max_bytes = 2_500);
        assert_eq!(fetched(narrow).await, [2, 2]);
        // Without records in the first partition, the rule holds for the next one.
        let mut behind = request(&[(1, 4), (0, 0)]);
        behind.max_bytes = 1;
        assert_eq!(fetched(behind).await, [0, 1]);
    });
}

#[test]
fn refusals_are_answered_at_once_and_by_partition() {
    on_node(&[("num.partitions", "4")], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        produce(&caller, "t", 0, batch(&[b"a"])).await;
        let started = caller.shard.runtime.now();
        let mut asked = request(&[(1, 2), (2, -1), (7, 0), (3, 0), (0, 1)]);
        asked.min_bytes = 1_000;
        asked.topics[0].partitions[3].current_leader_epoch = 5;
        let response = call(&caller, &asked, 12).await;
        let codes: Vec<_> = partitions(&response).iter().map(|data| data.error_code).collect();
        assert_eq!(
            codes,
            [
                ErrorCode::OffsetOutOfRange,
                ErrorCode::OffsetOutOfRange,
                ErrorCode::UnknownTopicOrPartition,
                ErrorCode::UnknownLeaderEpoch,
                ErrorCode::None
            ]
        );
        assert!(caller.shard.runtime.now() - started < Duration::from_millis(1));
    });
}

#[test]
fn a_reader_whose_log_went_another_way_is_told_where() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        produce(&caller, "t", 0, batch(&[b"a", b"b"])).await;
        let fetch = async |offset, last_fetched_epoch| {
            let mut asked = request(&[(0, offset)]);
            asked.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
            let response = call(&caller, &asked, 12).await;
            let data = &partitions(&response)[0];
            (data.error_code, data.diverging_epoch.end_offset, offsets(data))
        };
        assert_eq!(fetch(0, 0).await, (ErrorCode::None, -1, vec![0]));
        assert_eq!(fetch(3, 0).await, (ErrorCode::None, 2, vec![]), "the log ends before it");
        assert_eq!(fetch(1, 9).await, (ErrorCode::OffsetOutOfRange, -1, vec![]));
    });
}
