//! What topics' configs make of produced batches.

use proptest::prelude::{any, prop};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::list_offsets::list;
use super::*;
use crate::api::recompress::Recompression;
use crate::base::ids::PartitionId;
use crate::base::limits::{CODEC_STEP_BYTES, RECOMPRESSED_BYTES_MAX};
use crate::protocol::ErrorCode;
use crate::protocol::batch::{BatchHeader, Batches, TimestampType};
use crate::protocol::codec::unpack;
use crate::shard::ReadRequest;
use crate::shard::testing::owner_and_other;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn config_name(codec: Compression) -> &'static str {
    match codec {
        Compression::None => "uncompressed",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

/// All batches of partition 0, each on its own, after their CRCs were checked.
async fn stored(caller: &Caller, topic: TopicId) -> Vec<Bytes> {
    let request = ReadRequest {
        offset: 0,
        max_bytes: 100 << 20,
        at_least_one_batch: true,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    let read = caller.shard.read(PartitionId { topic, index: 0 }, request).await.expect("readable");
    let bytes = read.batches.concat();
    let batches = Batches::new(&bytes).check_crc().map(|at| at.expect("whole and right").batch.bytes());
    batches.map(Bytes::copy_from_slice).collect()
}

fn unpacked(batch: &[u8]) -> (BatchView<'_>, Vec<u8>) {
    let view = BatchView::parse(batch).expect("whole");
    let codec = view.header().attributes.compression().expect("known");
    (view, unpack(codec, view.records(), 100 << 20).expect("unpacks"))
}

fn builder(values: &[&[u8]]) -> BatchBuilder {
    values.iter().fold(BatchBuilder::new(), |builder, value| builder.record(1_000, Some(b"k"), Some(value)))
}

#[test]
fn a_topic_s_codec_holds_whatever_the_producer_s_is() {
    on_node(&[], |node| async move {
        for wanted in CODECS {
            let name = config_name(wanted);
            let caller = caller(&node.shards[0]);
            let topic = create_topic_with(&caller, name, &[("compression.type", name)]).await;
            let (owner, other) = owner_and_other(&node, topic, 0);
            let value = vec![b'v'; 100_000];
            for (n, from) in CODECS.into_iter().enumerate() {
                let batch = builder(&[b"first", &value]).producer(3, 0, 2 * n as i32);
                let shard = if n % 2 == 0 { &owner } else { &other };
                let answer = produce(&super::caller(shard), name, 0, packed(from, batch)).await;
                assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 2 * n as i64));
            }
            let batches = stored(&super::caller(&owner), topic).await;
            assert_eq!(batches.len(), CODECS.len());
            for (n, batch) in batches.iter().enumerate() {
                let (view, records) = unpacked(batch);
                assert_eq!(view.header().attributes.compression(), Ok(wanted));
                assert_eq!(view.header().base_sequence, 2 * n as i32);
                assert_eq!(records, builder(&[b"first", &value]).build()[HEADER_BYTES..]);
            }
            assert_eq!(owner.budgets.undurable.used(), 0);
            assert_eq!(owner.budgets.requests.used(), 0);
        }
    });
}

#[test]
fn a_batch_that_has_the_topic_s_codec_stays_as_it_is() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("compression.type", "snappy")]).await;
        // One block without framing, as librdkafka makes it; nobody packs it again.
        let plain = builder(&[b"value"]).attributes(2).build();
        let records = snap::raw::Encoder::new().compress_vec(&plain[HEADER_BYTES..]).expect("in memory");
        let header = BatchView::parse(&plain).expect("our own").header().with_records_of(records.len());
        let sent = [&header.with_crc_over(&records).encode()[..], &records].concat();
        assert_eq!(produce(&caller, "t", 0, sent.clone().into()).await.error_code, ErrorCode::None);
        assert_eq!(stored(&caller, topic).await[0][HEADER_BYTES..], sent[HEADER_BYTES..]);
    });
}

#[test]
fn a_repeated_batch_is_a_duplicate_also_when_it_was_recompressed() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("compression.type", "zstd")]).await;
        for codec in [Compression::Gzip, Compression::Gzip, Compression::None] {
            let batch = builder(&[b"a", b"b"]).producer(3, 0, 0);
            let answer = produce(&caller, "t", 0, packed(codec, batch)).await;
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 0));
        }
        assert_eq!(stored(&caller, topic).await.len(), 1);
    });
}

