//! Who is let in, and that who is not changes nothing.

use uuid::Uuid;

use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{LINK_NODES_MAX, LINK_STREAMS_PER_NODE_MAX};
use crate::link::{
    Gate, GreetingError, Hello, NO_CLUSTER, Own, RefusalCode, Refused, Start, StreamKind, Versions,
    session_of,
};

const CLUSTER: [u8; 16] = [7; 16];

fn start(node: u32, incarnation: u64) -> Start {
    Start { node: NodeId(node), disk: Uuid::from_u128(u128::from(node)), incarnation }
}

fn gate() -> Gate {
    let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
    Gate::new(Own {
        cluster: CLUSTER,
        start: start(1, 5),
        shards: 2,
        voters,
        kinds: StreamKind::ALL.to_vec(),
    })
}

/// The hello of that connection of the stream.
fn hello(from: Start, kind: StreamKind, connections: u32) -> Hello {
    let (from_shard, to_shard) = (ShardId(0), ShardId(0));
    let session = session_of(from.incarnation, connections);
    Hello { cluster: CLUSTER, from, to: NodeId(1), kind, from_shard, to_shard, session }
}

#[test]
fn what_is_refused_says_what_to_do() {
    let mut gate = gate();
    let (fine, quorum) = (start(2, 1), StreamKind::Quorum);
    let live = |shard| Hello { to_shard: ShardId(shard), ..hello(fine, StreamKind::Live, 1) };
    let cases = [
        (
            Hello { cluster: [8; 16], ..hello(fine, quorum, 1) },
            "cluster 07070707-0707-0707-0707-070707070707, and you",
        ),
        (hello(start(1, 6), quorum, 1), "two nodes run with this id"),
        (Hello { to: NodeId(3), ..hello(fine, quorum, 1) }, "this is node 1, not node 3: compare `voters`"),
        (live(2), "node 1 has 2 shards, from 0 on, and none with number 2"),
        (hello(start(4, 1), quorum, 1), "node 4 is not among the voters that node 1 has"),
    ];
    for (hello, text) in cases {
        let refused = gate.admit(&hello).expect_err(text);
        assert!(refused.to_string().contains(text), "{refused}");
        let answer = gate.answer(&Err(refused.clone()));
        assert_eq!(answer.refusal.expect("refused").text, refused.to_string());
        assert_eq!(answer.by, start(1, 5));
    }
    assert_eq!(gate.admit(&hello(fine, quorum, 1)), Ok(()), "none of them has left a trace");
    assert_eq!(gate.admit(&live(1)), Ok(()));
    assert_eq!(gate.answer(&Ok(())).refusal, None);
}

#[test]
fn who_knows_no_cluster_may_ask_and_be_asked_and_nothing_else() {
    let mut gate = gate();
    let stranger = |kind| Hello { cluster: NO_CLUSTER, ..hello(start(2, 0), kind, 1) };
    assert_eq!(gate.admit(&stranger(StreamKind::Control)), Ok(()));
    assert!(matches!(gate.admit(&stranger(StreamKind::Quorum)), Err(Refused::OtherCluster { .. })));
    let other = Start { disk: Uuid::from_u128(99), ..start(2, 1) };
    assert_eq!(gate.admit(&hello(other, StreamKind::Quorum, 1)), Ok(()), "a stranger leaves no trace");

    let kinds = vec![StreamKind::Control];
    let own = Own { cluster: NO_CLUSTER, start: start(1, 0), shards: 2, voters: vec![], kinds };
    let mut blank = Gate::new(own);
    assert_eq!(blank.admit(&hello(start(2, 1), StreamKind::Control, 1)), Ok(()));
    let refused = blank.admit(&hello(start(2, 1), StreamKind::Quorum, 1));
    assert_eq!(refused, Err(Refused::NoClusterYet(NodeId(1))));
    assert_eq!(blank.answer(&refused).refusal.map(|refusal| refusal.code), Some(RefusalCode::NoClusterYet));
}

