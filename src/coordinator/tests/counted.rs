//! What is counted. That groups, members and offsets add up, [`Bench::settle`] looks after in every scenario.

use super::*;

fn counts(bench: &Bench, state: State) -> (usize, usize, usize) {
    let census = bench.core.census();
    (census.groups(state), census.members, census.offsets)
}

fn forgotten(bench: &Bench) -> [u64; 3] {
    Forgetting::ALL.map(|reason| bench.core.meters().forgotten_offsets(reason).get())
}

#[test]
fn a_group_is_counted_through_its_life() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    assert_eq!(counts(&bench, State::Stable), (1, 2, 0));
    assert_eq!(bench.commit(Some(&members[0]), 5), ErrorCode::None);
    assert_eq!(bench.commit(Some(&members[0]), 6), ErrorCode::None);
    assert_eq!(counts(&bench, State::Stable), (1, 2, 1));
    assert_eq!(bench.core.meters().committed_offsets.get(), 2);
    bench.restart();
    assert_eq!(counts(&bench, State::Stable), (1, 2, 1), "as the log has it");
    for member in &members {
        assert_eq!(bench.leave(&member.member_id, None), ErrorCode::None);
    }
    assert_eq!(counts(&bench, State::Empty), (1, 0, 1));
    bench.send(Request::DeleteGroup("g".into()));
    assert_eq!(counts(&bench, State::Empty), (0, 0, 0));
    assert_eq!(forgotten(&bench), [0, 1, 0]);
}

#[test]
fn a_rebalance_lasts_until_all_can_have_their_shares() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let meters = bench.core.meters();
    let durations = meters.rebalance_durations.copy();
    assert_eq!((meters.rebalances.get(), durations.count()), (1, 1));
    assert!(durations.sum >= 3_000_000_000, "with the wait for more members: {}", durations.sum);

    // One leaves, and the other joins again a second later; it takes another to hand in the shares.
    assert_eq!(bench.leave(&members[1].member_id, None), ErrorCode::None);
    bench.wait(1_000);
    let again = bench.send(join(&Who { member_id: members[0].member_id.clone(), ..Who::default() }));
    let again = bench.joined(again);
    bench.wait(1_000);
    assert_eq!(bench.core.meters().rebalance_durations.copy().count(), 1, "not yet");
    bench.share(&[again]);
    let meters = bench.core.meters();
    let both = meters.rebalance_durations.copy();
    assert_eq!((meters.rebalances.get(), both.count()), (2, 2));
    assert_eq!(both.sum - durations.sum, 2_000_000_000);
}

#[test]
fn offsets_are_forgotten_for_a_reason() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.wait(1_200_000);
    assert_eq!(forgotten(&bench), [1, 0, 0]);
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.send(Request::DeleteOffsets("g".into(), vec![("t".into(), 0), ("t".into(), 1)]));
    assert_eq!(forgotten(&bench), [1, 1, 0]);
    assert_eq!(bench.commit(None, 5), ErrorCode::None);
    bench.core.forget_topics(["t".to_owned()].into());
    bench.wait(1);
    assert_eq!(forgotten(&bench), [1, 1, 1]);
    assert_eq!(bench.core.census().offsets, 0);
}
