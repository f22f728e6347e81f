//! Groups end to end: whole frames in, whole frames out, records in the log.

use super::*;
use crate::base::ids::PartitionId;
use crate::cluster::TopicSettings;
use crate::protocol::ErrorCode;
use crate::protocol::batch::{BatchHeader, Batches};
use crate::protocol::messages::{
    delete_groups::DeleteGroupsRequest,
    describe_groups::DescribeGroupsRequest,
    find_coordinator::FindCoordinatorRequest,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    leave_group::{LeaveGroupRequest, MemberIdentity},
    list_groups::ListGroupsRequest,
    metadata::{MetadataRequest, MetadataRequestTopic},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse},
};
use crate::shard::{OFFSETS_TOPIC, PartitionSpec, PassEnd, Storage};

/// The broker of the group's shard.
pub(super) async fn coordinator(node: &TestNode, group: &str) -> Caller {
    let asked = caller(&node.shards[0]);
    let request = FindCoordinatorRequest { key: group.into(), ..Default::default() };
    let found = call(&asked, &request, 3).await;
    assert_eq!(found.error_code, ErrorCode::None);
    let shard = node.shards.iter().find(|shard| shard.config.broker_id(shard.id) == found.node_id);
    caller(shard.expect("a broker of the node"))
}

fn join_request(group: &str, member_id: &str) -> JoinGroupRequest {
    let protocols =
        vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"m") }];
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols,
        ..Default::default()
    }
}

async fn join(coordinator: &Caller, group: &str) -> JoinGroupResponse {
    let member_id = new_member_id(coordinator, group).await;
    call(coordinator, &join_request(group, &member_id), 9).await
}

async fn new_member_id(coordinator: &Caller, group: &str) -> String {
    loop {
        let first = call(coordinator, &join_request(group, ""), 9).await;
        if first.error_code == ErrorCode::CoordinatorLoadInProgress {
            coordinator.shard.runtime.yield_now().await;
            continue;
        }
        assert_eq!(first.error_code, ErrorCode::MemberIdRequired);
        return first.member_id;
    }
}

/// The memory for requests bounds what lies in mailboxes, and is not held by members that wait for each other.
#[test]
fn a_join_counts_until_its_coordinator_has_it_on_whichever_shard() {
    on_node(&[], |node| async move {
        let coordinator = coordinator(&node, "g").await;
        let other = node.shards.iter().find(|shard| shard.id != coordinator.shard.id).expect("two shards");
        for asked in [caller(other), coordinator.clone()] {
            let member_id = new_member_id(&coordinator, "g").await;
            let frame = encode_request(&join_request("g", &member_id), 9, CORRELATION_ID, None).into_bytes();
            let Ok(Call::Other(join)) = decode(frame.slice(LENGTH_BYTES..)) else {
                panic!("our own request")
            };
            let queries = &asked.shard.budgets.queries;
            let mut charge = queries.try_take(1_000);
            let join = join.charged(&mut charge);
            assert!(charge.is_none() && queries.used() == 1_000);
            let mut joining = std::pin::pin!(asked.execute(join));
            assert!(futures_util::poll!(joining.as_mut()).is_pending());
            let is_local = asked.shard.id == coordinator.shard.id;
            assert_eq!(
                queries.used(),
                if is_local { 0 } else { 1_000 },
                "it is in the other shard's mailbox"
            );
            for _ in 0..100 {
                asked.shard.runtime.yield_now().await;
                assert!(futures_util::poll!(joining.as_mut()).is_pending(), "it waits for other members");
            }
            assert_eq!(queries.used(), 0, "its coordinator has it");
            assert!(matches!(joining.await, Reply::Send { .. }));
            let leaving = MemberIdentity { member_id, ..Default::default() };
            let leave =
                LeaveGroupRequest { group_id: "g".into(), members: vec![leaving], ..Default::default() };
            assert_eq!(call(&coordinator, &leave, 5).await.members[0].error_code, ErrorCode::None);
        }
    });
}

