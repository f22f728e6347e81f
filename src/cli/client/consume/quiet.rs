//! What is asked when nothing comes: some broker may be up, and the one that has the records gone, or there and unable to
//! read them. librdkafka tries again for ever, without a word.

use std::time::Duration;

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{self, At};
use super::super::output::tell;
use super::super::partitions::{TopicPartition, all_offsets};
use super::arguments::ConsumeCommand;

/// So often in a row those who have the records may answer that they are there, and send none: they may just have come
/// back when they were asked first.
const EMPTY_PROMISES_MAX: u32 = 2;

/// Partitions that a message names.
const PARTITIONS_NAMED_MAX: usize = 8;

/// For how long nothing has come.
pub struct Quiet {
    waited: Duration,
    limit: Duration,
    /// So often in a row the leaders of what is awaited have answered since, and sent nothing.
    promises: u32,
}

impl Quiet {
    /// Asks after `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { waited: Duration::ZERO, limit, promises: 0 }
    }

    /// Something came that was waited for.
    pub fn ended(&mut self) {
        (self.waited, self.promises) = (Duration::ZERO, 0);
    }

    /// The leaders of what is awaited answer, and still nothing came. Returns whether it was so too often to go on.
    pub fn is_broken_promise(&mut self) -> bool {
        self.promises += 1;
        self.promises >= EMPTY_PROMISES_MAX
    }

    /// There is a reason why nothing comes, such as a rebalance.
    pub fn is_excused(&mut self) {
        self.promises = 0;
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
/// the group's coordinator if it has not said which those are. Fails with the first that does not answer, and if the
/// leaders answer again and again while no record comes: then they cannot read them. Who waits for a share of its group
/// goes on waiting, as others may take long to join.
pub fn ask(
    quiet: &mut Quiet,
    cluster: &Cluster,
    command: &ConsumeCommand,
    awaited: Option<&[i32]>,
) -> Result<(), ClientError> {
    let timeout = command.connection.timeout;
    match (awaited, &command.group) {
        (Some(partitions), _) => {
            let places: Vec<TopicPartition> =
                partitions.iter().map(|partition| (command.topic.clone(), *partition)).collect();
            all_offsets(cluster, &places, At::Latest).map_err(|error| error.into_no_answer(timeout))?;
            if quiet.is_broken_promise() {
                return Err(unread(command, partitions));
            }
        }
        (None, Some(group)) => {
            let described = native::describe_group(cluster, group);
            let state = described.map_err(|error| error.into_no_answer(timeout))?.state;
            tell(format_args!("corelane: waiting for a share of group {group}, which is {state}"));
            quiet.is_excused();
        }
        // Without a group it is known from the beginning.
        (None, None) => {}
    }
    Ok(())
}

/// The leaders are there, and do not give what they say they have.
fn unread(command: &ConsumeCommand, partitions: &[i32]) -> ClientError {
    let mut numbers: Vec<String> =
        partitions.iter().take(PARTITIONS_NAMED_MAX).map(|number| number.to_string()).collect();
    if partitions.len() > PARTITIONS_NAMED_MAX {
        numbers.push(format!("{} more", partitions.len() - PARTITIONS_NAMED_MAX));
    }
    ClientError::Unread {
        what: format!("topic {}, partition {}", command.topic, numbers.join(", ")),
        silence: command.connection.timeout * EMPTY_PROMISES_MAX,
    }
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

    #[test]
    fn leaders_that_send_nothing_are_believed_once() {
        let mut quiet = Quiet::new(Duration::from_secs(1));
        assert!(!quiet.is_broken_promise());
        quiet.ended();
        assert!(!quiet.is_broken_promise(), "something came between");
        quiet.is_excused();
        assert!(!quiet.is_broken_promise(), "the group had another reason between");
        assert!(quiet.is_broken_promise());
    }
}