#[test]
fn bombs_and_garbage_are_refused() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("compression.type", "lz4")]).await;
        let refusal = async |batch: Bytes| {
            let answer = produce(&caller, "t", 0, batch).await;
            assert!(answer.error_message.is_some());
            (answer.error_code, answer.record_errors.len())
        };
        let bomb = vec![0; RECOMPRESSED_BYTES_MAX];
        assert_eq!(
            refusal(packed(Compression::Zstd, builder(&[&bomb]))).await,
            (ErrorCode::MessageTooLarge, 0)
        );
        let garbage = builder(&[b"not gzip"]).attributes(1).build();
        assert_eq!(refusal(garbage.into()).await, (ErrorCode::InvalidRecord, 0));
        let mut miscounted =
            BatchView::parse(&packed(Compression::Gzip, builder(&[b"a", b"b"]))).map(|view| {
                let header = BatchHeader { record_count: 3, last_offset_delta: 2, ..*view.header() };
                [&header.with_crc_over(view.records()).encode()[..], view.records()].concat()
            });
        assert_eq!(
            refusal(std::mem::take(miscounted.as_mut().expect("our own")).into()).await,
            (ErrorCode::InvalidRecord, 1)
        );
        assert_eq!(stored(&caller, topic).await.len(), 0);
        assert_eq!(caller.shard.budgets.requests.used(), 0);
        let good = packed(Compression::Gzip, builder(&[b"a"]));
        assert_eq!(produce(&caller, "t", 0, good).await.base_offset, 0);
    });
}

#[test]
fn max_message_bytes_holds_before_and_after_recompression() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let value = vec![b'v'; 10_000];
        let plain = builder(&[&value]).build();
        let limit = plain.len().to_string();
        create_topic_with(&caller, "exact", &[("max.message.bytes", &limit)]).await;
        assert_eq!(produce(&caller, "exact", 0, plain.clone().into()).await.error_code, ErrorCode::None);
        let longer = builder(&[&value, b""]).build();
        assert_eq!(produce(&caller, "exact", 0, longer.into()).await.error_code, ErrorCode::MessageTooLarge);

        let configs = [("max.message.bytes", &limit[..]), ("compression.type", "uncompressed")];
        create_topic_with(&caller, "unpacked", &configs).await;
        let fits = packed(Compression::Lz4, builder(&[&value]));
        assert_eq!(produce(&caller, "unpacked", 0, fits).await.error_code, ErrorCode::None);
        let grows = packed(Compression::Lz4, builder(&[&value, b""]));
        let answer = produce(&caller, "unpacked", 0, grows).await;
        assert_eq!(answer.error_code, ErrorCode::MessageTooLarge);
        assert!(answer.error_message.is_some_and(|message| message.contains("compression.type")));
    });
}

#[test]
fn others_are_served_while_a_batch_is_recompressed() {
    on_node(&[], |node| async move {
        let shard = &node.shards[0];
        let value: Vec<u8> = (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let batch = packed(Compression::Snappy, builder(&[&value, &value]));
        let header = BatchHeader::parse(&batch).expect("our own");

        let turns = Rc::new(std::cell::Cell::new(0));
        let (counted, runtime) = (Rc::clone(&turns), Rc::clone(&shard.runtime));
        shard.runtime.spawn(Box::pin(async move {
            while Rc::strong_count(&counted) > 1 {
                counted.set(counted.get() + 1);
                runtime.yield_now().await;
            }
        }));
        let mut recompression = Recompression::begin(shard).await;
        let steps = 2 * value.len() / CODEC_STEP_BYTES;
        let before = turns.get();
        let (records, _) = recompression
            .unpack(&header, Compression::Snappy, &batch[HEADER_BYTES..])
            .await
            .expect("our own records");
        assert!(turns.get() - before >= steps / 2, "{} turns to unpack", turns.get() - before);
        let before = turns.get();
        recompression.pack(Compression::Gzip, &records, 3_000_000).await.expect("there is room");
        assert!(turns.get() - before >= steps / 2, "{} turns to pack", turns.get() - before);
    });
}

#[test]
fn the_broker_s_clock_stamps_what_log_append_time_is_asked_for() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("message.timestamp.type", "LogAppendTime")]).await;
        let (owner, other) = owner_and_other(&node, topic, 0);
        let runtime = Rc::clone(&caller.shard.runtime);
        let mut stamps = Vec::new();
        for (shard, codec) in [(&owner, Compression::None), (&other, Compression::Lz4)] {
            let from_ms = runtime.wall_clock_ms();
            let batch = builder(&[b"a", b"b"]).record(i64::MAX, None, None);
            let answer = produce(&super::caller(shard), "t", 0, packed(codec, batch)).await;
            assert_eq!(answer.error_code, ErrorCode::None);
            assert!((from_ms..=runtime.wall_clock_ms()).contains(&answer.log_append_time_ms));
            stamps.push(answer.log_append_time_ms);
            runtime.sleep(std::time::Duration::from_millis(10)).await;
        }
        let batches = stored(&super::caller(&owner), topic).await;
        for (batch, stamp) in batches.iter().zip(&stamps) {
            let header = BatchHeader::parse(batch).expect("whole");
            assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
            assert_eq!((header.max_timestamp, header.base_timestamp), (*stamp, 1_000));
        }
        let caller = super::caller(&owner);
        for (time, offset, found) in
            [(0, 0, stamps[0]), (stamps[0], 0, stamps[0]), (stamps[0] + 1, 3, stamps[1]), (-3, 3, stamps[1])]
        {
            assert_eq!(list(&caller, time, 7).await, (ErrorCode::None, offset, found, 0), "{time}");
        }
        assert_eq!(list(&caller, stamps[1] + 1, 7).await.1, -1);
    });
}

