use super::producers::{ProducerError, ProducerTable, Verdict};
use super::test_support::{plain, produced};
use crate::log::snapshot::ProducerSnapshot;
use crate::protocol::batch::BatchHeader;

/// A table and the end of the log that it goes with.
struct Log {
    table: ProducerTable,
    end: i64,
}

impl Log {
    fn new(producers_max: usize) -> Self {
        Log { table: ProducerTable::new(producers_max), end: 0 }
    }

    /// Appends a batch that must be new; returns its base offset.
    fn append(&mut self, header: BatchHeader) -> i64 {
        assert_eq!(self.table.check(&header), Ok(Verdict::New), "{header:?}");
        self.append_unchecked(header)
    }

    /// The same as recovery does it, which asks nobody.
    fn append_unchecked(&mut self, header: BatchHeader) -> i64 {
        let base_offset = self.end;
        let stored = header.placed_at(base_offset, 0);
        self.table.record(&stored, base_offset);
        self.end = stored.last_offset() + 1;
        base_offset
    }

    fn truncate_to(&mut self, offset: i64) {
        self.table.truncate_to(offset);
        self.end = offset;
    }

    fn original(&self, header: BatchHeader) -> Option<(i64, i64)> {
        match self.table.check(&header) {
            Ok(Verdict::Duplicate(original)) => Some((original.base_offset, original.last_offset)),
            _ => None,
        }
    }

    /// The sequence number that is next, where the batch is refused for another.
    fn expected(&self, header: BatchHeader) -> Option<i32> {
        match self.table.check(&header) {
            Err(ProducerError::OutOfOrderSequence { expected, .. }) => Some(expected),
            _ => None,
        }
    }
}

#[test]
fn duplicates_of_the_five_newest_get_their_original_offsets() {
    let mut log = Log::new(8);
    log.append(plain(100));
    let offsets: Vec<i64> = (0..12).map(|n| log.append(produced(1, 0, n * 10, 10))).collect();
    for n in 0..12 {
        let duplicate = produced(1, 0, n * 10, 10);
        let offset = offsets[n as usize];
        if n >= 7 {
            assert_eq!(log.original(duplicate), Some((offset, offset + 9)));
        } else {
            assert_eq!(log.expected(duplicate), Some(120), "too old to be remembered");
        }
    }
}

#[test]
fn only_exact_repetitions_are_duplicates() {
    let mut log = Log::new(8);
    log.append(produced(1, 0, 0, 10));
    log.append(produced(1, 0, 10, 10));
    for (base_sequence, records) in [(0, 9), (0, 11), (0, 20), (1, 9), (10, 11), (9, 1), (19, 1)] {
        assert_eq!(log.expected(produced(1, 0, base_sequence, records)), Some(20));
    }
}

