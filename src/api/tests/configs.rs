use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource as ReplacedResource, AlterableConfig as ReplacedConfig,
};
use crate::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use crate::protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource((kind, name, changes): &(i8, &str, &[Change<'_>])) -> AlterConfigsResource {
    let configs = changes.iter().map(|(name, config_operation, value)| AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
    });
    AlterConfigsResource {
        resource_type: *kind,
        resource_name: (*name).to_owned(),
        configs: configs.collect(),
    }
}

/// Alters configs; the codes and messages by resource.
async fn alter(
    caller: &Caller,
    resources: &[(i8, &str, &[Change<'_>])],
    validate_only: bool,
) -> Vec<(ErrorCode, String)> {
    let resources = resources.iter().map(resource).collect();
    let request = IncrementalAlterConfigsRequest { resources, validate_only };
    let response = call(caller, &request, 1).await;
    let outcomes = response.responses.into_iter();
    outcomes.map(|outcome| (outcome.error_code, outcome.error_message.unwrap_or_default())).collect()
}

async fn set(caller: &Caller, kind: i8, name: &str, key: &str, value: &str) {
    let outcome = alter(caller, &[(kind, name, &[(key, SET, Some(value))])], false).await;
    assert_eq!(outcome, [(ErrorCode::None, String::new())]);
}

async fn describe(caller: &Caller, kind: i8, name: &str, key: &str) -> Vec<DescribeConfigsResourceResult> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            configuration_keys: Some(vec![key.to_owned()]),
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut response = call(caller, &request, 4).await;
    let result = response.results.remove(0);
    assert_eq!(result.error_code, ErrorCode::None);
    result.configs
}

/// A config's value, source, and the sources of all synonyms.
async fn value(caller: &Caller, kind: i8, name: &str, key: &str) -> (String, i8, Vec<i8>) {
    let config = describe(caller, kind, name, key).await.remove(0);
    assert!(config.documentation.is_some_and(|doc| !doc.is_empty()) && config.config_type > 0);
    let sources = config.synonyms.iter().map(|synonym| synonym.source).collect();
    (config.value.unwrap_or_default(), config.config_source, sources)
}

#[test]
fn the_strongest_place_that_sets_a_config_holds_and_is_told() {
    on_node(&[("log.retention.ms", "1000")], |node| async move {
        let caller = caller(&node.shards[0]);
        let topic = node.create_topic("t").await;
        let retention = async || value(&caller, TOPIC, "t", "retention.ms").await;
        let of_shard = |shard: usize| {
            let shard = &node.shards[shard];
            let image = shard.image();
            let mine = image.partitions_of(shard.owner()).find(|(owned, _)| owned.record.id == topic);
            let id = mine.expect("a partition on each shard").1.id();
            shard.storage.replica(id).expect("open").settings().retention_ms
        };
        assert_eq!(retention().await, ("1000".into(), 4, vec![4, 5]));
        assert_eq!((of_shard(0), of_shard(1)), (Some(1000), Some(1000)));

        set(&caller, BROKER, "", "log.retention.ms", "2000").await;
        assert_eq!(retention().await, ("2000".into(), 3, vec![3, 4, 5]));
        assert_eq!((of_shard(0), of_shard(1)), (Some(2000), Some(2000)), "told before the answer");
        assert_eq!(value(&caller, BROKER, "", "log.retention.ms").await, ("2000".into(), 3, vec![3]));
        assert!(describe(&caller, BROKER, "", "log.roll.ms").await.is_empty(), "nobody set it");

        set(&caller, BROKER, "1000", "log.retention.ms", "-1").await;
        assert_eq!(retention().await, ("-1".into(), 2, vec![2, 3, 4, 5]));
        assert_eq!((of_shard(0), of_shard(1)), (None, Some(2000)), "each shard is a broker");
        let other = value(&caller, BROKER, "1001", "log.retention.ms").await;
        assert_eq!(other, ("2000".into(), 3, vec![3, 4, 5]));

        set(&caller, TOPIC, "t", "retention.ms", "3000").await;
        assert_eq!(retention().await, ("3000".into(), 1, vec![1, 2, 3, 4, 5]));
        assert_eq!((of_shard(0), of_shard(1)), (Some(3000), Some(3000)));
        let delete = [(TOPIC, "t", &[("retention.ms", DELETE, None)][..])];
        alter(&caller, &delete, true).await;
        assert_eq!(retention().await.1, 1, "that was only checked");
        alter(&caller, &delete, false).await;
        assert_eq!(retention().await.1, 2);
        assert_eq!(of_shard(0), None);
    });
}

#[test]
fn a_node_that_is_one_broker_has_one_brokers_configs() {
    on_node(&[("advertise", "node")], |node| async move {
        let caller = caller(&node.shards[1]);
        let topic = node.create_topic("t").await;
        set(&caller, BROKER, "1000", "log.roll.ms", "5000").await;
        let image = node.shards[0].image();
        for partition in &image.topic(topic).unwrap().partitions {
            let storage = &node.shards[usize::from(partition.owner().unwrap().shard.0)].storage;
            assert_eq!(storage.replica(partition.id()).expect("open").settings().segment_ms, 5000);
        }
        assert_eq!(value(&caller, TOPIC, "t", "segment.ms").await.1, 2);
        let other: &[Change<'_>] = &[("log.roll.ms", SET, Some("1"))];
        let outcomes = alter(&caller, &[(BROKER, "1001", other), (BROKER, "1", other)], false).await;
        assert!(outcomes.iter().all(|(code, _)| *code == ErrorCode::BrokerIdNotRegistered));
    });
}

#[test]
fn a_change_of_the_largest_batch_holds_for_the_next_one() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        let records = || batch(&[&[7; 1000]]);
        assert_eq!(produce(&caller, "t", 0, records()).await.error_code, ErrorCode::None);
        set(&caller, TOPIC, "t", "max.message.bytes", "500").await;
        assert_eq!(produce(&caller, "t", 0, records()).await.error_code, ErrorCode::MessageTooLarge);
        set(&caller, TOPIC, "t", "max.message.bytes", "5000").await;
        set(&caller, BROKER, "", "message.max.bytes", "500").await;
        assert_eq!(produce(&caller, "t", 0, records()).await.error_code, ErrorCode::None);
        alter(&caller, &[(TOPIC, "t", &[("max.message.bytes", DELETE, None)])], false).await;
        assert_eq!(produce(&caller, "t", 0, records()).await.error_code, ErrorCode::MessageTooLarge);
    });
}

#[test]
fn each_resource_is_altered_as_a_whole_or_refused_by_name() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        node.create_topic("u").await;
        let good: Change<'_> = ("segment.ms", SET, Some("5000"));
        let cases: [(i8, &str, &[Change<'_>], ErrorCode, &str); 16] = [
            (TOPIC, "t", &[good, ("retention.ms", SET, Some("x"))], ErrorCode::InvalidConfig, "type LONG"),
            (
                TOPIC,
                "t",
                &[good, ("cleanup.policy", APPEND, Some("keep"))],
                ErrorCode::InvalidConfig,
                "one of: compact, delete",
            ),
            (
                TOPIC,
                "t",
                &[good, ("cleanup.policy", SUBTRACT, Some("delete"))],
                ErrorCode::InvalidConfig,
                "one of: compact, delete",
            ),
            (
                TOPIC,
                "t",
                &[good, ("segment.bytes", APPEND, Some("5"))],
                ErrorCode::InvalidConfig,
                "type is not LIST",
            ),
            (
                TOPIC,
                "t",
                &[good, ("retention.mss", SET, Some("5"))],
                ErrorCode::InvalidConfig,
                "did you mean retention.ms?",
            ),
            (
                TOPIC,
                "t",
                &[good, ("retention.ms", SET, None)],
                ErrorCode::InvalidRequest,
                "Null value not supported for : retention.ms",
            ),
            (TOPIC, "t", &[good, ("retention.ms", 7, Some("1"))], ErrorCode::InvalidRequest, "operation 7"),
            (TOPIC, "t", &[good, good], ErrorCode::InvalidRequest, "duplicate config keys"),
            (TOPIC, "x", &[good], ErrorCode::UnknownTopicOrPartition, "does not host"),
            (
                BROKER,
                "7",
                &[("log.roll.ms", SET, Some("1"))],
                ErrorCode::BrokerIdNotRegistered,
                "No broker with id 7 found.",
            ),
            (BROKER, "1.5", &[], ErrorCode::InvalidRequest, "base 10"),
            (
                BROKER,
                "1000",
                &[("num.partitions", SET, Some("1"))],
                ErrorCode::InvalidRequest,
                "dynamically: num.partitions",
            ),
            (
                BROKER,
                "1000",
                &[("log.rol.ms", SET, Some("1"))],
                ErrorCode::InvalidConfig,
                "did you mean log.roll.ms?",
            ),
            (
                BROKER,
                "",
                &[("log.cleanup.policy", SET, Some("keep"))],
                ErrorCode::InvalidConfig,
                "log.cleanup.policy",
            ),
            (8, "1000", &[("root", SET, Some("DEBUG"))], ErrorCode::InvalidRequest, "log.level"),
            (32, "group", &[], ErrorCode::InvalidRequest, "Resource type 32"),
        ];
        for (kind, name, changes, code, part) in cases {
            let outcome = alter(&caller, &[(kind, name, changes), (TOPIC, "u", &[good])], true).await;
            assert!(outcome[0].0 == code && outcome[0].1.contains(part), "{outcome:?}");
            assert_eq!(outcome[1], (ErrorCode::None, String::new()), "the others are carried out");
        }
        let twice =
            alter(&caller, &[(TOPIC, "t", &[good]), (TOPIC, "t", &[]), (TOPIC, "u", &[good])], false).await;
        let codes: Vec<_> = twice.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [ErrorCode::InvalidRequest, ErrorCode::InvalidRequest, ErrorCode::None]);
        assert_eq!(value(&caller, TOPIC, "t", "segment.ms").await.1, 5, "nothing of a refused one is there");
        assert_eq!(value(&caller, TOPIC, "u", "segment.ms").await.0, "5000");
        // Words that are there already, and what nobody set.
        let idle: &[Change<'_>] = &[("cleanup.policy", APPEND, Some("delete")), ("x", DELETE, None)];
        assert_eq!(alter(&caller, &[(TOPIC, "t", idle)], false).await[0].0, ErrorCode::None);
        assert_eq!(value(&caller, TOPIC, "t", "cleanup.policy").await.0, "delete");
    });
}

