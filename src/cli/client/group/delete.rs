//! `corelane group delete`.

use super::super::super::arguments::Output;
use super::super::arguments::each_once;
use super::super::cluster::Cluster;
use super::super::confirm::confirm;
use super::super::error::ClientError;
use super::super::native;
use super::super::outcomes::Outcomes;
use super::arguments::Delete;

/// Deletes groups, and tells what came of each.
pub fn delete(cluster: &Cluster, delete: &Delete, output: Output) -> Result<(), ClientError> {
    let names = each_once(&delete.names);
    let question = format!("This deletes {}, with all offsets that were committed.", names.join(", "));
    if !delete.yes {
        confirm(&question)?;
    }
    let mut outcomes = Outcomes::default();
    for (name, outcome) in native::delete_groups(cluster, &names)? {
        let outcome =
            outcome.map(|()| "deleted").map_err(|error| cluster.answered(format!("group {name}"), error));
        outcomes.add(name, outcome);
    }
    outcomes.finish("group", output)
}
