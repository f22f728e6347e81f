use super::*;
use crate::protocol::messages::SERVED;
use crate::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::messages::describe_cluster::DescribeClusterRequest;
use crate::protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, OPERATIONS_NOT_REQUESTED,
};
use crate::protocol::{ErrorCode, Message, Reader};

fn named(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned()), ..Default::default() };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() }
}

fn topics(response: &MetadataResponse) -> Vec<(Option<&str>, ErrorCode, usize)> {
    let topics = response.topics.iter();
    topics.map(|topic| (topic.name.as_deref(), topic.error_code, topic.partitions.len())).collect()
}

#[test]
fn every_shard_is_a_broker_of_the_listener_that_was_asked() {
    on_node(&[], |node| async move {
        node.create_topic("t").await;
        for version in 0..=13 {
            for (listener, host, port) in [(0, "default", 9192), (1, "outside", 19192)] {
                let caller = Caller::new(Rc::clone(&node.shards[1]), listener);
                let response = call(&caller, &named(&["t"]), version).await;
                let brokers: Vec<_> =
                    response.brokers.iter().map(|it| (it.node_id, it.host.as_str(), it.port)).collect();
                assert_eq!(brokers, [(1000, host, port), (1001, host, port + 1)]);
                let racked = response.brokers.iter().all(|it| it.rack.as_deref() == Some("node-1"));
                assert!(version == 0 || racked);
                assert!(version < 2 || response.cluster_id.as_deref() == Some("AwMDAwMDAwMDAwMDAwMDAw"));
                assert!(version < 1 || response.controller_id == 1000);
                let leaders: Vec<_> =
                    response.topics[0].partitions.iter().map(|partition| partition.leader_id).collect();
                assert!(leaders == [1000, 1001] || leaders == [1001, 1000]);
                let partition = &response.topics[0].partitions[0];
                assert_eq!(
                    (&partition.replica_nodes, &partition.isr_nodes),
                    (&vec![leaders[0]], &vec![leaders[0]])
                );
                assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 });
                assert_eq!(response.topics[0].topic_authorized_operations, OPERATIONS_NOT_REQUESTED);
            }
        }
    });
}

#[test]
fn one_address_stands_for_the_node_if_so_configured() {
    on_node(&[("advertise", "node")], |node| async move {
        node.create_topic("t").await;
        let caller = caller(&node.shards[1]);
        let response = call(&caller, &named(&["t"]), 9).await;
        assert_eq!(response.brokers.len(), 1);
        assert_eq!((response.brokers[0].node_id, response.brokers[0].port), (1000, 9092));
        assert!(response.topics[0].partitions.iter().all(|partition| partition.leader_id == 1000));
        for index in 0..2 {
            assert_eq!(produce(&caller, "t", index, batch(&[b"x"])).await.error_code, ErrorCode::None);
        }
    });
}

#[test]
fn none_all_and_unknown_topics() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let id = node.create_topic("t").await;
        let count =
            async |request: MetadataRequest, version| call(&caller, &request, version).await.topics.len();
        let none = || named(&[]);
        let all = || MetadataRequest { topics: None, ..Default::default() };
        assert_eq!(count(none(), 0).await, 1, "version 0 has no other way to ask for all");
        assert_eq!(count(none(), 1).await, 0);
        assert_eq!(count(all(), 1).await, 1);
        assert_eq!(count(all(), 13).await, 1);
        let by_id = |topic_id| MetadataRequestTopic { topic_id, name: None };
        let request = MetadataRequest {
            topics: Some(vec![by_id(id), by_id(TopicId::from_bytes([1; 16]))]),
            ..Default::default()
        };
        let response = call(&caller, &request, 12).await;
        assert_eq!(
            topics(&response),
            [(Some("t"), ErrorCode::None, 2), (None, ErrorCode::UnknownTopicId, 0)]
        );
    });
}

