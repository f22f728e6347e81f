//! Batches of an encoder that is not ours, and ours read by its decoder.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression as TheirCompression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType as TheirTimestampType,
};

use super::{BatchBuilder, BatchView, Batches, Compression, validate};

fn record(offset: i64) -> Record {
    let headers = [("trace", Some(Bytes::from_static(b"abc"))), ("empty", None)];
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 4_000,
        producer_epoch: 3,
        timestamp_type: TheirTimestampType::Creation,
        offset,
        sequence: 70 + offset as i32,
        timestamp: 1_700_000_000_000 - offset * 1_000,
        key: (offset % 2 == 0).then(|| Bytes::from(format!("key {offset}"))),
        value: Some(Bytes::from(vec![b'v'; offset as usize * 100])),
        headers: headers.into_iter().map(|(key, value)| (StrBytes::from_static_str(key), value)).collect(),
    }
}

fn encode(records: &[Record], compression: TheirCompression) -> Bytes {
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(
        &mut bytes,
        records,
        &RecordEncodeOptions { version: 2, compression },
        // The attribute bits are what matters here: validation does not decompress.
        Some(|records: &mut BytesMut, out: &mut BytesMut, _| {
            out.extend_from_slice(records);
            Ok(())
        }),
    )
    .unwrap();
    bytes.freeze()
}

#[test]
fn their_batches_are_valid_with_every_compression_code() {
    let records: Vec<Record> = (0..40).map(record).collect();
    for (theirs, ours) in [
        (TheirCompression::None, Compression::None),
        (TheirCompression::Gzip, Compression::Gzip),
        (TheirCompression::Snappy, Compression::Snappy),
        (TheirCompression::Lz4, Compression::Lz4),
        (TheirCompression::Zstd, Compression::Zstd),
    ] {
        let bytes = encode(&records, theirs);
        let header = validate(&bytes, bytes.len()).unwrap().header;
        assert_eq!(header.attributes.compression(), Ok(ours));
        assert_eq!((header.record_count, header.last_offset_delta), (40, 39));
        assert_eq!((header.producer_id, header.producer_epoch), (4_000, 3));
        assert_eq!((header.base_sequence, header.last_sequence()), (70, 109));
        assert_eq!(header.max_timestamp, 1_700_000_000_000);
        assert_eq!(header.encode(), bytes[..super::HEADER_BYTES]);
        assert_eq!(Batches::new(&bytes).check_crc().count(), 1);
    }
}

#[test]
fn a_large_batch_with_many_headers_is_valid() {
    let headers: IndexMap<StrBytes, Option<Bytes>> = (0..300)
        .map(|n| (StrBytes::from_string(format!("header {n}")), Some(Bytes::from(vec![0; n]))))
        .collect();
    let record = Record { headers, value: Some(Bytes::from(vec![1; 100_000])), ..record(0) };
    let bytes = encode(&[record], TheirCompression::None);
    assert_eq!(validate(&bytes, bytes.len()).unwrap().header.record_count, 1);
}

#[test]
fn their_decoder_reads_what_the_builder_makes() {
    let ours = BatchBuilder::new()
        .producer(9, 1, 20)
        .placed_at(1_000, 5)
        .record_with_headers(500, Some(b"k"), None, &[("a", Some(b"1")), ("b", None)])
        .record(400, None, Some(b"value"))
        .build();
    assert_eq!(BatchView::parse(&ours).unwrap().header().last_sequence(), 21);

    let decoded = RecordBatchDecoder::decode(&mut Bytes::from(ours)).unwrap();
    let [first, second] = &decoded.records[..] else { panic!("two records went in") };
    assert_eq!((first.offset, first.timestamp, first.partition_leader_epoch), (1_000, 500, 5));
    assert_eq!((first.key.as_deref(), first.value.as_deref()), (Some(&b"k"[..]), None));
    assert_eq!(first.headers.len(), 2);
    assert_eq!((second.offset, second.timestamp, second.sequence), (1_001, 400, 21));
    assert_eq!((second.key.as_deref(), second.value.as_deref()), (None, Some(&b"value"[..])));
}
