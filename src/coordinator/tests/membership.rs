//! Who belongs to a group, and what becomes of those who come late, fall silent or come back.

use super::*;

#[test]
fn members_that_start_together_join_together() {
    let mut bench = Bench::new();
    let first = bench.join();
    bench.wait(2_000);
    let second = bench.join();
    bench.wait(1_000);
    assert_eq!(bench.answer(first), None, "the delay grows with each that comes");
    bench.wait(3_000);
    let (first, second) = (bench.joined(first), bench.joined(second));
    assert_eq!((first.generation_id, second.generation_id), (1, 1));
    assert_eq!(first.leader, second.leader);
    assert_eq!(first.members.len() + second.members.len(), 2, "the leader knows all");
    bench.share(&[first, second]);
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn a_newcomer_has_all_join_again() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let newcomer = bench.join();
    assert_eq!(bench.heartbeat(&members[0]), ErrorCode::RebalanceInProgress);
    assert_eq!(bench.commit(Some(&members[0]), 5), ErrorCode::None, "who has its share finishes its work");
    let again: Vec<Ticket> = members
        .iter()
        .map(|member| bench.send(join(&Who { member_id: member.member_id.clone(), ..Who::default() })))
        .collect();
    let mut joined = vec![bench.joined(newcomer)];
    joined.extend(again.into_iter().map(|ticket| bench.joined(ticket)));
    assert!(joined.iter().all(|member| member.generation_id == 2));
    assert_eq!(bench.commit(Some(&members[0]), 6), ErrorCode::IllegalGeneration);
    assert_eq!(bench.commit(Some(&joined[0]), 6), ErrorCode::RebalanceInProgress);
    joined.sort_by_key(|member| member.member_id != member.leader);
    bench.share(&joined);
}

#[test]
fn the_silent_are_forgotten_and_the_others_share_anew() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    for _ in 0..4 {
        bench.wait(4_000);
        bench.heartbeat(&members[0]);
    }
    assert_eq!(bench.heartbeat(&members[1]), ErrorCode::UnknownMemberId);
    let again = bench.send(join(&Who { member_id: members[0].member_id.clone(), ..Who::default() }));
    let alone = bench.joined(again);
    assert_eq!((alone.generation_id, alone.members.len()), (2, 1));
}

#[test]
fn who_never_syncs_does_not_keep_the_others_waiting() {
    let mut bench = Bench::new();
    let tickets: Vec<Ticket> = (0..2).map(|_| bench.join()).collect();
    bench.wait(10_000);
    let joined: Vec<_> = tickets.into_iter().map(|ticket| bench.joined(ticket)).collect();
    let (leader, follower): (Vec<_>, Vec<_>) =
        joined.iter().partition(|member| member.member_id == member.leader);
    // The leader lives, but does not assign.
    let waiting = bench.sync(follower[0]);
    for _ in 0..4 {
        bench.wait(4_000);
        bench.heartbeat(leader[0]);
    }
    assert_eq!(bench.synced(waiting).error_code, ErrorCode::RebalanceInProgress);
    assert_eq!(bench.heartbeat(leader[0]), ErrorCode::UnknownMemberId);
    let again = bench.send(join(&Who { member_id: follower[0].member_id.clone(), ..Who::default() }));
    assert_eq!(bench.joined(again).members.len(), 1);
}

#[test]
fn an_id_that_nobody_joins_with_holds_the_others_up_for_a_session_only() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    let id = bench.send(join(&Who::default()));
    bench.joined(id);
    let newcomer = bench.join();
    let again = bench.send(join(&Who { member_id: members[0].member_id.clone(), ..Who::default() }));
    assert_eq!(bench.answer(newcomer), None);
    bench.wait(10_000);
    assert_eq!((bench.joined(newcomer).generation_id, bench.joined(again).generation_id), (2, 2));
}

