use super::*;
use crate::protocol::ErrorCode;
use crate::shard::testing::owner_and_other;

#[test]
fn records_get_offsets_in_order_wherever_the_request_arrives() {
    on_node(&[], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        for (expected, shard) in [(0, &owner), (2, &other), (4, &owner)] {
            let answer = produce(&caller(shard), "t", 0, batch(&[b"a", b"b"])).await;
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, expected));
            assert_eq!((answer.log_append_time_ms, answer.log_start_offset), (-1, 0));
        }
        assert_eq!(owner.counters.forwarded_requests.get(), 0, "no hop for one's own partitions");
        assert_eq!(other.counters.forwarded_requests.get(), 1);
        assert_eq!(owner.budgets.undurable.used(), 0);
    });
}

#[test]
fn every_version_finds_its_topic() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        for version in 3..=13 {
            let mut request = produce_request("t", 0, batch(&[b"a"]));
            request.topic_data[0].topic_id = topic_id;
            let response = call(&caller, &request, version).await;
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!(
                (partition.error_code, partition.base_offset),
                (ErrorCode::None, i64::from(version) - 3)
            );
        }
        let mut request = produce_request("", 0, batch(&[b"a"]));
        request.topic_data[0].topic_id = TopicId::from_bytes([9; 16]);
        let response = call(&caller, &request, 13).await;
        assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::UnknownTopicId);
    });
}

#[test]
fn refusals_are_kafkas() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let code = async |request: ProduceRequest, version| {
            let response = call(&caller, &request, version).await;
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!(partition.base_offset, -1);
            partition.error_code
        };
        let good = || produce_request("t", 0, batch(&[b"a"]));
        assert_eq!(code(good(), 2).await, ErrorCode::UnsupportedForMessageFormat);
        assert_eq!(code(ProduceRequest { acks: 2, ..good() }, 9).await, ErrorCode::InvalidRequiredAcks);
        let transactional = ProduceRequest { transactional_id: Some("x".into()), ..good() };
        assert_eq!(code(transactional, 9).await, ErrorCode::TransactionalIdAuthorizationFailed);
        let unknown = produce_request("u", 0, batch(&[b"a"]));
        assert_eq!(code(unknown, 9).await, ErrorCode::UnknownTopicOrPartition);
        for index in [2, -1] {
            let unknown = produce_request("t", index, batch(&[b"a"]));
            assert_eq!(code(unknown, 9).await, ErrorCode::UnknownTopicOrPartition);
        }
        let mut rotten = batch(&[b"a"]).to_vec();
        *rotten.last_mut().expect("not empty") ^= 1;
        assert_eq!(code(produce_request("t", 0, rotten.into()), 9).await, ErrorCode::CorruptMessage);
        assert_eq!(code(produce_request("t", 0, Bytes::new()), 9).await, ErrorCode::InvalidRecord);
        let two = [batch(&[b"a"]), batch(&[b"b"])].concat();
        assert_eq!(code(produce_request("t", 0, two.into()), 9).await, ErrorCode::InvalidRecord);
        let large = batch(&[&vec![0; 2 << 20]]);
        assert_eq!(code(produce_request("t", 0, large), 9).await, ErrorCode::MessageTooLarge);
        let zstd = BatchBuilder::new().record(1, None, Some(b"a")).attributes(4).build();
        assert_eq!(
            code(produce_request("t", 0, zstd.into()), 6).await,
            ErrorCode::UnsupportedCompressionType
        );
        let control = BatchBuilder::new().record(1, None, Some(b"a")).attributes(1 << 5).build();
        assert_eq!(code(produce_request("t", 0, control.into()), 9).await, ErrorCode::InvalidRecord);
        let transactional = BatchBuilder::new().producer(1, 0, 0).record(1, None, None).attributes(1 << 4);
        assert_eq!(
            code(produce_request("t", 0, transactional.build().into()), 9).await,
            ErrorCode::InvalidTxnState
        );
    });
}

#[test]
fn a_duplicate_gets_its_originals_offset_and_a_gap_is_refused() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let sent =
            |sequence| BatchBuilder::new().producer(5, 0, sequence).record(1, None, None).build().into();
        for (sequence, code, offset) in [
            (0, ErrorCode::None, 0),
            (1, ErrorCode::None, 1),
            (0, ErrorCode::None, 0),
            (3, ErrorCode::OutOfOrderSequenceNumber, -1),
        ] {
            let answer = produce(&caller, "t", 0, sent(sequence)).await;
            assert_eq!((answer.error_code, answer.base_offset), (code, offset));
        }
    });
}

#[test]
fn without_acknowledgement_there_is_silence_or_an_end() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let good = ProduceRequest { acks: 0, ..produce_request("t", 0, batch(&[b"a"])) };
        assert!(matches!(reply_to(&caller, &good, 9).await, Reply::Nothing));
        let bad = ProduceRequest { acks: 0, ..produce_request("t", 9, batch(&[b"a"])) };
        assert!(matches!(
            reply_to(&caller, &bad, 9).await,
            Reply::Close(Refused::UnacknowledgedProduce(ErrorCode::UnknownTopicOrPartition))
        ));
    });
}

#[test]
fn time_is_up_before_the_disk_is_done() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let hasty = ProduceRequest { timeout_ms: 0, ..produce_request("t", 0, batch(&[b"a"])) };
        let response = call(&caller, &hasty, 9).await;
        assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::RequestTimedOut);
        assert_eq!(produce(&caller, "t", 0, batch(&[b"b"])).await.base_offset, 1, "the append stands");
    });
}
