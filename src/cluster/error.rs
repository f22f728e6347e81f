//! What a command on the metadata can be refused for. The messages are Kafka's where Kafka has one, as tools
//! show them to people; the API layer maps the cases to Kafka's error codes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::ids::BrokerId;

/// A refusal that concerns one topic of a command.
#[derive(Error, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClusterError {
    /// TOPIC_ALREADY_EXISTS.
    #[error("Topic '{0}' already exists.")]
    TopicExists(String),
    /// INVALID_TOPIC_EXCEPTION: the name is illegal, or collides with another.
    #[error("{0}")]
    InvalidName(String),
    /// INVALID_PARTITIONS.
    #[error("{0}")]
    InvalidPartitions(String),
    /// INVALID_REPLICATION_FACTOR.
    #[error("{0}")]
    InvalidReplicationFactor(String),
    /// INVALID_REPLICA_ASSIGNMENT.
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    /// INVALID_REQUEST: fields that exclude each other.
    #[error("{0}")]
    InvalidRequest(String),
    /// INVALID_CONFIG.
    #[error("{0}")]
    InvalidConfig(String),
    /// UNKNOWN_TOPIC_OR_PARTITION: no topic of that name.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// UNKNOWN_TOPIC_ID: no topic of that id.
    #[error("This server does not host this topic ID.")]
    UnknownTopicId,
    /// BROKER_ID_NOT_REGISTERED.
    #[error("No broker with id {0} found.")]
    UnknownBroker(BrokerId),
    /// POLICY_VIOLATION: a limit of this broker was reached.
    #[error("{0}")]
    PolicyViolation(String),
}
