//! What one turn does, and what members may bring.

use super::*;
use crate::base::limits::GROUP_PROTOCOLS_MAX;

/// Takes the effects of one turn, and says how many of them are answers.
fn turn(bench: &mut Bench) -> usize {
    let before = bench.answers.len();
    for effect in bench.core.take_effects() {
        match effect {
            Effect::Reply(ticket, response) => drop(bench.answers.insert(ticket, response)),
            Effect::Append { id, records, .. } => bench.held.push((id, records)),
            Effect::Load { .. } => unreachable!("all could be read"),
        }
    }
    bench.answers.len() - before
}

/// Takes turns until nothing is due, and says how many answers each had.
fn turns(bench: &mut Bench) -> Vec<usize> {
    let mut answers = vec![turn(bench)];
    while bench.core.next_deadline_ms() == Some(0) {
        let moment = bench.moment();
        bench.core.advance(moment);
        answers.push(turn(bench));
    }
    answers
}

#[test]
fn a_turn_answers_some_members_of_a_large_group_and_appends_do_not_wait_for_that() {
    let mut bench = Bench::with(|settings| {
        (settings.group_members_max, settings.replies_per_turn) = (1_000, 64);
    });
    let tickets: Vec<Ticket> = (0..500).map(|_| bench.join()).collect();
    bench.now_ms = bench.core.next_deadline_ms().expect("the initial delay");
    let mut all = Vec::new();
    while all.is_empty() {
        bench.now_ms = bench.now_ms.max(bench.core.next_deadline_ms().expect("a rebalance"));
        let moment = bench.moment();
        bench.core.advance(moment);
        // A commit of another group in the middle of it.
        let moment = bench.moment();
        let other = match commit(None, 7, None) {
            Request::Commit(commit) => Commit { group_id: "other".into(), ..commit },
            _ => unreachable!("a commit"),
        };
        bench.core.request(moment, 0, Ticket(u64::MAX), Request::Commit(other));
        let first = turn(&mut bench);
        assert_eq!(bench.held.len(), 1, "its record does not wait for the answers before it");
        bench.release(Ok(()));
        if first > 0 {
            assert_eq!(first, 64);
            all = tickets.iter().filter_map(|ticket| bench.answer(*ticket)).collect();
        }
        bench.answers.clear();
    }
    let mut members: Vec<JoinGroupResponse> = all
        .into_iter()
        .map(|answer| match answer {
            Response::Join(joined) => joined,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(members.len(), 500, "all were answered in the end");

    members.sort_by_key(|member| member.member_id != member.leader);
    assert_eq!(members[0].members.len(), 500);
    // The followers wait; the leader's shares are durable at once.
    for member in members.iter().rev() {
        let moment = bench.moment();
        let ticket = Ticket(bench.tickets);
        bench.core.request(moment, 0, ticket, sync(member));
    }
    assert_eq!(turns(&mut bench), [0], "the record is on its way");
    let [(id, records)] = &std::mem::take(&mut bench.held)[..] else { panic!("one record") };
    bench.append(*id, records);
    let answers = turns(&mut bench);
    assert_eq!(answers[..7], [64; 7]);
    assert_eq!(answers.iter().sum::<usize>(), 500);
}

#[test]
fn shares_on_their_way_count_against_the_memory_for_groups() {
    let mut bench = Bench::with(|settings| settings.state_bytes_max = 20_000);
    let members = bench.stable(1);
    let assign = |bench: &mut Bench, member: &JoinGroupResponse, bytes: usize| {
        let Request::Sync(mut request) = sync(member) else { unreachable!("a sync") };
        request.assignments[0].assignment = vec![7; bytes].into();
        bench.send(Request::Sync(request))
    };
    let again = bench.send(join(&Who { member_id: members[0].member_id.clone(), ..Who::default() }));
    let leader = bench.joined(again);
    bench.holds_appends = true;
    let waiting = assign(&mut bench, &leader, 15_000);
    assert_eq!(bench.answer(waiting), None);
    let other = match commit(None, 7, None) {
        Request::Commit(commit) => {
            let offsets = (0..30).map(|partition| NewOffset { partition, ..commit.offsets[0].clone() });
            Commit { group_id: "other".into(), offsets: offsets.collect(), ..commit }
        }
        _ => unreachable!("a commit"),
    };
    let ticket = bench.send(Request::Commit(other.clone()));
    assert_eq!(bench.committed(ticket), ErrorCode::InvalidCommitOffsetSize, "the shares have the room");
    bench.release(Err(AppendFailure::Unavailable));
    assert_eq!(bench.synced(waiting).error_code, ErrorCode::CoordinatorNotAvailable);
    let ticket = bench.send(Request::Commit(other));
    assert_eq!(bench.committed(ticket), ErrorCode::None, "they gave it back");

    let again = bench.send(join(&Who { member_id: members[0].member_id.clone(), ..Who::default() }));
    let leader = bench.joined(again);
    let too_large = assign(&mut bench, &leader, 20_000);
    assert_eq!(bench.synced(too_large).error_code, ErrorCode::UnknownServerError);
}

#[test]
fn a_member_that_speaks_too_much_is_refused() {
    let mut bench = Bench::new();
    let speaks = |count: usize| Who {
        protocols: (0..count).map(|at| format!("protocol-{at}")).collect(),
        ..Who::default()
    };
    let ticket = bench.send(join(&speaks(GROUP_PROTOCOLS_MAX + 1)));
    assert_eq!(bench.joined(ticket).error_code, ErrorCode::InconsistentGroupProtocol);
    let ticket = bench.send(join(&speaks(GROUP_PROTOCOLS_MAX)));
    assert_eq!(bench.joined(ticket).error_code, ErrorCode::MemberIdRequired);
}

/// As Kafka elects it: of what all speak, what most prefer.
#[test]
fn members_vote_for_what_all_speak_whoever_comes_and_goes() {
    let mut bench = Bench::new();
    let speaks = |bench: &mut Bench, names: &[&str]| {
        let who = |member_id: String| Who {
            member_id,
            protocols: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Who::default()
        };
        let first = bench.send(join(&who(String::new())));
        let first = bench.joined(first);
        match first.error_code {
            ErrorCode::MemberIdRequired => Ok(bench.send(join(&who(first.member_id)))),
            refused => Err(refused),
        }
    };
    let loner = speaks(&mut bench, &["a", "b", "b", "c"]).expect("a first member");
    let others: Vec<Ticket> =
        [["b", "c"], ["c", "b"]].iter().map(|names| speaks(&mut bench, names).expect("in common")).collect();
    assert_eq!(speaks(&mut bench, &["a"]), Err(ErrorCode::InconsistentGroupProtocol));
    bench.wait(10_000);
    let loner = bench.joined(loner);
    assert_eq!(loner.protocol_name.as_deref(), Some("b"), "preferred by two of three");
    assert_eq!(bench.leave(&loner.member_id, None), ErrorCode::None);
    for ticket in others {
        let member = bench.joined(ticket);
        assert_eq!(bench.leave(&member.member_id, None), ErrorCode::None);
    }
    bench.wait(1);
    let anew = speaks(&mut bench, &["a"]).expect("nobody is left who does not speak it");
    bench.wait(10_000);
    assert_eq!(bench.joined(anew).protocol_name.as_deref(), Some("a"));
}
