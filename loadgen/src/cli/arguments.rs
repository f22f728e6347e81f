//! What may stand on the command line. The same names are the keys of a file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::{
    Acks, ByteSize, Compression, ConsumerMode, CpuList, Keys, Period, Rate, ScheduleKind, SizeSpec,
};

const EXAMPLES: &str = "\
Every flag can also stand in a TOML file (--config): rate = \"50k\". Flags win over the file, which wins over the \
preset.

Examples:
  loadgen run --topic t --partitions 16 --rate 50k --size 1KiB --duration 30s --report out
  loadgen run --preset 1-topic-16-partitions-1kb --brokers 10.0.0.1:9092
  loadgen run --topic t --partitions 1 --closed --in-flight 1
  loadgen run --null --rate 1M --batch 100

Exit status: 0 if everything that was asked for was done, 1 if something failed or the results are partial, 2 if the \
arguments are wrong.";

/// Open-loop load for brokers that speak Kafka's protocol.
#[derive(Parser, Debug)]
#[command(name = "loadgen", version, about, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Send and read at the times asked for, and tell the latencies
    #[command(after_help = EXAMPLES, args_override_self = true)]
    Run(RunArguments),
    /// Find the highest rate that holds a bound of latency
    #[command(args_override_self = true)]
    Sweep(SweepArguments),
    /// Offer more than the broker can take, and see what it does and how it recovers
    #[command(args_override_self = true)]
    Backpressure(BackpressureArguments),
    /// Measure synchronous writes of this machine's disk
    Disk(DiskArguments),
    /// Measure round trips and bandwidth of this machine's loopback network
    Net(NetArguments),
    /// Measure how long this machine takes a busy CPU away
    Cpu(CpuArguments),
    /// Send numbered records, read them back, and count loss, duplicates and reordering, across broker restarts
    #[command(args_override_self = true)]
    Verify(VerifyArguments),
    /// Show reports side by side, with ratios to the first
    Compare(CompareArguments),
    /// List the presets
    Presets,
}

/// Arguments of `loadgen run`.
#[derive(Args, Debug)]
pub struct RunArguments {
    #[command(flatten)]
    pub load: LoadArguments,
    /// Open loop: records (50000, 50k, 1.5M) or bytes (100MB/s) a second of all producers together
    #[arg(long, value_name = "RATE", conflicts_with = "closed", allow_negative_numbers = true)]
    pub rate: Option<Rate>,
    /// Closed loop: each producer keeps --in-flight requests outstanding; latency then leaves out the time that
    /// requests would have waited
    #[arg(long)]
    pub closed: bool,
    /// How requests lie in time
    #[arg(long, value_enum, default_value_t = ScheduleKind::Constant, conflicts_with = "closed")]
    pub schedule: ScheduleKind,
    /// Requests that each producer sends at once with --schedule burst
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub burst: u32,
    /// Let records be due one by one, and gather them: a batch is sent when it has --batch records, or this long after
    /// its first. Response time then counts from each record's own time
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub linger: Period,
    /// Time that is measured
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub duration: Period,
    /// Encode requests and throw them away: how fast this program is by itself
    #[arg(long)]
    pub null: bool,
    /// Write report.json, report.html and .hgrm files into this directory
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Arguments of `loadgen sweep`.
#[derive(Args, Debug)]
pub struct SweepArguments {
    #[command(flatten)]
    pub load: LoadArguments,
    /// Bound of the response time's 99th percentile
    #[arg(long, value_name = "TIME", default_value = "10ms")]
    pub p99: Period,
    /// Rate to begin with
    #[arg(long, value_name = "RATE", default_value = "1k", allow_negative_numbers = true)]
    pub from: Rate,
    /// Stop when the knee is known to this part of itself
    #[arg(long, value_name = "PART", default_value_t = 0.05, value_parser = resolution)]
    pub resolution: f64,
    /// How requests lie in time
    #[arg(long, value_enum, default_value_t = ScheduleKind::Constant)]
    pub schedule: ScheduleKind,
    /// Let records be due one by one, and gather them: a batch is sent when it has --batch records, or this long after
    /// its first. Response time then counts from each record's own time
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub linger: Period,
    /// Time that is measured at each rate
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub duration: Period,
    /// Write sweep.json and sweep.html into this directory
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

fn resolution(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.01..=1.0).contains(&part) => Ok(part),
        _ => Err("expected a number from 0.01 to 1".to_owned()),
    }
}

