//! Reads records, prints them, and knows when to stop.

use std::collections::BTreeMap;
use std::io::{self, StdoutLock};
use std::time::Duration;

use rdkafka::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};

use super::super::super::arguments::Output;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::interrupt::Interrupt;
use super::super::native::{self, At};
use super::super::output::tell;
use super::super::partitions::{Bounds, TopicPartition, all_offsets, bounds, partitions_of};
use super::super::position::Position;
use super::super::record_json::Place;
use super::arguments::ConsumeCommand;
use super::client::{self, Change, Events};
use super::extent::Extent;
use super::format::{Format, Printed};
use super::printer::Printer;
use super::quiet::{self, Quiet};
use super::start::start;
use crate::base::limits::CONSUME_PRINT_BYTES;

/// How long a broker may take to say that it is there, before it is given up.
const LAST_QUESTION: Duration = Duration::from_secs(1);

/// How long one wait for records takes, between looks at signals.
const POLL: Duration = Duration::from_millis(100);

/// Why reading ended.
enum End {
    /// Everything that was asked for is printed.
    Complete,
    /// By Ctrl-C or SIGTERM.
    Interrupted,
    /// Whoever reads our output has seen enough (`| head`).
    ReaderGone,
}

/// Carries out `corelane consume`.
pub fn run(command: ConsumeCommand) -> Result<(), ClientError> {
    let position = command.position()?;
    let cluster = Cluster::connect(&command.connection)?;
    let partitions = partitions_of(&cluster, &command.topic, &command.partition)?;
    let consumer = client::create(&command, position)?;
    let mut extent = Extent::default();
    if command.group.is_some() {
        let subscribed = consumer.subscribe(&[&command.topic]);
        subscribed.map_err(|error| command.failed("joining the group", &error))?;
    } else {
        assign(&command, &cluster, &consumer, position, &partitions, &mut extent)?;
    }
    let reading = Reading {
        format: Format::of(&command),
        interrupt: Interrupt::catch()?,
        printer: Printer::new(io::stdout().lock(), CONSUME_PRINT_BYTES),
        printed: 0,
        polls_without_brokers: 0,
        quiet: Quiet::new(command.connection.timeout),
        command: &command,
        cluster: &cluster,
        consumer: &consumer,
        extent,
    };
    reading.run()
}

/// Begins reading partitions without a group.
fn assign(
    command: &ConsumeCommand,
    cluster: &Cluster,
    consumer: &BaseConsumer<Events>,
    position: Position,
    partitions: &[i32],
    extent: &mut Extent,
) -> Result<(), ClientError> {
    let places: Vec<TopicPartition> =
        partitions.iter().map(|number| (command.topic.clone(), *number)).collect();
    let bounds = bounds(cluster, &places)?;
    let mut at_time = match position {
        Position::Time(epoch_ms) => all_offsets(cluster, &places, At::Time(epoch_ms))?,
        _ => BTreeMap::new(),
    };
    let mut starts = BTreeMap::new();
    for (place, bounds) in bounds {
        let begin = start(position, bounds, at_time.remove(&place).flatten());
        starts.insert(place.1, begin);
        // An offset that is not there yet is waited for, not replaced by one before it.
        let from = if let Position::Offset(offset) = position { offset } else { begin };
        extent.add(place.1, from, command.end(bounds));
    }
    extent.settle();
    consumer
        .assign(&client::list(&command.topic, &starts))
        .map_err(|error| command.failed("beginning to read", &error))
}

impl ConsumeCommand {
    fn end(&self, bounds: Bounds) -> Option<i64> {
        (!self.follow).then_some(bounds.end)
    }

    fn failed(&self, what: &str, error: &KafkaError) -> ClientError {
        ClientError::library(format!("{what}: topic {}", self.topic), error, self.connection.timeout)
    }
}

impl Format {
    fn of(command: &ConsumeCommand) -> Self {
        match (command.connection.output, command.keys) {
            (Output::Json, _) => Format::Json,
            (Output::Human, true) => Format::KeysAndValues(command.key_separator.0.clone()),
            (Output::Human, false) => Format::Values,
        }
    }
}

