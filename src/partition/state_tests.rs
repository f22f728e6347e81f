use super::test_support::{plain, produced};
use super::{AppendDecision, LogStartError, Partition, ReplayError, RestoreError, TruncateError};
use crate::log::snapshot::{EpochStart, StateSnapshot};
use crate::protocol::batch::{BatchHeader, NO_TIMESTAMP};

/// A log of three terms: 0 to 9, 10 to 19 by a producer, 20 to 29.
fn log() -> Partition {
    let mut partition = Partition::new();
    for (leader_epoch, header) in [(1, plain(10)), (2, produced(1, 0, 0, 10)), (3, plain(10))] {
        partition.become_leader(leader_epoch).unwrap();
        partition.append(&header, 0).unwrap();
    }
    partition.on_durable(30);
    partition.resign();
    partition
}

#[test]
fn a_snapshot_restores_the_partition() {
    let snapshot = log().snapshot();
    let restored = Partition::restore(&snapshot).unwrap();
    assert_eq!(restored.snapshot(), snapshot);
    assert_eq!(restored.progress().durable_end(), 30, "what recovery finds is on the disk");
    assert_eq!(restored.leader_epoch(), None);
}

#[test]
fn contradictions_are_not_taken_from_disk() {
    let restore = |forge: fn(&mut StateSnapshot)| {
        let mut snapshot = log().snapshot();
        forge(&mut snapshot);
        Partition::restore(&snapshot).map(|_| ()).unwrap_err()
    };
    assert!(matches!(restore(|s| s.log_start_offset = -1), RestoreError::Offsets { .. }));
    assert!(matches!(restore(|s| s.high_watermark = 31), RestoreError::Offsets { .. }));
    assert!(matches!(restore(|s| s.epochs.swap(0, 1)), RestoreError::Epochs(_)));
    assert!(matches!(restore(|s| s.epochs[2].start_offset = 31), RestoreError::EpochBeyondEnd { .. }));
    assert!(matches!(restore(|s| s.producers[0].batches.clear()), RestoreError::Producer(_)));
}

#[test]
fn replay_leads_to_the_state_that_was_lost() {
    let mut live = Partition::new();
    live.become_leader(1).unwrap();
    let mut journal: Vec<BatchHeader> = Vec::new();
    let mut checkpoint = live.snapshot();
    for n in 0..8 {
        let header = produced(n % 2, 0, (n / 2 * 3) as i32, 3);
        let Ok(AppendDecision::Append { base_offset, leader_epoch, .. }) = live.append(&header, 0) else {
            panic!("batch {n} is new");
        };
        journal.push(header.placed_at(base_offset, leader_epoch));
        if n == 3 {
            checkpoint = live.snapshot();
            journal.clear();
        }
    }
    let mut recovered = Partition::restore(&checkpoint).unwrap();
    for header in &journal {
        recovered.replay(header, 0).unwrap();
    }
    assert_eq!(recovered.progress().high_watermark(), 0, "replay commits nothing");
    assert_eq!(recovered.become_leader(2), Ok(Some(24)), "all that is synced is committed on a single node");
    assert_eq!(
        recovered.append(&produced(0, 0, 9, 3), 0),
        Ok(AppendDecision::Duplicate { base_offset: 18, last_offset: 20, max_timestamp: NO_TIMESTAMP })
    );
    live.on_durable(24);
    live.become_leader(2).unwrap();
    assert_eq!(recovered.snapshot(), live.snapshot());
}

#[test]
fn replay_refuses_what_cannot_be_next() {
    let mut partition = log();
    let before = partition.snapshot();
    let mut replay = |header: BatchHeader| partition.replay(&header, 0).unwrap_err();
    for base_offset in [29, 31, 0, i64::MAX, -1] {
        let gap = ReplayError::Gap { expected: 30, found: base_offset };
        assert_eq!(replay(plain(1).placed_at(base_offset, 3)), gap);
    }
    assert!(matches!(replay(plain(1).placed_at(30, 2)), ReplayError::Epoch(_)));
    assert!(matches!(replay(plain(1).placed_at(30, -1)), ReplayError::Epoch(_)));
    let invalid = ReplayError::Invalid { base_offset: 30 };
    assert_eq!(replay(plain(0).placed_at(30, 3)), invalid);
    assert_eq!(replay(plain(i32::MIN + 1).placed_at(30, 3)), invalid);
    assert_eq!(replay(produced(1, -1, 10, 1).placed_at(30, 3)), invalid);
    assert_eq!(replay(produced(1, 0, -1, 1).placed_at(30, 3)), invalid);
    assert_eq!(partition.snapshot(), before);
    assert_eq!(partition.replay(&plain(1).placed_at(30, 3), 0), Ok(()));
}

#[test]
fn a_term_that_the_log_has_seen_is_not_led_again() {
    let mut partition = Partition::restore(&log().snapshot()).unwrap();
    assert!(partition.become_leader(2).is_err());
    assert!(partition.become_leader(3).is_err(), "a former incarnation led in it");
    assert!(partition.become_leader(4).is_ok());
    assert_eq!(partition.become_leader(4), Ok(None), "being told twice changes nothing");
    assert!(partition.become_leader(3).is_err());
    assert_eq!(partition.leader_epoch(), Some(4));
}

#[test]
fn truncation_takes_back_all_state() {
    let mut partition = log();
    partition.truncate_to(40).unwrap();
    partition.truncate_to(30).unwrap();
    assert_eq!(partition.snapshot(), log().snapshot());

    partition.truncate_to(20).unwrap();
    assert_eq!(partition.end_offset_for_epoch(3), None);
    assert_eq!(partition.fetch_bound(20), Ok(20));
    assert_eq!(partition.producers().len(), 1);

    partition.truncate_to(10).unwrap();
    assert!(partition.producers().is_empty());
    let progress = *partition.progress();
    assert_eq!((progress.high_watermark(), progress.durable_end(), progress.log_end()), (10, 10, 10));

    partition.advance_log_start(5).unwrap();
    assert_eq!(partition.truncate_to(4), Err(TruncateError { offset: 4, log_start: 5 }));
    partition.truncate_to(5).unwrap();
    assert_eq!(partition.snapshot().epochs, []);
    assert!(partition.become_leader(2).is_ok(), "its records are gone");
}

#[test]
fn the_log_starts_later_but_never_beyond_what_is_committed() {
    let mut partition = log();
    partition.become_leader(4).unwrap();
    partition.append(&plain(10), 0).unwrap();
    assert_eq!(partition.advance_log_start(31), Err(LogStartError { offset: 31, limit: 30 }));
    partition.advance_log_start(15).unwrap();
    partition.advance_log_start(7).unwrap();
    assert_eq!(partition.earliest(), 15);
    assert_eq!(partition.snapshot().epochs[0], EpochStart { leader_epoch: 2, start_offset: 15 });
    partition.advance_log_start(30).unwrap();
    assert_eq!(partition.producers().len(), 1, "a producer outlives its records");
}

#[test]
fn a_replayed_log_start_says_what_was_committed() {
    let mut partition = Partition::new();
    partition.replay(&plain(10).placed_at(0, 1), 0).unwrap();
    partition.replay_log_start(4).unwrap();
    assert_eq!((partition.earliest(), partition.progress().high_watermark()), (4, 4));
    partition.replay_log_start(2).unwrap();
    assert_eq!((partition.earliest(), partition.progress().high_watermark()), (4, 4));
    assert_eq!(partition.replay_log_start(11), Err(LogStartError { offset: 11, limit: 10 }));
}
