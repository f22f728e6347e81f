//! A consumer in a group, by librdkafka.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::Seen;
use super::load::Load;
use super::node::Machine;
use super::replication::{bootstrap, create_copied, in_sync, start_again};
use super::{start_all, until, until_all_vote};

/// After this much time without what is waited for, a test has failed.
const PATIENCE: Duration = Duration::from_secs(180);
/// For one question.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A member of a group.
pub struct Member {
    consumer: BaseConsumer,
    topic: String,
}

impl Member {
    /// Joins a group that reads partition 0 of a topic, from its beginning where it has committed nothing.
    pub fn join(bootstrap: &str, group: &str, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        Member { consumer, topic: topic.to_owned() }
    }

    /// Reads so many records; the offset behind the last of them.
    pub fn read(&self, count: usize) -> i64 {
        let (mut read, mut next, start) = (0, 0, Instant::now());
        while read < count {
            assert!(start.elapsed() < PATIENCE, "{read} of {count} records were read");
            // What is no record is told of a broker that is gone, or of a group that is moving.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) {
                (read, next) = (read + 1, message.offset() + 1);
            }
        }
        next
    }

    /// Commits that everything below `offset` was read.
    pub fn commit(&self, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, 0, Offset::Offset(offset)).expect("a partition");
        let start = Instant::now();
        while let Err(error) = self.consumer.commit(&offsets, CommitMode::Sync) {
            assert!(start.elapsed() < PATIENCE, "{error}");
            // The group may move meanwhile, which a poll sees to.
            self.consumer.poll(Duration::from_millis(100));
        }
    }

    /// What its group has committed; `None` where that is nothing.
    pub fn committed(&self) -> Option<i64> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(&self.topic, 0);
        let start = Instant::now();
        loop {
            match self.consumer.committed_offsets(wanted.clone(), TIMEOUT) {
                Ok(found) => {
                    let found = found.find_partition(&self.topic, 0).expect("it was asked for");
                    return found.offset().to_raw().filter(|offset| *offset >= 0);
                }
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
        }
    }
}

/// Whether every partition in which groups are kept has so many copies in sync.
fn groups_in_sync(copies: usize) -> impl Fn(&Seen) -> bool {
    move |seen| {
        let partitions = seen.in_sync.get("__consumer_offsets");
        partitions.is_some_and(|partitions| partitions.iter().all(|in_sync| in_sync.len() == copies))
    }
}

#[test]
fn what_a_group_has_committed_outlives_its_coordinators() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    let member = Member::join(&bootstrap(&nodes), "readers", TOPIC);
    // Whoever coordinates the group is killed at some time.
    for killed in 0..3 {
        let read = member.read(50);
        member.commit(read);
        until(&nodes[0], "the groups have three copies", groups_in_sync(3));
        nodes.remove(killed).kill();
        let other = Member::join(&bootstrap(&nodes), "readers", TOPIC);
        assert_eq!(other.committed(), Some(read), "node {} is gone", killed + 1);
        drop(other);
        nodes.insert(killed, start_again(&mut machines, killed));
        until(&nodes[killed], "it has caught up", groups_in_sync(3));
    }
    load.abandon();
}
