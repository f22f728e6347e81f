//! From a command to changes of the metadata, whoever has them committed.

use super::client::{AlteredPartition, Answer, Request};
use super::environment::Environment;
use crate::base::ids::TopicId;
use crate::cluster::{
    AlterPartitions, Draft, KafkaUuid, NewTopic, Placing, alter_configs, alter_partitions, create_partitions,
    create_topics, delete_topics, elect_leaders,
};

/// Decides on commands.
pub(super) struct Decider {
    placing: Placing,
    environment: Environment,
}

impl Decider {
    pub fn new(placing: Placing, environment: Environment) -> Self {
        Decider { placing, environment }
    }

    /// What comes of a command; its changes are in the draft, unless it is only a trial.
    pub fn evaluate(&mut self, request: &Request, draft: &mut Draft) -> Answer {
        let mut trial = request.is_trial().then(|| draft.clone());
        let draft = trial.as_mut().unwrap_or(draft);
        match request {
            Request::CreateTopics { topics, .. } => self.create(topics, draft),
            Request::CreatePartitions { topics, .. } => {
                Answer::Done(create_partitions(draft, topics, &self.placing))
            }
            Request::AlterConfigs { alterations, .. } => {
                Answer::Done(alter_configs(draft, alterations, &self.placing))
            }
            Request::DeleteTopics(topics) => Answer::Deleted(delete_topics(draft, topics)),
            Request::AllocateProducerIds => Answer::ProducerIds(draft.allocate_producer_ids()),
            Request::ElectLeaders { election, partitions } => {
                Answer::Elected(elect_leaders(draft, *election, partitions))
            }
            Request::AlterPartitions(command) => Answer::Altered(alter(command, draft)),
        }
    }

    fn create(&mut self, topics: &[NewTopic], draft: &mut Draft) -> Answer {
        let created_ms = (self.environment.wall_clock_ms)();
        let environment = &mut self.environment;
        let mut new_id = || random_id(environment);
        Answer::Created(create_topics(draft, topics, &self.placing, created_ms, &mut new_id))
    }
}

fn alter(command: &AlterPartitions, draft: &mut Draft) -> Result<Vec<AlteredPartition>, String> {
    let AlterPartitions { leader, registration_epoch, alterations } = command;
    let altered = alter_partitions(draft, *leader, *registration_epoch, alterations);
    altered.map_err(|stale| stale.to_string())
}

/// A new random id in Kafka's form.
pub(super) fn random_id(environment: &mut Environment) -> TopicId {
    let id = std::iter::repeat_with(|| KafkaUuid::from_random(environment.random_u128())).flatten().next();
    TopicId(id.expect("an endless iterator").0)
}
