//! Decisions on more than one node: what is stored, where copies go, what is refused.

mod failed_shards;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::tests::{DISK, empty, ids, placing, topic};
use super::*;
use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use crate::base::limits::{FORMER_DISKS_MAX, NODE_SESSION_TIMEOUT_MS};
use crate::config::Advertise;

fn disk(number: u64) -> DiskId {
    DiskId(Uuid::from_u128(number.into()))
}

fn registration(node: u32, shards: u16, rack: Option<&str>) -> Registration {
    Registration {
        cluster_address: None,
        node: NodeId(node),
        disk: disk(node.into()),
        incarnation: 1,
        start: Uuid::from_u128(1),
        shards,
        rack: rack.map(str::to_owned),
        listeners: vec![ListenerRecord {
            name: "PLAINTEXT".into(),
            host: "broker".into(),
            port: 9092,
            shard_ports: vec![9192],
        }],
    }
}

fn heartbeat(image: &Image, node: u32) -> Heartbeat {
    let record = image.node(NodeId(node)).expect("registered");
    Heartbeat {
        node: NodeId(node),
        registration_epoch: record.registration_epoch,
        applied_record_epoch: record.record_epoch,
        wants_shutdown: false,
        failed_shards: BTreeSet::new(),
    }
}

/// A cluster of nodes that take part, 1 and up, with so many shards each.
fn cluster(nodes: &[(u16, Option<&str>)]) -> (Draft, Membership) {
    let mut draft = Draft::of(&empty());
    let mut membership = Membership::begin(&mut draft, NODE_SESSION_TIMEOUT_MS, 0);
    for (number, (shards, rack)) in (1..).zip(nodes) {
        membership.register(&mut draft, &registration(number, *shards, *rack), 0).unwrap();
        let first = heartbeat(draft.image(), number);
        let early = Heartbeat { applied_record_epoch: first.applied_record_epoch - 1, ..first.clone() };
        assert!(membership.heartbeat(&mut draft, &early, 0).unwrap().fenced, "it does not know of itself");
        assert!(!membership.heartbeat(&mut draft, &first, 0).unwrap().fenced);
    }
    (draft, membership)
}

fn replicated(name: &str, num_partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic { replication_factor, ..topic(name, num_partitions) }
}

fn create(draft: &mut Draft, new: NewTopic) -> Result<CreatedTopic, ClusterError> {
    let mut taken = draft.image().topics().len() as u128;
    let mut new_id = || {
        taken += 1;
        TopicId(Uuid::from_u128(taken))
    };
    create_topics(draft, &[new], &placing(1, Advertise::Shard), 0, &mut new_id).remove(0)
}

fn assigned(brokers: &[&[i32]]) -> NewTopic {
    let assignments =
        (0..).zip(brokers).map(|(index, ids)| ReplicaAssignment { index, broker_ids: ids.to_vec() });
    NewTopic { assignments: assignments.collect(), ..NewTopic::with_defaults("t") }
}