#[test]
fn gaps_are_refused() {
    let mut log = Log::new(8);
    log.append(produced(1, 0, 0, 10));
    assert_eq!(log.expected(produced(1, 0, 11, 1)), Some(10));
    assert_eq!(log.expected(produced(1, 0, i32::MAX, 1)), Some(10));
    log.append(produced(1, 0, 10, 1));
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let mut log = Log::new(8);
    log.append(produced(1, 4, 1_234, 1));
    log.append(produced(1, 4, 1_235, 1));
    log.append(produced(2, 0, i32::MAX, 1));
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_older_ones() {
    let mut log = Log::new(8);
    log.append(produced(1, 3, 0, 5));
    assert_eq!(log.expected(produced(1, 4, 5, 1)), Some(0));
    log.append(produced(1, 4, 0, 1));
    let fenced = ProducerError::InvalidProducerEpoch { producer_id: 1, current: 4, found: 3 };
    assert_eq!(log.table.check(&produced(1, 3, 5, 1)), Err(fenced));
    assert_eq!(log.table.check(&produced(1, 3, 0, 5)), Err(fenced), "not even a duplicate is answered");
    // Five of the newest batches are looked at, but those of the older epoch are none of this one's.
    assert_eq!(log.expected(produced(1, 4, 0, 5)), Some(1));
    log.append(produced(1, i16::MAX, 0, 1));
}

#[test]
fn sequences_wrap() {
    let mut log = Log::new(8);
    log.append(produced(1, 0, i32::MAX - 3, 2));
    let across = log.append(produced(1, 0, i32::MAX - 1, 5));
    assert_eq!(log.original(produced(1, 0, i32::MAX - 1, 5)), Some((across, across + 4)));
    log.append(produced(1, 0, 3, 1));

    log.append(produced(2, 0, i32::MAX, 1));
    assert_eq!(log.expected(produced(2, 0, 1, 1)), Some(0));
    log.append(produced(2, 0, 0, 1));
}

#[test]
fn producers_do_not_disturb_each_other_or_plain_batches() {
    let mut log = Log::new(8);
    for n in 0..20 {
        log.append(produced(1, 0, n, 1));
        log.append(produced(2, 7, 100 + n, 1));
        log.append(plain(3));
    }
    assert_eq!(log.table.len(), 2);
}

#[test]
fn truncation_takes_five_batches_back_and_leaves_the_window_whole() {
    let mut log = Log::new(8);
    let offsets: Vec<i64> = (0..30).map(|n| log.append(produced(1, 0, n, 1))).collect();
    log.truncate_to(offsets[25]);
    for n in 20..25 {
        assert_eq!(log.original(produced(1, 0, n, 1)), Some((offsets[n as usize], offsets[n as usize])));
    }
    assert_eq!(log.expected(produced(1, 0, 19, 1)), Some(25));
    assert_eq!(log.append(produced(1, 0, 25, 1)), offsets[25], "what was lost can be sent again");
}

#[test]
fn truncation_takes_a_producers_epoch_back() {
    let mut log = Log::new(8);
    let first = log.append(produced(1, 0, 0, 2));
    let second = log.append(produced(1, 1, 0, 1));
    log.truncate_to(second);
    assert_eq!(log.original(produced(1, 0, 0, 2)), Some((first, first + 1)));
    assert_eq!(log.expected(produced(1, 0, 0, 1)), Some(2));
    log.append(produced(1, 1, 0, 1));
}

#[test]
fn a_producer_whose_batches_are_all_gone_is_unknown() {
    let mut log = Log::new(8);
    log.append(plain(1));
    log.append(produced(1, 5, 70, 1));
    log.truncate_to(1);
    assert!(log.table.is_empty());
    log.append(produced(1, 5, 70, 1));
}

#[test]
fn the_least_recently_appended_are_forgotten_first() {
    let mut log = Log::new(32);
    for id in 0..32 {
        log.append(produced(id, 0, 0, 1));
    }
    log.append(produced(0, 0, 1, 1));
    log.append(produced(99, 0, 0, 1));
    // A sixteenth and the one that makes room: 1 to 3. The oldest by id, 0, has appended since.
    let known: Vec<i64> = log.table.snapshot().iter().map(|producer| producer.producer_id).collect();
    assert_eq!(known, [0].into_iter().chain(4..32).chain([99]).collect::<Vec<_>>());
    log.append(produced(1, 0, 5, 1));
    for id in 1_000..2_000 {
        log.append(produced(id, 0, 0, 1));
        assert!(log.table.len() <= 32);
    }
}

#[test]
fn a_table_for_one_producer_works() {
    let mut log = Log::new(1);
    log.append(produced(1, 0, 0, 1));
    log.append(produced(2, 0, 0, 1));
    log.append(produced(2, 0, 1, 1));
    assert_eq!(log.table.len(), 1);
}

#[test]
fn the_idle_expire() {
    let mut table = ProducerTable::new(8);
    table.record(&produced(1, 0, 0, 1).placed_at(0, 0), 1_000);
    table.record(&produced(2, 0, 0, 1).placed_at(1, 0), 2_000);
    table.expire(2_000, 1_000);
    assert_eq!(table.len(), 2);
    table.expire(2_001, 1_000);
    assert_eq!(table.snapshot()[0].producer_id, 2);
    table.expire(i64::MIN, 0);
    assert_eq!(table.len(), 1, "a clock that goes back expires nobody");
    table.expire(i64::MAX, 0);
    assert!(table.is_empty());
}

#[test]
fn the_oldest_are_crowded_out() {
    let mut log = Log::new(64);
    log.table.crowd_out(i64::MAX, 0);
    assert!(log.table.is_empty());
    for producer in 0..40 {
        log.append(produced(producer, 0, 0, 1));
    }
    log.append(produced(0, 0, 1, 1));
    log.table.crowd_out(i64::MAX, 0);
    let gone: Vec<i64> = (0..40).filter(|producer| !log.table.knows(*producer)).collect();
    assert_eq!(gone, [1, 2, 3], "a sixteenth, and not the one that appended last");
    while !log.table.is_empty() {
        let before = log.table.len();
        log.table.crowd_out(i64::MAX, 0);
        assert!(log.table.len() < before, "at least one goes");
    }
}

#[test]
fn who_has_just_appended_is_not_crowded_out() {
    let mut log = Log::new(64);
    log.append(produced(1, 0, 0, 1));
    let appended_ms = log.table.snapshot()[0].last_update_ms;
    log.table.crowd_out(appended_ms + 999, 1000);
    assert!(log.table.knows(1));
    log.table.crowd_out(appended_ms + 1000, 1000);
    assert!(!log.table.knows(1));
}

#[test]
fn recovery_takes_an_older_epoch_for_what_it_was_to_a_table_that_had_forgotten() {
    let mut log = Log::new(8);
    log.append(produced(1, 5, 0, 1));
    log.table.crowd_out(i64::MAX, 0);
    log.append(produced(1, 3, 7, 1));
    let lived = log.table.snapshot();
    // The journal tells of both batches, and not of the forgetting.
    let mut replayed = Log::new(8);
    replayed.append(produced(1, 5, 0, 1));
    replayed.append_unchecked(produced(1, 3, 7, 1));
    assert_eq!(replayed.table.snapshot(), lived);
    assert!(ProducerTable::restore(&lived, 8, log.end).is_ok());
}

#[test]
fn a_snapshot_restores_the_table() {
    let mut log = Log::new(8);
    for n in 0..7 {
        log.append(produced(1, 0, n, 1));
    }
    for n in 0..7 {
        log.append(produced(1, 1, n, 1));
        log.append(produced(2, 0, 50 + n, 1));
    }
    let snapshot = log.table.snapshot();
    let restored = ProducerTable::restore(&snapshot, 8, log.end).unwrap();
    assert_eq!(restored.snapshot(), snapshot);
    assert_eq!(snapshot[0].batches.len(), 10);
    assert_eq!(snapshot[0].batches[3].producer_epoch, 1);

    let fewer = ProducerTable::restore(&snapshot, 1, log.end).unwrap();
    assert_eq!(fewer.snapshot()[..], snapshot[1..], "the latest to append is kept");
}

#[test]
fn contradictions_are_not_taken_from_disk() {
    let mut log = Log::new(8);
    log.append(produced(1, 0, 0, 1));
    log.append(produced(1, 2, 0, 1));
    let good = log.table.snapshot().remove(0);
    let restore = |producers: &[ProducerSnapshot]| ProducerTable::restore(producers, 8, log.end).is_ok();
    assert!(restore(std::slice::from_ref(&good)));
    assert!(!restore(&[good.clone(), good.clone()]));
    let forgeries: [fn(&mut ProducerSnapshot); 12] = [
        |producer| producer.batches.clear(),
        |producer| producer.producer_id = -1,
        |producer| producer.producer_epoch = 1,
        |producer| producer.batches.swap(0, 1),
        |producer| producer.batches[0].producer_epoch = 3,
        |producer| producer.batches[0].producer_epoch = -1,
        |producer| producer.batches[1].last_offset = 2,
        |producer| producer.batches[0].base_offset = -1,
        |producer| producer.batches[0].base_offset = 1,
        |producer| producer.batches[1].base_sequence = -1,
        |producer| producer.batches[1].last_sequence = -1,
        |producer| producer.batches = vec![producer.batches[0]; 11],
    ];
    for (n, forge) in forgeries.iter().enumerate() {
        let mut forged = good.clone();
        forge(&mut forged);
        assert!(!restore(&[forged]), "forgery {n}");
    }
}
