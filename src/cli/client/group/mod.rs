//! `corelane group`: consumer groups, how far they are, and where they go on.

mod arguments;
mod delete;
mod describe;
mod list;
mod reset;
mod reset_plan;

use arguments::GroupAction;
pub use arguments::GroupCommand;

use super::cluster::Cluster;
use super::error::ClientError;

/// Carries out `corelane group`.
pub fn run(command: GroupCommand) -> Result<(), ClientError> {
    let GroupCommand { action, connection } = command;
    if let GroupAction::Reset(reset) = &action {
        reset::check(reset)?;
    }
    let cluster = Cluster::connect(&connection)?;
    let output = connection.output;
    match action {
        GroupAction::List => list::list(&cluster, output),
        GroupAction::Describe(describe) => describe::describe(&cluster, &describe.name, output),
        GroupAction::Reset(reset) => reset::reset(&cluster, &reset, output),
        GroupAction::Delete(delete) => delete::delete(&cluster, &delete, output),
    }
}
