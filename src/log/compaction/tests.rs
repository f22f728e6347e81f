use std::collections::HashMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::base::ids::Offset;
use crate::log::partition_log::{PartitionLog, Roll};
use crate::log::segment::{NewBatch, Segment};
use crate::protocol::batch::{BatchBuilder, BatchHeader, BatchView, Batches, HEADER_BYTES, RecordWalk};

const NOW_MS: i64 = 1_700_000_000_000;
const RETENTION_MS: i64 = 1_000;

/// Key, value or tombstone, timestamp and number of headers with one name.
type Sent = (Option<u8>, Option<u16>, i64, u8);

/// A record as a consumer sees it: offset, timestamp, and its bytes from the key on.
type Seen = (Offset, i64, Option<Vec<u8>>, bool, Vec<u8>);

fn log_of(batches: &[Vec<Sent>]) -> Vec<u8> {
    let mut log = Vec::new();
    let mut offset = 5;
    for (number, records) in batches.iter().enumerate() {
        let mut builder = BatchBuilder::new().producer(number as i64 % 3, 0, 10 * number as i32);
        for &(key, value, timestamp, headers) in records {
            let (key, value) = (key.map(|key| [key]), value.map(u16::to_be_bytes));
            let value = value.as_ref().map(|value| &value[..]);
            let headers = vec![("same", value); headers.into()];
            builder =
                builder.record_with_headers(timestamp, key.as_ref().map(|key| &key[..]), value, &headers);
        }
        log.extend(builder.placed_at(offset, 3).build());
        offset += records.len() as i64;
    }
    log
}

fn seen(log: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for batch in Batches::new(log).check_crc().map(Result::unwrap) {
        let header = *batch.batch.header();
        for record in RecordWalk::new(batch.batch.records(), &header).map(Result::unwrap) {
            let mut rest = Vec::new();
            record.put_at(0, &mut rest);
            let timestamp = header.base_timestamp + record.timestamp_delta;
            let offset = header.base_offset + i64::from(record.offset_delta);
            seen.push((offset, timestamp, record.key.map(<[u8]>::to_vec), record.is_tombstone, rest));
        }
    }
    seen
}

fn end_of(log: &[u8]) -> Offset {
    Batches::new(log).last().map_or(5, |batch| batch.unwrap().batch.header().last_offset() + 1)
}

/// What a pass makes of the log, and up to which offset it went.
fn compact(log: &[u8], from: Offset, now_ms: i64, map_bytes: usize, step_bytes: usize) -> (Vec<u8>, Offset) {
    let (mut keys, mut end) = (KeyMap::new(map_bytes, (3, 4)), end_of(log));
    let mut last_offsets = HashMap::new();
    'noting: for batch in Batches::new(log).map(|batch| batch.unwrap().batch) {
        last_offsets.insert(batch.header().producer_id, batch.header().last_offset());
        let mut notes = KeyNotes::new(batch.header(), batch.records());
        loop {
            match notes.step(&mut keys, from, step_bytes).unwrap() {
                Noted::Some => {}
                Noted::All => break,
                Noted::Full(offset) => {
                    end = offset;
                    break 'noting;
                }
            }
        }
    }
    let rules =
        Rules { keys: &keys, end, now_ms, delete_retention_ms: RETENTION_MS, last_offsets: &last_offsets };
    let mut compacted = Vec::new();
    for batch in Batches::new(log).map(|batch| batch.unwrap().batch) {
        match if rules.leave(batch.header()) { Sifted::Keep } else { sifted(&batch, &rules, step_bytes) } {
            Sifted::Keep => compacted.extend_from_slice(batch.bytes()),
            Sifted::Drop => {}
            Sifted::Empty(header) => compacted.extend_from_slice(&header.encode()),
            Sifted::Rewrite(Rewrite { header, mut records, shift }) => {
                if let Some(shift) = shift {
                    let mut rebase = Rebase::new(&header, &records, shift);
                    while rebase.step(step_bytes).unwrap() {}
                    records = rebase.finish();
                }
                let header = header.with_records_of(records.len()).with_crc_over(&records);
                compacted.extend_from_slice(&header.encode());
                compacted.extend_from_slice(&records);
            }
        }
    }
    (compacted, end)
}

fn sifted(batch: &BatchView<'_>, rules: &Rules<'_>, step_bytes: usize) -> Sifted {
    let mut sift = Sift::new(batch.header(), batch.records(), rules);
    while sift.step(step_bytes).unwrap() {}
    sift.finish()
}

fn sent() -> impl Strategy<Value = Sent> {
    (prop::option::weighted(0.95, 0u8..12), prop::option::weighted(0.8, any::<u16>()), -1i64..5_000, 0u8..4)
}

