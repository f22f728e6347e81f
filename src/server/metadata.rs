//! Control as the shards know it.

use crate::base::ids::{PartitionId, ShardId};
use crate::cluster::{
    AlterPartitionError, AlterPartitions, ClusterError, ConfigAlteration, CreatedTopic, DeletedTopic,
    Election, ElectionError, NewPartitions, NewTopic, PartitionRecord, ProducerIdBlock, TopicRef,
};
use crate::control::{AppliedReporter, ControlClient, ControlError};
use crate::shard::{Answer, Metadata, MetadataUnavailable};

/// One shard's way to control.
pub struct ControlMetadata {
    /// Takes commands.
    pub client: ControlClient,
    /// Takes the versions that the shard has applied.
    pub reporter: AppliedReporter,
}

fn unavailable(error: ControlError) -> MetadataUnavailable {
    match error {
        ControlError::NoController => MetadataUnavailable::NoController(error.to_string()),
        error => MetadataUnavailable::Failed(error.to_string()),
    }
}

impl Metadata for ControlMetadata {
    fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Answer<Vec<Result<CreatedTopic, ClusterError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.create_topics(topics, validate_only).await.map_err(unavailable) })
    }

    fn delete_topics(&self, topics: Vec<TopicRef>) -> Answer<Vec<Result<DeletedTopic, ClusterError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.delete_topics(topics).await.map_err(unavailable) })
    }

    fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.create_partitions(topics, validate_only).await.map_err(unavailable) })
    }

    fn alter_configs(
        &self,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.alter_configs(alterations, validate_only).await.map_err(unavailable) })
    }

    fn alter_partitions(
        &self,
        command: AlterPartitions,
    ) -> Answer<Vec<Result<PartitionRecord, AlterPartitionError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.alter_partitions(command).await.map_err(unavailable) })
    }

    fn elect_leaders(
        &self,
        election: Election,
        partitions: Vec<PartitionId>,
    ) -> Answer<Vec<Result<(), ElectionError>>> {
        let client = self.client.clone();
        Box::pin(async move { client.elect_leaders(election, partitions).await.map_err(unavailable) })
    }

    fn allocate_producer_ids(&self) -> Answer<ProducerIdBlock> {
        let client = self.client.clone();
        Box::pin(async move { client.allocate_producer_ids().await.map_err(unavailable) })
    }

    fn applied(&self, _shard: ShardId, version: u64) {
        self.reporter.report(version);
    }

    fn failed(&self, _shard: ShardId) {
        self.reporter.report_failure();
    }
}