#[test]
fn who_is_registered_follows_the_quorum_though_it_has_no_vote() {
    let mut gate = gate();
    let follower = hello(start(4, 1), StreamKind::Quorum, 1);
    assert!(matches!(gate.admit(&follower), Err(Refused::NotAVoter { .. })));
    gate.register(start(4, 1));
    assert_eq!(gate.admit(&follower), Ok(()));
    gate.forget(NodeId(4));
    assert!(matches!(gate.admit(&follower), Err(Refused::NotAVoter { .. })));
}

#[test]
fn a_kind_that_is_not_taken_is_refused() {
    let mut own = Own { cluster: CLUSTER, start: start(1, 5), shards: 2, voters: vec![], kinds: vec![] };
    own.kinds.push(StreamKind::Live);
    let mut gate = Gate::new(own);
    assert_eq!(
        gate.admit(&hello(start(2, 1), StreamKind::CatchUp, 1)),
        Err(Refused::KindNotTaken(NodeId(1)))
    );
    assert_eq!(gate.admit(&hello(start(2, 1), StreamKind::Live, 1)), Ok(()));
}

#[test]
fn an_older_start_is_over() {
    let mut gate = gate();
    assert_eq!(gate.admit(&hello(start(2, 4), StreamKind::Live, 9)), Ok(()));
    let refused = gate.admit(&hello(start(2, 3), StreamKind::CatchUp, 10));
    assert_eq!(refused, Err(Refused::OlderIncarnation { node: NodeId(2), known: 4, found: 3 }));
    assert_eq!(gate.admit(&hello(start(2, 5), StreamKind::CatchUp, 1)), Ok(()), "a newer one comes");
    assert!(gate.admit(&hello(start(2, 4), StreamKind::Live, 99)).is_err(), "and ends the one that was");
    gate.register(start(2, 8));
    assert!(gate.admit(&hello(start(2, 7), StreamKind::Control, 99)).is_err());
    gate.register(start(2, 6));
    assert!(gate.admit(&hello(start(2, 7), StreamKind::Control, 99)).is_err(), "old news change nothing");
}

#[test]
fn one_node_id_is_one_disk() {
    let mut gate = gate();
    let early = Start { disk: Uuid::from_u128(98), ..start(2, 9) };
    assert_eq!(gate.admit(&hello(early, StreamKind::Live, 1)), Ok(()), "nobody knows it");
    assert_eq!(gate.admit(&hello(start(2, 4), StreamKind::Live, 8)), Ok(()), "nor has vouched for it");
    gate.register(start(2, 4));
    assert_eq!(gate.admit(&hello(start(2, 4), StreamKind::Live, 9)), Ok(()));
    let other = Start { disk: Uuid::from_u128(99), ..start(2, 1) };
    let refused = gate.admit(&hello(other, StreamKind::Live, 10)).expect_err("another disk");
    assert!(refused.to_string().contains("two nodes run with this id"), "{refused}");
    assert_eq!(gate.admit(&hello(other, StreamKind::Control, 1)), Ok(()), "the controller decides");
    assert_eq!(gate.admit(&hello(start(2, 4), StreamKind::Live, 10)), Ok(()), "it has changed nothing");
    gate.register(other);
    assert_eq!(gate.admit(&hello(other, StreamKind::Live, 1)), Ok(()), "its sessions begin anew");
    assert!(gate.admit(&hello(start(2, 5), StreamKind::Live, 11)).is_err(), "the old disk comes back");
    gate.forget(NodeId(2));
    assert_eq!(gate.admit(&hello(start(2, 5), StreamKind::Live, 11)), Ok(()));
}

#[test]
fn of_each_stream_only_the_newest_session_counts() {
    let mut gate = gate();
    let between = |from, to, session| Hello {
        from_shard: ShardId(from),
        to_shard: ShardId(to),
        ..hello(start(2, 4), StreamKind::Live, session)
    };
    assert_eq!(gate.admit(&between(0, 1, 5)), Ok(()));
    let old = |found| Err(Refused::OldSession { known: session_of(4, 5), found: session_of(4, found) });
    assert_eq!(gate.admit(&between(0, 1, 5)), old(5));
    assert_eq!(gate.admit(&between(0, 1, 4)), old(4));
    assert_eq!(gate.admit(&between(1, 1, 4)), Ok(()), "another stream");
    assert_eq!(gate.admit(&between(0, 1, 6)), Ok(()));
}

