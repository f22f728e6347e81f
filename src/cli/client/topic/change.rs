//! `corelane topic create`, `alter` and `delete`.

use rdkafka::error::RDKafkaErrorCode;

use super::super::super::arguments::Output;
use super::super::arguments::each_once;
use super::super::cluster::Cluster;
use super::super::confirm::confirm;
use super::super::error::{BrokerError, ClientError};
use super::super::native::{
    Change, NewTopic, Resource, alter_configs, create_partitions, create_topics, delete_topics,
    describe_topics,
};
use super::super::outcomes::Outcomes;
use super::arguments::{Alter, Create, Delete};

pub(super) fn create(cluster: &Cluster, create: &Create, output: Output) -> Result<(), ClientError> {
    let (partitions, replication_factor) = (create.partitions, create.replication_factor);
    let topics: Vec<NewTopic<'_>> = each_once(&create.names)
        .into_iter()
        .map(|name| NewTopic { name, partitions, replication_factor, configs: &create.configs })
        .collect();
    let done = if create.dry_run { "possible" } else { "created" };
    let mut outcomes = Outcomes::default();
    for (name, outcome) in create_topics(cluster, &topics, create.dry_run)? {
        let outcome =
            excused(outcome, create.if_not_exists, RDKafkaErrorCode::TopicAlreadyExists, done, "exists");
        outcomes.add(name.clone(), outcome.map_err(|error| cluster.answered(format!("topic {name}"), error)));
    }
    outcomes.finish("topic", output)
}

pub(super) fn alter(cluster: &Cluster, alter: &Alter, output: Output) -> Result<(), ClientError> {
    let set = alter.set.iter().map(|it| Change { key: it.key.clone(), value: Some(it.value.clone()) });
    let unset = alter.unset.iter().map(|key| Change { key: key.clone(), value: None });
    let changes: Vec<Change> = set.chain(unset).collect();
    let mut outcomes = Outcomes::default();
    for name in each_once(&alter.names) {
        // Configs first: they can be changed back, partitions cannot.
        if !changes.is_empty() {
            let outcome = alter_configs(cluster, &Resource::Topic(name.to_owned()), &changes);
            let is_missing = matches!(outcome, Err(ClientError::NotFound { .. }));
            outcomes.add(name, outcome.map(|()| "configs changed"));
            if is_missing {
                continue;
            }
        }
        if let Some(partitions) = alter.partitions {
            match create_partitions(cluster, name, partitions as usize) {
                Ok(answers) => {
                    for (name, outcome) in answers {
                        let outcome =
                            outcome.map_err(|error| cluster.answered(format!("topic {name}"), error));
                        outcomes.add(name, outcome.map(|()| "partitions added"));
                    }
                }
                // What was done before is told all the same.
                Err(error) => outcomes.add(name, Err(error)),
            }
        }
    }
    outcomes.finish("topic", output)
}

pub(super) fn delete(cluster: &Cluster, delete: &Delete, output: Output) -> Result<(), ClientError> {
    let names = each_once(&delete.names);
    if !delete.yes {
        confirm(&what_is_lost(cluster, delete)?)?;
    }
    let mut outcomes = Outcomes::default();
    for (name, outcome) in delete_topics(cluster, &names)? {
        let missing = RDKafkaErrorCode::UnknownTopicOrPartition;
        let outcome = excused(outcome, delete.if_exists, missing, "deleted", "absent");
        outcomes.add(name.clone(), outcome.map_err(|error| cluster.answered(format!("topic {name}"), error)));
    }
    outcomes.finish("topic", output)
}

/// `done` for success, and `as_it_was` for the error that says that there was nothing to do, if that is excused.
fn excused(
    outcome: Result<(), BrokerError>,
    is_excused: bool,
    nothing_to_do: RDKafkaErrorCode,
    done: &'static str,
    as_it_was: &'static str,
) -> Result<&'static str, BrokerError> {
    match outcome {
        Ok(()) => Ok(done),
        Err(error) if is_excused && error.code == nothing_to_do => Ok(as_it_was),
        Err(error) => Err(error),
    }
}

/// The question before topics are deleted. A topic that does not exist is an error before anybody is asked.
fn what_is_lost(cluster: &Cluster, delete: &Delete) -> Result<String, ClientError> {
    let names = each_once(&delete.names);
    let mut text = "This deletes, with all records:".to_owned();
    for (name, described) in describe_topics(cluster, &names)? {
        match described {
            Ok(topic) => text.push_str(&format!("\n  {name} ({} partitions)", topic.partitions.len())),
            Err(error) if delete.if_exists && error.code == RDKafkaErrorCode::UnknownTopicOrPartition => {}
            Err(error) => return Err(cluster.answered(format!("topic {name}"), error)),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_excused() {
        let exists = RDKafkaErrorCode::TopicAlreadyExists;
        let error = || Err(BrokerError::of(exists));
        let of = |outcome, is_excused| excused(outcome, is_excused, exists, "created", "exists").ok();
        assert_eq!(of(Ok(()), false), Some("created"));
        assert_eq!(of(error(), true), Some("exists"));
        assert_eq!(of(error(), false), None);
        assert_eq!(of(Err(BrokerError::of(RDKafkaErrorCode::InvalidConfig)), true), None);
    }
}
