//! Topics get more partitions: Kafka's checks in Kafka's order (ReplicationControlManager.createPartitions), then a
//! place for each.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::error::ClusterError;
use super::placing::{Places, Placing, put};
use super::spread::Wanted;
use crate::base::ids::BrokerId;

/// A topic that is to have more partitions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewPartitions {
    /// The topic's name.
    pub topic: String,
    /// The number of partitions that it is to have in all.
    pub count: i32,
    /// The brokers of each new partition, in order of their indexes; `None` if the broker is to choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// Adds partitions to topics; the results are in the order of `topics`.
pub fn create_partitions(
    draft: &mut Draft,
    topics: &[NewPartitions],
    placing: &Placing,
) -> Vec<Result<(), ClusterError>> {
    let mut places = Places::of(draft.image(), placing);
    topics.iter().map(|topic| extend(draft, topic, &mut places)).collect()
}

fn extend(draft: &mut Draft, wanted: &NewPartitions, places: &mut Places) -> Result<(), ClusterError> {
    let topic = draft.image().topic_named(&wanted.topic).ok_or(ClusterError::UnknownTopic)?;
    let (id, present) = (topic.record.id, topic.partitions.len());
    let total = usize::try_from(wanted.count).unwrap_or(0);
    let Some(new) = total.checked_sub(present).filter(|new| *new > 0) else {
        return Err(ClusterError::InvalidPartitions(no_increase(wanted, present)));
    };
    places.check(total, new)?;
    let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    let wanted = match &wanted.assignments {
        None => {
            let factor = places.replication_factor(i16::try_from(factor).unwrap_or(i16::MAX))?;
            vec![Wanted::Any(factor); new]
        }
        Some(assignments) if assignments.len() != new => {
            return Err(ClusterError::InvalidReplicaAssignment(format!(
                "Attempted to add {new} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            )));
        }
        Some(assignments) => {
            let mut factor = Some(factor);
            let wanted = assignments.iter().map(|broker_ids| places.assigned(broker_ids, &mut factor));
            wanted.collect::<Result<_, _>>()?
        }
    };
    let partitions = places.take(wanted)?;
    put(draft, id, present as i32, partitions);
    Ok(())
}

fn no_increase(wanted: &NewPartitions, present: usize) -> String {
    let NewPartitions { topic, count, .. } = wanted;
    if usize::try_from(*count) == Ok(present) {
        return format!("Topic already has {present} partition(s).");
    }
    format!("The topic {topic} currently has {present} partition(s); {count} would not be an increase.")
}