#[test]
fn a_newer_start_ends_what_the_one_before_it_opened() {
    let mut gate = gate();
    assert_eq!(gate.admit(&hello(start(2, 4), StreamKind::Live, 9)), Ok(()));
    assert_eq!(gate.start_of(NodeId(2)), Some(start(2, 4)));
    assert_eq!(gate.admit(&hello(start(2, 5), StreamKind::Quorum, 1)), Ok(()));
    assert_eq!(gate.start_of(NodeId(2)), Some(start(2, 5)));
    assert!(gate.admit(&hello(start(2, 4), StreamKind::Live, 10)).is_err());
    assert_eq!(gate.admit(&hello(start(2, 5), StreamKind::Live, 1)), Ok(()), "its sessions begin anew");
}

#[test]
fn a_hello_that_contradicts_itself_leaves_no_trace() {
    let mut gate = gate();
    let fine = hello(start(2, 1), StreamKind::Quorum, 1);
    let live = hello(start(2, 1), StreamKind::Live, 1);
    let often = Start { incarnation: 1 << 32, ..start(2, 1) };
    for bad in [
        Hello { session: session_of(2, 1), ..fine },
        Hello { from: often, session: 1, ..fine },
        Hello { from_shard: ShardId(1), ..fine },
        Hello { to_shard: ShardId(1), ..fine },
        Hello { to_shard: ShardId(1), kind: StreamKind::Control, ..fine },
        Hello { from_shard: ShardId(1000), ..live },
        Hello { to_shard: ShardId(1), ..hello(start(2, 1), StreamKind::Control, 1) },
    ] {
        assert!(matches!(gate.admit(&bad), Err(Refused::Contradiction { .. })), "{bad:?}");
    }
    assert_eq!(gate.start_of(NodeId(2)), None);
    let lane = |lane| Hello { from_shard: ShardId(lane), ..hello(start(2, 1), StreamKind::Control, 1) };
    assert_eq!(
        [0, 1].map(|number| gate.admit(&lane(number))),
        [Ok(()), Ok(())],
        "a node asks by several lanes"
    );
}

#[test]
fn a_node_has_several_streams_of_control() {
    let mut gate = gate();
    for (lane, connections) in [(0, 2), (1, 1), (0, 3)] {
        let hello =
            Hello { from_shard: ShardId(lane), ..hello(start(2, 1), StreamKind::Control, connections) };
        assert_eq!(gate.admit(&hello), Ok(()), "{lane}");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut gate = gate();
    for shard in 0..LINK_STREAMS_PER_NODE_MAX as u16 {
        let hello = Hello { from_shard: ShardId(shard), ..hello(start(2, 1), StreamKind::Live, 1) };
        assert_eq!(gate.admit(&hello), Ok(()));
    }
    let more = Hello {
        from_shard: ShardId(LINK_STREAMS_PER_NODE_MAX as u16),
        ..hello(start(2, 1), StreamKind::Live, 1)
    };
    assert_eq!(gate.admit(&more), Err(Refused::TooMany(NodeId(1))));
    for node in 3..LINK_NODES_MAX as u32 + 2 {
        assert_eq!(gate.admit(&hello(start(node, 1), StreamKind::Live, 1)), Ok(()));
    }
    let more = gate.admit(&hello(start(u32::MAX, 1), StreamKind::Live, 1));
    assert_eq!(more, Err(Refused::TooMany(NodeId(1))));
}

#[test]
fn only_nodes_are_answered() {
    let of = |error| Refused::Greeting(error).is_answered();
    assert!(!of(GreetingError::NotOurs) && !of(GreetingError::Damaged) && !of(GreetingError::WrongLength(9)));
    assert!(of(GreetingError::OtherKind(9)));
    assert!(of(GreetingError::OtherVersions(Versions { oldest: 2, newest: 2 })));
    assert!(Refused::TooMany(NodeId(1)).is_answered());
}
