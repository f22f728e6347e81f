//! Requests of administrators about what a node does not have, or has one of: answered by what is so, or refused.

use super::*;
use crate::cluster::{ConfigAlteration, ConfigChange, ConfigResource};
use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use crate::protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use crate::protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use crate::protocol::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use crate::protocol::messages::create_acls::{AclCreation, CreateAclsRequest};
use crate::protocol::messages::delete_acls::{DeleteAclsFilter, DeleteAclsRequest};
use crate::protocol::messages::describe_acls::DescribeAclsRequest;
use crate::protocol::messages::describe_client_quotas::DescribeClientQuotasRequest;
use crate::protocol::messages::describe_log_dirs::DescribeLogDirsRequest;
use crate::protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, UserName,
};
use crate::protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use crate::protocol::messages::list_config_resources::ListConfigResourcesRequest;
use crate::protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use crate::protocol::messages::list_transactions::ListTransactionsRequest;
use crate::protocol::{ErrorCode, Message};
use crate::shard::testing::owner_and_other;

#[test]
fn without_an_authorizer_there_are_no_access_control_lists() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let disabled = ErrorCode::SecurityDisabled;
        for version in DescribeAclsRequest::API.versions.iter() {
            let described = call(&caller, &DescribeAclsRequest::default(), version).await;
            assert_eq!((described.error_code, described.resources.len()), (disabled, 0));
            let creations = vec![AclCreation::default(), AclCreation::default()];
            let created = call(&caller, &CreateAclsRequest { creations }, version).await.results;
            let named =
                |message: &Option<String>| message.as_ref().is_some_and(|it| it.contains("authorizer"));
            assert!(created.iter().all(|it| it.error_code == disabled && named(&it.error_message)));
            let filters = vec![DeleteAclsFilter::default()];
            let deleted = call(&caller, &DeleteAclsRequest { filters }, version).await.filter_results;
            assert_eq!((created.len(), deleted.len(), deleted[0].error_code), (2, 1, disabled));
        }
    });
}

#[test]
fn quotas_are_none_and_none_can_be_set() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let op = |remove| OpData { key: "producer_byte_rate".into(), remove, ..Default::default() };
        let user = EntityData { entity_type: "user".into(), entity_name: Some("u".into()) };
        let entry = |ops| EntryData { entity: vec![user.clone()], ops };
        for version in 0..=1 {
            let described = call(&caller, &DescribeClientQuotasRequest::default(), version).await;
            assert_eq!((described.error_code, described.entries), (ErrorCode::None, Some(Vec::new())));
            let entries = vec![entry(vec![op(true)]), entry(vec![op(true), op(false)])];
            let request = AlterClientQuotasRequest { entries, ..Default::default() };
            let altered = call(&caller, &request, version).await.entries;
            let told: Vec<_> = altered.iter().map(|it| (it.error_code, &it.entity[..])).collect();
            let entity = &[user.clone()][..];
            assert_eq!(told, [(ErrorCode::None, entity), (ErrorCode::UnsupportedVersion, entity)]);
        }
    });
}

#[test]
fn nobody_has_a_password() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        for users in [None, Some(Vec::new())] {
            let request = DescribeUserScramCredentialsRequest { users };
            let described = call(&caller, &request, 0).await;
            assert_eq!((described.error_code, described.results.len()), (ErrorCode::None, 0));
        }
        let users = ["a", "twice", "twice"].map(|name| UserName { name: name.into() });
        let request = DescribeUserScramCredentialsRequest { users: Some(users.into()) };
        let described = call(&caller, &request, 0).await.results;
        let told: Vec<_> = described.iter().map(|it| (&it.user[..], it.error_code)).collect();
        assert_eq!(told, [("a", ErrorCode::ResourceNotFound), ("twice", ErrorCode::DuplicateResource)]);

        let deletions = vec![ScramCredentialDeletion { name: "gone".into(), mechanism: 1 }];
        let upsertions = vec![ScramCredentialUpsertion { name: "new".into(), ..Default::default() }];
        let altered = call(&caller, &AlterUserScramCredentialsRequest { deletions, upsertions }, 0).await;
        let told: Vec<_> = altered.results.iter().map(|it| (&it.user[..], it.error_code)).collect();
        assert_eq!(
            told,
            [("gone", ErrorCode::ResourceNotFound), ("new", ErrorCode::UnsupportedSaslMechanism)]
        );
    });
}