async fn sync(
    coordinator: &Caller,
    group: &str,
    joined: &JoinGroupResponse,
    shares: &[(&str, &'static str)],
) -> SyncGroupResponse {
    let assignments = shares.iter().map(|(member_id, share)| SyncGroupRequestAssignment {
        member_id: (*member_id).to_owned(),
        assignment: Bytes::from_static(share.as_bytes()),
    });
    let request = SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: assignments.collect(),
        ..Default::default()
    };
    call(coordinator, &request, 5).await
}

fn commit_request(group: &str, member: Option<&JoinGroupResponse>, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_leader_epoch: 3,
        committed_metadata: Some("where I was".into()),
    };
    let unknown = OffsetCommitRequestPartition { partition_index: 99, ..partition.clone() };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition, unknown],
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: member.map_or(-1, |joined| joined.generation_id),
        member_id: member.map_or(String::new(), |joined| joined.member_id.clone()),
        topics: vec![topic],
        ..Default::default()
    }
}

pub(super) async fn commit(
    coordinator: &Caller,
    group: &str,
    member: Option<&JoinGroupResponse>,
    offset: i64,
) -> ErrorCode {
    let response = call(coordinator, &commit_request(group, member, offset), 9).await;
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions[1].error_code, ErrorCode::UnknownTopicOrPartition);
    partitions[0].error_code
}

pub(super) async fn fetch(coordinator: &Caller, group: &str) -> (i64, Option<String>) {
    let topic =
        OffsetFetchRequestTopics { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    let wanted =
        OffsetFetchRequestGroup { group_id: group.into(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![wanted], require_stable: true, ..Default::default() };
    let response = call(coordinator, &request, 9).await;
    assert_eq!(response.groups[0].error_code, ErrorCode::None);
    let partition = &response.groups[0].topics[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::None);
    (partition.committed_offset, partition.metadata.clone())
}

#[test]
fn a_group_lives_and_dies() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "g").await;
        assert_eq!(
            fetch(&at, "g").await,
            (-1, Some(String::new())),
            "an unknown group has committed nothing"
        );
        let joined = join(&at, "g").await;
        assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::None, 1));
        assert_eq!((&joined.leader, joined.members.len()), (&joined.member_id, 1));
        let share = sync(&at, "g", &joined, &[(&joined.member_id, "all of it")]).await;
        assert_eq!((share.error_code, &share.assignment[..]), (ErrorCode::None, &b"all of it"[..]));
        let beat = HeartbeatRequest {
            group_id: "g".into(),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            ..Default::default()
        };
        assert_eq!(call(&at, &beat, 4).await.error_code, ErrorCode::None);
        let stale = HeartbeatRequest { generation_id: 0, ..beat.clone() };
        assert_eq!(call(&at, &stale, 4).await.error_code, ErrorCode::IllegalGeneration);

        assert_eq!(commit(&at, "g", Some(&joined), 42).await, ErrorCode::None);
        assert_eq!(commit(&at, "g", None, 7).await, ErrorCode::UnknownMemberId, "only members commit now");
        assert_eq!(fetch(&at, "g").await, (42, Some("where I was".into())));

        let described = DescribeGroupsRequest { groups: vec!["g".into(), "x".into()], ..Default::default() };
        let groups = call(&at, &described, 5).await.groups;
        assert_eq!((&*groups[0].group_state, groups[0].members.len()), ("Stable", 1));
        assert_eq!(&*groups[1].group_state, "Dead");
        let unknown = &call(&at, &described, 6).await.groups[1];
        assert_eq!(unknown.error_code, ErrorCode::GroupIdNotFound);

        let deleted = DeleteGroupsRequest { groups_names: vec!["g".into(), "x".into()] };
        let results = call(&at, &deleted, 2).await.results;
        assert_eq!(results[0].error_code, ErrorCode::NonEmptyGroup);
        assert_eq!(results[1].error_code, ErrorCode::GroupIdNotFound);

        let member = MemberIdentity { member_id: joined.member_id.clone(), ..Default::default() };
        let leaving = LeaveGroupRequest { group_id: "g".into(), members: vec![member], ..Default::default() };
        let left = call(&at, &leaving, 5).await;
        assert_eq!((left.error_code, left.members[0].error_code), (ErrorCode::None, ErrorCode::None));
        assert_eq!(call(&at, &beat, 4).await.error_code, ErrorCode::UnknownMemberId);
        let empty = ListGroupsRequest { states_filter: vec!["empty".into()], ..Default::default() };
        assert_eq!(call(&at, &empty, 5).await.groups[0].group_id, "g");
        let other = ListGroupsRequest { types_filter: vec!["consumer".into()], ..Default::default() };
        assert!(call(&at, &other, 5).await.groups.is_empty());

        assert_eq!(call(&at, &deleted, 2).await.results[0].error_code, ErrorCode::None);
        assert_eq!(fetch(&at, "g").await.0, -1);
    });
}

