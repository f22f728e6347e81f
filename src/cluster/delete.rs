//! Topics are deleted.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::error::ClusterError;
use super::records::Change;
use crate::base::ids::TopicId;

/// How a client names a topic (KIP-516).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TopicRef {
    /// By its name.
    Name(String),
    /// By its identity.
    Id(TopicId),
}

/// A topic that was deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeletedTopic {
    /// Its identity.
    pub id: TopicId,
    /// The name that it had.
    pub name: String,
}

/// Deletes topics; the results are in the order of `topics`. A topic that is named twice is unknown the second
/// time: requests with duplicates are the API layer's to refuse.
pub fn delete_topics(draft: &mut Draft, topics: &[TopicRef]) -> Vec<Result<DeletedTopic, ClusterError>> {
    topics.iter().map(|topic| delete_topic(draft, topic)).collect()
}

fn delete_topic(draft: &mut Draft, topic: &TopicRef) -> Result<DeletedTopic, ClusterError> {
    let found = match topic {
        TopicRef::Name(name) => draft.image().topic_named(name).ok_or(ClusterError::UnknownTopic)?,
        TopicRef::Id(id) => draft.image().topic(*id).ok_or(ClusterError::UnknownTopicId)?,
    };
    let deleted = DeletedTopic { id: found.record.id, name: found.record.name.clone() };
    draft.change(Change::RemoveTopic(deleted.id));
    Ok(deleted)
}
