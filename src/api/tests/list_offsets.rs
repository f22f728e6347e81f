use super::delete_records::delete;
use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::batch::Compression;
use crate::protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::shard::testing::owner_and_other;

pub(super) async fn list(caller: &Caller, timestamp: i64, version: i16) -> (ErrorCode, i64, i64, i32) {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let response = call(caller, &request, version).await;
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp, found.leader_epoch)
}

fn timed(times: &[i64]) -> BatchBuilder {
    times.iter().fold(BatchBuilder::new(), |batch, time| batch.record(*time, None, Some(b"v")))
}

#[test]
fn the_ends_of_the_log_in_every_version() {
    on_node(&[], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        let none = ErrorCode::None;
        assert_eq!(list(&caller(&owner), -1, 4).await, (none, 0, -1, 0));
        assert_eq!(
            list(&caller(&owner), -3, 7).await,
            (none, -1, -1, -1),
            "an empty log has no largest time"
        );
        assert_eq!(list(&caller(&owner), 5, 7).await, (none, -1, -1, -1));
        produce(&caller(&owner), "t", 0, timed(&[50, 90, 70]).build().into()).await;
        for shard in [&owner, &other] {
            let caller = caller(shard);
            for version in 1..=11 {
                let epoch = if version >= 4 { 0 } else { -1 };
                assert_eq!(list(&caller, -1, version).await, (none, 3, -1, epoch));
                assert_eq!(list(&caller, -2, version).await, (none, 0, -1, epoch));
                let later = |since, answer| {
                    if version >= since { answer } else { (ErrorCode::UnsupportedVersion, -1, -1, -1) }
                };
                assert_eq!(list(&caller, -3, version).await, later(7, (none, 1, 90, 0)));
                assert_eq!(list(&caller, -4, version).await, later(8, (none, 0, -1, 0)));
                assert_eq!(list(&caller, -5, version).await, later(9, (none, -1, -1, -1)));
                assert_eq!(list(&caller, -6, version).await, later(11, (none, -1, -1, -1)));
                assert_eq!(list(&caller, -7, version).await.0, ErrorCode::UnsupportedVersion);
            }
        }
    });
}

#[test]
fn a_time_is_found_to_the_record_also_in_compressed_batches() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        produce(&caller, "t", 0, timed(&[100, 110, 120]).build().into()).await;
        produce(&caller, "t", 0, packed(Compression::Gzip, timed(&[200, 210, 205]))).await;
        produce(&caller, "t", 0, timed(&[150, 300]).build().into()).await;
        let none = ErrorCode::None;
        for (time, offset, found) in
            [(0, 0, 100), (101, 1, 110), (120, 2, 120), (121, 3, 200), (203, 4, 210), (211, 7, 300)]
        {
            assert_eq!(list(&caller, time, 7).await, (none, offset, found, 0), "{time}");
        }
        assert_eq!(list(&caller, 301, 7).await, (none, -1, -1, -1));
        assert_eq!(list(&caller, -3, 7).await, (none, 7, 300, 0));
    });
}

#[test]
fn records_that_cannot_be_unpacked_are_answered_for_by_their_batch() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        // Says that it is gzip, and is not.
        produce(&caller, "t", 0, timed(&[100, 110]).attributes(1).build().into()).await;
        assert_eq!(list(&caller, 105, 7).await, (ErrorCode::None, 0, 110, 0));
    });
}

#[test]
fn the_latest_record_is_one_that_is_still_there() {
    on_node(&[], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        let none = ErrorCode::None;
        for times in [&[900, 100, 500][..], &[300, 800], &[800, 200], &[600]] {
            produce(&caller(&owner), "t", 0, timed(times).build().into()).await;
        }
        // The log starts before a record, and then that is the latest, where it is.
        for (log_start, offset, time) in [
            (0, 0, 900),
            (1, 4, 800),
            (4, 4, 800),
            (5, 5, 800),
            // What is left of the batch is earlier than what follows it.
            (6, 7, 600),
            (7, 7, 600),
            (8, -1, -1),
        ] {
            delete(&caller(&owner), "t", &[(0, log_start)], 2).await;
            let epoch = if offset < 0 { -1 } else { 0 };
            for shard in [&owner, &other] {
                assert_eq!(list(&caller(shard), -3, 7).await, (none, offset, time, epoch), "{log_start}");
            }
        }
        // What is left of the batch is later than what follows it.
        for times in [&[1_000, 50, 990][..], &[980]] {
            produce(&caller(&owner), "t", 0, timed(times).build().into()).await;
        }
        delete(&caller(&owner), "t", &[(0, 9)], 2).await;
        assert_eq!(list(&caller(&owner), -3, 7).await, (none, 10, 990, 0));
    });
}