#[test]
fn topics_are_created_by_being_asked_for_if_both_sides_allow_it() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let refused = MetadataRequest { allow_auto_topic_creation: false, ..named(&["new"]) };
        let unknown = [(Some("new"), ErrorCode::UnknownTopicOrPartition, 0)];
        assert_eq!(topics(&call(&caller, &refused, 4).await), unknown);
        let response = call(&caller, &named(&["new", "b/d", "new"]), 9).await;
        assert_eq!(
            topics(&response),
            [(Some("new"), ErrorCode::None, 2), (Some("b/d"), ErrorCode::InvalidTopicException, 0)]
        );
        assert_eq!(produce(&caller, "new", 1, batch(&[b"x"])).await.error_code, ErrorCode::None);
    });
    on_node(&[], |node| async move {
        for version in 0..=3 {
            let name = format!("of-version-{version}");
            let response = call(&caller(&node.shards[0]), &named(&[&name]), version).await;
            assert_eq!(topics(&response), [(Some(name.as_str()), ErrorCode::None, 2)], "the flag is newer");
        }
    });
    on_node(&[("auto.create.topics.enable", "false")], |node| async move {
        let response = call(&caller(&node.shards[0]), &named(&["new"]), 9).await;
        assert_eq!(topics(&response), [(Some("new"), ErrorCode::UnknownTopicOrPartition, 0)]);
    });
}

#[test]
fn versions_are_told_also_to_clients_of_the_future() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        for version in 0..=4 {
            let response = call(&caller, &ApiVersionsRequest::default(), version).await;
            assert_eq!(response.api_keys.len(), SERVED.len());
            assert_eq!((response.api_keys[0].api_key, response.api_keys[0].min_version), (0, 0));
        }
        // Version 99, whose body nobody can read.
        let frame = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 77, 0xff, 0xff, 0, 1, 2, 3]);
        let Ok(Call::Other(call)) = decode(frame) else { panic!("it is answered") };
        let Reply::Send { frame, .. } = caller.execute(call).await else { panic!("it is answered") };
        let body = frame.into_bytes().slice(LENGTH_BYTES + 4..);
        let response = ApiVersionsResponse::decode(&mut Reader::new(body), 0).expect("version 0");
        assert_eq!(response.error_code, ErrorCode::UnsupportedVersion);
        assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    });
}

#[test]
fn what_is_not_served_is_refused() {
    // LeaderAndIsr; Fetch of a version that is gone, of one to come; a body that is cut off.
    for frame in [
        &[0u8, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff][..],
        &[0, 1, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0],
        &[0, 1, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0],
        &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 9],
    ] {
        assert!(matches!(decode(Bytes::copy_from_slice(frame)), Err(Refused::Malformed(_))));
    }
}

#[test]
fn configs_of_topics_and_brokers() {
    on_node(&[("message.max.bytes", "2000000")], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        let resource = |resource_type, resource_name: &str, keys: Option<&[&str]>| DescribeConfigsResource {
            resource_type,
            resource_name: resource_name.to_owned(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
        };
        let request = DescribeConfigsRequest {
            resources: vec![
                resource(2, "t", None),
                resource(2, "t", Some(&["max.message.bytes"])),
                resource(2, "u", None),
                resource(4, "1001", Some(&["message.max.bytes", "num.partitions"])),
                resource(4, "7", None),
                resource(4, "", None),
                resource(9, "t", None),
            ],
            include_synonyms: true,
            include_documentation: true,
        };
        for version in 1..=4 {
            let response = call(&caller, &request, version).await;
            let codes: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
            let (none, invalid) = (ErrorCode::None, ErrorCode::InvalidRequest);
            assert_eq!(codes, [none, none, ErrorCode::UnknownTopicOrPartition, none, invalid, none, invalid]);
            assert!(response.results[0].configs.len() > 20);
            let largest = &response.results[1].configs[0];
            assert_eq!((largest.value.as_deref(), largest.config_source), (Some("2000000"), 4));
            let broker = &response.results[3].configs;
            let read_only: Vec<_> =
                broker.iter().map(|config| (config.name.as_str(), config.read_only)).collect();
            assert_eq!(read_only, [("message.max.bytes", false), ("num.partitions", true)]);
            assert_eq!(broker[0].value.as_deref(), Some("2000000"));
        }
    });
}

#[test]
fn the_cluster_is_described() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let request = DescribeClusterRequest::default();
        for version in 0..=2 {
            let response = call(&caller, &request, version).await;
            assert_eq!(
                (response.error_code, response.brokers.len(), response.controller_id),
                (ErrorCode::None, 2, 1000)
            );
        }
        let controllers = DescribeClusterRequest { endpoint_type: 2, ..request };
        assert_eq!(call(&caller, &controllers, 1).await.error_code, ErrorCode::MismatchedEndpointType);
    });
}
