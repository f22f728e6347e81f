//! The commands that shards send to control.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::base::ids::PartitionId;
use crate::cluster::{
    AlterPartitionError, AlterPartitions, ClusterError, ConfigAlteration, CreatedTopic, DeletedTopic,
    Election, ElectionError, NewPartitions, NewTopic, PartitionRecord, ProducerIdBlock, TopicRef,
};

/// Why a command was not carried out as a whole. To clients [`ControlError::NoController`] is NOT_CONTROLLER, and all
/// others are storage errors.
#[derive(Error, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ControlError {
    /// The disk has no room; nothing was changed.
    #[error("{0}")]
    DiskFull(String),
    /// The command changes more than one proposal may hold; nothing was changed.
    #[error("{0}")]
    TooLong(String),
    /// The metadata store failed, now or earlier. Whether this command was carried out shows at the next start.
    #[error("metadata cannot be changed until the broker is started again: {0}")]
    OutOfService(String),
    /// No node that decides could be asked; nothing was changed.
    #[error("the cluster has no controller at the moment, so nothing was changed: ask again")]
    NoController,
    /// The node that decides was lost half way.
    #[error("the controller was lost on the way: whether this was carried out shows when there is one again")]
    Uncertain,
    /// The node that asks is not registered as it thinks it is; nothing was changed.
    #[error("{0}")]
    StaleRegistration(String),
    /// Control is stopping. Whether this command was carried out shows at the next start.
    #[error("the broker is stopping")]
    Stopped,
    /// All producer ids there are have been given out.
    #[error("there are no producer ids left")]
    NoProducerIds,
}

/// What control is asked to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    CreateTopics { topics: Vec<NewTopic>, validate_only: bool },
    DeleteTopics(Vec<TopicRef>),
    CreatePartitions { topics: Vec<NewPartitions>, validate_only: bool },
    AlterConfigs { alterations: Vec<ConfigAlteration>, validate_only: bool },
    AllocateProducerIds,
    AlterPartitions(AlterPartitions),
    ElectLeaders { election: Election, partitions: Vec<PartitionId> },
}

impl Request {
    /// Whether it is only asked what would come of it.
    pub fn is_trial(&self) -> bool {
        match self {
            Request::CreateTopics { validate_only, .. }
            | Request::CreatePartitions { validate_only, .. }
            | Request::AlterConfigs { validate_only, .. } => *validate_only,
            Request::DeleteTopics(_)
            | Request::AllocateProducerIds
            | Request::AlterPartitions(_)
            | Request::ElectLeaders { .. } => false,
        }
    }
}

impl Request {
    /// Whether it is refused when the disk is nearly full. Configs are altered then too: shorter retention is what
    /// empties it.
    pub(super) fn spends_space(&self) -> bool {
        matches!(self, Request::CreateTopics { .. } | Request::CreatePartitions { .. }) && !self.is_trial()
    }
}

/// What came of a request, of the same kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    Created(Vec<Result<CreatedTopic, ClusterError>>),
    Deleted(Vec<Result<DeletedTopic, ClusterError>>),
    /// Of partitions created and configs altered, in the order of the request.
    Done(Vec<Result<(), ClusterError>>),
    ProducerIds(Option<ProducerIdBlock>),
    /// The partitions as they are then, in the order of the request; or why the node is not heard at all.
    Altered(Result<Vec<AlteredPartition>, String>),
    /// In the order of the request.
    Elected(Vec<Result<(), ElectionError>>),
}

/// What came of the in-sync set that a leader wants.
pub type AlteredPartition = Result<PartitionRecord, AlterPartitionError>;

/// A request on its way.
#[derive(Debug)]
pub struct Command {
    pub request: Request,
    pub reply: oneshot::Sender<Result<Answer, ControlError>>,
}

/// Sends commands to control; a clone for whoever wants one. Every reply waits until the change is durable and
/// every shard has applied it. A command whose future is dropped may still be carried out.
#[derive(Clone, Debug)]
pub struct ControlClient {
    commands: mpsc::Sender<Command>,
}

impl ControlClient {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        ControlClient { commands }
    }

    /// Creates topics, or only says what would come of it. Results are in the order of `topics`.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<Vec<Result<CreatedTopic, ClusterError>>, ControlError> {
        match self.call(Request::CreateTopics { topics, validate_only }).await? {
            Answer::Created(results) => Ok(results),
            other => unreachable!("an answer of another kind: {other:?}"),
        }
    }

    /// Deletes topics. Results are in the order of `topics`.
    pub async fn delete_topics(
        &self,
        topics: Vec<TopicRef>,
    ) -> Result<Vec<Result<DeletedTopic, ClusterError>>, ControlError> {
        match self.call(Request::DeleteTopics(topics)).await? {
            Answer::Deleted(results) => Ok(results),
            other => unreachable!("an answer of another kind: {other:?}"),
        }
    }

    /// Adds partitions to topics, or only says what would come of it. Results are in the order of `topics`.
    pub async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Result<Vec<Result<(), ClusterError>>, ControlError> {
        self.call(Request::CreatePartitions { topics, validate_only }).await.map(done)
    }

    /// Changes configs, or only says what would come of it. Results are in the order of `alterations`.
    pub async fn alter_configs(
        &self,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Result<Vec<Result<(), ClusterError>>, ControlError> {
        self.call(Request::AlterConfigs { alterations, validate_only }).await.map(done)
    }

    /// Producer ids that nobody else gets.
    pub async fn allocate_producer_ids(&self) -> Result<ProducerIdBlock, ControlError> {
        match self.call(Request::AllocateProducerIds).await? {
            Answer::ProducerIds(block) => block.ok_or(ControlError::NoProducerIds),
            other => unreachable!("an answer of another kind: {other:?}"),
        }
    }

    /// Changes in-sync sets as the node's leaders want. Results are in the order of the command's alterations.
    pub async fn alter_partitions(
        &self,
        command: AlterPartitions,
    ) -> Result<Vec<AlteredPartition>, ControlError> {
        match self.call(Request::AlterPartitions(command)).await? {
            Answer::Altered(outcome) => outcome.map_err(ControlError::StaleRegistration),
            other => unreachable!("an answer of another kind: {other:?}"),
        }
    }

    /// Elects leaders. Results are in the order of `partitions`.
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: Vec<PartitionId>,
    ) -> Result<Vec<Result<(), ElectionError>>, ControlError> {
        match self.call(Request::ElectLeaders { election, partitions }).await? {
            Answer::Elected(results) => Ok(results),
            other => unreachable!("an answer of another kind: {other:?}"),
        }
    }

    async fn call(&self, request: Request) -> Result<Answer, ControlError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command { request, reply }).await;
        sent.map_err(|_| ControlError::Stopped)?;
        answer.await.unwrap_or(Err(ControlError::Stopped))
    }
}

fn done(answer: Answer) -> Vec<Result<(), ClusterError>> {
    match answer {
        Answer::Done(results) => results,
        other => unreachable!("an answer of another kind: {other:?}"),
    }
}
