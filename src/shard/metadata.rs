//! What a shard asks of the metadata, wherever that is decided.

use futures_util::future::LocalBoxFuture;

use crate::base::ids::ShardId;
use crate::cluster::{
    ClusterError, ConfigAlteration, CreatedTopic, DeletedTopic, NewPartitions, NewTopic, ProducerIdBlock,
    TopicRef,
};

/// The metadata cannot be changed now: it is being stopped, or its store has failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("metadata: {0}")]
pub struct MetadataUnavailable(pub String);

/// The outcome of a command that the metadata carried out, or could not.
pub type Answer<T> = LocalBoxFuture<'static, Result<T, MetadataUnavailable>>;

/// Commands on the metadata. A command completes once it is durable and every shard has applied it, so that
/// whoever is told of a topic can use it at once. Dropping the future does not take the command back.
pub trait Metadata {
    /// Creates topics, or with `validate_only` says what would come of it; outcomes in the order of `topics`.
    fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Answer<Vec<Result<CreatedTopic, ClusterError>>>;

    /// Deletes topics; outcomes in the order of `topics`.
    fn delete_topics(&self, topics: Vec<TopicRef>) -> Answer<Vec<Result<DeletedTopic, ClusterError>>>;

    /// Adds partitions to topics, or with `validate_only` says what would come of it; outcomes in the order of
    /// `topics`.
    fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>>;

    /// Changes configs, or with `validate_only` says what would come of it; outcomes in the order of
    /// `alterations`.
    fn alter_configs(
        &self,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>>;

    /// Producer ids that nobody else gets.
    fn allocate_producer_ids(&self) -> Answer<ProducerIdBlock>;

    /// Reports that a shard has applied the image of this version and all before it.
    fn applied(&self, shard: ShardId, version: u64);
}