#[test]
fn who_is_no_member_commits_to_a_group_of_its_own() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "simple").await;
        while commit(&at, "simple", None, 5).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        assert_eq!(commit(&at, "simple", None, 6).await, ErrorCode::None);
        // The oldest versions, by way of a shard that does not coordinate the group.
        let other = node.shards.iter().find(|shard| shard.id != at.shard.id).expect("two shards");
        let topics = vec![OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 1] }];
        let request =
            OffsetFetchRequest { group_id: "simple".into(), topics: Some(topics), ..Default::default() };
        let response = call(&caller(other), &request, 1).await;
        let partitions = &response.topics[0].partitions;
        assert_eq!((partitions[0].committed_offset, partitions[1].committed_offset), (6, -1));
        // All there are.
        let all = OffsetFetchRequest { group_id: "simple".into(), topics: None, ..Default::default() };
        let response = call(&at, &all, 7).await;
        assert_eq!((response.topics.len(), response.topics[0].partitions.len()), (1, 1));
        let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
        let topics = vec![OffsetDeleteRequestTopic { name: "t".into(), partitions }];
        let request = OffsetDeleteRequest { group_id: "simple".into(), topics };
        let response = call(&at, &request, 0).await;
        assert_eq!((response.error_code, response.topics[0].partitions[0].error_code), Default::default());
        assert_eq!(fetch(&at, "simple").await.0, -1);
        let too_long = "x".repeat(5_000);
        let mut long = commit_request("simple", None, 1);
        long.topics[0].partitions[0].committed_metadata = Some(too_long);
        let response = call(&at, &long, 9).await;
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::OffsetMetadataTooLarge);
    });
}

#[test]
fn offsets_are_committed_and_fetched_by_topic_id() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let at = coordinator(&node, "ids").await;
        let mut request = commit_request("ids", None, 8);
        (request.topics[0].name, request.topics[0].topic_id) = (String::new(), topic_id);
        let response = loop {
            let response = call(&at, &request, 10).await;
            match response.topics[0].partitions[0].error_code {
                ErrorCode::CoordinatorLoadInProgress => at.shard.runtime.yield_now().await,
                _ => break response,
            }
        };
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::None);
        assert_eq!(response.topics[0].topic_id, topic_id);
        let unknown = TopicId::from_bytes([9; 16]);
        let topic = |topic_id| OffsetFetchRequestTopics {
            topic_id,
            partition_indexes: vec![0],
            ..Default::default()
        };
        let topics = Some(vec![topic(topic_id), topic(unknown)]);
        let group = OffsetFetchRequestGroup { group_id: "ids".into(), topics, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        let group = call(&at, &request, 10).await.groups.remove(0);
        assert_eq!((group.topics[0].topic_id, group.topics[0].partitions[0].committed_offset), (topic_id, 8));
        assert_eq!(group.topics[1].partitions[0].error_code, ErrorCode::UnknownTopicId);
    });
}

