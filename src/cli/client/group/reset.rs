//! `corelane group reset`: looks up where each partition is and would be, shows it, asks, and commits.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::RDKafkaErrorCode;
use serde::Serialize;

use super::super::super::arguments::Output;
use super::super::cluster::Cluster;
use super::super::confirm::confirm;
use super::super::error::{BrokerError, ClientError};
use super::super::native::{self, At, Member};
use super::super::outcomes::sum_up;
use super::super::output;
use super::super::partitions::{TopicPartition, all_offsets, bounds, partitions_of};
use super::super::position::Position;
use super::arguments::Reset;
use super::describe::missing;
use super::reset_plan::{Known, Row, plan, text};

/// A reset as programs get it.
#[derive(Serialize)]
struct Outcome<'a> {
    group: &'a str,
    /// Whether nothing was done on purpose.
    dry_run: bool,
    partitions: &'a [Row],
}

/// Refuses what clap lets pass.
pub fn check(reset: &Reset) -> Result<(), ClientError> {
    match reset.to {
        Position::Committed => Err(ClientError::Usage("--to committed would change nothing".to_owned())),
        _ => Ok(()),
    }
}

/// Carries out the command.
pub fn reset(cluster: &Cluster, reset: &Reset, output: Output) -> Result<(), ClientError> {
    let members = native::describe_group(cluster, &reset.name)?.members;
    if !reset.dry_run {
        refuse_members(cluster, &reset.name, &members)?;
    }
    let mut rows = planned(cluster, reset)?;
    let mut errors = Vec::new();
    match output {
        Output::Human => output::print_text(&text(&rows))?,
        // stdout is for the document; who is asked sees all the same what to.
        Output::Json if !reset.dry_run && !reset.yes => output::tell(text(&rows).trim_end()),
        Output::Json => {}
    }
    if reset.dry_run {
        if !members.is_empty() {
            let members = listed(&members);
            output::tell(format_args!(
                "corelane: the group has {members}: they must stop before it can be reset"
            ));
        }
    } else {
        if !reset.yes {
            confirm(&format!("Group {} will go on from there.", reset.name))?;
        }
        errors = commit(cluster, &reset.name, &mut rows)?;
    }
    if output == Output::Json {
        let outcome = Outcome { group: &reset.name, dry_run: reset.dry_run, partitions: &rows };
        output::print(output, &outcome, String::new)?;
    }
    sum_up(errors, rows.len())
}

/// A commit from outside is refused while a group has members, since they would overwrite it: says so beforehand, and
/// who they are.
fn refuse_members(cluster: &Cluster, name: &str, members: &[Member]) -> Result<(), ClientError> {
    if members.is_empty() {
        return Ok(());
    }
    let code = RDKafkaErrorCode::NonEmptyGroup;
    let error = BrokerError { message: format!("it has {}", listed(members)), ..BrokerError::of(code) };
    Err(cluster.answered(format!("group {name}"), error))
}

/// "2 members (app at /10.0.0.1, app at /10.0.0.2)", the first few of them by name.
fn listed(members: &[Member]) -> String {
    const NAMED: usize = 3;
    let named = members.iter().take(NAMED).map(|member| format!("{} at {}", member.client_id, member.host));
    let mut named: Vec<String> = named.collect();
    if members.len() > NAMED {
        named.push("..".to_owned());
    }
    format!("{} member{} ({})", members.len(), if members.len() == 1 { "" } else { "s" }, named.join(", "))
}

/// What would be done.
fn planned(cluster: &Cluster, reset: &Reset) -> Result<Vec<Row>, ClientError> {
    let committed = native::committed_offsets(cluster, &reset.name)?;
    let committed: BTreeMap<TopicPartition, i64> = committed
        .into_iter()
        .filter(|element| element.offset >= 0)
        .map(|element| ((element.topic, element.partition), element.offset))
        .collect();
    let places = if reset.all_topics {
        if committed.is_empty() {
            return Err(missing(&reset.name));
        }
        committed.keys().cloned().collect()
    } else {
        selected(cluster, reset)?
    };
    let bounds = bounds(cluster, &places)?;
    let at_time = match reset.to {
        Position::Time(epoch_ms) => all_offsets(cluster, &places, At::Time(epoch_ms))?,
        _ => BTreeMap::new(),
    };
    let planned = bounds.into_iter().map(|(place, bounds)| {
        let known = Known {
            bounds,
            committed: committed.get(&place).copied(),
            at_time: at_time.get(&place).copied().flatten(),
        };
        plan(&place.0, place.1, reset.to, &known)
    });
    planned.collect::<Result<_, _>>().map_err(|why| {
        ClientError::Usage(format!(
            "{why}\n  --topic TOPIC:P,... names the partitions that can; --all-topics takes only what is committed"
        ))
    })
}

/// The partitions that the arguments name, each once.
fn selected(cluster: &Cluster, reset: &Reset) -> Result<Vec<TopicPartition>, ClientError> {
    let mut places = BTreeSet::new();
    for selection in &reset.topics {
        let partitions = partitions_of(cluster, &selection.topic, &selection.partitions)?;
        places.extend(partitions.into_iter().map(|partition| (selection.topic.clone(), partition)));
    }
    Ok(places.into_iter().collect())
}

/// Commits the plan, and notes in it what could not be.
fn commit(cluster: &Cluster, name: &str, rows: &mut [Row]) -> Result<Vec<ClientError>, ClientError> {
    let offsets: Vec<_> = rows.iter().map(|row| (row.topic.as_str(), row.partition, row.after)).collect();
    let outcomes = native::alter_offsets(cluster, name, &offsets)?;
    let mut errors = Vec::new();
    for outcome in outcomes {
        let Err(error) = outcome.outcome else { continue };
        if error.code == RDKafkaErrorCode::UnknownMemberId {
            // Somebody has joined since we looked.
            let members = native::describe_group(cluster, name)?.members;
            refuse_members(cluster, name, &members)?;
        }
        let row =
            rows.iter_mut().find(|row| row.topic == outcome.topic && row.partition == outcome.partition);
        if let Some(row) = row {
            row.error = Some(error.to_string());
        }
        errors.push(
            cluster.answered(format!("partition {} of topic {}", outcome.partition, outcome.topic), error),
        );
    }
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named() {
        let member = |client: &str| Member {
            member_id: String::new(),
            instance_id: None,
            client_id: client.to_owned(),
            host: "/h".to_owned(),
            partitions: Vec::new(),
        };
        assert_eq!(listed(&[member("a")]), "1 member (a at /h)");
        let many: Vec<Member> = ["a", "b", "c", "d", "e"].map(member).to_vec();
        assert_eq!(listed(&many), "5 members (a at /h, b at /h, c at /h, ..)");
    }
}
