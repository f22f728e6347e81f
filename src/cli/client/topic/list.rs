//! `corelane topic list`.

use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::super::table::table;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{PartitionDescription, TopicDescription, describe_topics};
use super::super::output;
use super::arguments::List;

/// A topic in the list.
#[derive(Serialize)]
struct Row {
    name: String,
    id: Option<String>,
    is_internal: bool,
    partitions: usize,
    /// Of the partition that has most.
    replication_factor: usize,
    partitions_without_leader: usize,
    under_replicated_partitions: usize,
}

impl Row {
    fn of(topic: TopicDescription) -> Self {
        let count = |is_so: fn(&PartitionDescription) -> bool| {
            topic.partitions.iter().filter(|partition| is_so(partition)).count()
        };
        Self {
            partitions: topic.partitions.len(),
            replication_factor: topic.partitions.iter().map(|it| it.replicas.len()).max().unwrap_or(0),
            partitions_without_leader: count(|partition| partition.leader.is_none()),
            under_replicated_partitions: count(|partition| partition.is_under_replicated()),
            name: topic.name,
            id: topic.topic_id,
            is_internal: topic.is_internal,
        }
    }

    /// In a word or two.
    fn health(&self) -> String {
        match (self.partitions_without_leader, self.under_replicated_partitions) {
            (0, 0) => "ok".to_owned(),
            (0, lagging) => format!("under-replicated: {lagging}"),
            (leaderless, _) => format!("without leader: {leaderless}"),
        }
    }
}

pub(super) fn list(cluster: &Cluster, list: &List, output: Output) -> Result<(), ClientError> {
    let metadata = cluster.metadata()?;
    let names: Vec<&str> = metadata.topics().iter().map(|topic| topic.name()).collect();
    // The answer above does not say which topics are internal. A topic that is deleted meanwhile is not listed.
    let described = describe_topics(cluster, &names)?.into_iter().filter_map(|(_, topic)| topic.ok());
    let mut rows: Vec<Row> = described.map(Row::of).filter(|row| list.internal || !row.is_internal).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    output::print(output, &rows, || text(&rows))
}

fn text(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let (partitions, replicas) = (row.partitions.to_string(), row.replication_factor.to_string());
        vec![row.name.clone(), partitions, replicas, row.health()]
    };
    table(&["topic", "partitions", "replicas", "health"], &rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, leader: Option<i32>, in_sync: &[i32]) -> TopicDescription {
        let partition = PartitionDescription {
            partition: 0,
            leader,
            replicas: vec![1000, 2000],
            in_sync_replicas: in_sync.to_vec(),
        };
        TopicDescription {
            name: name.to_owned(),
            topic_id: None,
            is_internal: false,
            partitions: vec![partition],
        }
    }

    #[test]
    fn health_is_in_the_list() {
        let topics =
            [topic("a", Some(1000), &[1000, 2000]), topic("bb", None, &[]), topic("c", Some(1000), &[1000])];
        let rows = topics.map(Row::of);
        let expected = "topic  partitions  replicas  health\n\
            a               1         2  ok\n\
            bb              1         2  without leader: 1\n\
            c               1         2  under-replicated: 1\n";
        assert_eq!(text(&rows), expected);
    }
}