#[test]
fn the_topic_of_groups_is_internal_and_nobody_else_writes_to_it() {
    on_node(&[("offsets.topic.num.partitions", "7")], |node| async move {
        let at = coordinator(&node, "g").await;
        let topics = Some(vec![MetadataRequestTopic {
            name: Some("__consumer_offsets".into()),
            ..Default::default()
        }]);
        let metadata = call(&at, &MetadataRequest { topics, ..Default::default() }, 12).await;
        assert!(metadata.topics[0].is_internal);
        assert_eq!(metadata.topics[0].partitions.len(), 7);
        let produce = produce_request("__consumer_offsets", 0, batch(&[b"v"]));
        let response = call(&at, &produce, 9).await;
        let code = response.responses[0].partition_responses[0].error_code;
        assert_eq!(code, ErrorCode::InvalidTopicException);
    });
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "g").await;
        while commit(&at, "g", None, 5).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        let topics = vec![crate::cluster::TopicRef::Name("t".into())];
        at.shard.metadata.delete_topics(topics).await.expect("metadata works").remove(0).expect("deleted");
        node.create_topic("t").await;
        while fetch(&at, "g").await.0 != -1 {
            at.shard.runtime.yield_now().await;
        }
    });
}

fn groups_log(shard: &Shard) -> PartitionId {
    let image = shard.image();
    image.topic_named(OFFSETS_TOPIC).expect("it was made").partitions[0].id()
}

/// Completes the segment that is being filled, and compacts all there is.
async fn compact(storage: &Storage, id: PartitionId) {
    let replica = storage.replica(id).expect("open");
    let leader_epoch = replica.state.borrow().leader_epoch().expect("led");
    let settings = TopicSettings { delete_retention_ms: 0, ..replica.settings() };
    assert!(settings.cleanup.compact && !settings.cleanup.delete);
    for segment_ms in [-1, settings.segment_ms] {
        let settings = TopicSettings { segment_ms, ..settings };
        let topic_name = OFFSETS_TOPIC.to_owned();
        storage.change(&PartitionSpec { id, topic_name, leader_epoch, settings }).expect("the same term");
        storage.retain(&replica).await.expect("the disk works");
    }
    assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
}

/// Records of a log, none of which is compressed.
async fn count_records(storage: &Storage, id: PartitionId) -> i32 {
    let replica = storage.replica(id).expect("open");
    let (mut offset, mut count) = (0, 0);
    loop {
        let read = storage.read(&replica, offset, 10_000).await.expect("the disk reads").concat();
        if read.is_empty() {
            return count;
        }
        for batch in Batches::new(&read).check_crc() {
            let batch = batch.expect("whole").batch;
            assert_eq!(batch.header().attributes.compression(), Ok(Compression::None));
            count += batch.header().record_count;
            offset = batch.header().last_offset() + 1;
        }
    }
}

/// Has the groups read again, and waits for that.
async fn reload(node: &TestNode, at: &Caller) {
    node.shards.iter().for_each(|shard| shard.reload_groups());
    let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    loop {
        let group = call(at, &request, 5).await.groups.remove(0);
        if group.error_code != ErrorCode::CoordinatorLoadInProgress {
            assert_eq!((&*group.group_state, group.members.len()), ("Stable", 1));
            return;
        }
        at.shard.runtime.yield_now().await;
    }
}

/// Nobody must be told that a group has committed nothing because that cannot be read.
#[test]
fn groups_that_cannot_be_read_are_refused_and_the_operator_is_told() {
    on_node(&[("offsets.topic.num.partitions", "1")], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "g").await;
        while commit(&at, "g", None, 5).await == ErrorCode::CoordinatorLoadInProgress {
            at.shard.runtime.yield_now().await;
        }
        assert!(at.shard.report().damage.is_empty());
        // No coordinator writes such a batch.
        let foreign = packed(Compression::Gzip, BatchBuilder::new().record(0, Some(b"k"), Some(b"v")));
        let header = BatchHeader::parse(&foreign).expect("our own batch");
        at.shard.append(groups_log(&at.shard), &header, foreign).await.await.expect("stored");

        node.shards.iter().for_each(|shard| shard.reload_groups());
        let describe = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
        let refusal = loop {
            match call(&at, &describe, 5).await.groups.remove(0).error_code {
                ErrorCode::CoordinatorLoadInProgress => at.shard.runtime.yield_now().await,
                other => break other,
            }
        };
        assert_eq!(refusal, ErrorCode::NotCoordinator);
        assert_eq!(commit(&at, "g", None, 6).await, ErrorCode::NotCoordinator);
        assert_eq!(call(&at, &join_request("new", ""), 9).await.error_code, ErrorCode::NotCoordinator);
        let listed = call(&at, &ListGroupsRequest::default(), 5).await;
        assert_eq!((listed.error_code, listed.groups.len()), (ErrorCode::None, 0), "as Kafka lists them");
        let [damage] = &at.shard.report().damage[..] else { panic!("one partition cannot be read") };
        assert!(
            damage.contains("__consumer_offsets, partition 0") && damage.contains("compressed"),
            "{damage}"
        );
    });
}

