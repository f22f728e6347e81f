//! `corelane group describe`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::super::table::table;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{self, At, Element, GroupDescription, Member, Node};
use super::super::output::{self, cell};
use super::super::partitions::{TopicPartition, offsets};

/// What DescribeGroups says of a group that does not exist.
const DEAD: &str = "Dead";

/// A group as programs get it.
#[derive(Serialize)]
struct Group<'a> {
    group: &'a str,
    state: &'a str,
    /// The assignor that its members have agreed on; null without members.
    protocol: Option<&'a str>,
    coordinator: Option<&'a Node>,
    members: &'a [Member],
    /// Records that it has not committed, in all partitions of which that is known.
    total_lag: i64,
    partitions: &'a [Row],
}

/// A partition that the group has committed an offset of, or that a member has.
#[derive(PartialEq, Eq, Serialize, Debug)]
struct Row {
    topic: String,
    partition: i32,
    /// Null if nothing was committed.
    committed: Option<i64>,
    /// Null if it cannot be asked for (the topic was deleted).
    end: Option<i64>,
    lag: Option<i64>,
    member_id: Option<String>,
    client_id: Option<String>,
    host: Option<String>,
}

/// Prints a group.
pub fn describe(cluster: &Cluster, name: &str, output: Output) -> Result<(), ClientError> {
    let group = native::describe_group(cluster, name)?;
    let committed = native::committed_offsets(cluster, name)?;
    if group.state == DEAD && committed.is_empty() {
        return Err(missing(name));
    }
    let mut rows = rows(&group.members, committed);
    let places: Vec<TopicPartition> = rows.iter().map(|row| (row.topic.clone(), row.partition)).collect();
    let mut ends = offsets(cluster, &places, At::Latest)?;
    for row in &mut rows {
        let end = ends.remove(&(row.topic.clone(), row.partition));
        row.complete(end.and_then(Result::ok).flatten());
    }
    let total_lag = rows.iter().filter_map(|row| row.lag).sum();
    let GroupDescription { state, assignor, coordinator, members } = &group;
    let json = Group {
        group: name,
        state,
        protocol: Some(assignor.as_str()).filter(|assignor| !assignor.is_empty()),
        coordinator: coordinator.as_ref(),
        members,
        total_lag,
        partitions: &rows,
    };
    output::print(output, &json, || text(&json))
}

/// The error for a group that does not exist.
pub fn missing(name: &str) -> ClientError {
    ClientError::NotFound {
        what: format!("group {name}"),
        remedy: "`corelane group list` shows which groups do",
    }
}

/// A row for each partition that is committed or owned, by topic and number.
fn rows(members: &[Member], committed: Vec<Element>) -> Vec<Row> {
    let mut rows: BTreeMap<TopicPartition, Row> = BTreeMap::new();
    fn row(rows: &mut BTreeMap<TopicPartition, Row>, place: TopicPartition) -> &mut Row {
        rows.entry(place).or_insert_with_key(|(topic, partition)| Row {
            topic: topic.clone(),
            partition: *partition,
            committed: None,
            end: None,
            lag: None,
            member_id: None,
            client_id: None,
            host: None,
        })
    }
    for element in committed {
        let offset = Some(element.offset).filter(|offset| *offset >= 0);
        row(&mut rows, (element.topic, element.partition)).committed = offset;
    }
    for member in members {
        for place in &member.partitions {
            let row = row(&mut rows, place.clone());
            row.member_id = Some(member.member_id.clone());
            row.client_id = Some(member.client_id.clone());
            row.host = Some(member.host.clone());
        }
    }
    rows.into_values().collect()
}

impl Row {
    fn complete(&mut self, end: Option<i64>) {
        self.end = end;
        // A log that was cut below what was committed is not behind by less than nothing.
        self.lag = end.zip(self.committed).map(|(end, committed)| (end - committed).max(0));
    }
}

