//! `corelane group list`.

use rdkafka::producer::Producer;
use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::super::table::table;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::output::{self, cell};

/// A group, as a row and as programs get it.
#[derive(Serialize)]
struct Row {
    group: String,
    state: String,
    /// `consumer`, or what other programs use groups for (`connect`); null if it never had members.
    protocol_type: Option<String>,
    /// The assignor that its members have agreed on; null without members.
    protocol: Option<String>,
    members: usize,
}

/// Prints all groups, by name.
pub fn list(cluster: &Cluster, output: Output) -> Result<(), ClientError> {
    let listed = cluster.client.client().fetch_group_list(None, cluster.timeout);
    let listed = listed.map_err(|error| ClientError::library("the groups", &error, cluster.timeout))?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let row = |group: &rdkafka::groups::GroupInfo| Row {
        group: group.name().to_owned(),
        state: group.state().to_owned(),
        protocol_type: given(group.protocol_type()),
        protocol: given(group.protocol()),
        members: group.members().len(),
    };
    let mut rows: Vec<Row> = listed.groups().iter().map(row).collect();
    rows.sort_by(|one, other| one.group.cmp(&other.group));
    output::print(output, &rows, || text(&rows))
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        vec![
            row.group.clone(),
            row.state.clone(),
            cell(row.protocol_type.as_ref()),
            cell(row.protocol.as_ref()),
            row.members.to_string(),
        ]
    };
    table(&["group", "state", "type", "protocol", "members"], &rows.iter().map(line).collect::<Vec<_>>())
}