/// Of each key the last record stays: with holes where others were, and without the tombstones when their time is up.
#[test]
fn groups_come_back_from_a_compacted_log() {
    on_node(&[("offsets.topic.num.partitions", "1")], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "g").await;
        let (storage, log) = (&at.shard.storage, groups_log(&at.shard));
        let joined = join(&at, "g").await;
        sync(&at, "g", &joined, &[(&joined.member_id, "all of it")]).await;
        for group in ["gone", "simple"] {
            assert_eq!(commit(&at, group, None, 1).await, ErrorCode::None);
        }
        let gone = DeleteGroupsRequest { groups_names: vec!["gone".into()] };
        assert_eq!(call(&at, &gone, 2).await.results[0].error_code, ErrorCode::None);
        let beat = HeartbeatRequest {
            group_id: "g".into(),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            ..Default::default()
        };
        let mut counts = Vec::new();
        // The first pass notes when tombstones may go, and a later one takes them away.
        for round in 1..=3 {
            for offset in 0..50 {
                let offset = round * 100 + offset;
                assert_eq!(commit(&at, "g", Some(&joined), offset).await, ErrorCode::None);
                assert_eq!(commit(&at, "simple", None, offset + 1_000).await, ErrorCode::None);
            }
            let before = count_records(storage, log).await;
            assert!(before >= 100);
            compact(storage, log).await;
            counts.push(count_records(storage, log).await);
            reload(&node, &at).await;
            let last = round * 100 + 49;
            assert_eq!(fetch(&at, "g").await, (last, Some("where I was".into())));
            assert_eq!(fetch(&at, "simple").await.0, last + 1_000);
            assert_eq!(fetch(&at, "gone").await.0, -1);
            assert_eq!(call(&at, &beat, 4).await.error_code, ErrorCode::None, "it knows its member");
        }
        // The group with its member, two offsets; at first also the tombstones of an offset and of a group.
        assert_eq!((counts[0], counts[2]), (5, 3), "{counts:?}");
    });
}

/// What is read is in pieces that end anywhere: here as memory has grown, after a restart at blocks of the disk.
#[test]
fn groups_come_back_from_a_log_in_pieces() {
    on_node(&[("offsets.topic.num.partitions", "1")], |node| async move {
        node.create_topic("t").await;
        let at = coordinator(&node, "g").await;
        let (storage, log) = (&at.shard.storage, groups_log(&at.shard));
        let joined = join(&at, "g").await;
        sync(&at, "g", &joined, &[(&joined.member_id, "all of it")]).await;
        let group = |number: i64| format!("simple-{number}");
        for number in 0..300 {
            assert_eq!(commit(&at, &group(number), None, number).await, ErrorCode::None);
        }
        let replica = storage.replica(log).expect("open");
        let pieces = storage.read(&replica, 0, 1 << 20).await.expect("it is in memory");
        let is_cut = |piece: &bytes::Bytes| Batches::new(piece).any(|batch| batch.is_err());
        assert!(pieces.iter().any(is_cut), "{} pieces, and no batch is in two of them", pieces.len());
        reload(&node, &at).await;
        for number in 0..300 {
            assert_eq!(fetch(&at, &group(number)).await.0, number);
        }
    });
}
