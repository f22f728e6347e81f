use super::*;
use crate::cluster::NewTopic;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use crate::protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
};
use crate::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponseTopic};

fn extended(name: &str, count: i32, brokers: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assign = |broker_ids: &&[i32]| CreatePartitionsAssignment { broker_ids: broker_ids.to_vec() };
    let assignments = brokers.map(|brokers| brokers.iter().map(assign).collect());
    CreatePartitionsTopic { name: name.to_owned(), count, assignments }
}

/// Adds partitions; code and message by topic.
async fn create(
    caller: &Caller,
    topics: Vec<CreatePartitionsTopic>,
    version: i16,
    validate_only: bool,
) -> Vec<(String, ErrorCode, String)> {
    let request = CreatePartitionsRequest { topics, timeout_ms: 1_000, validate_only };
    let results = call(caller, &request, version).await.results.into_iter();
    results.map(|result| (result.name, result.error_code, result.error_message.unwrap_or_default())).collect()
}

#[test]
fn new_partitions_are_live_when_they_are_answered() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        for (version, count) in (0..=3).zip(3..) {
            let topics = || vec![extended("t", count, None)];
            assert_eq!(create(&caller, topics(), version, true).await[0].1, ErrorCode::None);
            let early = produce(&caller, "t", count - 1, batch(&[b"x"])).await.error_code;
            assert_eq!(early, ErrorCode::UnknownTopicOrPartition, "that was only checked");
            assert_eq!(
                create(&caller, topics(), version, false).await,
                [("t".to_owned(), ErrorCode::None, String::new())]
            );
            for shard in &node.shards {
                let code = produce(&super::caller(shard), "t", count - 1, batch(&[b"x"])).await.error_code;
                assert_eq!(code, ErrorCode::None);
            }
        }
        let assigned = vec![extended("t", 9, Some(&[&[1001], &[1001], &[1000]]))];
        assert_eq!(create(&caller, assigned, 3, false).await[0].1, ErrorCode::None);
        let image = node.shards[1].image();
        let shards: Vec<u16> = image.topic_named("t").unwrap().partitions[6..]
            .iter()
            .map(|partition| partition.owner().unwrap().shard.0)
            .collect();
        assert_eq!(shards, [1, 1, 0]);
    });
}

#[test]
fn what_is_no_increase_or_has_no_place_is_refused_in_kafkas_words() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        node.create_topic("t").await;
        let cases: [(CreatePartitionsTopic, ErrorCode, &str); 9] = [
            (extended("x", 3, None), ErrorCode::UnknownTopicOrPartition, "does not host"),
            (extended("t", 2, None), ErrorCode::InvalidPartitions, "Topic already has 2 partition(s)."),
            (
                extended("t", 1, None),
                ErrorCode::InvalidPartitions,
                "currently has 2 partition(s); 1 would not",
            ),
            (extended("t", -1, None), ErrorCode::InvalidPartitions, "-1 would not be an increase."),
            (extended("t", i32::MAX, None), ErrorCode::InvalidPartitions, "must not be larger than 10000"),
            (extended("t", 4, Some(&[&[1000]])), ErrorCode::InvalidReplicaAssignment, "only 1 assignment(s)"),
            (extended("t", 3, Some(&[&[]])), ErrorCode::InvalidReplicaAssignment, "empty replica list"),
            (extended("t", 3, Some(&[&[1002]])), ErrorCode::InvalidReplicaAssignment, "includes broker 1002"),
            (
                extended("t", 3, Some(&[&[1000, 1001]])),
                ErrorCode::InvalidReplicaAssignment,
                "cores of one node",
            ),
        ];
        for (topic, code, part) in cases {
            let outcome = create(&caller, vec![topic], 3, false).await.remove(0);
            assert!(outcome.1 == code && outcome.2.contains(part), "{outcome:?}");
        }
        node.create_topic("u").await;
        let twice = vec![extended("t", 3, None), extended("u", 3, None), extended("t", 4, None)];
        let outcome = create(&caller, twice, 3, false).await;
        assert_eq!((outcome[0].0.as_str(), outcome[0].1), ("u", ErrorCode::None));
        let duplicate = ("t".to_owned(), ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned());
        assert_eq!(outcome[1..], [duplicate]);
        assert_eq!(node.shards[0].image().topic_named("t").unwrap().partitions.len(), 2);
    });
}

#[test]
fn a_broker_has_one_id_in_metadata_and_in_assignments() {
    for advertise in ["shard", "node"] {
        on_node(&[("advertise", advertise)], |node| async move {
            let caller = caller(&node.shards[1]);
            node.create_topic("t").await;
            let metadata = call(&caller, &MetadataRequest::default(), 9).await;
            let mut count = 2;
            for broker in metadata.brokers {
                count += 1;
                let topics = vec![extended("t", count, Some(&[&[broker.node_id]]))];
                assert_eq!(create(&caller, topics, 3, false).await[0].1, ErrorCode::None);
                let named = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
                let request = MetadataRequest { topics: Some(vec![named]), ..Default::default() };
                let response = call(&caller, &request, 9).await;
                let new = response.topics[0].partitions.last().unwrap();
                assert_eq!((new.partition_index, new.leader_id), (count - 1, broker.node_id));
            }
        });
    }
}

fn page(topics: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    DescribeTopicPartitionsRequest {
        topics: topics.iter().map(|name| TopicRequest { name: (*name).to_owned() }).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(name, partition_index)| Cursor { topic_name: name.to_owned(), partition_index }),
    }
}

