//! A workload: everything that decides what is sent and read, checked as a whole.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use corelane::protocol::batch;
use serde::Serialize;
use thiserror::Error;

use super::{ByteSize, ConsumerMode, Overload, Rate};
use crate::workload::STAMP_BYTES;

/// Longest record value; a batch has to fit a request frame with room to spare.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;
/// Longest batch before compression.
pub const BATCH_BYTES_MAX: u64 = 256 << 20;

/// More requests in a second than any client sends.
pub const REQUESTS_PER_S_MAX: f64 = 20e6;

/// What is wrong with a workload. Each names the remedy.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Neither an offered rate nor a closed loop.
    #[error(
        "say how much to send: --rate RATE (open loop), or --closed (each producer keeps --in-flight requests outstanding)"
    )]
    NoRate,
    /// Nothing to do.
    #[error("--producers and --consumers are both 0; give one of them at least 1")]
    NothingToDo,
    /// A command that cannot do without producers.
    #[error("--producers 0 offers nothing; give at least 1")]
    NoProducers,
    /// An overload that nobody would notice.
    #[error("--acks 0 has no answers to tell how the broker fares; use --acks 1 or all")]
    OverloadWithoutAcks,
    /// Consumers and verification read stamps, which need room.
    #[error(
        "--size {size} leaves no room for the {STAMP_BYTES} bytes that each value starts with when it is read again; give --size {STAMP_BYTES} or more, or --consumers 0"
    )]
    NoRoomForStamp {
        /// The smallest value.
        size: u64,
    },
    /// Values beyond the limit.
    #[error("--size {size} is beyond the limit of {RECORD_BYTES_MAX} bytes")]
    RecordTooLong {
        /// The largest value.
        size: u64,
    },
    /// Batches beyond the limit.
    #[error("--batch {batch} with --size up to {size} makes batches of {} bytes; the limit is {BATCH_BYTES_MAX}: lower one of them", *batch as u64 * size)]
    BatchTooLong {
        /// Records in a batch.
        batch: u32,
        /// The largest value.
        size: u64,
    },
    /// So many requests a second that the schedule cannot tell them apart.
    #[error(
        "{requests_per_s:.0} requests a second is more than any client sends (limit 20,000,000); raise --batch or lower --rate"
    )]
    RateImpossible {
        /// Requests asked for.
        requests_per_s: f64,
    },
    /// Kafka's rule for idempotent producers.
    #[error("--idempotence needs --acks all (Kafka's rule); drop one of them")]
    IdempotenceAcks,
    /// Kafka's rule for idempotent producers.
    #[error("--idempotence allows at most 5 requests in flight on a connection, not {0}; lower --in-flight")]
    IdempotenceInFlight(u32),
    /// Linger gathers records that are due one by one, which a closed loop has none of.
    #[error("--linger gathers records of a schedule; use it with --rate instead of --closed")]
    ClosedAndLinger,
    /// Without answers nothing closes the loop.
    #[error("--closed waits for answers, and --acks 0 has none; use --rate, or --acks 1 or all")]
    ClosedWithoutAcks,
    /// A CPU that this process may not use.
    #[error("CPU {cpu} may not be used by this process; these may: {allowed:?}")]
    CpuNotAllowed {
        /// The CPU asked for.
        cpu: usize,
        /// Those that may be used.
        allowed: Vec<usize>,
    },
    /// More threads than CPUs.
    #[error("--threads {threads} is more than the {allowed} CPUs that this process may use; lower it")]
    TooManyThreads {
        /// Threads asked for.
        threads: u16,
        /// CPUs there are.
        allowed: usize,
    },
    /// A window too short to measure.
    #[error("--duration is less than 100 ms; nothing can be measured in that")]
    TooShort,
    /// A sample file that cannot be used.
    #[error("cannot read the sample file {}: {source}", path.display())]
    SampleUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A sample file without lines.
    #[error("the sample file {} has no lines; each line is one record's value", path.display())]
    SampleEmpty {
        /// The file.
        path: PathBuf,
    },
}

/// How many answers a produce request waits for.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// None; nothing is answered.
    #[value(name = "0")]
    None,
    /// The leader's.
    #[value(name = "1")]
    Leader,
    /// That of all in-sync replicas.
    #[value(name = "all", alias = "-1")]
    All,
}

impl Acks {
    /// As on the wire.
    pub fn wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// How batches are compressed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, level 6.
    Gzip,
    /// snappy, in the framing of Java's clients.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// zstd, level 3.
    Zstd,
}