/// What a node on its own has written since records are JSON: it is read, and written the same.
#[test]
fn records_of_a_lone_node_are_what_they_were() {
    let disk = "00000000-0000-0000-0000-00000000d15c";
    let node = format!(r#"{{"node":1,"incarnation":3,"disk":"{disk}","shards":2}}"#);
    let read: NodeRecord = serde_json::from_str(&node).unwrap();
    assert_eq!(read, NodeRecord::of_lone_node(NodeId(1), DISK, 3, 2));
    assert!(read.is_active(), "nobody fences it");
    assert_eq!(serde_json::to_string(&read).unwrap(), node);

    let partition = format!(
        r#"{{"topic":"00000000-0000-0000-0000-000000000007","index":4,"leader":1,"leader_epoch":2,"partition_epoch":3,"replicas":[{{"node":1,"disk":"{disk}","shard":1}}],"in_sync_replicas":[1]}}"#
    );
    let read: PartitionRecord = serde_json::from_str(&partition).unwrap();
    assert_eq!(read.owner(), Some(Owner { node: NodeId(1), shard: ShardId(1) }));
    assert_eq!((read.leader_epoch, read.partition_epoch, read.replicas.len()), (2, 3, 1));
    assert_eq!(serde_json::to_string(&read).unwrap(), partition);
}

#[test]
fn records_of_a_cluster_are_read_as_they_were_written() {
    let (mut draft, mut membership) = cluster(&[(2, Some("a")), (1, None)]);
    create(&mut draft, replicated("t", 2, 2)).unwrap();
    membership.expire(&mut draft, NODE_SESSION_TIMEOUT_MS);
    for node in draft.image().nodes() {
        let json = serde_json::to_vec(node).unwrap();
        assert_eq!(serde_json::from_slice::<NodeRecord>(&json).unwrap(), *node);
    }
    for partition in draft.image().partitions() {
        assert_eq!((partition.leader, partition.in_sync_replicas.len()), (None, 2));
        let json = serde_json::to_vec(partition).unwrap();
        assert_eq!(serde_json::from_slice::<PartitionRecord>(&json).unwrap(), *partition);
    }
    let records = draft.image().nodes().cloned().map(Record::Node);
    let topics = draft.image().topics().flat_map(|topic| {
        let partitions = topic.partitions.iter().cloned().map(Record::Partition);
        std::iter::once(Record::Topic(topic.record.clone())).chain(partitions)
    });
    let again = Image::from_records(draft.image().cluster().clone(), records.chain(topics)).unwrap();
    assert_eq!(again.checksum(), draft.image().checksum(), "the same records have the same checksum");
    let before = again.checksum();
    let mut draft = Draft::of(&again);
    draft.allocate_producer_ids().unwrap();
    assert_ne!(draft.image().checksum(), before);
}

#[test]
fn a_replica_helps_only_on_another_node() {
    let (mut draft, mut membership) = cluster(&[(2, None), (2, None), (2, None)]);
    assert_eq!(create(&mut draft, replicated("a", 3, 3)).unwrap().replication_factor, 3);
    let mut by_default = placing(1, Advertise::Shard);
    by_default.default_replication_factor = 2;
    let wanted = [replicated("without", 1, -1), replicated("with", 1, 1)];
    let mut ids = (900..).map(|id| TopicId(Uuid::from_u128(id)));
    let created = create_topics(&mut draft, &wanted, &by_default, 0, &mut || ids.next().unwrap());
    let factors: Vec<i16> = created.iter().map(|it| it.as_ref().unwrap().replication_factor).collect();
    assert_eq!(factors, [2, 1]);
    let error = create(&mut draft, replicated("b", 1, 4)).unwrap_err();
    assert!(
        matches!(&error, ClusterError::InvalidReplicationFactor(why) if why.contains("only 3 of 3")),
        "{error}"
    );
    for (brokers, part) in [
        (vec![&[1000, 1001][..]], "cores of one node"),
        (vec![&[1000, 2000], &[1000]], "not consistent with previous partitions, which have 2"),
        (vec![&[1000, 4000]], "includes broker 4000, but no such"),
        (vec![&[1000, 2002]], "includes broker 2002, but no such"),
    ] {
        let error = create(&mut draft, assigned(&brokers)).unwrap_err();
        assert!(
            matches!(&error, ClusterError::InvalidReplicaAssignment(why) if why.contains(part)),
            "{error}"
        );
    }
    create(&mut draft, assigned(&[&[2001, 1000, 3001]])).unwrap();
    let t = draft.image().topic_named("t").unwrap().partitions[0].clone();
    let places: Vec<(u32, u16)> =
        t.replicas.iter().map(|replica| (replica.node.0, replica.shard.0)).collect();
    assert_eq!((places, t.leader), (vec![(2, 1), (1, 0), (3, 1)], Some(NodeId(2))));

    let at = NODE_SESSION_TIMEOUT_MS;
    let late = heartbeat(draft.image(), 1);
    membership.heartbeat(&mut draft, &late, at - 1).unwrap();
    membership.expire(&mut draft, at);
    let error = create(&mut draft, replicated("b", 1, 2)).unwrap_err().to_string();
    assert!(error.contains("only 1 of 3 node(s)"), "{error}");
    let new = NewPartitions { topic: "a".into(), count: 4, assignments: None };
    let grown = create_partitions(&mut draft, &[new], &placing(1, Advertise::Shard)).remove(0);
    assert!(matches!(grown, Err(ClusterError::InvalidReplicationFactor(_))), "{grown:?}");
    let error = create(&mut draft, NewTopic { name: "c".into(), ..assigned(&[&[2000, 3000]]) }).unwrap_err();
    assert!(error.to_string().contains("fenced, in controlled shutdown"), "{error}");
    let part = NewTopic { name: "c".into(), ..assigned(&[&[2000, 1000]]) };
    create(&mut draft, part).unwrap();
    let c = &draft.image().topic_named("c").unwrap().partitions[0];
    assert_eq!((c.leader, &c.in_sync_replicas[..]), (Some(NodeId(1)), &[NodeId(1)][..]));
}

#[test]
fn a_node_id_is_used_by_one_disk_and_no_old_copy() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None)]);
    create(&mut draft, replicated("t", 1, 1)).unwrap();
    let first = registration(1, 1, None);
    let other = Registration { disk: disk(77), ..first.clone() };
    let refused = membership.register(&mut draft, &other, 1);
    assert!(matches!(refused, Err(RegistrationError::Duplicate { .. })), "{refused:?}");
    let clone = Registration { start: Uuid::from_u128(2), ..first.clone() };
    let refused = membership.register(&mut draft, &clone, 1);
    assert!(matches!(refused, Err(RegistrationError::Duplicate { .. })), "the same count, another process");
    assert_eq!(membership.register(&mut draft, &first, 1), Ok(1), "said again");

    let mut now_ms = 10 * NODE_SESSION_TIMEOUT_MS;
    let refused = membership.register(&mut draft, &clone, now_ms);
    assert!(matches!(refused, Err(RegistrationError::OldCopy { known: 1, found: 1, .. })), "{refused:?}");
    assert_eq!(membership.register(&mut draft, &other, now_ms), Ok(2));
    let stale = Heartbeat { registration_epoch: 1, ..heartbeat(draft.image(), 1) };
    let known = Some(2);
    assert_eq!(
        membership.heartbeat(&mut draft, &stale, now_ms),
        Err(StaleRegistration { node: NodeId(1), found: 1, known })
    );
    // The only copy of a partition was on the old disk, which leads again when it is back.
    let now = heartbeat(draft.image(), 1);
    assert!(!membership.heartbeat(&mut draft, &now, now_ms).unwrap().fenced);
    let leader = |draft: &Draft| draft.image().partitions().next().unwrap().leader;
    assert_eq!(leader(&draft), None, "another disk has nothing");
    now_ms += NODE_SESSION_TIMEOUT_MS;
    let back = Registration { incarnation: 2, ..first.clone() };
    assert_eq!(membership.register(&mut draft, &back, now_ms), Ok(3));
    let now = heartbeat(draft.image(), 1);
    membership.heartbeat(&mut draft, &now, now_ms).unwrap();
    assert_eq!(leader(&draft), Some(NodeId(1)));

    for number in 0..=FORMER_DISKS_MAX as u64 {
        now_ms += NODE_SESSION_TIMEOUT_MS;
        let next = Registration { disk: disk(100 + number), ..first.clone() };
        membership.register(&mut draft, &next, now_ms).unwrap();
    }
    assert_eq!(draft.image().node(NodeId(1)).unwrap().former_disks.len(), FORMER_DISKS_MAX);
    now_ms += NODE_SESSION_TIMEOUT_MS;
    let refused = membership.register(&mut draft, &Registration { incarnation: 9, ..first }, now_ms);
    assert!(matches!(refused, Err(RegistrationError::Forgotten { .. })), "{refused:?}");
}