proptest! {
    /// Each key's last record stays as it was, with its offset, time and headers; nothing else does.
    #[test]
    fn of_each_key_the_last_record_stays(
        batches in prop::collection::vec(prop::collection::vec(sent(), 1..8), 0..12), step_bytes in 0usize..300,
    ) {
        let log = log_of(&batches);
        let (compacted, end) = compact(&log, 0, NOW_MS, 10_000, step_bytes);
        prop_assert_eq!(end, end_of(&log));
        let before = seen(&log);
        let last: HashMap<_, _> = before.iter().map(|it| (it.2.clone(), it.0)).collect();
        let expected: Vec<_> = before.iter().filter(|it| it.2.is_some() && last[&it.2] == it.0).cloned().collect();
        prop_assert_eq!(&seen(&compacted), &expected);
        // Who was the last to write, and where the log ends, is told by empty batches if need be.
        prop_assert_eq!(end_of(&compacted), end);
        let producers = |log: &[u8]| Batches::new(log)
            .map(|batch| *batch.unwrap().batch.header())
            .map(|header| (header.producer_id, (header.producer_epoch, header.last_sequence(), header.last_offset())))
            .collect::<HashMap<_, _>>();
        prop_assert_eq!(producers(&compacted), producers(&log));
        for (header, batch) in Batches::new(&compacted).map(|batch| *batch.unwrap().batch.header()).filter_map(|header| {
            let same = |batch: &BatchHeader| batch.base_offset == header.base_offset;
            Some((header, Batches::new(&log).map(|batch| *batch.unwrap().batch.header()).find(same)?))
        }) {
            prop_assert_eq!(
                (header.partition_leader_epoch, header.last_offset_delta, header.base_sequence),
                (batch.partition_leader_epoch, batch.last_offset_delta, batch.base_sequence)
            );
        }

        let (again, _) = compact(&compacted, 0, NOW_MS, 10_000, step_bytes);
        prop_assert_eq!(&again, &compacted, "twice is no more than once");
        // The time is up: no tombstone is left, and nothing else is missing.
        let (later, _) = compact(&compacted, 0, NOW_MS + RETENTION_MS, 10_000, step_bytes);
        let expected: Vec<_> = expected.into_iter().filter(|it| !it.3).collect();
        prop_assert_eq!(seen(&later), expected);
    }

    /// With little memory it takes more passes and comes to the same.
    #[test]
    fn passes_go_on_where_the_one_before_has_ended(
        batches in prop::collection::vec(prop::collection::vec(sent(), 1..8), 1..12), map_bytes in 0usize..200,
    ) {
        let log = log_of(&batches);
        let (whole, _) = compact(&log, 0, NOW_MS, 10_000, 100);
        let (mut compacted, mut from) = (log.clone(), 5);
        while from < end_of(&log) {
            let (next, end) = compact(&compacted, from, NOW_MS, map_bytes, 100);
            prop_assert!(end > from, "each gets on");
            (compacted, from) = (next, end);
        }
        prop_assert_eq!(seen(&compacted), seen(&whole));
    }
}

fn header_of(batch: &[u8]) -> BatchHeader {
    BatchHeader::parse(batch).unwrap()
}

#[test]
fn a_tombstone_gets_its_horizon_once() {
    let log =
        log_of(&[vec![(Some(1), Some(1), 100, 0), (Some(1), None, 200, 2), (Some(2), Some(2), 300, 0)]]);
    let (first, _) = compact(&log, 0, NOW_MS, 1_000, 1_000);
    assert_eq!(header_of(&first).delete_horizon_ms(), Some(NOW_MS + RETENTION_MS));
    assert_eq!((header_of(&first).record_count, header_of(&first).max_timestamp), (2, 300));
    assert_eq!(seen(&first).iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(), [(6, 200), (7, 300)]);
    let (second, _) = compact(&first, 0, NOW_MS + RETENTION_MS - 1, 1_000, 1_000);
    assert_eq!(second, first);
    let (third, _) = compact(&first, 0, NOW_MS + RETENTION_MS, 1_000, 1_000);
    assert_eq!(seen(&third).iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(), [(7, 300)]);
    assert_eq!(
        header_of(&third).delete_horizon_ms(),
        Some(NOW_MS + RETENTION_MS),
        "the base stays what it is"
    );
}

#[test]
fn an_empty_batch_is_a_header_as_kafka_writes_it() {
    let log =
        log_of(&[vec![(Some(1), None, 100, 0), (Some(1), Some(1), 50, 0)], vec![(Some(1), Some(2), 0, 0)]]);
    let (compacted, _) = compact(&log, 0, NOW_MS, 1_000, 1_000);
    let (before, empty) = (header_of(&log), header_of(&compacted));
    assert_eq!((empty.record_count, empty.total_bytes()), (0, HEADER_BYTES), "the last of its producer");
    assert_eq!((empty.base_timestamp, empty.max_timestamp), (-1, 100));
    assert_eq!((empty.base_offset, empty.last_offset_delta), (before.base_offset, before.last_offset_delta));
    assert_eq!((empty.producer_id, empty.base_sequence), (before.producer_id, before.base_sequence));
}

