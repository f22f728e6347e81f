//! When a node connects, and what it makes of answers.

use proptest::prelude::*;
use uuid::Uuid;

use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{LINK_BACK_OFF_MAX_MS, LINK_REFUSED_BACK_OFF_MS, LINK_STEADY_MS};
use crate::link::{
    Action, Answer, Event, Hello, Notice, Peer, Refusal, RefusalCode, Start, Step, StreamKind,
};

fn start(node: u32, incarnation: u64) -> Start {
    Start { node: NodeId(node), disk: Uuid::from_u128(u128::from(node)), incarnation }
}

fn peer(incarnation: u64) -> Peer {
    Peer::new([7; 16], start(1, incarnation), NodeId(2), StreamKind::Live)
        .between_shards(ShardId(3), ShardId(4))
}

fn accepted(by: Start) -> Event {
    Event::Answered(Answer { by, refusal: None })
}

fn refused(code: RefusalCode) -> Event {
    Event::Answered(Answer { by: start(2, 1), refusal: Some(Refusal::new(code, "no")) })
}

/// Up to the hello of the next connection.
fn greet(peer: &mut Peer, now_ms: u64) -> Hello {
    assert_eq!(peer.handle(now_ms, 0, Event::Ready).action, Action::Connect);
    match peer.handle(now_ms, 0, Event::Connected).action {
        Action::Greet(hello) => hello,
        other => panic!("{other:?}"),
    }
}

fn wait_ms(step: &Step) -> u64 {
    match step.action {
        Action::Wait { ms } => ms,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_grow_over_connections_and_starts() {
    let mut last = 0;
    for incarnation in 1..4 {
        let mut peer = peer(incarnation);
        for _ in 0..3 {
            let hello = greet(&mut peer, 0);
            assert!(hello.session > last);
            last = hello.session;
            assert_eq!((hello.from, hello.to), (start(1, incarnation), NodeId(2)));
            assert_eq!((hello.from_shard, hello.to_shard), (ShardId(3), ShardId(4)));
            let step = peer.handle(0, 0, accepted(start(2, 9)));
            assert_eq!(step.action, Action::Carry { session: last, peer: start(2, 9) });
            assert_eq!(step.notice, Some(Notice::Up));
            assert_eq!(peer.handle(0, 0, Event::Lost).notice, Some(Notice::Down));
        }
    }
}

#[test]
fn waits_grow_until_a_connection_lasts() {
    let mut peer = peer(1);
    let attempt = |peer: &mut Peer| {
        assert_eq!(peer.handle(0, 0, Event::Ready).action, Action::Connect);
        wait_ms(&peer.handle(0, u64::MAX, Event::Lost))
    };
    let first = attempt(&mut peer);
    let waits: Vec<u64> = (0..8).map(|_| attempt(&mut peer)).collect();
    assert!(waits.is_sorted() && waits[0] > first && waits[7] > LINK_BACK_OFF_MAX_MS / 2);
    greet(&mut peer, 0);
    peer.handle(0, 0, accepted(start(2, 1)));
    let short = wait_ms(&peer.handle(LINK_STEADY_MS - 1, 0, Event::Lost));
    assert!(short >= LINK_BACK_OFF_MAX_MS / 2, "a connection that breaks at once is no better than none");
    greet(&mut peer, 0);
    peer.handle(0, 0, accepted(start(2, 1)));
    assert!(wait_ms(&peer.handle(LINK_STEADY_MS, 0, Event::Lost)) <= first, "a good one is");
}

#[test]
fn a_refusal_is_told_once_and_waited_for_longer() {
    let mut peer = peer(1);
    let refuse = |peer: &mut Peer, code| {
        greet(peer, 0);
        peer.handle(0, 0, refused(code))
    };
    let step = refuse(&mut peer, RefusalCode::OtherCluster);
    assert!(matches!(step.notice, Some(Notice::Refused(_))));
    assert!(wait_ms(&step) >= LINK_REFUSED_BACK_OFF_MS / 2);
    assert_eq!(refuse(&mut peer, RefusalCode::OtherCluster).notice, None);
    assert!(refuse(&mut peer, RefusalCode::NodeIdTaken).notice.is_some(), "another reason");
    for passes in [RefusalCode::NoClusterYet, RefusalCode::Busy] {
        assert!(wait_ms(&refuse(&mut peer, passes)) <= LINK_BACK_OFF_MAX_MS, "that passes by itself");
    }
    greet(&mut peer, 0);
    peer.handle(0, 0, accepted(start(2, 1)));
    peer.handle(0, 0, Event::Lost);
    assert!(refuse(&mut peer, RefusalCode::Busy).notice.is_some(), "it was up in between");
}

#[test]
fn who_answers_is_looked_at_too() {
    let mut peer = peer(1);
    let mut hear = |by| {
        greet(&mut peer, 0);
        let step = peer.handle(0, 0, accepted(by));
        let is_up = matches!(step.action, Action::Carry { .. });
        if is_up {
            peer.handle(0, 0, Event::Lost);
        }
        (is_up, step.notice)
    };
    let (is_up, notice) = hear(start(3, 1));
    let Some(Notice::Refused(refusal)) = notice else { panic!("{notice:?}") };
    assert!(!is_up && refusal.code == RefusalCode::OtherNode && refusal.text.contains("node 3 answers"));
    assert!(hear(start(2, 5)).0);
    let (is_up, notice) = hear(start(2, 4));
    let Some(Notice::Refused(refusal)) = notice else { panic!("{notice:?}") };
    assert!(!is_up && refusal.code == RefusalCode::OlderIncarnation && refusal.text.contains("start 4"));
    assert!(hear(start(2, 5)).0 && hear(start(2, 6)).0);
    assert!(hear(Start { disk: Uuid::from_u128(9), ..start(2, 1) }).0, "its disk was replaced");
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Ready),
        Just(Event::Connected),
        (1..4_u32, 1..4_u64).prop_map(|(node, incarnation)| accepted(start(node, incarnation))),
        Just(refused(RefusalCode::Busy)),
        Just(Event::Lost),
    ]
}

proptest! {
    /// Whatever it is told, in whatever order, it never carries frames for anybody but whom it wants, its sessions grow,
    /// and it says that it is up and down in turn.
    #[test]
    fn nothing_confuses_it(events in prop::collection::vec((event(), 0..9_000_u64, any::<u64>()), 0..60)) {
        let mut peer = peer(1);
        let (mut now_ms, mut session, mut is_up) = (0, 0, false);
        for (event, passed_ms, random) in events {
            now_ms += passed_ms;
            let step = peer.handle(now_ms, random, event);
            match step.notice {
                Some(Notice::Up) => prop_assert!(!std::mem::replace(&mut is_up, true)),
                Some(Notice::Down) => prop_assert!(std::mem::replace(&mut is_up, false)),
                _ => {}
            }
            match step.action {
                Action::Greet(hello) => {
                    prop_assert!(hello.session > session);
                    session = hello.session;
                }
                Action::Carry { session: carried, peer } => {
                    prop_assert!(is_up && carried == session && peer.node == NodeId(2));
                }
                Action::Wait { ms } => prop_assert!(ms > 0 && ms <= LINK_REFUSED_BACK_OFF_MS),
                Action::Connect => prop_assert!(!is_up),
                Action::Stop => prop_assert!(false, "nobody has closed it"),
            }
        }
        prop_assert_eq!(peer.handle(now_ms, 0, Event::Close).action, Action::Stop);
        prop_assert_eq!(peer.handle(now_ms, 0, Event::Ready).action, Action::Stop);
    }
}
