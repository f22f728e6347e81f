//! Sends the records, and tells what came of them.

use std::cell::Cell;
use std::io::{self, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};

use super::super::cluster::Cluster;
use super::super::error::{ClientError, Status};
use super::super::interrupt::Interrupt;
use super::super::output;
use super::super::partitions::partitions_of;
use super::super::watch::Watch;
use super::arguments::{Acks, ProduceCommand};
use super::input::{Format, Record};
use super::lines::{LineError, Lines};
use super::report::{Report, counted};
use crate::base::limits::{
    PRODUCE_LINE_BYTES_MAX, PRODUCE_PIECES_MAX, PRODUCE_QUEUE_BYTES_MAX, PRODUCE_READ_BYTES,
};

/// How long one look for input, and at what the brokers answered, takes.
const POLL: Duration = Duration::from_millis(100);

/// The same while librdkafka's queue is full.
const POLL_FULL: Duration = Duration::from_millis(5);

type Pieces = Receiver<Result<Vec<Vec<u8>>, LineError>>;

/// Carries out `corelane produce`.
pub fn run(command: ProduceCommand) -> Result<(), ClientError> {
    if !command.create {
        let cluster = Cluster::connect(&command.connection)?;
        partitions_of(&cluster, &command.topic, command.partition.as_slice())?;
    }
    let interrupt = Interrupt::catch()?;
    let sending = Sending {
        producer: producer(&command)?,
        format: Format::of(&command),
        command,
        interrupt,
        is_told: Cell::new(false),
    };
    let (sender, pieces) = sync_channel(PRODUCE_PIECES_MAX);
    // It may block in a read for ever: the process does not wait for it.
    thread::spawn(move || read_lines(&sender));
    let sent = sending.send_all(&pieces);
    sending.wait_for_answers();
    sending.tell(sent)
}

fn producer(command: &ProduceCommand) -> Result<BaseProducer<Deliveries>, ClientError> {
    let connection = &command.connection;
    let mut config = connection.client_config();
    let is_idempotent = command.acks == Acks::All && !command.no_idempotence;
    for (key, value) in [
        ("acks", command.acks.word().to_owned()),
        ("enable.idempotence", is_idempotent.to_string()),
        ("compression.type", command.compression.word().to_owned()),
        // Java's and rpk's: librdkafka's own would send a key elsewhere than the applications do.
        ("partitioner", "murmur2_random".to_owned()),
        ("queue.buffering.max.kbytes", (PRODUCE_QUEUE_BYTES_MAX / 1024).to_string()),
        // The broker knows how long a record of this topic may be; librdkafka's own bound is for its batches.
        ("message.max.bytes", PRODUCE_LINE_BYTES_MAX.to_string()),
    ] {
        if !connection.sets(key) {
            config.set(key, value);
        }
    }
    let context = Deliveries { watch: Watch::new(connection.verbose), report: Mutex::default() };
    config
        .create_with_context(context)
        .map_err(|error| ClientError::library("the producer", &error, connection.timeout))
}

/// Hands lines on, until the stream ends or nobody takes them any more.
fn read_lines(pieces: &SyncSender<Result<Vec<Vec<u8>>, LineError>>) {
    let reader = BufReader::with_capacity(PRODUCE_READ_BYTES, io::stdin());
    let mut lines = Lines::new(reader, PRODUCE_LINE_BYTES_MAX);
    while let Some(piece) = lines.next_lines().transpose() {
        let is_last = piece.is_err();
        if pieces.send(piece).is_err() || is_last {
            return;
        }
    }
}

/// What librdkafka calls when it knows what came of a record, whose line number it is given.
struct Deliveries {
    watch: Watch,
    report: Mutex<Report>,
}

impl Deliveries {
    fn report(&self) -> MutexGuard<'_, Report> {
        // Counts: whoever panicked with the lock has not left them half-written.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, line: usize, error: &KafkaError) {
        if self.report().failed() {
            let why = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
            output::tell(format_args!("corelane: line {line} was not written: {why}"));
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.watch.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, line: usize) {
        match result {
            Ok(message) => {
                // Without acknowledgements librdkafka knows of no offset, and says so by a negative one.
                let offset = Some(message.offset()).filter(|offset| *offset >= 0);
                self.report().written(message.partition(), offset);
                self.watch.answered();
            }
            Err((error, _)) => self.failed(line, error),
        }
    }
}

struct Sending {
    producer: BaseProducer<Deliveries>,
    format: Format,
    command: ProduceCommand,
    interrupt: Interrupt,
    /// Whether it was said that no broker can be reached.
    is_told: Cell<bool>,
}

