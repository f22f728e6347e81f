//! Topics as requests name them: by name, or in newer versions by id.

use std::sync::Arc;

use crate::base::ids::{PartitionId, TopicId};
use crate::cluster::{Image, Topic};
use crate::protocol::ErrorCode;

/// The topic that a request means: by id if it has one, else by name.
pub(super) fn find<'a>(image: &'a Image, name: &str, id: TopicId) -> Result<&'a Arc<Topic>, ErrorCode> {
    if id == TopicId::ZERO { named(image, name) } else { identified(image, id) }
}

/// The topic that has this name.
pub(super) fn named<'a>(image: &'a Image, name: &str) -> Result<&'a Arc<Topic>, ErrorCode> {
    image.topic_named(name).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// The topic that has this id.
pub(super) fn identified(image: &Image, id: TopicId) -> Result<&Arc<Topic>, ErrorCode> {
    image.topic(id).ok_or(ErrorCode::UnknownTopicId)
}

/// One of the topic's partitions.
pub(super) fn partition(topic: &Topic, index: i32) -> Result<PartitionId, ErrorCode> {
    let found = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(found.id())
}

/// The same in one step for a topic that may be unknown.
pub(super) fn find_partition(
    topic: &Result<&Arc<Topic>, ErrorCode>,
    index: i32,
) -> Result<PartitionId, ErrorCode> {
    topic.as_ref().map_err(|code| *code).and_then(|topic| partition(topic, index))
}
