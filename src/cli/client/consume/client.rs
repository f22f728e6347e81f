//! The consumer: its settings, and what it learns of its share of a group.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::super::error::ClientError;
use super::super::position::Position;
use super::super::watch::Watch;
use super::arguments::ConsumeCommand;

/// librdkafka wants a group even of those who only read. Nothing is committed to it, and nobody joins it.
const NO_GROUP: &str = "corelane-consume";

/// A change of the partitions that a member of a group has.
pub enum Change {
    /// These are ours too.
    Added(Vec<i32>),
    /// These no longer are.
    Removed(Vec<i32>),
}

/// What librdkafka calls while it is polled.
pub struct Events {
    /// Whether brokers can be reached.
    pub watch: Watch,
    changes: Mutex<Vec<Change>>,
}

impl Events {
    /// The changes since the last call, in their order.
    pub fn changes(&self) -> Vec<Change> {
        // Whoever panicked with the lock has pushed a change or has not.
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.watch.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.error(error, reason);
    }
}

impl ConsumerContext for Events {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let numbers =
            |list: &TopicPartitionList| list.elements().iter().map(|element| element.partition()).collect();
        let change = match rebalance {
            Rebalance::Assign(list) => Change::Added(numbers(list)),
            Rebalance::Revoke(list) => Change::Removed(numbers(list)),
            // Told by polling.
            Rebalance::Error(_) => return,
        };
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }
}

/// Makes the consumer; it has no partitions yet. `position` is where a group's partitions begin of which it has
/// committed nothing.
pub fn create(command: &ConsumeCommand, position: Position) -> Result<BaseConsumer<Events>, ClientError> {
    let connection = &command.connection;
    let mut config = connection.client_config();
    let reset = if command.group.is_some() && position == Position::Latest { "latest" } else { "earliest" };
    for (key, value) in [
        ("group.id", command.group.as_deref().unwrap_or(NO_GROUP)),
        // In a group: every few seconds, of what was stored; and that is what was printed.
        ("enable.auto.commit", if command.group.is_some() { "true" } else { "false" }),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", reset),
    ] {
        if !connection.sets(key) {
            config.set(key, value);
        }
    }
    let events = Events { watch: Watch::new(connection.verbose), changes: Mutex::default() };
    config
        .create_with_context(events)
        .map_err(|error| ClientError::library("the consumer", &error, connection.timeout))
}

/// A list of partitions of a topic, each with an offset.
pub fn list(topic: &str, offsets: &BTreeMap<i32, i64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(*offset)).expect("offsets of records are not negative");
    }
    list
}

/// Has the group go on behind what was printed, with the next commit.
pub fn store(consumer: &BaseConsumer<Events>, topic: &str, next_offsets: &BTreeMap<i32, i64>) {
    if !next_offsets.is_empty() {
        // It fails for partitions that were taken from us meanwhile: their next owner reads these records again.
        let _ = consumer.store_offsets(&list(topic, next_offsets));
    }
}

/// Commits what is stored and not committed yet.
pub fn commit(consumer: &BaseConsumer<Events>, command: &ConsumeCommand) -> Result<(), ClientError> {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        Err(error) => {
            let what = "committing what was printed (the group will read it again)";
            Err(ClientError::library(what, &error, command.connection.timeout))
        }
    }
}