fn text(group: &Group<'_>) -> String {
    let coordinator = group.coordinator.map(|node| format!("{} ({}:{})", node.id, node.host, node.port));
    let mut text = String::new();
    for (name, value) in [
        ("group", group.group.to_owned()),
        ("state", group.state.to_owned()),
        ("protocol", cell(group.protocol)),
        ("coordinator", cell(coordinator)),
        ("members", group.members.len().to_string()),
        ("total lag", group.total_lag.to_string()),
    ] {
        text.push_str(&format!("{name:11}  {value}\n"));
    }
    if !group.partitions.is_empty() {
        text.push('\n');
        let heading = ["topic", "partition", "committed", "end", "lag", "member", "client", "host"];
        text.push_str(&table(&heading, &group.partitions.iter().map(line).collect::<Vec<_>>()));
    }
    let idle: Vec<_> = group.members.iter().filter(|member| member.partitions.is_empty()).collect();
    if !idle.is_empty() {
        let line =
            |member: &&Member| vec![member.member_id.clone(), member.client_id.clone(), member.host.clone()];
        text.push('\n');
        text.push_str(&table(
            &["member without partitions", "client", "host"],
            &idle.iter().map(line).collect::<Vec<_>>(),
        ));
    }
    text
}

fn line(row: &Row) -> Vec<String> {
    vec![
        row.topic.clone(),
        row.partition.to_string(),
        cell(row.committed),
        cell(row.end),
        cell(row.lag),
        cell(row.member_id.as_ref()),
        cell(row.client_id.as_ref()),
        cell(row.host.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, partitions: &[(&str, i32)]) -> Member {
        Member {
            member_id: id.to_owned(),
            instance_id: None,
            client_id: "client".to_owned(),
            host: "/10.0.0.1".to_owned(),
            partitions: partitions
                .iter()
                .map(|(topic, partition)| ((*topic).to_owned(), *partition))
                .collect(),
        }
    }

    fn committed(topic: &str, partition: i32, offset: i64) -> Element {
        Element { topic: topic.to_owned(), partition, offset, outcome: Ok(()) }
    }

    #[test]
    fn committed_and_owned_partitions_are_rows() {
        let members = [member("a", &[("t", 1), ("t", 2)]), member("b", &[])];
        let mut rows =
            rows(&members, vec![committed("t", 1, 5), committed("s", 0, 7), committed("t", 0, -1)]);
        let places: Vec<_> =
            rows.iter().map(|row| (row.topic.as_str(), row.partition, row.committed)).collect();
        assert_eq!(places, [("s", 0, Some(7)), ("t", 0, None), ("t", 1, Some(5)), ("t", 2, None)]);
        let owners: Vec<_> = rows.iter().map(|row| row.member_id.as_deref()).collect();
        assert_eq!(owners, [None, None, Some("a"), Some("a")]);
        let ends = [Some(6), Some(9), Some(15), None];
        rows.iter_mut().zip(ends).for_each(|(row, end)| row.complete(end));
        let lags: Vec<_> = rows.iter().map(|row| row.lag).collect();
        assert_eq!(lags, [Some(0), None, Some(10), None]);
    }

    #[test]
    fn people_see_who_is_behind_and_who_is_idle() {
        let members = [member("a", &[("t", 1)]), member("b", &[])];
        let mut rows = rows(&members, vec![committed("t", 1, 5)]);
        rows[0].complete(Some(15));
        let group = Group {
            group: "g",
            state: "Stable",
            protocol: Some("range"),
            coordinator: None,
            members: &members,
            total_lag: 10,
            partitions: &rows,
        };
        let expected = "group        g\nstate        Stable\nprotocol     range\ncoordinator  -\nmembers      2\n\
            total lag    10\n\n\
            topic  partition  committed  end  lag  member  client  host\n\
            t              1          5   15   10  a       client  /10.0.0.1\n\n\
            member without partitions  client  host\n\
            b                          client  /10.0.0.1\n";
        assert_eq!(text(&group), expected);
        let json = serde_json::to_value(&group).unwrap();
        assert_eq!(json["members"][0]["member_id"], "a");
        assert_eq!(json["partitions"][0]["lag"], 10);
    }
}