#[test]
fn no_partition_needs_an_election() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let topic = |topic: &str| TopicPartitions { topic: topic.into(), partitions: vec![0, 9] };
        for version in 0..=2 {
            for election_type in [0, 1] {
                let topic_partitions = Some(vec![topic("t"), topic("none")]);
                let request = ElectLeadersRequest { election_type, topic_partitions, ..Default::default() };
                let response = call(&caller, &request, version).await;
                let told = response.replica_election_results.iter();
                let told: Vec<_> = told
                    .map(|topic| topic.partition_result.iter().map(|it| it.error_code).collect::<Vec<_>>())
                    .collect();
                let unknown = ErrorCode::UnknownTopicOrPartition;
                assert_eq!(told, [[ErrorCode::ElectionNotNeeded, unknown], [unknown, unknown]]);
            }
            let all = ElectLeadersRequest { topic_partitions: None, ..Default::default() };
            let response = call(&caller, &all, version).await;
            assert_eq!(response.error_code, ErrorCode::None);
            assert!(response.replica_election_results.is_empty(), "only those that need one are told");
        }
        let wrong = ElectLeadersRequest { election_type: 7, ..Default::default() };
        assert_eq!(call(&caller, &wrong, 2).await.error_code, ErrorCode::InvalidRequest);
    });
}

#[test]
fn partitions_stay_on_their_brokers() {
    for advertise in ["shard", "node"] {
        on_node(&[("advertise", advertise)], |node| async move {
            let topic_id = node.create_topic("t").await;
            let (owner, other) = owner_and_other(&node, topic_id, 0);
            let broker = |shard: &Shard| shard.config.broker_id(shard.id);
            let elsewhere = if broker(&other) == broker(&owner) { 7 } else { broker(&other) };
            let asked = [
                Some(vec![broker(&owner)]),
                Some(vec![elsewhere]),
                Some(vec![broker(&owner), elsewhere]),
                Some(Vec::new()),
                None,
            ];
            let partition = |replicas| ReassignablePartition { partition_index: 0, replicas };
            let mut partitions: Vec<_> = asked.into_iter().map(partition).collect();
            partitions.push(ReassignablePartition { partition_index: 9, replicas: None });
            let topics = vec![ReassignableTopic { name: "t".into(), partitions }];
            for version in 0..=1 {
                let request =
                    AlterPartitionReassignmentsRequest { topics: topics.clone(), ..Default::default() };
                let response = call(&caller(&other), &request, version).await;
                assert_eq!(response.error_code, ErrorCode::None);
                let partitions = &response.responses[0].partitions;
                let told: Vec<_> = partitions.iter().map(|it| it.error_code).collect();
                let refused = ErrorCode::InvalidReplicaAssignment;
                let (none, unknown) =
                    (ErrorCode::NoReassignmentInProgress, ErrorCode::UnknownTopicOrPartition);
                assert_eq!(told, [ErrorCode::None, refused, refused, refused, none, unknown]);
                let why = partitions[1].error_message.as_deref().expect("why");
                assert!(why.contains("number of shards"), "{why}");
            }
            let some = ListPartitionReassignmentsTopics { name: "t".into(), partition_indexes: vec![0] };
            for topics in [None, Some(vec![some])] {
                let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
                let listed = call(&caller(&owner), &request, 0).await;
                assert_eq!((listed.error_code, listed.topics.len()), (ErrorCode::None, 0));
            }
        });
    }
}

#[test]
fn the_only_log_directory_is_where_partitions_are() {
    on_node(&[], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 0);
        let described = call(&caller(&owner), &DescribeLogDirsRequest { topics: None }, 4).await;
        let path = described.results[0].log_dir.clone();
        let directory = |path: &str| AlterReplicaLogDir {
            path: path.into(),
            topics: vec![AlterReplicaLogDirTopic { name: "t".into(), partitions: vec![0, 9] }],
        };
        let request =
            AlterReplicaLogDirsRequest { dirs: vec![directory(&path), directory("/somewhere/else")] };
        for version in 1..=2 {
            for (shard, here) in [(&owner, ErrorCode::None), (&other, ErrorCode::ReplicaNotAvailable)] {
                let response = call(&caller(shard), &request, version).await;
                let told = |at: usize| {
                    let partitions = response.results[at].partitions.iter();
                    partitions.map(|it| it.error_code).collect::<Vec<_>>()
                };
                assert_eq!(told(0), [here, ErrorCode::ReplicaNotAvailable]);
                assert_eq!(told(1), [ErrorCode::LogDirNotFound; 2]);
            }
        }
    });
}

