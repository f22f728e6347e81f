use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use crate::protocol::messages::find_coordinator::FindCoordinatorRequest;
use crate::protocol::messages::init_producer_id::InitProducerIdRequest;

fn new_topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions: 3, replication_factor: 1, ..Default::default() }
}

fn created(response: &CreateTopicsResponse) -> Vec<(&str, ErrorCode)> {
    response.topics.iter().map(|topic| (topic.name.as_str(), topic.error_code)).collect()
}

fn deleted(response: &DeleteTopicsResponse) -> Vec<(Option<&str>, ErrorCode)> {
    response.responses.iter().map(|topic| (topic.name.as_deref(), topic.error_code)).collect()
}

#[test]
fn topics_are_created_checked_and_told_with_their_configs() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[1]);
        let mut odd = new_topic("odd");
        odd.configs = vec![CreatableTopicConfig { name: "segment.bytes".into(), value: Some("x".into()) }];
        let topics = vec![new_topic("a"), new_topic("b/c"), odd, new_topic("twice"), new_topic("twice")];
        let checked =
            CreateTopicsRequest { topics: topics.clone(), validate_only: true, ..Default::default() };
        let request = CreateTopicsRequest { topics, ..Default::default() };
        let expected = [
            ("a", ErrorCode::None),
            ("b/c", ErrorCode::InvalidTopicException),
            ("odd", ErrorCode::InvalidConfig),
            ("twice", ErrorCode::InvalidRequest),
        ];
        assert_eq!(created(&call(&caller, &checked, 7).await), expected);
        let response = call(&caller, &request, 7).await;
        assert_eq!(created(&response), expected);
        let topic = &response.topics[0];
        assert_eq!((topic.num_partitions, topic.replication_factor), (3, 1));
        assert!(topic.configs.as_ref().is_some_and(|configs| configs.iter().all(|it| it.config_source > 0)));
        for version in 2..=7 {
            let again = created(&call(&caller, &request, version).await)[0].1;
            assert_eq!(again, ErrorCode::TopicAlreadyExists);
        }
        assert_eq!(produce(&caller, "a", 2, batch(&[b"x"])).await.error_code, ErrorCode::None);
        let many = CreateTopicsRequest {
            topics: vec![CreatableTopic { replication_factor: 3, ..new_topic("many") }],
            ..Default::default()
        };
        assert_eq!(created(&call(&caller, &many, 5).await)[0].1, ErrorCode::InvalidReplicationFactor);
    });
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("a").await;
        let id = node.create_topic("b").await;
        produce(&caller, "a", 0, batch(&[b"x"])).await;
        let names = |names: &[&str]| DeleteTopicsRequest {
            topic_names: names.iter().map(|name| (*name).to_owned()).collect(),
            timeout_ms: 1_000,
            ..Default::default()
        };
        let response = call(&caller, &names(&["a", "x"]), 1).await;
        let unknown = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(deleted(&response), [(Some("a"), ErrorCode::None), (Some("x"), unknown)]);
        assert_eq!(produce(&caller, "a", 0, batch(&[b"x"])).await.error_code, unknown);
        let by_id = |topic_id| DeleteTopicState { name: None, topic_id };
        let both = DeleteTopicState { name: Some("b".into()), topic_id: id };
        let request = DeleteTopicsRequest {
            topics: vec![by_id(id), by_id(TopicId::from_bytes([1; 16])), both],
            timeout_ms: 1_000,
            ..Default::default()
        };
        let response = call(&caller, &request, 6).await;
        assert_eq!(
            deleted(&response),
            [
                (Some("b"), ErrorCode::None),
                (None, ErrorCode::UnknownTopicId),
                (Some("b"), ErrorCode::InvalidRequest)
            ]
        );
        // The same name again is another topic, and empty.
        node.create_topic("a").await;
        assert_eq!(produce(&caller, "a", 0, batch(&[b"x"])).await.base_offset, 0);
    });
}

#[test]
fn producer_ids_are_never_given_twice_and_transactions_refused() {
    on_node(&[], |node| async move {
        let mut ids = std::collections::HashSet::new();
        let request = InitProducerIdRequest::default();
        for round in 0..1_200 {
            let response = call(&caller(&node.shards[round % 2]), &request, 4).await;
            assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::None, 0));
            assert!(ids.insert(response.producer_id));
        }
        let transactional = InitProducerIdRequest { transactional_id: Some("t".into()), ..request };
        let response = call(&caller(&node.shards[0]), &transactional, 4).await;
        assert_eq!(response.error_code, ErrorCode::TransactionalIdAuthorizationFailed);
        assert_eq!(response.producer_id, -1);
    });
}

#[test]
fn there_is_a_coordinator_for_groups_only() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let refusals = [
            (1, ErrorCode::TransactionalIdAuthorizationFailed),
            (2, ErrorCode::CoordinatorNotAvailable),
            (3, ErrorCode::InvalidRequest),
        ];
        for (key_type, refusal) in refusals {
            let one = FindCoordinatorRequest { key: "k".into(), key_type, ..Default::default() };
            let response = call(&caller, &one, 3).await;
            assert_eq!((response.error_code, response.node_id, response.port), (refusal, -1, -1));

            let coordinator_keys = vec!["k".into(), "l".into()];
            let many = FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() };
            let found = call(&caller, &many, 6).await.coordinators;
            let found: Vec<_> =
                found.iter().map(|row| (row.key.as_str(), row.error_code, row.node_id)).collect();
            assert_eq!(found, [("k", refusal, -1), ("l", refusal, -1)]);
        }
    });
}