#[test]
fn a_start_that_is_said_again_with_other_ports_is_known_with_those() {
    let (mut draft, mut membership) = cluster(&[(1, None)]);
    let mut moved = registration(1, 1, None);
    moved.listeners[0].port = 19092;
    assert_eq!(membership.register(&mut draft, &moved, 1), Ok(2));
    let record = draft.image().node(NodeId(1)).expect("registered");
    assert_eq!((record.listeners[0].port, record.incarnation, record.fenced), (19092, 1, true));
    assert_eq!(membership.register(&mut draft, &moved, 1), Ok(2), "said again");
}

#[test]
fn a_fenced_node_keeps_its_copies_open_and_leads_again_in_another_term() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000]])).unwrap();
    let before = draft.finish();
    let owner = Owner { node: NodeId(1), shard: ShardId(0) };
    let mut draft = Draft::of(&before);
    membership.expire(&mut draft, NODE_SESSION_TIMEOUT_MS);
    let fenced = draft.finish();
    assert_eq!(fenced.partitions().next().expect("made").leader, None);
    let Delta { close, open, changed } = Delta::between(&before, &fenced, owner);
    assert!(close.is_empty() && open.is_empty() && changed.len() == 1);
    assert_eq!(Delta::initial(&fenced, owner).open.len(), 1, "its files are not forgotten");
    assert!(Delta::initial(&fenced, Owner { node: NodeId(2), ..owner }).is_empty());

    let mut draft = Draft::of(&fenced);
    let back = heartbeat(draft.image(), 1);
    membership.heartbeat(&mut draft, &back, NODE_SESSION_TIMEOUT_MS).unwrap();
    let after = draft.finish();
    let changed = Delta::between(&fenced, &after, owner).changed;
    let old = before.partitions().next().expect("made").leader_epoch;
    assert!(matches!(&changed[..], [one] if one.partition().leader_epoch > old));
}

