//! Everything was deleted.

use super::*;

/// Everything is deleted, which followers hear of with the next mark, and then something is appended.
#[test]
fn who_counts_goes_on_where_all_was_deleted() {
    let (mut leader, mut effects) = (agreed(), Vec::new());
    leader.synced(10, &mut effects);
    assert_eq!(leader.log().high_watermark, 10);
    leader.starts_at(10, &mut effects);
    let mut deleted = history(&[(3, 0), (5, 10)]);
    deleted.truncate_from_start(10);
    // In a new session, at a leader that knows no terms before its log start.
    leader.meets(replica(2), &mut effects);
    effects.clear();
    leader.resumed(replica(2), &resume(3, 10), &deleted, &mut effects).expect("a follower");
    let [LeaderEffect::Reconcile(NodeId(2), Stream::Live, told)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((Action::of_code(told.action), told.offset), (Some(Action::Follow), 10));

    let (own, mut effects) = (history(&[(3, 0)]), Vec::new());
    let mut follower = follower(10, &own, &mut effects);
    follower.reconcile(told, &own, &mut effects).expect("an answer");
    assert_eq!(follower.pushed(&entry(-1, 10, 11), &own, &mut effects), Ok(Incoming::Taken));

    // Whoever does not count may have anything there.
    let mut effects = Vec::new();
    leader.learned(5, 8, vec![NodeId(1), NodeId(3)], &mut effects);
    // Nor while it is to join again: it may count by now.
    effects.clear();
    leader.resumed(replica(2), &resume(3, 10), &deleted, &mut effects).expect("a follower");
    assert_eq!(effects, []);
    leader.refused(8, &mut effects);
    let asks = |effect: &LeaderEffect| match effect {
        LeaderEffect::Reconcile(NodeId(2), Stream::Live, told) => {
            Action::of_code(told.action) == Some(Action::Ask)
        }
        _ => false,
    };
    assert!(effects.iter().any(asks), "{effects:?}");
    effects.clear();
    leader.resumed(replica(2), &resume(3, 10), &deleted, &mut effects).expect("a follower");
    let [LeaderEffect::Reconcile(NodeId(2), _, told)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(Action::of_code(told.action), Some(Action::Restart));
}
