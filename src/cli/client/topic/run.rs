//! From the arguments of `corelane topic` to what is done.

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::arguments::{TopicAction, TopicCommand};
use super::{change, describe, list};

/// Carries out `corelane topic`.
pub fn run(command: TopicCommand) -> Result<(), ClientError> {
    let TopicCommand { action, connection } = command;
    let cluster = Cluster::connect(&connection)?;
    let output = connection.output;
    match action {
        TopicAction::Create(create) => change::create(&cluster, &create, output),
        TopicAction::List(list) => list::list(&cluster, &list, output),
        TopicAction::Describe(describe) => describe::describe(&cluster, &describe.names, output),
        TopicAction::Alter(alter) => change::alter(&cluster, &alter, output),
        TopicAction::Delete(delete) => change::delete(&cluster, &delete, output),
    }
}
