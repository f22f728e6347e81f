//! `corelane topic describe`.

use std::collections::HashMap;

use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::super::table::table;
use super::super::arguments::each_once;
use super::super::cluster::Cluster;
use super::super::config::entries_table;
use super::super::error::ClientError;
use super::super::native::{
    At, ConfigEntry, PartitionDescription, Resource, Source, TopicDescription, describe_configs,
    describe_topics, list_offsets,
};
use super::super::outcomes::sum_up;
use super::super::output::{self, cell, cell_of};
use super::super::progress::Progress;

/// A topic, as programs get it.
#[derive(Serialize)]
struct Topic {
    name: String,
    id: Option<String>,
    is_internal: bool,
    /// Only those that are not the default.
    configs: Vec<ConfigEntry>,
    partitions: Vec<Partition>,
}

/// A partition of it. Offsets are unknown while it has no leader.
#[derive(Serialize)]
struct Partition {
    partition: i32,
    leader: Option<i32>,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
    log_start_offset: Option<i64>,
    high_watermark: Option<i64>,
}

/// Offsets by topic and partition.
type Offsets = HashMap<(String, i32), i64>;

pub(super) fn describe(cluster: &Cluster, names: &[String], output: Output) -> Result<(), ClientError> {
    let wanted = each_once(names);
    let (mut topics, mut errors) = (Vec::new(), Vec::new());
    for (name, described) in describe_topics(cluster, &wanted)? {
        match described {
            Ok(topic) => topics.push(topic),
            Err(error) => errors.push(cluster.answered(format!("topic {name}"), error)),
        }
    }
    let total = topics.len() + errors.len();
    let mut configs = configs(cluster, &topics)?;
    let partitions: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let progress = Progress::begin("reading offsets", 2 * partitions as u64);
    let starts = offsets(cluster, &topics, At::Earliest)?;
    progress.advance(partitions as u64);
    let ends = offsets(cluster, &topics, At::Latest)?;
    drop(progress);
    let topics: Vec<Topic> = topics
        .into_iter()
        .map(|topic| {
            let configs = configs.remove(&topic.name).unwrap_or_default();
            Topic::of(topic, configs, &starts, &ends)
        })
        .collect();
    output::print(output, &topics, || topics.iter().map(Topic::text).collect::<Vec<_>>().join("\n"))?;
    sum_up(errors, total)
}

/// What is not the default, by topic. A topic whose configs may not be read has none.
fn configs(
    cluster: &Cluster,
    topics: &[TopicDescription],
) -> Result<HashMap<String, Vec<ConfigEntry>>, ClientError> {
    let resources: Vec<Resource> = topics.iter().map(|topic| Resource::Topic(topic.name.clone())).collect();
    let described = describe_configs(cluster, &resources)?;
    let set = |entries: Vec<ConfigEntry>| {
        entries.into_iter().filter(|entry| entry.source != Source::Default).collect::<Vec<_>>()
    };
    Ok(described.into_iter().filter_map(|(name, entries)| Some((name, set(entries.ok()?)))).collect())
}

/// Offsets of the partitions that have a leader to ask. What cannot be had is left out.
fn offsets(cluster: &Cluster, topics: &[TopicDescription], at: At) -> Result<Offsets, ClientError> {
    let led = |topic: &'_ TopicDescription| {
        let partitions = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        partitions.map(|partition| (topic.name.clone(), partition.partition)).collect::<Vec<_>>()
    };
    let wanted: Vec<(String, i32)> = topics.iter().flat_map(led).collect();
    let wanted: Vec<(&str, i32)> =
        wanted.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect();
    let answers = list_offsets(cluster, &wanted, at)?;
    let known = |it: super::super::native::OffsetAt| Some(((it.topic, it.partition), it.offset.ok()??));
    Ok(answers.into_iter().filter_map(known).collect())
}

impl Topic {
    fn of(topic: TopicDescription, configs: Vec<ConfigEntry>, starts: &Offsets, ends: &Offsets) -> Self {
        let name = topic.name;
        let partition = |it: PartitionDescription| {
            let key = (name.clone(), it.partition);
            Partition {
                partition: it.partition,
                leader: it.leader,
                replicas: it.replicas,
                in_sync_replicas: it.in_sync_replicas,
                log_start_offset: starts.get(&key).copied(),
                high_watermark: ends.get(&key).copied(),
            }
        };
        let partitions = topic.partitions.into_iter().map(partition).collect();
        Self { id: topic.topic_id, is_internal: topic.is_internal, configs, partitions, name }
    }

    fn text(&self) -> String {
        let internal = if self.is_internal { ", internal" } else { "" };
        let id = self.id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
        let mut text = format!("topic {}: {} partitions{internal}{id}\n", self.name, self.partitions.len());
        if !self.configs.is_empty() {
            text.push_str(&format!("\n{}", entries_table(&self.configs)));
        }
        let row = |it: &Partition| {
            vec![
                it.partition.to_string(),
                cell(it.leader),
                cell_of(&it.replicas),
                cell_of(&it.in_sync_replicas),
                cell(it.log_start_offset),
                cell(it.high_watermark),
            ]
        };
        let heading = ["partition", "leader", "replicas", "in sync", "log start", "high watermark"];
        let rows: Vec<_> = self.partitions.iter().map(row).collect();
        format!("{text}\n{}", table(&heading, &rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let partition = |partition, leader| PartitionDescription {
            partition,
            leader,
            replicas: vec![1000],
            in_sync_replicas: leader.into_iter().collect(),
        };
        let partitions = vec![partition(0, Some(1000)), partition(1, None)];
        let name = "orders".to_owned();
        let topic = TopicDescription {
            name: name.clone(),
            topic_id: Some("x".to_owned()),
            is_internal: false,
            partitions,
        };
        let offsets = |offset| HashMap::from([((name.clone(), 0), offset)]);
        let config = ConfigEntry {
            key: "retention.ms".to_owned(),
            value: Some("1000".to_owned()),
            source: Source::Topic,
            is_read_only: false,
            is_sensitive: false,
        };
        let topic = Topic::of(topic, vec![config], &offsets(3), &offsets(10));
        let expected = "topic orders: 2 partitions, id x\n\n\
            config        value  source\n\
            retention.ms   1000  topic\n\n\
            partition  leader  replicas  in sync  log start  high watermark\n        \
            0    1000      1000     1000          3              10\n        \
            1       -      1000        -          -               -\n";
        assert_eq!(topic.text(), expected);
        let json = serde_json::to_value(&topic).unwrap();
        assert_eq!(json["partitions"][0]["high_watermark"], 10);
        assert_eq!(json["partitions"][1]["leader"], serde_json::Value::Null);
        assert_eq!(json["configs"][0]["source"], "topic");
    }
}
