//! One member, step by step.

use crate::quorum::message::{Body, Message};
use crate::quorum::{
    Change, Effect, MemberChange, Node, ProposalId, ReadId, Rejection, Role, Settings, State, Stored,
};

fn member(voters: Vec<u64>) -> Node {
    Node::new(Settings::new(1, 42), Stored::founding(1, voters, State::default()))
}

fn put(key: &str) -> Vec<Change> {
    vec![Change::Put { key: key.to_owned(), value: b"value".to_vec() }]
}

/// Lets time pass and the disk work until nothing more happens.
fn run(node: &mut Node, ticks: usize) -> Vec<Effect> {
    let mut all = Vec::new();
    for _ in 0..ticks {
        node.tick();
        all.extend(drain(node));
    }
    all
}

fn drain(node: &mut Node) -> Vec<Effect> {
    let mut all = Vec::new();
    loop {
        let effects = node.take_effects();
        if effects.is_empty() {
            return all;
        }
        for effect in &effects {
            if let Effect::Persist(persist) = effect {
                node.persisted(persist.number);
            }
        }
        all.extend(effects);
    }
}

#[test]
fn a_quorum_of_one_decides_alone_once_its_disk_has() {
    let mut node = member(vec![1]);
    run(&mut node, 25);
    assert!(node.is_settled_leader());
    node.propose(ProposalId(7), put("key"));
    let effects = node.take_effects();
    let [Effect::Persist(persist)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(persist.entries.len(), 1);
    assert!(node.state().get("key").is_none(), "nothing is answered before it is durable");
    node.persisted(persist.number);
    let effects = drain(&mut node);
    assert!(effects.iter().any(|it| matches!(it, Effect::Committed { proposal: ProposalId(7), .. })));
    assert!(node.state().get("key").is_some());
    node.read(ReadId(1));
    assert!(drain(&mut node).iter().any(|it| matches!(it, Effect::ReadReady { read: ReadId(1), .. })));
}

#[test]
fn who_is_alone_leads_at_once_and_needs_no_ticks() {
    let mut node = member(vec![1]);
    drain(&mut node);
    node.campaign();
    assert!(!node.is_settled_leader(), "its office is not durable yet");
    drain(&mut node);
    assert!(node.is_settled_leader());
    node.propose(ProposalId(1), put("key"));
    assert!(drain(&mut node).iter().any(|it| matches!(it, Effect::Committed { .. })));
    node.campaign();
    assert!(drain(&mut node).is_empty(), "it leads already");
}

#[test]
fn who_does_not_lead_refuses() {
    let mut node = member(vec![1, 2, 3]);
    node.propose(ProposalId(1), put("key"));
    let why = Rejection::NotLeader(None);
    assert_eq!(drain(&mut node).last(), Some(&Effect::Rejected { proposal: ProposalId(1), why }));
    node.read(ReadId(1));
    assert_eq!(drain(&mut node).last(), Some(&Effect::ReadRefused { read: ReadId(1) }));
    node.receive(2, Message { term: 2, body: Body::Heartbeat { commit: 1, read: 0 } });
    drain(&mut node);
    node.propose(ProposalId(2), put("key"));
    let why = Rejection::NotLeader(Some(2));
    assert_eq!(drain(&mut node).last(), Some(&Effect::Rejected { proposal: ProposalId(2), why }));
    node.read(ReadId(2));
    let effects = run(&mut node, 25);
    assert!(effects.contains(&Effect::ReadRefused { read: ReadId(2) }), "nobody confirms it: {effects:?}");
}

#[test]
fn what_is_too_long_or_does_not_fit_is_refused() {
    let mut node = member(vec![1]);
    run(&mut node, 25);
    let value = vec![0; crate::base::limits::QUORUM_ENTRY_BYTES_MAX];
    node.propose(ProposalId(1), vec![Change::Put { key: "long".to_owned(), value }]);
    let why = Rejection::TooLong;
    assert_eq!(drain(&mut node), [Effect::Rejected { proposal: ProposalId(1), why }]);
    for change in [MemberChange::Remove(1), MemberChange::AddVoter(0)] {
        node.change_members(ProposalId(2), change);
        let why = Rejection::Refused;
        assert_eq!(drain(&mut node), [Effect::Rejected { proposal: ProposalId(2), why }]);
    }
    // The second one is not looked at while the first one is under way.
    node.change_members(ProposalId(3), MemberChange::AddLearner(2));
    node.change_members(ProposalId(4), MemberChange::AddLearner(3));
    let effects = drain(&mut node);
    assert!(effects.iter().any(|it| matches!(it, Effect::Committed { proposal: ProposalId(3), .. })));
    let why = Rejection::Refused;
    assert!(effects.contains(&Effect::Rejected { proposal: ProposalId(4), why }), "{effects:?}");
    assert_eq!(node.status().members.learners, [2]);
}

#[test]
fn proposals_are_bounded_while_the_disk_hangs() {
    let mut node = member(vec![1]);
    run(&mut node, 25);
    let max = crate::base::limits::QUORUM_PROPOSALS_MAX as u64;
    (0..max + 1).for_each(|number| node.propose(ProposalId(number), put("key")));
    let effects = node.take_effects();
    let busy: Vec<_> = effects.iter().filter(|it| matches!(it, Effect::Rejected { .. })).collect();
    assert_eq!(busy, [&Effect::Rejected { proposal: ProposalId(max), why: Rejection::Busy }]);
}

#[test]
fn a_follower_answers_when_its_disk_has_it() {
    let mut node = member(vec![1, 2, 3]);
    let vote =
        Body::Vote { trial: false, transfer: false, last_index: 1, last_term: 1, commit: 1, commit_term: 1 };
    run(&mut node, 15);
    node.receive(2, Message { term: 5, body: vote });
    let effects = node.take_effects();
    assert!(
        !effects.iter().any(|it| matches!(it, Effect::Send { .. })),
        "the vote is not durable: {effects:?}"
    );
    let persist = effects.iter().find_map(|it| match it {
        Effect::Persist(persist) => Some(persist),
        _ => None,
    });
    let persist = persist.expect("a vote is to be kept");
    assert_eq!((persist.head.term, persist.head.vote), (5, 2));
    node.persisted(persist.number);
    let granted = |it: &Effect| match it {
        Effect::Send { to: 2, message } => matches!(message.body, Body::Voted { granted: true, .. }),
        _ => false,
    };
    assert!(drain(&mut node).iter().any(granted));
}

#[test]
fn what_breaks_the_rules_is_refused_and_ends_nothing() {
    let mut node = member(vec![1, 2, 3]);
    let hostile = [
        Message { term: u64::MAX, body: Body::TakeOver },
        Message { term: 0, body: Body::Heartbeat { commit: 0, read: 0 } },
        Message { term: 9, body: Body::Heartbeat { commit: 100, read: 0 } },
        Message { term: 9, body: Body::ReadIndex { read: 0 } },
    ];
    for message in hostile {
        node.receive(2, message.clone());
        let effects = drain(&mut node);
        assert!(matches!(effects[..], [Effect::Suspicious { from: 2, .. }]), "{message:?}: {effects:?}");
    }
    assert_eq!(node.status().role, Role::Follower);
    assert_eq!(node.status().term, 1);
}

/// Who asks for a vote gets member 2's.
fn elect(node: &mut Node) {
    for _ in 0..100 {
        for effect in run(node, 1) {
            let Effect::Send { to: 2, message: Message { term, body: Body::Vote { trial, .. } } } = effect
            else {
                continue;
            };
            let body = Body::Voted { trial, granted: true, commit: 0, commit_term: 0 };
            node.receive(2, Message { term, body });
        }
        if node.status().role == Role::Leader {
            drain(node);
            return;
        }
    }
    panic!("it is not elected");
}

proptest::proptest! {
    #[test]
    fn no_message_ends_a_member(messages in proptest::collection::vec(super::samples::message(), 0..60), leads: bool) {
        let mut node = member(vec![1, 2, 3]);
        if leads {
            elect(&mut node);
        }
        for (number, mut message) in (0..).zip(messages) {
            // Near enough to be looked at.
            message.term = node.status().term + message.term % 3 - u64::from(number % 2 == 0);
            near(&mut message.body);
            node.receive(2, message);
            drain(&mut node);
            node.propose(ProposalId(number), put("key"));
            node.tick();
            drain(&mut node);
        }
    }
}

/// Indexes that there may be.
fn near(body: &mut Body) {
    match body {
        Body::Append { previous_index: index, .. }
        | Body::Appended { index, .. }
        | Body::Refused { index, .. }
        | Body::Chunk(crate::quorum::Chunk { number: index, .. }) => *index %= 4,
        _ => {}
    }
}

#[test]
fn two_members_with_one_history_and_other_records_notice() {
    let mut records = State::default();
    records.put("rot".to_owned(), b"!".as_slice().into());
    let stored = Stored::founding(1, vec![1, 2, 3], records);
    let mut node = Node::new(Settings::new(1, 1), stored);
    let command = crate::quorum::command::Command { base_index: 1, base_checksum: 0, changes: put("key") };
    let entry =
        crate::quorum::Entry { term: 2, kind: crate::quorum::EntryKind::Command, data: command.encode() };
    let append = Body::Append { previous_index: 1, previous_term: 1, commit: 2, entries: vec![entry] };
    node.receive(2, Message { term: 2, body: append });
    let effects = drain(&mut node);
    assert!(matches!(effects.last(), Some(Effect::Halted { .. })), "{effects:?}");
    node.tick();
    assert!(drain(&mut node).is_empty(), "it does nothing more");
}