#[test]
fn what_a_node_says_of_itself_is_bounded() {
    let (mut draft, mut membership) = cluster(&[(1, None)]);
    let good = registration(2, 1, None);
    for bad in [
        Registration { shards: 0, ..good.clone() },
        Registration { shards: 1001, ..good.clone() },
        Registration { node: NodeId(NodeId::MAX.0 + 1), ..good.clone() },
        Registration { rack: Some("r".repeat(70_000)), ..good },
    ] {
        let refused = membership.register(&mut draft, &bad, 0);
        assert!(matches!(refused, Err(RegistrationError::Invalid(_))), "{refused:?}");
    }
}

#[test]
fn preferred_copies_lead_again_and_other_elections_are_refused() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000, 2000]])).unwrap();
    let id = draft.image().partitions().next().unwrap().id();
    let unknown = PartitionId { index: 9, ..id };
    let elect = |draft: &mut Draft, election| elect_leaders(draft, election, &[id, unknown]).remove(0);
    assert_eq!(elect(&mut draft, Election::Preferred), Err(ElectionError::NotNeeded));
    let stop = Heartbeat { wants_shutdown: true, ..heartbeat(draft.image(), 1) };
    assert!(
        membership.heartbeat(&mut draft, &stop, 1).unwrap().may_stop,
        "leadership is handed over at once"
    );
    let partition = draft.image().partition(id).unwrap().clone();
    assert_eq!((partition.leader, partition.leader_epoch), (Some(NodeId(2)), 1));
    assert_eq!(partition.in_sync_replicas, [NodeId(2)]);
    assert_eq!(elect(&mut draft, Election::Preferred), Err(ElectionError::PreferredNotAvailable));
    assert_eq!(elect(&mut draft, Election::Unclean), Err(ElectionError::NotNeeded));
    membership.expire(&mut draft, NODE_SESSION_TIMEOUT_MS);
    assert_eq!(elect(&mut draft, Election::Unclean), Err(ElectionError::NobodyAvailable));
    let results = elect_leaders(&mut draft, Election::Preferred, &[unknown]);
    assert_eq!(results, [Err(ElectionError::UnknownPartition)]);
}

