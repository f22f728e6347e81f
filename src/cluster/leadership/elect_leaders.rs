//! ElectLeaders (KIP-460): leadership goes back to the preferred copy, or, as a last resort, to one that may lack
//! records that were acknowledged.

use thiserror::Error;

use super::settle::{may_count, renew_disks};
use crate::base::ids::PartitionId;
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::records::{PartitionRecord, Record};

/// Who is to lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Election {
    /// The first copy, if it is in sync.
    Preferred,
    /// Any copy of which the node is there, in order of preference, where nobody leads. What only others have is lost.
    Unclean,
}

/// Why nobody is elected.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElectionError {
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("This server does not host this topic-partition.")]
    UnknownPartition,
    /// ELECTION_NOT_NEEDED.
    #[error("Leader election not needed for topic partition.")]
    NotNeeded,
    /// PREFERRED_LEADER_NOT_AVAILABLE.
    #[error("The preferred leader was not available.")]
    PreferredNotAvailable,
    /// ELIGIBLE_LEADERS_NOT_AVAILABLE.
    #[error("Eligible topic partition leaders are not available.")]
    NobodyAvailable,
}

/// Elects leaders; the results are in the order of `partitions`.
pub fn elect_leaders(
    draft: &mut Draft,
    election: Election,
    partitions: &[PartitionId],
) -> Vec<Result<(), ElectionError>> {
    let elect = |id: &PartitionId| {
        let image = draft.image();
        let partition = image.partition(*id).ok_or(ElectionError::UnknownPartition)?;
        let next = match election {
            Election::Preferred => preferred(image, partition)?,
            Election::Unclean => unclean(image, partition)?,
        };
        if let Some(next) = next.in_place_of(partition) {
            draft.put(Record::Partition(next));
        }
        Ok(())
    };
    partitions.iter().map(elect).collect()
}

fn preferred(image: &Image, partition: &PartitionRecord) -> Result<PartitionRecord, ElectionError> {
    let preferred = partition.replicas.first().ok_or(ElectionError::PreferredNotAvailable)?;
    if partition.leader == Some(preferred.node) {
        return Err(ElectionError::NotNeeded);
    }
    if !partition.in_sync_replicas.contains(&preferred.node) || !may_count(image, preferred) {
        return Err(ElectionError::PreferredNotAvailable);
    }
    Ok(PartitionRecord { leader: Some(preferred.node), ..partition.clone() })
}

fn unclean(image: &Image, partition: &PartitionRecord) -> Result<PartitionRecord, ElectionError> {
    if partition.leader.is_some() {
        return Err(ElectionError::NotNeeded);
    }
    let nodes = partition.replicas.iter().map(|replica| replica.node);
    let active = |node: &_| image.node(*node).is_some_and(|record| record.is_active());
    let leader = nodes.into_iter().find(active).ok_or(ElectionError::NobodyAvailable)?;
    let mut next = partition.clone();
    next.in_sync_replicas.clear();
    // Also the leader's, whose old disk may have been the last in sync.
    renew_disks(image, &mut next);
    next.leader = Some(leader);
    next.in_sync_replicas = vec![leader];
    Ok(next)
}