impl Sending {
    /// Sends what comes, until it ends.
    fn send_all(&self, pieces: &Pieces) -> Result<(), ClientError> {
        let mut line_number = 0;
        loop {
            if self.interrupt.is_set() {
                // What was read is gone from the pipe; no more than that, for a pipe may never be empty.
                for lines in pieces.try_iter().take(PRODUCE_PIECES_MAX).flatten() {
                    self.send_lines(lines, &mut line_number)?;
                }
                return Err(ClientError::Interrupted);
            }
            match pieces.recv_timeout(POLL) {
                Ok(Ok(lines)) => self.send_lines(lines, &mut line_number)?,
                Ok(Err(LineError::Read(error))) => return Err(ClientError::Read(error)),
                Ok(Err(error)) => return Err(bad_line(line_number + 1, &error.to_string())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.producer.poll(Duration::ZERO);
            self.notice_lost_brokers();
        }
    }

    fn send_lines(&self, lines: Vec<Vec<u8>>, line_number: &mut usize) -> Result<(), ClientError> {
        for line in lines {
            *line_number += 1;
            let record = self.format.record(line).map_err(|why| bad_line(*line_number, &why))?;
            self.send(&record, *line_number)?;
        }
        Ok(())
    }

    /// Hands a record to librdkafka, which keeps a copy; waits while its queue is full.
    fn send(&self, record: &Record, line_number: usize) -> Result<(), ClientError> {
        let mut message = message(&self.command.topic, record, line_number);
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    if self.interrupt.is_set() && self.deliveries().watch.all_are_down() {
                        return Err(ClientError::Interrupted);
                    }
                    self.producer.poll(POLL_FULL);
                    message = back;
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), _)) => {
                    let fatal = self.producer.client().fatal_error();
                    let reason = fatal.map_or_else(|| "a fatal error".to_owned(), |(_, reason)| reason);
                    return Err(ClientError::Library(format!("the producer cannot go on: {reason}")));
                }
                Err((error, _)) => {
                    self.deliveries().failed(line_number, &error);
                    return Ok(());
                }
            }
        }
    }

    /// Until the brokers have answered for every record, or librdkafka has given it up (`message.timeout.ms`), or nobody
    /// is there to answer and nobody wants to wait.
    fn wait_for_answers(&self) {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(POLL);
            self.notice_lost_brokers();
            if self.interrupt.is_set() && self.deliveries().watch.all_are_down() {
                // Each of them is told to have failed by the next polls.
                self.producer.purge(PurgeConfig::default().queue().inflight());
            }
        }
    }

    /// Says once why nothing goes on.
    fn notice_lost_brokers(&self) {
        let watch = &self.deliveries().watch;
        if watch.all_are_down() && !self.is_told.replace(true) {
            let reason = watch.reason().unwrap_or_else(|| "all connections fail".to_owned());
            output::tell(format_args!(
                "corelane: no broker can be reached ({reason}); waiting for one; Ctrl-C gives up"
            ));
        }
    }

    /// Prints what came of it, and makes it a status.
    fn tell(&self, sent: Result<(), ClientError>) -> Result<(), ClientError> {
        let report = self.deliveries().report();
        let topic = &self.command.topic;
        output::print(self.command.connection.output, &report.summary(topic), || report.text(topic))?;
        sent?;
        let (written, failed) = report.counts();
        match (written, failed) {
            (_, 0) => Ok(()),
            (0, _) => Err(several(failed, failed, Status::Refused)),
            (_, _) => Err(several(failed, written + failed, Status::Partial)),
        }
    }

    fn deliveries(&self) -> &Deliveries {
        self.producer.client().context()
    }
}

fn several(failed: u64, total: u64, status: Status) -> ClientError {
    // As many lines as one process reads.
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    ClientError::Several { failed: count(failed), total: count(total), status }
}

fn bad_line(line_number: usize, why: &str) -> ClientError {
    let before = counted(line_number as u64 - 1);
    ClientError::Usage(format!(
        "line {line_number}: {why}\n  Nothing was sent from there on; the {before} before it were"
    ))
}

fn message<'a>(topic: &'a str, record: &'a Record, line_number: usize) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut message = BaseRecord::with_opaque_to(topic, line_number);
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    message.partition = record.partition;
    message.timestamp = record.timestamp_ms;
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        message.headers = Some(record.headers.iter().fold(headers, |headers, (name, value)| {
            headers.insert(Header { key: name, value: value.as_deref() })
        }));
    }
    message
}