#[test]
fn what_has_configs_is_listed() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[0]);
        let expected = [
            (vec![], ErrorCode::None, vec![("t", 2), ("1000", 4), ("1001", 4)]),
            (vec![4], ErrorCode::None, vec![("1000", 4), ("1001", 4)]),
            (vec![2, 2], ErrorCode::None, vec![("t", 2)]),
            (vec![8, 16, 32], ErrorCode::None, vec![]),
            (vec![2, 3], ErrorCode::UnsupportedVersion, vec![]),
        ];
        for (resource_types, error_code, resources) in expected {
            let listed = call(&caller, &ListConfigResourcesRequest { resource_types }, 1).await;
            let told = listed.config_resources.iter();
            let told: Vec<_> = told.map(|it| (&it.resource_name[..], it.resource_type)).collect();
            assert_eq!((listed.error_code, told), (error_code, resources));
        }
        // Version 0 knows clients' metrics only.
        let listed = call(&caller, &ListConfigResourcesRequest::default(), 0).await;
        assert_eq!((listed.error_code, listed.config_resources.len()), (ErrorCode::None, 0));
    });
}

#[test]
fn there_are_no_transactions() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        for version in 0..=2 {
            let state_filters = vec!["Ongoing".into(), "Imaginary".into()];
            let request = ListTransactionsRequest { state_filters, ..Default::default() };
            let listed = call(&caller, &request, version).await;
            assert_eq!((listed.error_code, listed.transaction_states.len()), (ErrorCode::None, 0));
            assert_eq!(listed.unknown_state_filters, ["Imaginary"]);
        }
    });
}

#[test]
fn a_producer_is_forgotten_when_its_time_is_up() {
    on_node(&[("producer.id.expiration.ms", "600000")], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, _) = owner_and_other(&node, topic_id, 0);
        let records = BatchBuilder::new().producer(5, 0, 0).record(1_000, None, Some(b"v")).build();
        produce(&caller(&owner), "t", 0, records.into()).await;
        let known = || owner.report().counts.iter().find(|it| it.name == "producers").expect("counted").used;
        // Every five minutes somebody looks.
        owner.runtime.sleep(std::time::Duration::from_secs(550)).await;
        assert_eq!(known(), 1);
        owner.runtime.sleep(std::time::Duration::from_secs(400)).await;
        assert_eq!(known(), 0);
    });
}

/// Kafka's is dynamic as well, for one broker or for all.
#[test]
fn how_long_producers_are_remembered_is_changed_while_the_broker_runs() {
    on_node(&[("producer.id.expiration.ms", "600000")], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, _) = owner_and_other(&node, topic_id, 0);
        let records = BatchBuilder::new().producer(5, 0, 0).record(1_000, None, Some(b"v")).build();
        produce(&caller(&owner), "t", 0, records.into()).await;
        let known = || owner.report().counts.iter().find(|it| it.name == "producers").expect("counted").used;
        let set = async |value: &str| {
            let name = "producer.id.expiration.ms".to_owned();
            let alteration = ConfigAlteration {
                resource: ConfigResource::Broker(None),
                replaces_all: false,
                changes: vec![(name, ConfigChange::Set(value.to_owned()))],
            };
            let outcomes = owner.metadata.alter_configs(vec![alteration], false).await;
            outcomes.expect("metadata works").remove(0)
        };
        assert!(set("0").await.is_err() && set("2147483648").await.is_err());
        set("86400000").await.expect("a day");
        owner.runtime.sleep(std::time::Duration::from_secs(2_000)).await;
        assert_eq!(known(), 1, "longer than the configuration says");
        set("1000").await.expect("a second");
        owner.runtime.sleep(std::time::Duration::from_secs(400)).await;
        assert_eq!(known(), 0);
    });
}
