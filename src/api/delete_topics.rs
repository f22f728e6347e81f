//! DeleteTopics.

use crate::base::ids::TopicId;
use crate::cluster::TopicRef;
use crate::protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::commands::carried_out;
use super::errors::cluster_error;
use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: DeleteTopicsRequest) -> Reply {
    let shard = &caller.shard;
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), TopicId::ZERO));
    let by_state = request.topics.into_iter().map(|DeleteTopicState { name, topic_id }| (name, topic_id));
    let asked: Vec<(Option<String>, TopicId)> = by_name.chain(by_state).collect();

    let (valid, invalid): (Vec<_>, Vec<_>) = asked.iter().cloned().partition(|topic| is_valid(topic, &asked));
    let refs = valid.iter().map(|(name, id)| match name {
        Some(name) => TopicRef::Name(name.clone()),
        None => TopicRef::Id(*id),
    });
    let command = shard.metadata.delete_topics(refs.collect());
    let outcomes = carried_out(shard, command, request.timeout_ms, "The topic was not deleted").await;
    let mut responses: Vec<DeletableTopicResult> = match outcomes {
        Ok(outcomes) => valid
            .into_iter()
            .zip(outcomes)
            .map(|(topic, outcome)| match outcome {
                Ok(deleted) => DeletableTopicResult {
                    name: Some(deleted.name),
                    topic_id: deleted.id,
                    ..Default::default()
                },
                Err(error) => refusal(topic, cluster_error(&error), error.to_string()),
            })
            .collect(),
        Err((code, reason)) => valid.into_iter().map(|topic| refusal(topic, code, reason.clone())).collect(),
    };
    responses.extend(invalid.into_iter().map(|topic| {
        let reason = "A topic must be named once, by its name or by its id.";
        refusal(topic, ErrorCode::InvalidRequest, reason.to_owned())
    }));
    respond(header, &DeleteTopicsResponse { throttle_time_ms: 0, responses })
}

/// Whether the topic is named in one way, and no other entry is the same.
fn is_valid(topic: &(Option<String>, TopicId), asked: &[(Option<String>, TopicId)]) -> bool {
    topic.0.is_some() != (topic.1 != TopicId::ZERO)
        && asked.iter().filter(|other| *other == topic).count() == 1
}

fn refusal(
    (name, topic_id): (Option<String>, TopicId),
    error_code: ErrorCode,
    error_message: String,
) -> DeletableTopicResult {
    DeletableTopicResult { name, topic_id, error_code, error_message: Some(error_message) }
}
