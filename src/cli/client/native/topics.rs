//! Creating, growing and deleting topics.

use rdkafka::bindings::{
    rd_kafka_CreatePartitions, rd_kafka_CreatePartitions_result_topics, rd_kafka_CreateTopics,
    rd_kafka_CreateTopics_result_topics, rd_kafka_DeleteTopic_destroy, rd_kafka_DeleteTopic_new,
    rd_kafka_DeleteTopics, rd_kafka_DeleteTopics_result_topics, rd_kafka_NewPartitions_destroy,
    rd_kafka_NewPartitions_new, rd_kafka_NewTopic_destroy, rd_kafka_NewTopic_new,
    rd_kafka_NewTopic_set_config, rd_kafka_NewTopic_t, rd_kafka_admin_op_t,
    rd_kafka_event_CreatePartitions_result, rd_kafka_event_CreateTopics_result,
    rd_kafka_event_DeleteTopics_result, rd_kafka_topic_result_error_string, rd_kafka_topic_result_name,
    rd_kafka_topic_result_t,
};

use super::super::arguments::Assignment;
use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::codes;
use super::memory::{ErrorText, Owned, c_text, items, pointers, text};

/// What came of each topic.
pub type TopicResults = Vec<(String, Result<(), BrokerError>)>;

/// A topic to create.
pub struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// `None` leaves it to the broker (Kafka 2.4 or newer).
    pub partitions: Option<i32>,
    /// `None` leaves it to the broker (Kafka 2.4 or newer).
    pub replication_factor: Option<i32>,
    /// Its configs.
    pub configs: &'a [Assignment],
}

/// Creates topics, or has it checked whether they could be.
pub fn create_topics(
    cluster: &Cluster,
    topics: &[NewTopic<'_>],
    validate_only: bool,
) -> Result<TopicResults, ClientError> {
    let objects = topics.iter().map(new_topic).collect::<Result<Vec<_>, _>>()?;
    let mut topics = pointers(&objects);
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
    let submit = Call { what: "creating topics", operation, validate_only };
    call(
        cluster,
        &submit,
        // SAFETY: the objects live beyond the call, which copies them.
        |to| unsafe {
            rd_kafka_CreateTopics(to.client, topics.as_mut_ptr(), topics.len(), to.options, to.queue)
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_CreateTopics_result(event);
            read(items(rd_kafka_CreateTopics_result_topics(result, &mut count), count))
        },
    )
}

fn new_topic(topic: &NewTopic<'_>) -> Result<Owned<rd_kafka_NewTopic_t>, ClientError> {
    let name = c_text(topic.name)?;
    let mut why = ErrorText::new();
    let (partitions, factor) = (topic.partitions.unwrap_or(-1), topic.replication_factor.unwrap_or(-1));
    // SAFETY: the name and the buffer live during the call; the object is ours.
    let object = unsafe {
        let object = rd_kafka_NewTopic_new(name.as_ptr(), partitions, factor, why.pointer(), why.capacity());
        Owned::new(object, rd_kafka_NewTopic_destroy)
    };
    let object = object.ok_or_else(|| why.refusal())?;
    for Assignment { key, value } in topic.configs {
        let (key, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: the strings live during the call, which copies them. It fails for no key at all only, which the
        // arguments do not let pass.
        unsafe { rd_kafka_NewTopic_set_config(object.pointer(), key.as_ptr(), value.as_ptr()) };
    }
    Ok(object)
}

/// Makes a topic's partitions that many.
pub fn create_partitions(
    cluster: &Cluster,
    topic: &str,
    partitions: usize,
) -> Result<TopicResults, ClientError> {
    let name = c_text(topic)?;
    let mut why = ErrorText::new();
    // SAFETY: the name and the buffer live during the call; the object is ours.
    let object = unsafe {
        let object = rd_kafka_NewPartitions_new(name.as_ptr(), partitions, why.pointer(), why.capacity());
        Owned::new(object, rd_kafka_NewPartitions_destroy)
    };
    let object = object.ok_or_else(|| why.refusal())?;
    let mut topics = [object.pointer()];
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS;
    let submit = Call { what: "creating partitions", operation, validate_only: false };
    call(
        cluster,
        &submit,
        // SAFETY: the object lives beyond the call, which copies it.
        |to| unsafe {
            rd_kafka_CreatePartitions(to.client, topics.as_mut_ptr(), topics.len(), to.options, to.queue);
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_CreatePartitions_result(event);
            read(items(rd_kafka_CreatePartitions_result_topics(result, &mut count), count))
        },
    )
}

/// Deletes topics with all that is in them.
pub fn delete_topics(cluster: &Cluster, names: &[&str]) -> Result<TopicResults, ClientError> {
    let mut objects = Vec::new();
    for name in names {
        let name = c_text(name)?;
        // SAFETY: the name lives during the call; the object is ours.
        let object =
            unsafe { Owned::new(rd_kafka_DeleteTopic_new(name.as_ptr()), rd_kafka_DeleteTopic_destroy) };
        objects.push(object.expect("librdkafka aborts rather than to return none"));
    }
    let mut topics = pointers(&objects);
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS;
    let submit = Call { what: "deleting topics", operation, validate_only: false };
    call(
        cluster,
        &submit,
        // SAFETY: the objects live beyond the call, which copies them.
        |to| unsafe {
            rd_kafka_DeleteTopics(to.client, topics.as_mut_ptr(), topics.len(), to.options, to.queue)
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_DeleteTopics_result(event);
            read(items(rd_kafka_DeleteTopics_result_topics(result, &mut count), count))
        },
    )
}

/// # Safety
/// The results live as long as their event.
unsafe fn read(results: &[*const rd_kafka_topic_result_t]) -> TopicResults {
    let one = |result: &*const rd_kafka_topic_result_t| {
        // SAFETY: as demanded; the message is null where there is none.
        unsafe {
            let code = codes::rd_kafka_topic_result_error(*result);
            let outcome = codes::outcome(code, rd_kafka_topic_result_error_string(*result));
            (text(rd_kafka_topic_result_name(*result)), outcome)
        }
    };
    results.iter().map(one).collect()
}
