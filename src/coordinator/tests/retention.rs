//! What is committed, and when it is forgotten.

use super::*;
use crate::base::limits::GROUP_RELOAD_PAUSE_MS;

#[test]
fn a_commit_holds_when_it_is_durable() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.holds_appends = true;
    let waiting = bench.send(commit(None, 6, None));
    assert_eq!((bench.answer(waiting), bench.fetch()), (None, 5));
    bench.release(Err(AppendFailure::Unavailable));
    assert_eq!((bench.committed(waiting), bench.fetch()), (ErrorCode::CoordinatorNotAvailable, 5));
    assert_eq!(bench.commit(None, 7), ErrorCode::None);
    bench.restart();
    assert_eq!(bench.fetch(), 7);
}

#[test]
fn offsets_without_members_age_from_their_commit() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.wait(900_000);
    assert_eq!(bench.fetch(), 5);
    bench.wait(200_000);
    assert_eq!((bench.fetch(), bench.core.bytes()), (-1, 0), "the group goes with the last of them");
    bench.restart();
    assert_eq!(bench.fetch(), -1);
}

#[test]
fn offsets_of_members_age_from_the_day_they_left() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    assert_eq!(bench.commit(Some(&members[0]), 5), ErrorCode::None);
    for _ in 0..400 {
        bench.wait(5_000);
        assert_eq!(bench.heartbeat(&members[0]), ErrorCode::None);
    }
    assert_eq!(bench.leave(&members[0].member_id, None), ErrorCode::None);
    bench.wait(900_000);
    assert_eq!(bench.fetch(), 5);
    bench.wait(200_000);
    assert_eq!((bench.fetch(), bench.state().as_str()), (-1, "Dead"));
}

#[test]
fn a_client_may_say_how_long_its_offsets_are_kept() {
    let mut bench = Bench::new();
    let ticket = bench.send(commit(None, 5, Some(2_000_000)));
    assert_eq!(bench.committed(ticket), ErrorCode::None);
    bench.wait(1_500_000);
    bench.restart();
    assert_eq!(bench.fetch(), 5);
    bench.wait(600_000);
    assert_eq!(bench.fetch(), -1);
}

#[test]
fn subscribed_topics_are_not_forgotten_by_hand() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    assert_eq!(bench.commit(Some(&members[0]), 5), ErrorCode::None);
    let delete = |topic: &str| Request::DeleteOffsets("g".into(), vec![(topic.into(), 0)]);
    let ticket = bench.send(delete("t"));
    let refused = Response::DeleteOffsets(Ok(vec![ErrorCode::GroupSubscribedToTopic]));
    assert_eq!(bench.answer(ticket), Some(refused));
    let ticket = bench.send(delete("other"));
    assert_eq!(bench.answer(ticket), Some(Response::DeleteOffsets(Ok(vec![ErrorCode::None]))));
    bench.leave(&members[0].member_id, None);
    let ticket = bench.send(delete("t"));
    assert_eq!(bench.answer(ticket), Some(Response::DeleteOffsets(Ok(vec![ErrorCode::None]))));
    assert_eq!(bench.fetch(), -1);
    bench.restart();
    assert_eq!(bench.fetch(), -1);
}

#[test]
fn a_deleted_group_does_not_come_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.holds_appends = true;
    let on_its_way = bench.send(commit(None, 6, None));
    let ticket = bench.send(Request::DeleteGroup("g".into()));
    assert_eq!(bench.answer(ticket), Some(Response::DeleteGroup(ErrorCode::CoordinatorNotAvailable)));
    bench.release(Ok(()));
    assert_eq!(bench.committed(on_its_way), ErrorCode::None);
    let ticket = bench.send(Request::DeleteGroup("g".into()));
    assert_eq!(bench.answer(ticket), Some(Response::DeleteGroup(ErrorCode::None)));
    bench.restart();
    assert_eq!(bench.fetch(), -1);
    assert_eq!(bench.core.list(&ListFilter::default()).groups, []);
}

#[test]
fn who_waits_is_sent_away_when_the_partition_goes() {
    let mut bench = Bench::new();
    let waiting = bench.join();
    bench.holds_appends = true;
    let on_its_way = bench.send(Request::Commit(Commit {
        group_id: "other".into(),
        ..match commit(None, 1, None) {
            Request::Commit(commit) => commit,
            _ => unreachable!("a commit"),
        }
    }));
    bench.core.unload(0);
    bench.settle();
    assert_eq!(bench.joined(waiting).error_code, ErrorCode::NotCoordinator);
    assert_eq!(bench.committed(on_its_way), ErrorCode::NotCoordinator);
    bench.release(Ok(()));
    assert_eq!(bench.core.bytes(), 0);
}

/// Whoever reads it does not know yet that it went.
#[test]
fn what_is_read_of_a_partition_that_went_is_ignored() {
    let mut bench = Bench::new();
    let before = bench.send(commit(None, 1, None));
    assert_eq!(bench.committed(before), ErrorCode::None);
    bench.core.unload(0);
    bench.read_log();
    bench.fail_load();
    assert_eq!((bench.core.bytes(), bench.core.has_partition(0)), (0, false));
    let ticket = bench.send(commit(None, 2, None));
    assert_eq!(bench.committed(ticket), ErrorCode::NotCoordinator);
}

#[test]
fn a_partition_that_cannot_be_read_is_nobodys() {
    let mut bench = Bench::new();
    let before = bench.send(commit(None, 1, None));
    assert_eq!(bench.committed(before), ErrorCode::None);
    bench.core.begin_load(0);
    let meanwhile = bench.send(commit(None, 2, None));
    assert_eq!(bench.committed(meanwhile), ErrorCode::CoordinatorLoadInProgress);
    bench.fail_load();
    let after = bench.send(commit(None, 3, None));
    assert_eq!(bench.committed(after), ErrorCode::NotCoordinator);
    assert_eq!(bench.core.bytes(), 0, "what was read of it is let go of");
    assert!(bench.core.has_partition(0), "it is not read again and again");
    bench.wait(GROUP_RELOAD_PAUSE_MS - 1);
    assert!(bench.wanted_loads.is_empty());
    let listing = bench.core.list(&ListFilter::default());
    assert!(listing.groups.is_empty() && !listing.is_partial);
    bench.wait(1);
    assert_eq!(bench.wanted_loads, [0], "after a pause it is read again");
    bench.fail_load();
    bench.wait(2 * GROUP_RELOAD_PAUSE_MS - 1);
    assert_eq!(bench.wanted_loads, [0]);
    bench.wait(1);
    assert_eq!(bench.wanted_loads, [0, 0], "after twice the pause");
    let meanwhile = bench.send(commit(None, 3, None));
    assert_eq!(bench.committed(meanwhile), ErrorCode::NotCoordinator);
    bench.read_log();
    assert_eq!(bench.core.list(&ListFilter::default()).groups.len(), 1, "this time it could be read");
    assert_eq!(bench.fetch(), 1);
    bench.wait(10 * GROUP_RELOAD_PAUSE_MS);
    assert_eq!(bench.wanted_loads, [0, 0], "once is enough");
}

#[test]
fn who_stops_reads_nothing_again() {
    let mut bench = Bench::new();
    bench.fail_load();
    bench.core.resign();
    bench.wait(10 * GROUP_RELOAD_PAUSE_MS);
    assert!(bench.wanted_loads.is_empty());
}