#[test]
fn a_duplicate_is_answered_with_its_original_s_time() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        create_topic_with(&caller, "t", &[("message.timestamp.type", "LogAppendTime")]).await;
        let sent: Bytes = builder(&[b"a"]).producer(1, 0, 0).build().into();
        let original = produce(&caller, "t", 0, sent.clone()).await;
        caller.shard.runtime.sleep(std::time::Duration::from_secs(1)).await;
        let duplicate = produce(&caller, "t", 0, sent).await;
        assert_eq!(duplicate.base_offset, original.base_offset);
        assert_eq!(duplicate.log_append_time_ms, original.log_append_time_ms);
    });
}

#[test]
fn timestamps_out_of_bounds_are_named_record_by_record() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let bounds =
            [("message.timestamp.before.max.ms", "60000"), ("message.timestamp.after.max.ms", "5000")];
        let topic = create_topic_with(&caller, "t", &bounds).await;
        let now_ms = caller.shard.runtime.wall_clock_ms();
        let times = |deltas: &[i64]| {
            deltas.iter().fold(BatchBuilder::new(), |batch, delta| batch.record(now_ms + delta, None, None))
        };
        for codec in CODECS {
            let answer = produce(&caller, "t", 0, packed(codec, times(&[-50_000, 4_000, 0]))).await;
            assert_eq!(answer.error_code, ErrorCode::None, "{codec:?}");
            let wrong = times(&[0, 60_000, 0, -120_000]);
            let answer = produce(&caller, "t", 0, packed(codec, wrong)).await;
            assert_eq!(answer.error_code, ErrorCode::InvalidTimestamp, "{codec:?}");
            assert_eq!(
                answer.error_message.as_deref(),
                Some("One or more records have been rejected due to invalid timestamp")
            );
            let named: Vec<_> = answer.record_errors.iter().map(|record| record.batch_index).collect();
            assert_eq!(named, [1, 3], "{codec:?}");
            // As Kafka has it, a record may have no timestamp.
            let none = packed(codec, times(&[-1_000]).record(-1, None, None));
            assert_eq!(produce(&caller, "t", 0, none).await.error_code, ErrorCode::None, "{codec:?}");
        }
        assert_eq!(stored(&caller, topic).await.len(), 2 * CODECS.len());
    });
}

#[test]
fn the_future_is_bounded_by_default() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let now_ms = caller.shard.runtime.wall_clock_ms();
        for codec in CODECS {
            for (ahead_ms, code) in [(3_500_000, ErrorCode::None), (3_700_000, ErrorCode::InvalidTimestamp)] {
                let batch = BatchBuilder::new().record(now_ms + ahead_ms, None, None);
                assert_eq!(
                    produce(&caller, "t", 0, packed(codec, batch)).await.error_code,
                    code,
                    "{codec:?}"
                );
            }
        }
    });
}

#[test]
fn a_header_that_tells_another_largest_timestamp_is_put_right() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = node.create_topic("t").await;
        let lying = |codec, max_timestamp| {
            let sent = packed(codec, builder(&[b"a", b"b"]));
            let view = BatchView::parse(&sent).expect("our own");
            let header = BatchHeader { max_timestamp, ..*view.header() };
            Bytes::from([&header.with_crc_over(view.records()).encode()[..], view.records()].concat())
        };
        for (codec, told) in
            [(Compression::None, 7), (Compression::None, i64::MAX), (Compression::Zstd, i64::MAX)]
        {
            assert_eq!(produce(&caller, "t", 0, lying(codec, told)).await.error_code, ErrorCode::None);
        }
        let batches = stored(&caller, topic).await;
        assert_eq!(batches.len(), 3);
        for batch in batches {
            assert_eq!(BatchHeader::parse(&batch).expect("whole").max_timestamp, 1_000);
        }
    });
}

