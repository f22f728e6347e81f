//! What is asked when nothing comes: some broker may be up, and the one that has the records gone. librdkafka waits for it
//! without a word.

use std::time::Duration;

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{self, At};
use super::super::output::tell;
use super::super::partitions::{TopicPartition, all_offsets};
use super::arguments::ConsumeCommand;

/// For how long nothing has come.
pub struct Quiet {
    waited: Duration,
    limit: Duration,
}

impl Quiet {
    /// Asks after `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { waited: Duration::ZERO, limit }
    }

    /// Something came.
    pub fn ended(&mut self) {
        self.waited = Duration::ZERO;
    }

    /// It was waited so long again, for nothing. Returns whether it is time to ask; then it begins anew.
    pub fn went_on(&mut self, waited: Duration) -> bool {
        self.waited += waited;
        let is_time = self.waited >= self.limit;
        if is_time {
            self.waited = Duration::ZERO;
        }
        is_time
    }
}

/// Asks those on whom the output waits whether they are there: the leaders of the partitions that are `awaited`, or
/// the group's coordinator if it has not said which those are. Fails with the first that does not answer. Who answers
/// has a reason to let us wait, such as a rebalance.
pub fn ask(cluster: &Cluster, command: &ConsumeCommand, awaited: Option<&[i32]>) -> Result<(), ClientError> {
    let asked = match (awaited, &command.group) {
        (Some(partitions), _) => {
            let places: Vec<TopicPartition> =
                partitions.iter().map(|partition| (command.topic.clone(), *partition)).collect();
            all_offsets(cluster, &places, At::Latest).map(drop)
        }
        (None, Some(group)) => native::describe_group(cluster, group).map(|described| {
            let state = described.state;
            tell(format_args!("corelane: waiting for a share of group {group}, which is {state}"));
        }),
        // Without a group it is known from the beginning.
        (None, None) => Ok(()),
    };
    asked.map_err(|error| error.into_no_answer(command.connection.timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_for_each_time_that_is_waited() {
        let mut quiet = Quiet::new(Duration::from_millis(250));
        let poll = Duration::from_millis(100);
        assert!(!quiet.went_on(poll) && !quiet.went_on(poll));
        quiet.ended();
        assert_eq!([0; 6].map(|_| quiet.went_on(poll)), [false, false, true, false, false, true]);
    }
}