/// A log with one complete segment for each batch of (records, bytes, timestamp), and one that is being filled.
fn segments(batches: &[(i64, usize, i64)]) -> PartitionLog {
    let roll = Roll { segment_bytes: 1, segment_ms: i64::MAX };
    let mut log = PartitionLog::new(PathBuf::new(), roll, Default::default(), 100);
    for &(records, length, max_timestamp) in batches.iter().chain(&[(1, 1, 0)]) {
        let base_offset = log.next_offset();
        let last_offset = base_offset + records - 1;
        let batch = NewBatch { base_offset, last_offset, max_timestamp, length, now_ms: NOW_MS };
        let need = log.space_need(&batch).expect("each has a segment of its own");
        log.note_space(need);
        log.append(&batch, &[&vec![0; length]], 0);
    }
    let bases: Vec<_> = log.segments().map(|segment| segment.base_offset).collect();
    for base in &bases[..batches.len()] {
        let segment = log.segment_mut(*base).unwrap();
        segment.written = segment.end_position;
        segment.note_sealed();
    }
    log
}

const READY: Readiness = Readiness { dirty_millionths_min: 500_000, lag_ms_min: 0, lag_ms_max: i64::MAX };

#[test]
fn a_log_is_due_by_its_dirty_part_or_by_its_age() {
    let mut log = segments(&[(10, 100, NOW_MS - 30), (10, 200, NOW_MS - 20), (10, 300, NOW_MS - 10)]);
    let dirt = |log: &PartitionLog, readiness: &Readiness| log.dirt(readiness, 100, 130, NOW_MS);
    let all = dirt(&log, &READY);
    assert_eq!(
        (all.from, all.end, all.clean_bytes, all.dirty_bytes, all.millionths()),
        (100, 130, 0, 600, 1_000_000)
    );
    assert!(all.is_due(&READY));
    log.set_compacted_to(120);
    assert_eq!(dirt(&log, &READY).millionths(), 500_000);
    assert!(!dirt(&log, &READY).is_due(&READY), "more than that, as in Kafka");
    let late = Readiness { lag_ms_max: 9, ..READY };
    assert!(dirt(&log, &late).is_due(&late));
    assert!(!dirt(&log, &Readiness { lag_ms_max: 10, ..READY }).is_overdue);
    log.set_compacted_to(130);
    assert!(!dirt(&log, &late).is_due(&late), "nothing is dirty");

    log.set_compacted_to(0);
    let young = Readiness { lag_ms_min: 15, ..READY };
    assert_eq!(dirt(&log, &young).end, 120, "the youngest is left alone");
    assert_eq!(log.dirt(&READY, 100, 125, NOW_MS).end, 120, "not committed");
    assert_eq!(log.dirt(&READY, 115, 130, NOW_MS).from, 115, "nothing below the log start counts");
}

#[test]
fn neighbours_are_written_together_up_to_the_length_of_a_segment() {
    let log =
        segments(&[(10, 100, 0), (10, 200, 0), (10, 300, 0), (i64::from(i32::MAX), 10, 0), (10, 10, 0)]);
    let lengths = |end, segment_bytes| -> Vec<usize> {
        log.compaction_groups(end, segment_bytes).iter().map(|group| group.inputs.len()).collect()
    };
    assert_eq!(lengths(130, 1_000), [3]);
    assert_eq!(lengths(130, 300), [2, 1]);
    assert_eq!(lengths(130, 1), [1, 1, 1]);
    assert_eq!(lengths(111, 1_000), [2], "the one that holds the end, too");
    assert_eq!(
        lengths(i64::MAX, 1_000),
        [3, 1, 1],
        "relative offsets have 32 bits, and the last one is being filled"
    );
    let group = &log.compaction_groups(130, 1_000)[0];
    assert_eq!(
        (group.output.base, group.output.generation, group.next_offset(), group.bytes()),
        (100, 1, 130, 600)
    );
}

#[test]
fn a_segment_takes_the_place_of_what_it_was_made_of_only() {
    let of = |log: &mut PartitionLog, group: &Group| Output::begin(log, group).unwrap().finish(group);
    let mut log = segments(&[(10, 100, 0), (10, 200, 0), (10, 300, 0)]);
    let group = log.compaction_groups(130, 300).remove(0);
    let segment = of(&mut log, &group);
    let replaced = log.replace(&group, log.cuts(), segment).ok().unwrap();
    assert_eq!(replaced.iter().map(|it| it.base_offset).collect::<Vec<_>>(), [100, 110]);
    let names: Vec<_> = log.segments().map(|it| (it.base_offset, it.generation, it.next_offset)).collect();
    assert_eq!(names, [(100, 1, 120), (120, 0, 130), (130, 0, 131)]);
    let again = log.compaction_groups(130, 1_000).remove(0);
    assert_eq!(again.output.generation, 2);

    let segment = Segment::new(100);
    assert!(log.replace(&group, log.cuts(), segment).is_err(), "these are no longer there");
    let segment = of(&mut log, &again);
    assert!(log.replace(&again, log.cuts() + 1, segment).is_err(), "the log was cut");
    log.remove_below(120, false);
    let segment = Segment::new(100);
    assert!(log.replace(&again, log.cuts(), segment).is_err(), "its first was removed");
}
