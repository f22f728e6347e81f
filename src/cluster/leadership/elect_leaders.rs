//! ElectLeaders (KIP-460): leadership goes back to the preferred copy, or, as a last resort, to one that may lack
//! records that were acknowledged.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::settle::{is_able, may_count, record_disks};
use crate::base::ids::PartitionId;
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::records::{PartitionRecord, Record};

/// Who is to lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Election {
    /// The first copy, if it is in sync.
    Preferred,
    /// Any copy of which the node is there, where nobody leads: in order of preference, but those that are on another
    /// disk than when they last counted come last, as they may be empty. What only others have is lost.
    Unclean,
}

/// Why nobody is elected.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

impl Election {
    /// Whether this election may give the partition another leader, as far as its record tells.
    pub fn is_needed(self, partition: &PartitionRecord) -> bool {
        match self {
            Election::Preferred => partition.leader != partition.replicas.first().map(|first| first.node),
            Election::Unclean => partition.leader.is_none(),
        }
    }
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
    if !Election::Preferred.is_needed(partition) {
        return Err(ElectionError::NotNeeded);
    }
    if !partition.in_sync_replicas.contains(&preferred.node) || !may_count(image, preferred) {
        return Err(ElectionError::PreferredNotAvailable);
    }
    Ok(PartitionRecord { leader: Some(preferred.node), ..partition.clone() })
}

fn unclean(image: &Image, partition: &PartitionRecord) -> Result<PartitionRecord, ElectionError> {
    if !Election::Unclean.is_needed(partition) {
        return Err(ElectionError::NotNeeded);
    }
    let copies = &partition.replicas;
    let on_its_disk = copies.iter().find(|replica| may_count(image, replica));
    let any = || copies.iter().find(|replica| is_able(image, replica));
    let leader = on_its_disk.or_else(any).ok_or(ElectionError::NobodyAvailable)?.node;
    let mut next =
        PartitionRecord { leader: Some(leader), in_sync_replicas: vec![leader], ..partition.clone() };
    record_disks(image, &[leader], &mut next.replicas);
    Ok(next)
}
