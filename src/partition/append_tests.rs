use super::test_support::{plain, produced, transactional};
use super::{
    AppendDecision, AppendError, EpochEnd, FetchError, LeaderEpochError, OffsetNotAvailable, Partition,
    ProducerError,
};
use crate::log::snapshot::StateSnapshot;

fn leader() -> Partition {
    let mut partition = Partition::new();
    assert_eq!(partition.become_leader(3), Ok(None));
    partition
}

#[test]
fn offsets_count_up_and_the_high_watermark_follows_the_disk() {
    let mut partition = leader();
    assert_eq!(
        partition.append(&plain(5), 0),
        Ok(AppendDecision::Append { base_offset: 0, last_offset: 4, leader_epoch: 3 })
    );
    assert_eq!(
        partition.append(&plain(1), 0),
        Ok(AppendDecision::Append { base_offset: 5, last_offset: 5, leader_epoch: 3 })
    );
    assert_eq!(partition.fetch_bound(0), Ok(0), "nothing is committed yet");
    assert_eq!(partition.on_durable(5), Some(5));
    assert_eq!(partition.on_durable(5), None);
    assert_eq!(partition.on_durable(6), Some(6));
    assert_eq!((partition.earliest(), partition.latest()), (0, Ok(6)));
}

#[test]
fn a_duplicate_waits_where_its_original_does() {
    let mut partition = leader();
    let batch = produced(1, 0, 0, 10);
    partition.append(&plain(7), 0).unwrap();
    partition.append(&batch, 0).unwrap();
    let duplicate =
        Ok(AppendDecision::Duplicate { base_offset: 7, last_offset: 16, max_timestamp: batch.max_timestamp });
    assert_eq!(partition.append(&batch, 0), duplicate, "the original is not durable yet");
    assert_eq!(partition.progress().log_end(), 17);
    assert_eq!(partition.on_durable(17), Some(17));
    assert_eq!(partition.append(&batch, 0), duplicate);
}

#[test]
fn a_refusal_changes_nothing() {
    let mut partition = leader();
    partition.append(&produced(1, 2, 0, 10), 0).unwrap();
    let before = partition.snapshot();
    assert_eq!(partition.append(&transactional(), 0), Err(AppendError::Transactional));
    assert!(matches!(
        partition.append(&produced(1, 2, 11, 1), 0),
        Err(AppendError::Producer(ProducerError::OutOfOrderSequence { .. }))
    ));
    assert!(matches!(
        partition.append(&produced(1, 1, 0, 1), 0),
        Err(AppendError::Producer(ProducerError::InvalidProducerEpoch { .. }))
    ));
    partition.resign();
    assert_eq!(partition.append(&plain(1), 0), Err(AppendError::NotLeader));
    assert_eq!(partition.snapshot(), before);
}

#[test]
fn the_largest_offset_is_never_passed() {
    let log_end_offset = i64::MAX - 2;
    let full = StateSnapshot { log_end_offset, high_watermark: 0, ..StateSnapshot::default() };
    let mut partition = Partition::restore(&full).unwrap();
    partition.become_leader(0).unwrap();
    assert_eq!(partition.append(&plain(3), 0), Err(AppendError::OffsetsExhausted));
    assert_eq!(partition.append(&plain(i32::MAX), 0), Err(AppendError::OffsetsExhausted));
    assert!(partition.append(&plain(2), 0).is_ok());
    assert_eq!(partition.append(&plain(1), 0), Err(AppendError::OffsetsExhausted));
}

#[test]
fn between_high_watermark_and_log_end_there_is_nothing_to_read_and_nothing_wrong() {
    let mut partition = leader();
    partition.append(&plain(10), 0).unwrap();
    partition.on_durable(10);
    partition.append(&plain(10), 0).unwrap();
    partition.advance_log_start(4).unwrap();
    let out_of_range = Err(FetchError::OffsetOutOfRange { log_start: 4, log_end: 20 });
    assert_eq!(partition.fetch_bound(3), out_of_range);
    for offset in [4, 9, 10, 15, 20] {
        assert_eq!(partition.fetch_bound(offset), Ok(10));
    }
    assert_eq!(partition.fetch_bound(21), out_of_range);
    assert_eq!(partition.fetch_bound(-1), out_of_range);
}

#[test]
fn requests_of_other_terms_are_refused() {
    let mut partition = leader();
    assert_eq!(partition.check_leader_epoch(-1), Ok(()));
    assert_eq!(partition.check_leader_epoch(3), Ok(()));
    assert_eq!(partition.check_leader_epoch(2), Err(LeaderEpochError::Fenced { current: 3, found: 2 }));
    assert_eq!(partition.check_leader_epoch(4), Err(LeaderEpochError::Unknown { current: 3, found: 4 }));
    partition.resign();
    assert_eq!(partition.check_leader_epoch(-1), Err(LeaderEpochError::NotLeader));
}

#[test]
fn a_new_leader_does_not_speak_of_the_end_before_it_knows_it() {
    let mut partition = leader();
    partition.append(&plain(10), 0).unwrap();
    partition.on_durable(6);
    partition.resign();
    assert_eq!(partition.on_durable(8), None, "only a leader commits");
    assert_eq!(partition.become_leader(4), Ok(Some(8)));
    assert_eq!(partition.latest(), Err(OffsetNotAvailable));
    assert_eq!(partition.fetch_bound(10), Ok(8));
    assert_eq!(partition.on_durable(10), Some(10));
    assert_eq!(partition.latest(), Ok(10));
}

#[test]
fn terms_are_found_by_epoch_and_by_offset() {
    let mut partition = leader();
    partition.append(&plain(10), 0).unwrap();
    partition.become_leader(5).unwrap();
    partition.become_leader(7).unwrap();
    partition.append(&plain(5), 0).unwrap();
    let end = |epoch| partition.end_offset_for_epoch(epoch);
    assert_eq!(end(3), Some(EpochEnd { leader_epoch: 3, end_offset: 10 }));
    assert_eq!(end(5), Some(EpochEnd { leader_epoch: 3, end_offset: 10 }));
    assert_eq!(end(7), Some(EpochEnd { leader_epoch: 7, end_offset: 15 }));
    assert_eq!(end(8), None);
    assert_eq!([0, 9, 10, 15].map(|offset| partition.epoch_at(offset)), [Some(3), Some(3), Some(7), Some(7)]);
}
