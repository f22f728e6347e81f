//! AlterPartition (KIP-497): a leader says who is in sync. What it says counts if it is the leader, of this term and
//! of this state of the partition, and if all that it names take part (KIP-841) as the start of which it speaks
//! (KIP-903).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::settle::{is_able, may_count, record_disks};
use crate::base::ids::{LeaderEpoch, NodeId, PartitionId};
use crate::base::planted::{Bug, is_planted};
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::membership::{StaleRegistration, check_registration};
use crate::cluster::records::{DiskId, PartitionRecord, Record};

/// A copy as its leader knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InSyncReplica {
    /// The node.
    pub node: NodeId,
    /// The disk on which it has acknowledged.
    pub disk: DiskId,
    /// The start of the node that has acknowledged.
    pub incarnation: u64,
}

/// The in-sync set that a leader wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlterPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The term in which the node leads.
    pub leader_epoch: LeaderEpoch,
    /// The state of the partition that it knows.
    pub partition_epoch: i32,
    /// Who is in sync, the leader included.
    pub in_sync_replicas: Vec<InSyncReplica>,
}

/// What a node asks of the controller for partitions that it leads: what [`alter_partitions`] is called with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlterPartitions {
    /// The node.
    pub leader: NodeId,
    /// Its registration as it knows it: one that it has replaced since speaks of an older start.
    pub registration_epoch: u64,
    /// The in-sync sets that its leaders want.
    pub alterations: Vec<AlterPartition>,
}

/// Why the in-sync set stays as it is.
#[derive(Error, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AlterPartitionError {
    /// UNKNOWN_TOPIC_ID, or UNKNOWN_TOPIC_OR_PARTITION.
    #[error("there is no such partition")]
    UnknownPartition,
    /// NOT_CONTROLLER: the leader knows more than this controller, which is one no more.
    #[error("the leader knows a later state of the partition: another controller decides")]
    NotController,
    /// FENCED_LEADER_EPOCH.
    #[error("the term is over")]
    FencedLeaderEpoch,
    /// INVALID_UPDATE_VERSION: the leader is to look at the partition's state before it asks again.
    #[error("the partition has changed since")]
    InvalidUpdateVersion,
    /// INVALID_REQUEST.
    #[error("{0}")]
    InvalidRequest(String),
    /// INELIGIBLE_REPLICA: fenced, about to stop, or not the start or the disk that acknowledged.
    #[error("node {0} cannot be in sync: it is fenced, about to stop, cannot write, or was started anew")]
    IneligibleReplica(NodeId),
}

/// Changes in-sync sets as the node `leader` wants; the results, the partitions as they are then, are in the order of
/// `alterations`.
pub fn alter_partitions(
    draft: &mut Draft,
    leader: NodeId,
    registration_epoch: u64,
    alterations: &[AlterPartition],
) -> Result<Vec<Result<PartitionRecord, AlterPartitionError>>, StaleRegistration> {
    check_registration(draft.image(), leader, registration_epoch)?;
    Ok(alterations.iter().map(|alteration| alter(draft, leader, alteration)).collect())
}

fn alter(
    draft: &mut Draft,
    leader: NodeId,
    wanted: &AlterPartition,
) -> Result<PartitionRecord, AlterPartitionError> {
    let image = draft.image();
    let partition = image.partition(wanted.partition).ok_or(AlterPartitionError::UnknownPartition)?;
    check_epochs(partition, leader, wanted)?;
    check_members(image, partition, leader, wanted)?;
    let mut next = partition.clone();
    next.in_sync_replicas = wanted.in_sync_replicas.iter().map(|replica| replica.node).collect();
    record_disks(image, &next.in_sync_replicas, &mut next.replicas);
    let Some(next) = next.in_place_of(partition) else { return Ok(partition.clone()) };
    draft.put(Record::Partition(next.clone()));
    Ok(next)
}

/// In Kafka's order (ReplicationControlManager.validateAlterPartitionData).
fn check_epochs(
    partition: &PartitionRecord,
    leader: NodeId,
    wanted: &AlterPartition,
) -> Result<(), AlterPartitionError> {
    let is_later = wanted.partition_epoch > partition.partition_epoch;
    if wanted.leader_epoch > partition.leader_epoch || is_later {
        return Err(AlterPartitionError::NotController);
    }
    if wanted.leader_epoch < partition.leader_epoch {
        return Err(AlterPartitionError::FencedLeaderEpoch);
    }
    if partition.leader != Some(leader) {
        return Err(AlterPartitionError::InvalidRequest("the node does not lead the partition".to_owned()));
    }
    if wanted.partition_epoch < partition.partition_epoch && !is_planted(Bug::ControllerIgnoreEpoch) {
        return Err(AlterPartitionError::InvalidUpdateVersion);
    }
    Ok(())
}

fn check_members(
    image: &Image,
    partition: &PartitionRecord,
    leader: NodeId,
    wanted: &AlterPartition,
) -> Result<(), AlterPartitionError> {
    let invalid = |reason: &str| Err(AlterPartitionError::InvalidRequest(reason.to_owned()));
    let members = &wanted.in_sync_replicas;
    if members.iter().any(|member| partition.replica(member.node).is_none()) {
        return invalid("a node in the set has no replica");
    }
    let distinct: BTreeSet<NodeId> = members.iter().map(|member| member.node).collect();
    if distinct.len() != members.len() || !distinct.contains(&leader) {
        return invalid("a node is in the set twice, or the leader is not");
    }
    let is_ineligible = |member: &&InSyncReplica| {
        let replica = partition.replica(member.node).expect("looked at above");
        let node = image.node(member.node);
        let is_same =
            node.is_some_and(|node| (node.disk, node.incarnation) == (member.disk, member.incarnation));
        // Who joins may have another disk than the one on which it counted before.
        let is_there = match partition.in_sync_replicas.contains(&member.node) {
            true => may_count(image, replica),
            false => is_able(image, replica),
        };
        !(is_there || is_planted(Bug::ControllerAdmitFenced))
            || !(is_same || is_planted(Bug::ControllerAdmitRestarted))
    };
    match members.iter().find(is_ineligible) {
        Some(member) => Err(AlterPartitionError::IneligibleReplica(member.node)),
        None => Ok(()),
    }
}