#[test]
fn any_records_come_through_any_codec() {
    let values = prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), 1..20);
    let cases: Vec<Vec<Option<Vec<u8>>>> = {
        let mut runner = TestRunner::deterministic();
        (0..20).map(|_| values.new_tree(&mut runner).expect("values").current()).collect()
    };
    on_node(&[], |node| async move {
        for wanted in CODECS {
            let caller = caller(&node.shards[0]);
            let name = config_name(wanted);
            let topic = create_topic_with(&caller, name, &[("compression.type", name)]).await;
            for (n, case) in cases.iter().enumerate() {
                let batch =
                    case.iter().fold(BatchBuilder::new(), |b, value| b.record(5, None, value.as_deref()));
                assert_eq!(
                    produce(&caller, name, 0, packed(CODECS[n % 5], batch)).await.error_code,
                    ErrorCode::None
                );
            }
            for (batch, case) in stored(&caller, topic).await.iter().zip(&cases) {
                let sent =
                    case.iter().fold(BatchBuilder::new(), |b, value| b.record(5, None, value.as_deref()));
                assert_eq!(unpacked(batch).1, sent.build()[HEADER_BYTES..]);
            }
        }
    });
}

/// The end of what consumers see.
async fn latest(caller: &Caller) -> i64 {
    list(caller, -1, 7).await.1
}

#[test]
fn memory_acknowledges_only_where_topic_and_broker_want_it() {
    for (allowed, configs, answered_first) in [
        ("true", &[("flush.messages", "100")][..], true),
        ("true", &[("flush.ms", "1000")], true),
        ("true", &[("flush.messages", "9223372036854775807")], true),
        ("true", &[("flush.messages", "100"), ("flush.ms", "1")], false),
        ("true", &[], false),
        ("false", &[("flush.messages", "9223372036854775807")], false),
    ] {
        on_node(&[("memory.acknowledgement.enable", allowed)], |node| async move {
            let caller = caller(&node.shards[0]);
            let topic = create_topic_with(&caller, "t", configs).await;
            let (owner, other) = owner_and_other(&node, topic, 0);
            for (n, shard) in [&owner, &other].into_iter().enumerate() {
                let caller = super::caller(shard);
                let base_offset = n as i64;
                let answer = produce(&caller, "t", 0, batch(&[b"a"])).await;
                assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, base_offset));
                let seen = latest(&caller).await;
                assert_eq!(seen == base_offset, answered_first, "{configs:?}: consumers see what is synced");
                assert_eq!(shard.budgets.undurable.used() > 0, answered_first, "{configs:?}");
                shard.runtime.sleep(std::time::Duration::from_secs(1)).await;
                assert_eq!(latest(&caller).await, base_offset + 1);
                assert_eq!(shard.budgets.undurable.used(), 0);
            }
        });
    }
}

#[test]
fn so_many_records_are_unsynced_at_most() {
    on_node(&[("memory.acknowledgement.enable", "true")], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("flush.messages", "3")]).await;
        let caller = super::caller(&owner_and_other(&node, topic, 0).0);
        for (end, waits) in [(2, false), (4, true)] {
            produce(&caller, "t", 0, batch(&[b"a", b"b"])).await;
            assert_eq!(latest(&caller).await == end, waits, "the third record without a sync waits for one");
        }
    });
}

#[test]
fn values_that_would_acknowledge_from_memory_are_refused_by_name() {
    on_node(&[], |node| async move {
        let topic = NewTopic {
            configs: vec![("flush.ms".to_owned(), Some("1000".to_owned()))],
            ..NewTopic::with_defaults("t")
        };
        let created =
            node.shards[0].metadata.create_topics(vec![topic], false).await.expect("metadata works");
        let refused = created[0].as_ref().expect_err("not allowed").to_string();
        assert!(
            refused.contains("flush.ms") && refused.contains("memory.acknowledgement.enable"),
            "{refused}"
        );
    });
}

#[test]
fn a_compacted_topic_refuses_records_without_a_key_by_name() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = create_topic_with(&caller, "t", &[("cleanup.policy", "compact,delete")]).await;
        let (owner, _) = owner_and_other(&node, topic, 0);
        let caller = super::caller(&owner);
        for (n, codec) in CODECS.into_iter().enumerate() {
            let keyless =
                builder(&[b"a"]).record(1, None, Some(b"b")).record(2, Some(b""), None).record(3, None, None);
            let answer = produce(&caller, "t", 0, packed(codec, keyless)).await;
            assert_eq!(answer.error_code, ErrorCode::InvalidRecord, "{codec:?}");
            let named: Vec<_> = answer.record_errors.iter().map(|error| error.batch_index).collect();
            assert_eq!(named, [1, 3]);
            assert!(answer.error_message.expect("told").contains("2 record errors"));
            let batch = builder(&[b"a", b"b"]).record(3, Some(b""), None);
            let sent = packed(codec, batch);
            let answer = produce(&caller, "t", 0, sent.clone()).await;
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 3 * n as i64));
            assert_eq!(stored(&caller, topic).await[n][HEADER_BYTES..], sent[HEADER_BYTES..], "as it came");
        }
        assert_eq!(owner.budgets.requests.used(), 0);
    });
}
