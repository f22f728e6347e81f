//! `corelane group list`.

use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::super::table::table;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{self, ListedGroup};
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

/// Prints all groups, by name; also if some brokers do not answer, but then it is an error all the same.
pub fn list(cluster: &Cluster, output: Output) -> Result<(), ClientError> {
    let listed = native::list_groups(cluster)?;
    let mut rows: Vec<Row> = listed.groups.into_iter().map(Row::of).collect();
    rows.sort_by(|one, other| one.group.cmp(&other.group));
    output::print(output, &rows, || text(&rows))?;
    if listed.is_partial { Err(ClientError::Incomplete("groups")) } else { Ok(()) }
}

impl Row {
    fn of(group: ListedGroup) -> Self {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            group: group.name,
            state: group.state,
            protocol_type: given(group.protocol_type),
            protocol: given(group.protocol),
            members: group.members,
        }
    }
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
