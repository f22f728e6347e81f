//! A partition with other replicas: committed by their leader's word, and filled by it.

use super::test_support::{plain, produced};
use super::{EpochHistory, OffsetNotAvailable, Partition, ReplayError};

fn starts(history: &EpochHistory) -> Vec<(i32, i64)> {
    history.starts().iter().map(|start| (start.leader_epoch, start.start_offset)).collect()
}

#[test]
fn its_own_disk_commits_nothing_for_a_leader_of_others() {
    let mut partition = Partition::new();
    partition.become_leader_of_replicas(3).unwrap();
    partition.append(&plain(5), 0).unwrap();
    assert_eq!(partition.on_durable(5), None);
    assert_eq!((partition.progress().durable_end(), partition.progress().high_watermark()), (5, 0));
    assert!(partition.learn_high_watermark(4));
    assert!(!partition.learn_high_watermark(4), "that is no news");
    assert_eq!(partition.fetch_bound(5), Ok(4), "what is not committed is empty, and not out of range");
    assert_eq!(partition.latest(), Ok(4));

    assert!(partition.become_leader_of_replicas(2).is_err());
    partition.become_leader_of_replicas(4).unwrap();
    assert_eq!(partition.latest(), Err(OffsetNotAvailable), "until the term's start is committed");
    partition.learn_high_watermark(5);
    assert_eq!(partition.latest(), Ok(5));
}

#[test]
fn a_follower_takes_batches_as_they_are_and_learns_their_terms_and_producers() {
    let mut partition = Partition::new();
    let first = produced(7, 0, 0, 5).placed_at(0, 2);
    partition.append_followed(&first, 0).unwrap();
    partition.append_followed(&plain(3).placed_at(5, 4), 0).unwrap();
    assert_eq!(starts(partition.epochs()), [(2, 0), (4, 5)]);
    assert!(partition.producers().knows(7));
    assert_eq!((partition.progress().log_end(), partition.progress().durable_end()), (8, 0));
    assert_eq!(partition.on_durable(8), None);

    let gap = partition.append_followed(&plain(1).placed_at(9, 4), 0);
    assert_eq!(gap, Err(ReplayError::Gap { expected: 8, found: 9 }));
    assert!(partition.append_followed(&plain(1).placed_at(8, 3), 0).is_err(), "an older term");
    assert_eq!(partition.progress().log_end(), 8, "what is refused changes nothing");
}

#[test]
fn who_follows_forgets_the_term_that_it_began_and_wrote_nothing_in() {
    let mut partition = Partition::new();
    partition.become_leader_of_replicas(3).unwrap();
    partition.append(&plain(5), 0).unwrap();
    partition.become_leader_of_replicas(6).unwrap();
    assert_eq!(starts(partition.epochs()), [(3, 0), (6, 5)]);
    partition.follow();
    assert_eq!((partition.leader_epoch(), starts(partition.epochs())), (None, vec![(3, 0)]));
    partition.append_followed(&plain(1).placed_at(5, 5), 0).unwrap();
    assert_eq!(starts(partition.epochs()), [(3, 0), (5, 5)], "records of another leader's earlier term");
}