#[test]
fn an_in_sync_set_is_changed_by_who_leads_and_knows() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000, 2000]])).unwrap();
    let id = draft.image().partitions().next().unwrap().id();
    let member = |node: u32| InSyncReplica { node: NodeId(node), disk: disk(node.into()), incarnation: 1 };
    let ask = |leader_epoch, partition_epoch, nodes: &[u32]| AlterPartition {
        partition: id,
        leader_epoch,
        partition_epoch,
        in_sync_replicas: nodes.iter().map(|node| member(*node)).collect(),
    };
    let alter = |draft: &mut Draft, leader: u32, wanted: AlterPartition| {
        alter_partitions(draft, NodeId(leader), 1, &[wanted]).unwrap().remove(0)
    };
    let shrunk = alter(&mut draft, 1, ask(0, 0, &[1])).unwrap();
    assert_eq!((shrunk.leader_epoch, shrunk.partition_epoch, shrunk.in_sync_replicas.len()), (0, 1, 1));
    use AlterPartitionError::*;
    assert_eq!(alter(&mut draft, 1, ask(0, 0, &[1, 2])), Err(InvalidUpdateVersion));
    assert_eq!(alter(&mut draft, 1, ask(1, 1, &[1, 2])), Err(NotController));
    assert_eq!(alter(&mut draft, 1, ask(0, 2, &[1, 2])), Err(NotController));
    for (leader, nodes) in [(2, &[1, 2][..]), (1, &[2]), (1, &[1, 3]), (1, &[1, 1]), (1, &[])] {
        assert!(matches!(alter(&mut draft, leader, ask(0, 1, nodes)), Err(InvalidRequest(_))));
    }
    let missing = AlterPartition { partition: PartitionId { index: 9, ..id }, ..ask(0, 1, &[1]) };
    assert_eq!(alter(&mut draft, 1, missing), Err(UnknownPartition));
    assert!(
        alter_partitions(&mut draft, NodeId(1), 2, &[ask(0, 1, &[1, 2])]).is_err(),
        "another registration"
    );

    let restarted = Registration { incarnation: 2, ..registration(2, 1, None) };
    membership.register(&mut draft, &restarted, 1).unwrap();
    assert_eq!(alter(&mut draft, 1, ask(0, 1, &[1, 2])), Err(IneligibleReplica(NodeId(2))), "fenced");
    let now = heartbeat(draft.image(), 2);
    membership.heartbeat(&mut draft, &now, 1).unwrap();
    assert_eq!(alter(&mut draft, 1, ask(0, 1, &[1, 2])), Err(IneligibleReplica(NodeId(2))), "another start");
    let mut right = ask(0, 1, &[1, 2]);
    right.in_sync_replicas[1].incarnation = 2;
    assert_eq!(alter(&mut draft, 1, right).unwrap().in_sync_replicas, [NodeId(1), NodeId(2)]);
}

#[test]
fn the_last_resort_is_rather_a_copy_that_lags_than_one_that_was_wiped() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000, 2000, 3000]])).unwrap();
    let id = draft.image().partitions().next().unwrap().id();
    let alone = InSyncReplica { node: NodeId(1), disk: disk(1), incarnation: 1 };
    let (leader_epoch, partition_epoch) = (0, 0);
    let shrunk =
        AlterPartition { partition: id, leader_epoch, partition_epoch, in_sync_replicas: vec![alone] };
    alter_partitions(&mut draft, NodeId(1), 1, &[shrunk]).unwrap().remove(0).unwrap();
    let now_ms = NODE_SESSION_TIMEOUT_MS;
    for (node, new) in [(1, 71), (2, 72), (3, 3)] {
        let start = Registration { disk: disk(new), incarnation: 2, ..registration(node, 1, None) };
        membership.register(&mut draft, &start, now_ms).unwrap();
        let beat = heartbeat(draft.image(), node);
        membership.heartbeat(&mut draft, &beat, now_ms).unwrap();
    }
    assert_eq!(draft.image().partition(id).unwrap().leader, None, "the disk in sync is gone");
    elect_leaders(&mut draft, Election::Unclean, &[id]).remove(0).unwrap();
    let elected = draft.image().partition(id).unwrap().clone();
    assert_eq!((elected.leader, &elected.in_sync_replicas[..]), (Some(NodeId(3)), &[NodeId(3)][..]));
    assert_eq!(elected.replica(NodeId(2)).unwrap().disk, disk(2), "what is on its disk now never counted");
    let started_twice =
        |(node, number)| InSyncReplica { node: NodeId(node), disk: disk(number), incarnation: 2 };
    let joined = |disks: [u64; 2]| AlterPartition {
        partition: id,
        leader_epoch: elected.leader_epoch,
        partition_epoch: elected.partition_epoch,
        in_sync_replicas: [3, 2].into_iter().zip(disks).map(started_twice).collect(),
    };
    let epoch = draft.image().node(NodeId(3)).unwrap().registration_epoch;
    let refused = alter_partitions(&mut draft, NodeId(3), epoch, &[joined([3, 2])]).unwrap().remove(0);
    assert_eq!(refused, Err(AlterPartitionError::IneligibleReplica(NodeId(2))), "not the disk it has");
    let grown =
        alter_partitions(&mut draft, NodeId(3), epoch, &[joined([3, 72])]).unwrap().remove(0).unwrap();
    assert_eq!(grown.replica(NodeId(2)).unwrap().disk, disk(72), "it counts with its disk");
    // One that was wiped is better than none.
    membership.expire(&mut draft, 2 * now_ms);
    let start = Registration { disk: disk(81), ..registration(1, 1, None) };
    membership.register(&mut draft, &start, 2 * now_ms).unwrap();
    let beat = heartbeat(draft.image(), 1);
    membership.heartbeat(&mut draft, &beat, 2 * now_ms).unwrap();
    elect_leaders(&mut draft, Election::Unclean, &[id]).remove(0).unwrap();
    assert_eq!(draft.image().partition(id).unwrap().leader, Some(NodeId(1)));
}