struct Reading<'a> {
    command: &'a ConsumeCommand,
    cluster: &'a Cluster,
    consumer: &'a BaseConsumer<Events>,
    format: Format,
    interrupt: Interrupt,
    extent: Extent,
    printer: Printer<StdoutLock<'static>>,
    printed: u64,
    polls_without_brokers: u32,
    quiet: Quiet,
}

impl Reading<'_> {
    fn run(mut self) -> Result<(), ClientError> {
        let read = self.read_all();
        // What was printed is committed, however reading ended.
        let committed = match self.command.group {
            Some(_) => self.commit(),
            None => Ok(()),
        };
        match read? {
            // What is followed has no other end.
            End::Interrupted if !self.command.follow => Err(ClientError::Interrupted),
            _ => committed,
        }
    }

    /// Commits what was printed. It cannot be where no broker is there, and librdkafka would wait for one.
    fn commit(&self) -> Result<(), ClientError> {
        let watch = &self.consumer.context().watch;
        let Some(reason) = watch.reason() else { return client::commit(self.consumer, self.command) };
        // They may have closed what was idle, and be there all the same.
        let is_gone = || self.consumer.fetch_metadata(Some(&self.command.topic), LAST_QUESTION).is_err();
        if watch.all_are_down() && is_gone() {
            tell("corelane: what was printed last is not committed: the group will read it again");
            let brokers = self.command.connection.brokers.clone();
            return Err(ClientError::Unreachable { brokers, reason });
        }
        // The one that does not answer may be the coordinator.
        if self.interrupt.is_set() {
            tell(format_args!("corelane: committing what was printed ({reason}); Ctrl-C ends without it"));
        }
        client::commit(self.consumer, self.command)
    }

    fn read_all(&mut self) -> Result<End, ClientError> {
        loop {
            let is_enough = self.command.count.is_some_and(|count| self.printed >= count);
            let end = match self.interrupt.is_set() {
                _ if is_enough || self.extent.is_complete() => Some(End::Complete),
                is_set => is_set.then_some(End::Interrupted),
            };
            if let Some(end) = end {
                return Ok(if self.flush()? { end } else { End::ReaderGone });
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(End::ReaderGone),
                Err(error) => {
                    // What was read before belongs to the output; if that fails too, the first error is the one to tell.
                    let _ = self.flush();
                    return Err(error);
                }
            }
        }
    }

    /// Takes what comes next. `false` if nobody reads our output.
    fn step(&mut self) -> Result<bool, ClientError> {
        let consumer = self.consumer;
        let mut event = consumer.poll(Duration::ZERO);
        if event.is_none() {
            // Nothing is there: whoever reads our output gets all that was.
            if !self.flush()? {
                return Ok(false);
            }
            event = consumer.poll(POLL);
        }
        self.follow_the_group()?;
        match event {
            None => {
                self.notice_lost_brokers()?;
                self.notice_silence()?;
            }
            Some(Ok(message)) => {
                self.brokers_are_there();
                let partition = message.partition();
                if self.take(&message) {
                    self.quiet.ended();
                }
                self.end_partition(partition);
                if self.printer.is_full() {
                    return self.flush();
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.brokers_are_there();
                if !self.extent.is_done(partition) {
                    self.extent.caught_up(partition);
                    self.quiet.ended();
                }
                self.end_partition(partition);
            }
            Some(Err(error)) if is_passing(&error) => self.notice_lost_brokers()?,
            Some(Err(error)) => return Err(self.command.failed("reading", &error)),
        }
        Ok(true)
    }

    /// Prints a record. `false` if it does not belong to the output.
    fn take(&mut self, message: &BorrowedMessage<'_>) -> bool {
        let (partition, offset) = (message.partition(), message.offset());
        if !self.extent.takes(partition, offset) {
            return false;
        }
        let timestamp = match message.timestamp() {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(epoch_ms) => Some((epoch_ms, "create")),
            Timestamp::LogAppendTime(epoch_ms) => Some((epoch_ms, "append")),
        };
        let printed = Printed {
            place: Place { topic: &self.command.topic, partition, offset, timestamp },
            key: message.key(),
            value: message.payload(),
            headers: || native::headers(message).into_iter(),
        };
        let format = &self.format;
        self.printer.add(partition, offset, |line| format.append(printed, line));
        self.printed += 1;
        true
    }

    /// Reads no more of a partition that is complete: what is produced to it meanwhile would come for ever, and hide that
    /// nothing comes of the others.
    fn end_partition(&self, partition: i32) {
        if self.extent.is_done(partition) {
            // It fails for a partition that was taken from us meanwhile, of which nothing comes anyway.
            let _ =
                self.consumer.pause(&client::list(&self.command.topic, &BTreeMap::from([(partition, 0)])));
        }
    }

    /// Learns which partitions the group gives us or takes from us.
    fn follow_the_group(&mut self) -> Result<(), ClientError> {
        for change in self.consumer.context().changes() {
            match change {
                Change::Removed(partitions) => {
                    partitions.iter().for_each(|partition| self.extent.remove(*partition))
                }
                // Who follows has no end to ask for, and must not stop where one cannot be told now.
                Change::Added(partitions) if self.command.follow => {
                    partitions.iter().for_each(|partition| self.extent.add(*partition, 0, None));
                    self.extent.settle();
                }
                Change::Added(partitions) => {
                    let place = |partition: &i32| (self.command.topic.clone(), *partition);
                    let places: Vec<TopicPartition> = partitions.iter().map(place).collect();
                    for ((_, partition), bounds) in bounds(self.cluster, &places)? {
                        self.extent.add(partition, 0, self.command.end(bounds));
                    }
                    // We may have had them before, and have ended them.
                    let ours = partitions.iter().map(|partition| (*partition, 0)).collect();
                    let _ = self.consumer.resume(&client::list(&self.command.topic, &ours));
                    self.extent.settle();
                }
            }
        }
        Ok(())
    }

    fn brokers_are_there(&mut self) {
        self.polls_without_brokers = 0;
        self.consumer.context().watch.answered();
    }

    /// Gives up when no broker was there for as long as answers are waited for. Who follows waits for ever.
    fn notice_lost_brokers(&mut self) -> Result<(), ClientError> {
        let watch = &self.consumer.context().watch;
        if !watch.all_are_down() {
            return Ok(());
        }
        let reason = watch.reason().unwrap_or_else(|| "all connections fail".to_owned());
        if self.polls_without_brokers == 0 {
            tell(format_args!("corelane: no broker can be reached ({reason}); waiting for one"));
        }
        self.polls_without_brokers += 1;
        let connection = &self.command.connection;
        if !self.command.follow && POLL * self.polls_without_brokers > connection.timeout {
            // One may have come back, and have nothing to say yet.
            if self.consumer.fetch_metadata(Some(&self.command.topic), LAST_QUESTION).is_ok() {
                self.brokers_are_there();
                return Ok(());
            }
            return Err(ClientError::Unreachable { brokers: connection.brokers.clone(), reason });
        }
        Ok(())
    }

    /// Fails if nothing came for as long as answers are waited for, and those who should send it do not answer, or only
    /// say that they are there. Who follows waits for ever.
    fn notice_silence(&mut self) -> Result<(), ClientError> {
        if self.command.follow || !self.quiet.went_on(POLL) {
            return Ok(());
        }
        let awaited = self.extent.awaited();
        quiet::ask(&mut self.quiet, self.cluster, self.command, awaited.as_deref())
    }

    /// Prints what is collected. `false` if nobody reads it.
    fn flush(&mut self) -> Result<bool, ClientError> {
        match self.printer.flush() {
            Ok(next_offsets) => {
                if self.command.group.is_some() {
                    client::store(self.consumer, &self.command.topic, &next_offsets);
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(ClientError::Print(error)),
        }
    }
}

/// Whether librdkafka goes on by itself after this error.
fn is_passing(error: &KafkaError) -> bool {
    let KafkaError::MessageConsumption(code) = error else { return false };
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::PollExceeded
    )
}