/// Arguments of `loadgen backpressure`.
#[derive(Args, Debug)]
pub struct BackpressureArguments {
    #[command(flatten)]
    pub load: LoadArguments,
    /// What the broker can take [default: measured first, for 10 s with all connections busy]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub capacity: Option<Rate>,
    /// The peak, in multiples of the capacity
    #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = multiple)]
    pub multiple: f64,
    /// The load before and after, as a part of the capacity
    #[arg(long, value_name = "PART", default_value_t = 0.5, value_parser = normal)]
    pub normal: f64,
    /// How long the load is normal at first
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub before: Period,
    /// How long it rises
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub ramp: Period,
    /// How long the peak is held
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub hold: Period,
    /// How long the load is normal again
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub after: Period,
    /// What consumers do: normal; slow:RATE, each connection reads so many bytes a second (slow:1MB/s); paused, they do
    /// not read during the overload; backlog, they begin when it has ended
    #[arg(long, value_name = "MODE", default_value = "normal")]
    pub consumer_mode: ConsumerMode,
    /// Process of a broker on this machine, whose memory is to be watched
    #[arg(long, value_name = "PID")]
    pub broker_pid: Option<u32>,
    /// Admin port of a Corelane broker, whose memory, budgets and pauses are to be watched
    #[arg(long, value_name = "HOST:PORT")]
    pub broker_admin: Option<String>,
    /// Write report.json, report.html and .hgrm files into this directory
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

fn multiple(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (1.0..=100.0).contains(&number) => Ok(number),
        _ => Err("expected a number from 1 to 100".to_owned()),
    }
}

fn normal(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.01..=1.0).contains(&part) => Ok(part),
        _ => Err("expected a number from 0.01 to 1".to_owned()),
    }
}

