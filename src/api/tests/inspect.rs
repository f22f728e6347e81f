//! The requests that look at what partitions are.

use super::*;
use crate::base::limits::DESCRIBED_PRODUCERS_MAX;
use crate::protocol::ErrorCode;
use crate::protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use crate::protocol::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use crate::protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use crate::shard::testing::owner_and_other;

#[test]
fn a_terms_end_is_told_by_every_shard() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 0);
        produce(&caller(&owner), "t", 0, batch(&[b"a", b"b"])).await;
        let asked = [(0, 0, 0), (0, -1, 1), (0, 7, 0), (9, -1, 0)];
        let partition = |&(partition, current_leader_epoch, leader_epoch): &(i32, i32, i32)| {
            OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch }
        };
        let partitions: Vec<_> = asked.iter().map(partition).collect();
        let topic =
            |topic: &str| OffsetForLeaderTopic { topic: topic.into(), partitions: partitions.clone() };
        let topics = vec![topic("t"), topic("none")];
        for version in 2..=4 {
            for shard in [&owner, &other] {
                let request = OffsetForLeaderEpochRequest { topics: topics.clone(), ..Default::default() };
                let response = call(&caller(shard), &request, version).await;
                let told = |at: usize| {
                    let partitions = response.topics[at].partitions.iter();
                    let told = partitions.map(|it| (it.error_code, it.leader_epoch, it.end_offset));
                    told.collect::<Vec<_>>()
                };
                let expected = [
                    (ErrorCode::None, 0, 2),
                    (ErrorCode::None, -1, -1),
                    (ErrorCode::UnknownLeaderEpoch, -1, -1),
                    (ErrorCode::UnknownTopicOrPartition, -1, -1),
                ];
                assert_eq!(told(0), expected);
                assert_eq!(told(1), [(ErrorCode::UnknownTopicOrPartition, -1, -1); 4]);
            }
        }
    });
}

fn sizes(response: &DescribeLogDirsResponse) -> Vec<(&str, i32, i64)> {
    assert_eq!(response.error_code, ErrorCode::None);
    let [result] = &response.results[..] else { panic!("one directory: {response:?}") };
    assert!(result.error_code == ErrorCode::None && result.log_dir.starts_with('/'), "{result:?}");
    let topics = result.topics.iter();
    let partitions = topics.flat_map(|topic| topic.partitions.iter().map(|it| (&topic.name[..], it)));
    partitions.map(|(name, it)| (name, it.partition_index, it.partition_size)).collect()
}

#[test]
fn logs_are_measured_by_the_broker_that_has_them() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 0);
        let records = batch(&[&[7; 5000]]);
        let length = records.len() as i64;
        for _ in 0..3 {
            produce(&caller(&owner), "t", 0, records.clone()).await;
        }
        let all = DescribeLogDirsRequest { topics: None };
        for version in 1..=4 {
            let response = call(&caller(&owner), &all, version).await;
            assert_eq!(sizes(&response), [("t", 0, 3 * length)]);
            let space = (response.results[0].total_bytes, response.results[0].usable_bytes);
            assert_eq!(space, if version < 4 { (-1, -1) } else { (1 << 40, 1 << 39) });
            let response = call(&caller(&other), &all, version).await;
            assert_eq!(sizes(&response), [("t", 1, 0)], "each shard is a broker of its own");
        }
        let topic =
            |topic: &str| DescribableLogDirTopic { topic: topic.into(), partitions: vec![0, 1, 2, 0] };
        let some = DescribeLogDirsRequest { topics: Some(vec![topic("t"), topic("none")]) };
        assert_eq!(sizes(&call(&caller(&owner), &some, 4).await), [("t", 0, 3 * length)]);
        let none = DescribeLogDirsRequest { topics: Some(Vec::new()) };
        assert_eq!(sizes(&call(&caller(&owner), &none, 4).await), []);
    });
    on_node(&[("advertise", "node")], |node| async move {
        node.create_topic("t").await;
        let all = DescribeLogDirsRequest { topics: None };
        let response = call(&caller(&node.shards[1]), &all, 4).await;
        assert_eq!(sizes(&response), [("t", 0, 0), ("t", 1, 0)]);
    });
}

#[test]
fn producers_are_told_of_until_they_are_too_many() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 0);
        for (producer_id, sequence) in [(8, 0), (5, 0), (8, 2)] {
            let builder = BatchBuilder::new().producer(producer_id, 3, sequence);
            let records = builder.record(1_000 + i64::from(sequence), None, Some(b"a"));
            let records = records.record(900, None, Some(b"b")).build();
            produce(&caller(&owner), "t", 0, records.into()).await;
        }
        let topic = |name: &str, partition_indexes: &[i32]| TopicRequest {
            name: name.into(),
            partition_indexes: partition_indexes.to_vec(),
        };
        let request = DescribeProducersRequest { topics: vec![topic("t", &[0, 9]), topic("none", &[0])] };
        for shard in [&owner, &other] {
            let response = call(&caller(shard), &request, 0).await;
            let told = response.topics[0].partitions[0].active_producers.iter();
            let told: Vec<_> = told.map(|it| (it.producer_id, it.last_sequence, it.last_timestamp)).collect();
            assert_eq!(told, [(5, 1, 1_000), (8, 3, 1_002)]);
            let first = &response.topics[0].partitions[0].active_producers[0];
            assert_eq!(
                (first.producer_epoch, first.coordinator_epoch, first.current_txn_start_offset),
                (3, -1, -1)
            );
            let unknown = [&response.topics[0].partitions[1], &response.topics[1].partitions[0]];
            assert!(unknown.iter().all(|it| it.error_code == ErrorCode::UnknownTopicOrPartition));
        }
        let often = vec![0; DESCRIBED_PRODUCERS_MAX / 2 + 1];
        let request = DescribeProducersRequest { topics: vec![topic("t", &often)] };
        let response = call(&caller(&owner), &request, 0).await;
        let (last, before) = response.topics[0].partitions.split_last().expect("many");
        assert!(before.iter().all(|it| it.active_producers.len() == 2));
        assert_eq!((last.error_code, last.active_producers.len()), (ErrorCode::PolicyViolation, 0));
    });
}