#[test]
fn another_number_of_shards_deals_copies_anew_in_another_term() {
    let (mut draft, mut membership) = cluster(&[(4, None), (4, None)]);
    create(&mut draft, replicated("t", 16, 2)).unwrap();
    let before = draft.image().clone();
    let fewer = Registration { incarnation: 2, ..registration(1, 3, None) };
    membership.register(&mut draft, &fewer, 1).unwrap();
    let mut counts = BTreeMap::new();
    for (now, old) in draft.image().partitions().zip(before.partitions()) {
        let (new, former) = (now.replica(NodeId(1)).unwrap(), old.replica(NodeId(1)).unwrap());
        *counts.entry(new.shard.0).or_insert(0) += 1;
        assert_eq!(now.leader, Some(NodeId(2)), "who restarts hands over");
        assert!(new.shard == former.shard || now.leader_epoch > old.leader_epoch);
    }
    assert_eq!(counts, BTreeMap::from([(0, 6), (1, 5), (2, 5)]));
}

#[test]
fn a_shard_learns_what_to_lead_and_whom_to_follow() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000, 2000]])).unwrap();
    let first = draft.finish();
    let owner = |node| Owner { node: NodeId(node), shard: ShardId(0) };
    let holder = |node| Holder { owner: owner(node), registration_epoch: 1 };
    let duty = |duties: &Duties| duties.take_up.iter().map(|(_, duty)| *duty).collect::<Vec<_>>();
    assert_eq!(duty(&Duties::between(None, &first, holder(1))), [Duty::Lead]);
    assert_eq!(duty(&Duties::between(None, &first, holder(2))), [Duty::Follow(Some(owner(1)))]);
    let mut draft = Draft::of(&first);
    let stop = Heartbeat { wants_shutdown: true, ..heartbeat(&first, 1) };
    membership.heartbeat(&mut draft, &stop, 1).unwrap();
    let second = draft.finish();
    assert_eq!(duty(&Duties::between(Some(&first), &second, holder(2))), [Duty::Lead]);
    assert_eq!(duty(&Duties::between(Some(&first), &second, holder(1))), [Duty::Follow(Some(owner(2)))]);
    assert_eq!(Duties::between(Some(&second), &second, holder(1)), Duties::default());
    let mut draft = Draft::of(&second);
    delete_topics(&mut draft, &[TopicRef::Name("t".into())]);
    let deleted = Duties::between(Some(&second), &draft.finish(), holder(1));
    assert!(matches!(deleted.close[..], [Closed::Deleted(_)]) && deleted.take_up.is_empty());
}