#[test]
fn the_old_request_replaces_everything() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        set(&caller, TOPIC, "t", "segment.ms", "5000").await;
        for version in 0..=2 {
            let configs = vec![ReplacedConfig { name: "retention.ms".into(), value: Some("7".into()) }];
            let resources =
                vec![ReplacedResource { resource_type: TOPIC, resource_name: "t".into(), configs }];
            let request = AlterConfigsRequest { resources, validate_only: version == 0 };
            let response = call(&caller, &request, version).await;
            assert_eq!(response.responses[0].error_code, ErrorCode::None);
            let source = value(&caller, TOPIC, "t", "segment.ms").await.1;
            assert_eq!(source, if version == 0 { 1 } else { 5 });
        }
        assert_eq!(value(&caller, TOPIC, "t", "retention.ms").await.0, "7");
    });
}

#[test]
fn values_that_would_not_fit_a_record_are_refused() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        let long = format!("{}1", "0".repeat(30_000));
        let outcome = alter(&caller, &[(TOPIC, "t", &[("retention.ms", SET, Some(&long))])], false).await;
        assert!(outcome[0].0 == ErrorCode::InvalidConfig && outcome[0].1.len() < 200);
        let outcome = alter(&caller, &[(TOPIC, "t", &[("retention.ms", SET, Some(" 0001 "))])], false).await;
        assert_eq!(outcome[0].0, ErrorCode::None);
    });
}