/// Arguments of `loadgen disk`.
#[derive(Args, Debug)]
pub struct DiskArguments {
    /// Directory on the device; a file is made there and removed
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Length of the file
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub file_size: ByteSize,
    /// Lengths of writes, multiples of 4KiB
    #[arg(
        long,
        value_name = "SIZE,...",
        default_value = "4KiB,16KiB,64KiB,256KiB,1MiB",
        value_delimiter = ','
    )]
    pub sizes: Vec<ByteSize>,
    /// Writes outstanding at a time
    #[arg(long, value_name = "N,...", default_value = "1,4,16", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=256))]
    pub depths: Vec<u32>,
    /// Time for each size and depth
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub duration: Period,
    /// Write disk.json into this directory; reports that are written there later state the distance to it
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Arguments of `loadgen net`.
#[derive(Args, Debug)]
pub struct NetArguments {
    /// Bytes that go to and fro
    #[arg(long, value_name = "SIZE", default_value = "64")]
    pub size: ByteSize,
    /// Time for round trips, and again for bandwidth
    #[arg(long, value_name = "TIME", default_value = "3s")]
    pub duration: Period,
    /// The CPUs of the two ends, such as 0,1 [default: the first two that may be used]
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
    /// Write net.json into this directory; reports that are written there later state the distance to it
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Arguments of `loadgen cpu`.
#[derive(Args, Debug)]
pub struct CpuArguments {
    /// The CPUs, all busy at the same time, such as 0-3 [default: all that may be used]
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
    /// How long
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub duration: Period,
    /// Write cpu.json into this directory; reports that are written there later state the distance to it
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Arguments of `loadgen verify`.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// Read flags from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Brokers to bootstrap from
    #[arg(long, value_name = "HOST:PORT,...", default_value = "127.0.0.1:9092", value_delimiter = ',')]
    pub brokers: Vec<String>,
    /// Topic
    #[arg(long, value_name = "NAME", default_value = "loadgen-verify")]
    pub topic: String,
    /// Partitions of the topic, which is created if it is not there [default: those of the topic]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub partitions: Option<i32>,
    /// Replicas of a topic that is created; -1 is the broker's default
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub replication_factor: i16,
    /// Producers, all idempotent and with acks all
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub producers: u32,
    /// Records or bytes a second [default: as fast as they are answered]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub rate: Option<Rate>,
    /// Length of values: 1KiB, or a range 100..2000
    #[arg(long, value_name = "SIZE", default_value = "100..1000", value_parser = made_size)]
    pub size: SizeSpec,
    /// Records in each request
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
    /// Compression of batches
    #[arg(long, value_enum, default_value_t = Compression::None)]
    pub compression: Compression,
    /// How long to send
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub duration: Period,
    /// How long brokers may be away before that is a failure
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub patience: Period,
    /// Seed of values
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write verify.json into this directory
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

fn made_size(text: &str) -> Result<SizeSpec, String> {
    match text.parse()? {
        SizeSpec::Sample(_) => Err("records to verify are made, not read from a file".to_owned()),
        size => Ok(size),
    }
}

/// Arguments of `loadgen compare`.
#[derive(Args, Debug)]
pub struct CompareArguments {
    /// Directories that --report wrote, or report.json files
    #[arg(required = true, value_name = "DIR")]
    pub reports: Vec<PathBuf>,
}

/// What decides a workload, but for its rate.
#[derive(Args, Clone, Debug)]
pub struct LoadArguments {
    /// Read flags from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start from a named workload; `loadgen presets` lists them
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Brokers to bootstrap from
    #[arg(long, value_name = "HOST:PORT,...", default_value = "127.0.0.1:9092", value_delimiter = ',')]
    pub brokers: Vec<String>,
    /// Topic; with --topics above 1, what the names start with
    #[arg(long, value_name = "NAME", default_value = "loadgen")]
    pub topic: String,
    /// Number of topics
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub topics: u32,
    /// Partitions of each topic, which is created if it is not there [default: those of the topic]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub partitions: Option<i32>,
    /// Replicas of topics that are created; -1 is the broker's default
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub replication_factor: i16,
    /// Producers, each with a connection to every leader
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub producers: u32,
    /// Consumers; partitions are dealt out to them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub consumers: u32,
    /// Have consumers share partitions through this consumer group, with the `range` assignor; they begin where the
    /// group has committed, or else at the end, and commit once a second
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Length of values: 1KiB, a range 100..2000, or file:PATH to send the file's lines
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    pub size: SizeSpec,
    /// Part of each value that is random, 0 to 1; the rest is zeros
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = part)]
    pub randomness: f64,
    /// Keys: none, uniform:COUNT or zipf:COUNT[:EXPONENT]
    #[arg(long, value_name = "KEYS", default_value = "none")]
    pub keys: Keys,
    /// Records in each request, which holds one batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
    /// Answers to wait for
    #[arg(long, value_enum, default_value_t = Acks::All, allow_negative_numbers = true)]
    pub acks: Acks,
    /// Number batches, so that brokers recognise duplicates
    #[arg(long)]
    pub idempotence: bool,
    /// Compression of batches
    #[arg(long, value_enum, default_value_t = Compression::None)]
    pub compression: Compression,
    /// Requests outstanding on each connection; with --closed, of each producer
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub in_flight: u32,
    /// Time before anything is measured
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub warmup: Period,
    /// How long to wait at the end for what is outstanding
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub drain: Period,
    /// Threads, each on a CPU of its own [default: one for each CPU that may be used]
    #[arg(long, value_name = "N", conflicts_with = "cpus", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// CPUs to run on, one thread each, such as 0-3,8
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
    /// Seed of schedules, values and keys
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// The longest sample file that is read.
pub const SAMPLE_BYTES_MAX: ByteSize = ByteSize(1 << 30);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