#[test]
fn a_static_member_comes_back_to_its_share_and_fences_who_it_was() {
    let mut bench = Bench::new();
    let who = Who { instance_id: Some("i".into()), ..Who::default() };
    let ticket = bench.send(join(&who));
    bench.wait(7_000);
    let old = bench.joined(ticket);
    assert_eq!(old.error_code, ErrorCode::None, "static members need no id first");
    bench.share(std::slice::from_ref(&old));
    let back = bench.send(join(&who));
    let new = bench.joined(back);
    assert_eq!((new.error_code, new.generation_id), (ErrorCode::None, 1));
    assert!(new.skip_assignment && new.leader == new.member_id && new.member_id != old.member_id);
    let share = bench.sync(&new);
    assert_eq!(&bench.synced(share).assignment[..], share_of(&old.member_id), "the share is the same");
    let beat = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: old.member_id.clone(),
        group_instance_id: Some("i".into()),
    };
    let fenced = bench.send(Request::Heartbeat(beat));
    assert_eq!(bench.answer(fenced), Some(Response::Heartbeat(ErrorCode::FencedInstanceId)));
    assert_eq!(bench.leave(&old.member_id, Some("i")), ErrorCode::FencedInstanceId);
    bench.restart();
    assert_eq!(bench.heartbeat(&new), ErrorCode::None, "also after a restart");
    assert_eq!(bench.leave("", Some("i")), ErrorCode::None, "an operator removes it by its name");
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn bounds_and_nonsense_are_refused_by_name() {
    let mut bench = Bench::with(|settings| settings.group_members_max = 2);
    let refused = |bench: &mut Bench, change: fn(&mut JoinGroupRequest)| {
        let Request::Join(mut request, joining) = join(&Who::default()) else { unreachable!() };
        change(&mut request);
        let ticket = bench.send(Request::Join(request, joining));
        bench.joined(ticket).error_code
    };
    assert_eq!(refused(&mut bench, |it| it.session_timeout_ms = 999), ErrorCode::InvalidSessionTimeout);
    assert_eq!(refused(&mut bench, |it| it.session_timeout_ms = 60_001), ErrorCode::InvalidSessionTimeout);
    assert_eq!(refused(&mut bench, |it| it.group_id.clear()), ErrorCode::InvalidGroupId);
    assert_eq!(refused(&mut bench, |it| it.protocols.clear()), ErrorCode::InconsistentGroupProtocol);
    assert_eq!(refused(&mut bench, |it| it.member_id = "x".into()), ErrorCode::UnknownMemberId);
    assert_eq!(bench.core.bytes(), 0, "nothing of it is kept");
    let members = bench.stable(2);
    assert_eq!(refused(&mut bench, |_| {}), ErrorCode::GroupMaxSizeReached);
    let other = |it: &mut JoinGroupRequest| it.protocol_type = "connect".into();
    assert_eq!(refused(&mut bench, other), ErrorCode::GroupMaxSizeReached);
    assert_eq!(bench.leave(&members[1].member_id, None), ErrorCode::None);
    assert_eq!(refused(&mut bench, other), ErrorCode::InconsistentGroupProtocol);
    assert_eq!(bench.leave("nobody", None), ErrorCode::UnknownMemberId);
    let stale = JoinGroupResponse { generation_id: 0, ..members[0].clone() };
    let stale = bench.sync(&stale);
    assert_eq!(bench.synced(stale).error_code, ErrorCode::IllegalGeneration);
}

#[test]
fn memory_for_groups_is_bounded() {
    let mut bench = Bench::with(|settings| settings.state_bytes_max = 3_000);
    let mut count = 0;
    let code = loop {
        let ticket = bench.send(join(&Who { metadata: &[7; 500], ..Who::default() }));
        let id = bench.joined(ticket);
        if id.error_code != ErrorCode::MemberIdRequired {
            break id.error_code;
        }
        let who = Who { member_id: id.member_id, metadata: &[7; 500], ..Who::default() };
        bench.send(join(&who));
        count += 1;
        assert!(count < 10, "{} bytes", bench.core.bytes());
    };
    assert_eq!(code, ErrorCode::GroupMaxSizeReached);
}

#[test]
fn who_has_a_place_does_not_bring_more_than_there_is_room_for() {
    let mut bench = Bench::with(|settings| settings.state_bytes_max = 3_000);
    let members = bench.stable(1);
    let again = |metadata| Who { member_id: members[0].member_id.clone(), metadata, ..Who::default() };
    let ticket = bench.send(join(&again(&[7; 3_000])));
    assert_eq!(bench.joined(ticket).error_code, ErrorCode::GroupMaxSizeReached);
    let ticket = bench.send(join(&again(&[7; 500])));
    assert_eq!(bench.joined(ticket).error_code, ErrorCode::None);
}

#[test]
fn shares_wait_for_the_log() {
    let mut bench = Bench::new();
    let ticket = bench.join();
    bench.wait(7_000);
    let joined = bench.joined(ticket);
    bench.holds_appends = true;
    let waiting = bench.sync(&joined);
    assert_eq!(bench.answer(waiting), None);
    assert_eq!(bench.state(), "CompletingRebalance");
    bench.release(Err(AppendFailure::Unavailable));
    assert_eq!(bench.synced(waiting).error_code, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state(), "PreparingRebalance");
    let again = bench.send(join(&Who { member_id: joined.member_id, ..Who::default() }));
    let joined = bench.joined(again);
    bench.share(std::slice::from_ref(&joined));
}

#[test]
fn a_restart_finds_members_and_shares() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    bench.restart();
    assert_eq!(bench.heartbeat(&members[0]), ErrorCode::None);
    let share = bench.sync(&members[1]);
    assert_eq!(&bench.synced(share).assignment[..], share_of(&members[1].member_id));
    // The other one does not come back.
    for _ in 0..3 {
        bench.wait(4_000);
        bench.heartbeat(&members[0]);
    }
    assert_eq!(bench.heartbeat(&members[1]), ErrorCode::UnknownMemberId);
}