/// The topics with their partitions' indexes, and where to go on.
type Page<'a> = (Vec<(&'a str, Vec<i32>)>, Option<(&'a str, i32)>);

fn told(response: &DescribeTopicPartitionsResponse) -> Page<'_> {
    let topics = response.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.name.as_deref().unwrap_or_default(), indexes.collect())
    });
    let cursor = response.next_cursor.as_ref();
    (topics.collect(), cursor.map(|cursor| (cursor.topic_name.as_str(), cursor.partition_index)))
}

#[test]
fn topics_are_told_page_by_page() {
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        // In the order of metadata, where '.' counts as '_', b_a would come before b.c.
        for name in ["b_a", "a", "b.c"] {
            node.create_topic(name).await;
        }
        create(&caller, vec![extended("b.c", 3, None)], 3, false).await;
        let (a, b, c) = ("a", "b.c", "b_a");
        let all = call(&caller, &page(&[], 2000, None), 0).await;
        let everything = (vec![(a, vec![0, 1]), (b, vec![0, 1, 2]), (c, vec![0, 1])], None);
        assert_eq!(told(&all), everything);
        let partition = &all.topics[1].partitions[2];
        assert!([1000, 1001].contains(&partition.leader_id) && partition.leader_epoch == 0);
        assert_eq!(partition.isr_nodes, [partition.leader_id]);
        assert_eq!(all.topics[1].topic_id, node.shards[0].image().topic_named(b).unwrap().record.id);
        assert!(all.topics[0].topic_authorized_operations > 0);

        let first = call(&caller, &page(&[], 4, None), 0).await;
        assert_eq!(told(&first), (vec![(a, vec![0, 1]), (b, vec![0, 1])], Some((b, 2))));
        let second = call(&caller, &page(&[], 1, told(&first).1), 0).await;
        assert_eq!(told(&second), (vec![(b, vec![2])], Some((c, 0))));
        let third = call(&caller, &page(&[], 0, told(&second).1), 0).await;
        assert_eq!(told(&third), (vec![(c, vec![0])], Some((c, 1))), "one at least");
        let last = call(&caller, &page(&[], -5, told(&third).1), 0).await;
        assert_eq!(told(&last), (vec![(c, vec![1])], None));
        // The topic of the cursor may have gone, and so may its partitions.
        let gone = call(&caller, &page(&[], 9, Some(("b", 1))), 0).await;
        assert_eq!(told(&gone), (everything.0[1..].to_vec(), None));
        let beyond = call(&caller, &page(&[], 9, Some((c, 7))), 0).await;
        assert_eq!(told(&beyond), (vec![(c, vec![])], None));

        let some = call(&caller, &page(&[c, "x", "d/e", c, a], 9, None), 0).await;
        assert_eq!(told(&some).0, [(a, vec![0, 1]), (c, vec![0, 1]), ("d/e", vec![]), ("x", vec![])]);
        let codes: Vec<_> = some.topics.iter().map(|topic| topic.error_code).collect();
        let (none, invalid) = (ErrorCode::None, ErrorCode::InvalidTopicException);
        assert_eq!(codes, [none, none, invalid, ErrorCode::UnknownTopicOrPartition]);
        for wrong in [page(&[a], 9, Some((b, 0))), page(&[a], 9, Some((a, -1)))] {
            let refused = call(&caller, &wrong, 0).await;
            assert_eq!((refused.topics.len(), refused.topics[0].error_code), (1, ErrorCode::InvalidRequest));
        }
    });
}

#[test]
fn thousands_of_topics_are_told_at_every_version_by_name_and_by_id() {
    const TOPICS: usize = 5_000;
    on_node(&[], |node| async move {
        let caller = caller(&node.shards[0]);
        let new =
            (0..TOPICS).map(|number| NewTopic { num_partitions: 1, ..NewTopic::with_defaults(name(number)) });
        let created =
            node.shards[0].metadata.create_topics(new.collect(), false).await.expect("metadata works");
        let ids: Vec<_> = created.into_iter().map(|topic| topic.expect("created").id).collect();
        let names =
            (0..TOPICS).map(|number| MetadataRequestTopic { name: Some(name(number)), ..Default::default() });
        let names: Vec<_> = names.collect();
        let by_id = ids.iter().map(|id| MetadataRequestTopic { topic_id: *id, name: None }).collect();
        for version in 0..=13 {
            // What is named twice is told once.
            let doubled = names.iter().chain(&names).cloned().collect();
            let mut asked = vec![MetadataRequest { topics: Some(doubled), ..Default::default() }];
            match version {
                0 => asked.push(MetadataRequest { topics: Some(Vec::new()), ..Default::default() }),
                _ => asked.push(MetadataRequest { topics: None, ..Default::default() }),
            }
            for request in asked {
                let response = call(&caller, &request, version).await;
                assert_eq!(response.topics.len(), TOPICS);
                let is_whole = |topic: &MetadataResponseTopic| {
                    topic.error_code == ErrorCode::None && topic.partitions.len() == 1
                };
                assert!(response.topics.iter().all(is_whole));
            }
        }
        let request = MetadataRequest { topics: Some(by_id), ..Default::default() };
        for version in 12..=13 {
            let response = call(&caller, &request, version).await;
            assert!(response.topics.iter().zip(0..).all(|(topic, number)| topic.name == Some(name(number))));
            assert_eq!(response.topics.len(), TOPICS);
        }
        let (mut pages, mut cursor) = (0, None);
        loop {
            let request = DescribeTopicPartitionsRequest { cursor, ..Default::default() };
            let response = call(&caller, &request, 0).await;
            assert!(response.topics.len() <= 2000);
            pages += 1;
            cursor = response.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(pages, 3);
        assert_eq!(node.shards[0].budgets.fetches.used(), 0, "what was set aside is given back");
    });
}

fn name(number: usize) -> String {
    format!("topic-{number:04}")
}
