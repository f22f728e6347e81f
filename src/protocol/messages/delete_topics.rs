//! DeleteTopics.

use crate::base::ids::TopicId;
use crate::protocol::ErrorCode;

api! {
    DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse, versions 1..=6, flexible 4..;

    /// Topics to delete.
    pub struct DeleteTopicsRequest {
        /// The topics by name or id.
        topics: Vec<DeleteTopicState> [6..],
        /// The topics by name.
        topic_names: Vec<String> [1..=5],
        /// How long to wait until they are gone.
        timeout_ms: i32 [1..],
    }

    /// A topic to delete.
    pub struct DeleteTopicState {
        /// The name, or `None` if asked by id.
        name: Option<String> [6.., null 6..],
        /// The id, or [`TopicId::ZERO`] if asked by name.
        topic_id: TopicId [6..],
    }

    /// What was deleted.
    pub struct DeleteTopicsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// The topics.
        responses: Vec<DeletableTopicResult> [1..],
    }

    /// The outcome for one topic.
    pub struct DeletableTopicResult {
        /// The name, if known.
        name: Option<String> [1.., null 6..],
        /// The id.
        topic_id: TopicId [6..],
        /// Why the topic was not deleted.
        error_code: ErrorCode [1..],
        /// What is wrong, for people.
        error_message: Option<String> [5.., null 5..],
    }
}