impl From<Compression> for batch::Compression {
    fn from(compression: Compression) -> batch::Compression {
        match compression {
            Compression::None => batch::Compression::None,
            Compression::Gzip => batch::Compression::Gzip,
            Compression::Snappy => batch::Compression::Snappy,
            Compression::Lz4 => batch::Compression::Lz4,
            Compression::Zstd => batch::Compression::Zstd,
        }
    }
}

/// When requests are meant to be sent.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScheduleKind {
    /// At equal distances.
    Constant,
    /// At random distances: independent arrivals.
    Poisson,
    /// `--burst` requests at once, at equal distances.
    Burst,
}

/// How long values are.
#[derive(Clone, PartialEq, Debug)]
pub enum SizeSpec {
    /// All alike.
    Fixed(u64),
    /// Any length between two, each as likely.
    Uniform(u64, u64),
    /// The lines of a file, in turn.
    Sample(PathBuf),
}

impl FromStr for SizeSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(SizeSpec::Sample(path.into()));
        }
        match text.split_once("..") {
            None => Ok(SizeSpec::Fixed(text.parse::<ByteSize>()?.0)),
            Some((min, max)) => {
                let (ByteSize(min), ByteSize(max)) = (min.parse()?, max.parse()?);
                if min > max {
                    return Err(format!("the range ends before it starts; write {max}..{min}"));
                }
                Ok(SizeSpec::Uniform(min, max))
            }
        }
    }
}

/// Which keys records have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Keys {
    /// None; partitions take turns.
    None,
    /// So many, each as likely.
    Uniform(u32),
    /// So many; the k-th is as likely as 1 / k to the power given.
    Zipf(u32, f64),
}

/// Each key has a weight of 8 bytes in memory, in every thread.
const KEYS_MAX: u32 = 10_000_000;

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected none, uniform:COUNT or zipf:COUNT[:EXPONENT], COUNT up to {KEYS_MAX}");
        let parts: Vec<&str> = text.split(':').collect();
        let count = |text: &str| match text.parse() {
            Ok(count) if (1..=KEYS_MAX).contains(&count) => Ok(count),
            _ => Err(wrong()),
        };
        match parts[..] {
            ["none"] => Ok(Keys::None),
            ["uniform", number] => Ok(Keys::Uniform(count(number)?)),
            ["zipf", number] => Ok(Keys::Zipf(count(number)?, 1.0)),
            ["zipf", number, exponent] => match exponent.parse::<f64>() {
                Ok(exponent) if (0.0..=10.0).contains(&exponent) => Ok(Keys::Zipf(count(number)?, exponent)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keys::None => f.write_str("none"),
            Keys::Uniform(count) => write!(f, "uniform:{count}"),
            Keys::Zipf(count, exponent) => write!(f, "zipf:{count}:{exponent}"),
        }
    }
}

impl fmt::Display for SizeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SizeSpec::Fixed(size) => write!(f, "{size}"),
            SizeSpec::Uniform(min, max) => write!(f, "{min}..{max}"),
            SizeSpec::Sample(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Who decides when the next request is sent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Offered {
    /// A schedule, whatever the broker does. Requests a second of all producers.
    Open {
        /// Requests a second of all producers.
        requests_per_s: f64,
        /// How they lie in time.
        schedule: ScheduleKind,
        /// Requests sent at once by [`ScheduleKind::Burst`].
        burst: u32,
    },
    /// A schedule that rises beyond what the broker can take, and falls back.
    Overload(Overload),
    /// The broker: each producer keeps a number of requests outstanding.
    Closed,
    /// The broker: each connection keeps a number of requests outstanding.
    Saturated,
}

impl Offered {
    /// Whether an answer makes the next request due.
    pub fn is_closed_loop(&self) -> bool {
        matches!(self, Offered::Closed | Offered::Saturated)
    }
}

/// The topics to use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topics {
    /// The name, or with several topics what their names start with.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Partitions of each; `None` leaves topics as they are, which must then exist.
    pub partitions: Option<i32>,
    /// Replicas of each partition of a topic that is created; -1 for the broker's default.
    pub replication_factor: i16,
}

impl Topics {
    /// The names of all topics.
    pub fn names(&self) -> Vec<String> {
        match self.count {
            1 => vec![self.name.clone()],
            count => (0..count).map(|number| format!("{}-{number}", self.name)).collect(),
        }
    }
}

