//! Topics are created: Kafka's checks in Kafka's order (ReplicationControlManager.createTopics), then a place
//! for each partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::validate_configs;
use super::draft::Draft;
use super::error::ClusterError;
use super::name::{is_internal, validate_topic_name};
use super::placing::{Placed, Places, Placing, put};
use super::records::{Record, TopicRecord};
use super::spread::Wanted;
use crate::base::ids::{BrokerId, TopicId};

/// The brokers that a client gave one partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplicaAssignment {
    /// The partition's index.
    pub index: i32,
    /// The brokers, the preferred leader first.
    pub broker_ids: Vec<BrokerId>,
}

/// A topic that a client wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 for the broker's `num.partitions`, and with assignments.
    pub num_partitions: i32,
    /// Copies of each partition; -1 for the broker's default, and with assignments.
    pub replication_factor: i16,
    /// A place for each partition; empty if the broker is to choose.
    pub assignments: Vec<ReplicaAssignment>,
    /// Configs to set. A null value is refused.
    pub configs: Vec<(String, Option<String>)>,
}

impl NewTopic {
    /// A topic with the broker's defaults, as auto-creation makes it.
    pub fn with_defaults(name: impl Into<String>) -> Self {
        let (assignments, configs) = Default::default();
        NewTopic { name: name.into(), num_partitions: -1, replication_factor: -1, assignments, configs }
    }
}

/// A topic that was created.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CreatedTopic {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub num_partitions: i32,
    /// Copies of each.
    pub replication_factor: i16,
    /// The configs that were set.
    pub configs: BTreeMap<String, String>,
}

/// Creates topics; the results are in the order of `topics`. A name that comes twice exists the second time:
/// requests with duplicates are the API layer's to refuse. `new_id` makes random ids.
pub fn create_topics(
    draft: &mut Draft,
    topics: &[NewTopic],
    placing: &Placing,
    created_ms: i64,
    new_id: &mut dyn FnMut() -> TopicId,
) -> Vec<Result<CreatedTopic, ClusterError>> {
    let mut places = Places::of(draft.image(), placing);
    let create = |topic: &NewTopic| {
        check_name(draft, &topic.name)?;
        let configs = validate_configs(&topic.configs, &placing.defaults)?;
        let partitions = place(topic, placing, &mut places)?;
        let internal = is_internal(&topic.name);
        let id = std::iter::repeat_with(&mut *new_id).find(|id| draft.image().topic(*id).is_none());
        let id = id.expect("there are more ids than topics");
        let record = TopicRecord { id, name: topic.name.clone(), internal, configs, created_ms };
        Ok(add(draft, record, partitions))
    };
    topics.iter().map(create).collect()
}

fn check_name(draft: &Draft, name: &str) -> Result<(), ClusterError> {
    validate_topic_name(name)?;
    match draft.image().topic_like(name) {
        None => Ok(()),
        Some(other) if other.record.name == name => Err(ClusterError::TopicExists(name.to_owned())),
        Some(other) => Err(ClusterError::InvalidName(format!(
            "Topic '{name}' collides with existing topic: {}",
            other.record.name
        ))),
    }
}

/// Chooses places for each partition.
fn place(topic: &NewTopic, placing: &Placing, places: &mut Places) -> Result<Vec<Placed>, ClusterError> {
    if topic.assignments.is_empty() {
        let factor = places.replication_factor(topic.replication_factor)?;
        let count = partition_count(topic, placing)?;
        places.check(count, count)?;
        return places.take(vec![Wanted::Any(factor); count]);
    }
    let count = topic.assignments.len();
    places.check(count, count)?;
    let wanted = assigned(topic, places)?;
    places.take(wanted)
}

/// The number of partitions where the cluster places them.
fn partition_count(topic: &NewTopic, placing: &Placing) -> Result<usize, ClusterError> {
    let count = if topic.num_partitions == -1 { placing.num_partitions } else { topic.num_partitions };
    usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        ClusterError::InvalidPartitions(
            "Number of partitions was set to an invalid non-positive value.".to_owned(),
        )
    })
}

/// The places that a client gave the partitions, in order of their indexes.
fn assigned(topic: &NewTopic, places: &Places) -> Result<Vec<Wanted>, ClusterError> {
    for (value, field) in
        [(i32::from(topic.replication_factor), "replication factor"), (topic.num_partitions, "numPartitions")]
    {
        if value != -1 {
            return Err(ClusterError::InvalidRequest(format!(
                "A manual partition assignment was specified, but {field} was not set to -1."
            )));
        }
    }
    let refused = |reason: String| Err(ClusterError::InvalidReplicaAssignment(reason));
    let (mut wanted, mut factor) = (BTreeMap::new(), None);
    for ReplicaAssignment { index, broker_ids } in &topic.assignments {
        if wanted.insert(*index, places.assigned(broker_ids, &mut factor)?).is_some() {
            return refused(format!("Found multiple manual partition assignments for partition {index}"));
        }
    }
    if !wanted.keys().copied().eq(0..wanted.len() as i32) {
        return refused("partitions should be a consecutive 0-based integer sequence".to_owned());
    }
    Ok(wanted.into_values().collect())
}

fn add(draft: &mut Draft, record: TopicRecord, partitions: Vec<Placed>) -> CreatedTopic {
    let created = CreatedTopic {
        id: record.id,
        name: record.name.clone(),
        num_partitions: partitions.len() as i32,
        replication_factor: partitions.first().map_or(0, |placed| placed.replicas.len() as i16),
        configs: record.configs.clone(),
    };
    draft.put(Record::Topic(record));
    put(draft, created.id, 0, partitions);
    created
}