#[test]
fn nobody_leads_by_what_an_earlier_start_was_granted() {
    let (mut draft, mut membership) = cluster(&[(1, None), (1, None)]);
    create(&mut draft, assigned(&[&[1000]])).unwrap();
    let first = draft.finish();
    let owner = Owner { node: NodeId(1), shard: ShardId(0) };
    let holder = |registration_epoch| Holder { owner, registration_epoch };
    let duty = |duties: &Duties| duties.take_up.iter().map(|(_, duty)| *duty).collect::<Vec<_>>();
    let unknown = Duties::between(None, &first, holder(2));
    assert_eq!(duty(&unknown), [Duty::Follow(None)], "the image is of before this start");

    let mut draft = Draft::of(&first);
    let restarted = Registration { incarnation: 2, ..registration(1, 1, None) };
    assert_eq!(membership.register(&mut draft, &restarted, 1), Ok(2));
    // Its node's record was committed, and the rest was not: the partition still has the leader of before.
    let mut half_done = first.clone();
    half_done.apply(&draft.changes()[0]);
    assert_eq!(half_done.partitions().next().unwrap().leader, Some(NodeId(1)));
    assert_eq!(
        duty(&Duties::between(Some(&first), &half_done, holder(1))),
        [Duty::Follow(None)],
        "it is over"
    );
    assert_eq!(Duties::between(Some(&first), &half_done, holder(2)), Duties::default(), "not yet");

    let beat = heartbeat(draft.image(), 1);
    membership.heartbeat(&mut draft, &beat, 1).unwrap();
    let second = draft.finish();
    assert_eq!(duty(&Duties::between(Some(&half_done), &second, holder(2))), [Duty::Lead]);
}

proptest! {
    #[test]
    fn placement_is_balanced_with_few_sets_of_followers(
        nodes in 1usize..7, shards in 1u16..6, racks in 0usize..4, topics in proptest::collection::vec((1..30i32, 1..4i16), 1..8),
    ) {
        let names = ["a", "b", "c"];
        let rack = |node: usize| (racks > 0).then(|| names[node % racks]);
        let hosts: Vec<_> = (0..nodes).map(|node| (shards, rack(node))).collect();
        let (mut draft, _) = cluster(&hosts);
        let mut new_id = ids();
        for (number, (count, factor)) in topics.iter().enumerate() {
            let factor = (*factor).min(nodes as i16);
            let new = replicated(&format!("t{number}"), *count, factor);
            create_topics(&mut draft, &[new], &placing(1, Advertise::Shard), 0, &mut new_id).remove(0).unwrap();
        }
        let mut led: BTreeMap<Owner, usize> = BTreeMap::new();
        let mut sets: BTreeMap<(Owner, usize), BTreeSet<Vec<Owner>>> = BTreeMap::new();
        for node in draft.image().nodes() {
            (0..shards).for_each(|shard| { led.insert(Owner { node: node.node, shard: ShardId(shard) }, 0); });
        }
        for partition in draft.image().partitions() {
            let owners: Vec<Owner> = partition.replicas.iter().map(Replica::owner).collect();
            prop_assert_eq!(partition.owner(), Some(owners[0]));
            *led.get_mut(&owners[0]).unwrap() += 1;
            prop_assert!(owners.iter().all(|owner| owner.shard == owners[0].shard), "the same number on peers");
            sets.entry((owners[0], owners.len())).or_default().insert(owners.clone());
            let seen: BTreeSet<_> = owners.iter().map(|owner| rack(owner.node.0 as usize - 1)).collect();
            let there: BTreeSet<_> = (0..nodes).map(rack).collect();
            prop_assert!(racks == 0 || seen.len() == owners.len().min(there.len()), "as many racks as there are");
        }
        prop_assert!(led.values().max().unwrap() - led.values().min().unwrap() <= 1, "leaders: {led:?}");
        prop_assert!(sets.values().all(|sets| sets.len() == 1), "one set of followers for a shard");
        let by_node = |node: u32| led.iter().filter(|(owner, _)| owner.node.0 == node).map(|(_, count)| count).sum::<usize>();
        let by_node: Vec<usize> = (1..=nodes as u32).map(by_node).collect();
        prop_assert!(by_node.iter().max().unwrap() - by_node.iter().min().unwrap() <= 1, "nodes: {by_node:?}");
    }
}