/// A checked workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Addresses to bootstrap from, host:port.
    pub brokers: Vec<String>,
    /// The topics.
    pub topics: Topics,
    /// Producers, each with a connection to every leader.
    pub producers: u32,
    /// Consumers; partitions are dealt out to them.
    pub consumers: u32,
    /// The group that consumers share partitions through; `None` where partitions are dealt out to them.
    pub group: Option<String>,
    /// What consumers do in an overload.
    pub consumer_mode: ConsumerMode,
    /// Whether values start with a stamp, which needs [`STAMP_BYTES`].
    pub is_stamped: bool,
    /// Who decides when requests are sent.
    pub offered: Offered,
    /// Lengths of values.
    pub size: SizeSpec,
    /// Values from the sample file.
    pub sample: Vec<Vec<u8>>,
    /// Part of each value that is random, 0 to 1; the rest is zeros.
    pub randomness: f64,
    /// Keys.
    pub keys: Keys,
    /// Records in a batch; each request carries one batch.
    pub batch: u32,
    /// How long a batch waits for more records after its first; zero: all its records are due together.
    pub linger: Duration,
    /// Answers to wait for.
    pub acks: Acks,
    /// Whether producers number their batches (KIP-98).
    pub idempotence: bool,
    /// How batches are compressed.
    pub compression: Compression,
    /// Requests outstanding on a connection at most; in a closed loop, of a producer.
    pub in_flight: u32,
    /// Time at the start that is not measured.
    pub warmup: Duration,
    /// Time that is measured.
    pub duration: Duration,
    /// How long to wait at the end for what is outstanding.
    pub drain: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// CPUs, one thread on each.
    pub cpus: Vec<usize>,
}

impl Workload {
    /// The smallest and the largest value.
    pub fn size_range(&self) -> (u64, u64) {
        match &self.size {
            SizeSpec::Fixed(size) => (*size, *size),
            SizeSpec::Uniform(min, max) => (*min, *max),
            SizeSpec::Sample(_) => {
                let lengths = || self.sample.iter().map(|line| line.len() as u64);
                (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0))
            }
        }
    }

    /// Looks for what contradicts itself or cannot be done.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.producers == 0 && self.consumers == 0 {
            return Err(SettingsError::NothingToDo);
        }
        if self.duration < Duration::from_millis(100) {
            return Err(SettingsError::TooShort);
        }
        let (smallest, largest) = self.size_range();
        if self.is_stamped && self.producers > 0 && smallest < STAMP_BYTES as u64 {
            return Err(SettingsError::NoRoomForStamp { size: smallest });
        }
        if largest > RECORD_BYTES_MAX {
            return Err(SettingsError::RecordTooLong { size: largest });
        }
        if u64::from(self.batch) * largest > BATCH_BYTES_MAX {
            return Err(SettingsError::BatchTooLong { batch: self.batch, size: largest });
        }
        let requests_per_s = match self.offered {
            Offered::Open { requests_per_s, .. } => requests_per_s,
            Offered::Overload(overload) => overload.peak_per_s,
            Offered::Closed | Offered::Saturated => 0.0,
        };
        if requests_per_s > REQUESTS_PER_S_MAX {
            return Err(SettingsError::RateImpossible { requests_per_s });
        }
        if self.offered.is_closed_loop() && self.producers > 0 && self.acks == Acks::None {
            return Err(SettingsError::ClosedWithoutAcks);
        }
        if self.idempotence && self.acks != Acks::All {
            return Err(SettingsError::IdempotenceAcks);
        }
        if self.idempotence && self.in_flight > 5 {
            return Err(SettingsError::IdempotenceInFlight(self.in_flight));
        }
        Ok(())
    }
}

/// The mean length of values.
pub fn mean_bytes(size: &SizeSpec, sample: &[Vec<u8>]) -> f64 {
    match size {
        SizeSpec::Fixed(size) => *size as f64,
        SizeSpec::Uniform(min, max) => (*min as f64 + *max as f64) / 2.0,
        SizeSpec::Sample(_) => {
            sample.iter().map(|line| line.len() as f64).sum::<f64>() / sample.len().max(1) as f64
        }
    }
}

/// Requests a second that make a rate of records or bytes.
pub fn requests_per_s(rate: Rate, batch: u32, mean_record_bytes: f64) -> f64 {
    let records_per_s = match rate {
        Rate::Records(records) => records,
        Rate::Bytes(bytes) => bytes / mean_record_bytes.max(1.0),
    };
    records_per_s / f64::from(batch)
}
