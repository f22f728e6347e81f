//! What can be wrong with a configuration. Every message names the place and the remedy; all that is wrong is
//! reported at once.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::settings::Origin;
use super::units::format_size;
use super::voters::VotersError;

/// What is wrong with the text of one value.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ValueError {
    /// Neither `true` nor `false`.
    #[error("expected true or false")]
    NotABoolean,
    /// Not a whole number.
    #[error("expected a whole number")]
    NotANumber,
    /// A unit where Kafka's key takes a plain number.
    #[error("this key of Kafka's takes a plain number of bytes: write {0}")]
    UnitInPlainNumber(u64),
    /// Not a size.
    #[error("expected a size such as 512MiB, 1GiB or 10GB")]
    NotASize,
    /// Not a duration.
    #[error("expected a duration such as 500ms, 10s or 2m")]
    NotADuration,
    /// Readable, but too small or too large.
    #[error("expected {min} to {max}")]
    OutOfRange {
        /// Smallest value.
        min: String,
        /// Largest value.
        max: String,
    },
    /// Not a port.
    #[error("expected a port, 0 to 65535")]
    NotAPort,
    /// An address without a port.
    #[error("expected HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092")]
    NoPort,
    /// An IPv6 address without brackets, or more than host and port.
    #[error("expected HOST:PORT; an IPv6 address goes in brackets, [::1]:9092")]
    NoBrackets,
    /// Neither an address nor a host name.
    #[error("expected a host name or an address; for all addresses write 0.0.0.0 or [::]")]
    NotAHost,
    /// A wildcard where clients need an address.
    #[error("no client can connect to a wildcard; name the host that clients reach")]
    WildcardHost,
    /// Nothing.
    #[error("expected a value, found nothing")]
    Empty,
    /// Not a name.
    #[error("expected 1 to 249 letters, digits, `.`, `_` or `-`")]
    NotAName,
    /// None of the words that the key takes.
    #[error("expected one of: {0}")]
    NotAChoice(String),
    /// Not a list of voters.
    #[error("{0}")]
    Voters(Box<VotersError>),
    /// Not a list of CPUs.
    #[error("expected CPU numbers such as 0-3,8")]
    NotACpuList,
    /// A CPU named twice in a list.
    #[error("CPU {0} is named twice; every shard has a CPU of its own")]
    CpuTwice(usize),
    /// Not a level and not a filter.
    #[error("expected error, warn, info, debug, trace or directives such as info,corelane::log=debug")]
    NotALogFilter,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`{}", nearest.as_ref().map(|key| format!(", did you mean `{key}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The known key that is written most alike.
        nearest: Option<String>,
    },
    /// A value that its key does not take.
    #[error("{origin}: `{key}` cannot be `{value}`: {source}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// Where it stands.
        origin: Origin,
        /// What is wrong.
        source: ValueError,
    },
    /// A TOML value that no key takes.
    #[error("{origin}: `{key}` takes a string, a whole number or a boolean, not {found}")]
    NotAScalar {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The TOML type that was found.
        found: &'static str,
    },
    /// `--set` without `=`.
    #[error("--set takes KEY=VALUE, not `{0}`")]
    NotAnAssignment(String),
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is longer than a configuration can be.
    #[error("the configuration file {} is longer than {}", path.display(), format_size(*limit_bytes))]
    FileTooLong {
        /// The file.
        path: PathBuf,
        /// Its limit.
        limit_bytes: u64,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not TOML: {message}", path.display())]
    FileSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// Listeners described in two ways.
    #[error("{origin} sets `{key}`, but the file has [[listener]] tables; keep one of the two")]
    ListenerAndKey {
        /// The key of the single listener.
        key: &'static str,
        /// Where it was set.
        origin: Origin,
    },
    /// Two listeners of one name.
    #[error("two [[listener]] tables are named `{0}`; give each a name of its own")]
    ListenerNameTwice(String),
    /// More listeners than there may be.
    #[error("{count} [[listener]] tables; at most {max} are allowed")]
    TooManyListeners {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A wildcard without a host that clients can be told.
    #[error(
        "listener `{listener}` listens on {bind}, which no client can connect to: say which host clients \
         reach it by, with --advertise-host HOST or `advertised.host`"
    )]
    WildcardWithoutHost {
        /// The listener's name.
        listener: String,
        /// Where it listens.
        bind: String,
    },
    /// Shards' ports beyond the last port.
    #[error(
        "listener `{listener}`: {shards} ports from {first} on do not end before 65536; set `{key}` lower"
    )]
    PortsBeyondEnd {
        /// The listener's name.
        listener: String,
        /// The key of the first port.
        key: &'static str,
        /// The first port.
        first: u32,
        /// The number of ports.
        shards: u16,
    },
    /// Two uses of one port.
    #[error(
        "port {port} is meant for {first} and for {second}; move one of them with `listen`, `shard.ports` or \
         `admin.listen`"
    )]
    PortTwice {
        /// The port.
        port: u16,
        /// One use.
        first: String,
        /// The other.
        second: String,
    },
    /// Half of what makes a node one among others.
    #[error(
        "`{set}` is set and `{missing}` is not: a node among others needs both, and one on its own neither"
    )]
    HalfACluster {
        /// The key that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Other nodes could not connect.
    #[error(
        "other nodes cannot connect to {0}: say by which address they reach the cluster port, with `cluster.advertised`, \
         and with a port in `cluster.listen`"
    )]
    ClusterAddress(String),
    /// The number of shards contradicts the list of CPUs.
    #[error(
        "`shards` is {shards} ({shards_origin}) but `cpus` names {cpus} ({cpus_origin}); set one of them"
    )]
    ShardsAndCpus {
        /// The number of shards.
        shards: u16,
        /// Where it was set.
        shards_origin: Origin,
        /// The number of CPUs.
        cpus: usize,
        /// Where they were set.
        cpus_origin: Origin,
    },
    /// More shards than broker ids.
    #[error("`cpus` names {count} CPUs; a node has at most {max} shards")]
    TooManyShards {
        /// How many there would be.
        count: usize,
        /// How many there may be.
        max: u16,
    },
    /// The process sees no CPU that it may run on.
    #[error("no CPU is allowed to this process; look at its cpuset or taskset")]
    NoCpu,
    /// Too little memory for the shards.
    #[error(
        "`memory` of {} gives each of {shards} shards {}, a shard needs {}: set --memory {} or more{}",
        format_size(*memory_bytes), format_size(*shard_bytes), format_size(*shard_min_bytes), format_size(*memory_needed_bytes),
        if *shards_that_fit > 0 { format!(", or --shards {shards_that_fit}") } else { String::new() }
    )]
    MemoryTooSmall {
        /// `memory`.
        memory_bytes: u64,
        /// The number of shards.
        shards: u16,
        /// Each shard's part.
        shard_bytes: u64,
        /// The least part.
        shard_min_bytes: u64,
        /// Memory that would do.
        memory_needed_bytes: u64,
        /// Shards for which the memory would do.
        shards_that_fit: u64,
    },
    /// A key that asks more than its budget.
    #[error(
        "`{key}` of {value} does not fit: a shard's memory for {budget} is {}; set it to {largest} or less, or \
         --memory {} or more",
        format_size(*budget_bytes), format_size(*memory_needed_bytes)
    )]
    BeyondBudget {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What the budget is for.
        budget: &'static str,
        /// The budget.
        budget_bytes: u64,
        /// The largest value that fits.
        largest: String,
        /// Memory with which the value would fit.
        memory_needed_bytes: u64,
    },
    /// A key that must not be below another.
    #[error("`{key}` of {value} is too small for `{other}` of {other_value}: set it to {least} or more")]
    TooSmallFor {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The other key.
        other: &'static str,
        /// The other's value.
        other_value: u64,
        /// The smallest value that would do.
        least: u64,
    },
}

/// All that is wrong with the configuration, at least one thing.
#[derive(Debug, Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}
