//! What a shard asks of the metadata, wherever that is decided.

use futures_util::future::LocalBoxFuture;

use crate::base::ids::{PartitionId, ShardId};
use crate::cluster::{
    AlterPartitionError, AlterPartitions, ClusterError, ConfigAlteration, CreatedTopic, DeletedTopic,
    Election, ElectionError, NewPartitions, NewTopic, PartitionRecord, ProducerIdBlock, TopicRef,
};

/// The metadata cannot be changed now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataUnavailable {
    /// It is being stopped, its store has failed, or nobody knows what became of the command.
    #[error("metadata: {0}")]
    Failed(String),
    /// There is no controller at the moment. Nothing was changed: whoever asks again may have more luck.
    #[error("metadata: {0}")]
    NoController(String),
}

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

    /// Changes in-sync sets as the leaders of their partitions want, if the controller agrees; outcomes in the order of
    /// the command's alterations. What became of them is unknown where the answer is an error.
    fn alter_partitions(
        &self,
        command: AlterPartitions,
    ) -> Answer<Vec<Result<PartitionRecord, AlterPartitionError>>>;

    /// Elects leaders of partitions; outcomes in the order of `partitions`.
    fn elect_leaders(
        &self,
        election: Election,
        partitions: Vec<PartitionId>,
    ) -> Answer<Vec<Result<(), ElectionError>>>;

    /// Producer ids that nobody else gets.
    fn allocate_producer_ids(&self) -> Answer<ProducerIdBlock>;

    /// Reports that a shard has applied the image of this version and all before it.
    fn applied(&self, shard: ShardId, version: u64);

    /// Reports that a shard cannot write any more. Others are to lead what it leads, where they can.
    fn failed(&self, shard: ShardId);
}
