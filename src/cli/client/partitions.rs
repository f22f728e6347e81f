//! Partitions of topics, and where they begin and end.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::error::{BrokerError, ClientError};
use super::native::{self, At};

/// A topic and the number of one of its partitions.
pub type TopicPartition = (String, i32);

/// Where a partition's records are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Offset of the oldest one.
    pub first: i64,
    /// The offset behind the newest one that consumers may read.
    pub end: i64,
}

/// The numbers of these partitions of a topic, each once, or of all if none are named; fails if one does not exist.
pub fn partitions_of(cluster: &Cluster, topic: &str, named: &[i32]) -> Result<Vec<i32>, ClientError> {
    let mut described = native::describe_topics(cluster, &[topic])?;
    let missing = || ClientError::Library(format!("the broker says nothing of topic {topic}"));
    let (_, described) = described.pop().ok_or_else(missing)?;
    let described = described.map_err(|error| cluster.answered(format!("topic {topic}"), error))?;
    let all: Vec<i32> = described.partitions.iter().map(|partition| partition.partition).collect();
    match named.iter().find(|partition| !all.contains(partition)) {
        Some(partition) => Err(ClientError::NotFound {
            what: format!("partition {partition} of topic {topic}"),
            remedy: "`corelane topic describe` shows which do",
        }),
        None if named.is_empty() => Ok(all),
        None => Ok(BTreeSet::from_iter(named.iter().copied()).into_iter().collect()),
    }
}

/// An offset of each partition; none where there is none (no record at that time or later).
pub fn offsets(
    cluster: &Cluster,
    partitions: &[TopicPartition],
    at: At,
) -> Result<BTreeMap<TopicPartition, Result<Option<i64>, BrokerError>>, ClientError> {
    let named: Vec<(&str, i32)> =
        partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect();
    let found = native::list_offsets(cluster, &named, at)?;
    Ok(found.into_iter().map(|found| ((found.topic, found.partition), found.offset)).collect())
}

/// The same, where an error of one partition is one of the whole.
pub fn all_offsets(
    cluster: &Cluster,
    partitions: &[TopicPartition],
    at: At,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, ClientError> {
    let mut found = offsets(cluster, partitions, at)?;
    let checked = partitions.iter().map(|place| {
        let (topic, partition) = place;
        let what = || format!("partition {partition} of topic {topic}");
        let offset =
            found.remove(place).ok_or_else(|| ClientError::Library(format!("{}: no answer", what())))?;
        Ok((place.clone(), offset.map_err(|error| cluster.answered(what(), error))?))
    });
    checked.collect()
}

/// Where these partitions begin and end.
pub fn bounds(
    cluster: &Cluster,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, Bounds>, ClientError> {
    let first = all_offsets(cluster, partitions, At::Earliest)?;
    let end = all_offsets(cluster, partitions, At::Latest)?;
    let bounds = first.into_iter().zip(end.into_values()).map(|((place, first), end)| {
        let first = first.unwrap_or(0);
        (place, Bounds { first, end: end.unwrap_or(first) })
    });
    Ok(bounds.collect())
}
