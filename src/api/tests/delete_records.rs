use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic, HIGH_WATERMARK,
};
use crate::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use crate::protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::shard::testing::owner_and_other;

pub(super) async fn delete(
    caller: &Caller,
    name: &str,
    partitions: &[(i32, i64)],
    version: i16,
) -> Vec<(i64, ErrorCode)> {
    let partition = |&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset };
    let partitions = partitions.iter().map(partition).collect();
    let topics = vec![DeleteRecordsTopic { name: name.to_owned(), partitions }];
    let response = call(caller, &DeleteRecordsRequest { topics, timeout_ms: 10_000 }, version).await;
    assert_eq!(response.topics[0].name, name);
    response.topics[0].partitions.iter().map(|it| (it.low_watermark, it.error_code)).collect()
}

/// What a fetch at an offset of partition 0 says: error, log start, length of the records.
async fn fetch(caller: &Caller, fetch_offset: i64) -> (ErrorCode, i64, usize) {
    let partition = FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: "t".to_owned(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..Default::default() };
    let response = call(caller, &request, 12).await;
    let data = &response.responses[0].partitions[0];
    let bytes = data.records.as_ref().map_or(0, |pieces| pieces.0.iter().map(|piece| piece.len()).sum());
    (data.error_code, data.log_start_offset, bytes)
}

async fn list(caller: &Caller, timestamp: i64) -> (ErrorCode, i64) {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let response = call(caller, &request, 7).await;
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset)
}

#[test]
fn the_log_starts_where_it_was_told_to_in_every_version_and_at_every_shard() {
    on_node(&[], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        let (none, beyond) = (ErrorCode::None, ErrorCode::OffsetOutOfRange);
        for _ in 0..12 {
            produce(&caller(&owner), "t", 0, batch(&[b"a", b"b"])).await;
        }
        let mut start = 0;
        for version in 0..=2 {
            for shard in [&owner, &other] {
                start += 3;
                let caller = caller(shard);
                assert_eq!(delete(&caller, "t", &[(0, start)], version).await, [(start, none)]);
                // Less than that is deleted already, more there is not.
                assert_eq!(delete(&caller, "t", &[(0, 1)], version).await, [(start, none)]);
                assert_eq!(delete(&caller, "t", &[(0, 25)], version).await, [(-1, beyond)]);
                assert_eq!(delete(&caller, "t", &[(0, -2)], version).await, [(-1, beyond)]);
                assert_eq!(fetch(&caller, start - 1).await.0, beyond);
                let (error, log_start, bytes) = fetch(&caller, start).await;
                assert_eq!((error, log_start), (none, start));
                assert!(bytes > 0, "the batch that holds the offset");
                assert_eq!(list(&caller, -2).await, (none, start));
                assert_eq!(list(&caller, 0).await, (none, start), "the first record that is left");
            }
        }
        assert_eq!(delete(&caller(&other), "t", &[(0, HIGH_WATERMARK)], 2).await, [(24, none)]);
        assert_eq!(fetch(&caller(&owner), 24).await, (none, 24, 0));
        assert_eq!(
            (list(&caller(&owner), -2).await, list(&caller(&owner), -1).await),
            ((none, 24), (none, 24))
        );
        assert_eq!(list(&caller(&owner), 0).await, (none, -1), "no record is left");
        assert_eq!(produce(&caller(&owner), "t", 0, batch(&[b"c"])).await.log_start_offset, 24);
        assert_eq!(list(&caller(&owner), 0).await, (none, 24));
    });
}

#[test]
fn partitions_are_answered_in_the_order_in_which_they_were_named() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        for index in 0..2 {
            produce(&caller, "t", index, batch(&[b"a", b"b"])).await;
        }
        let (none, unknown) = (ErrorCode::None, ErrorCode::UnknownTopicOrPartition);
        let answers = delete(&caller, "t", &[(1, 1), (9, 1), (0, HIGH_WATERMARK)], 1).await;
        assert_eq!(answers, [(1, none), (-1, unknown), (2, none)]);
        assert_eq!(delete(&caller, "nowhere", &[(0, 0)], 1).await, [(-1, unknown)]);
    });
}
