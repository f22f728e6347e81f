//! Why a client command failed: a message that names the remedy, and an exit status that scripts can tell apart.
//! docs/command-line.md has the table of statuses.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::native::{code_meaning, code_name};
use crate::config::BROKERS_VARIABLE;
use crate::config::units::format_duration;

/// What a command's process ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// The command could not be carried out for a reason of this machine, or what was asked is not so (an unhealthy
    /// cluster).
    Failed = 1,
    /// The arguments are wrong; also clap's own status.
    Usage = 2,
    /// No broker could be reached, or none answered in time.
    Unreachable = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// A broker refused.
    Refused = 5,
    /// Some of several things were done, others were not.
    Partial = 6,
    /// It was not agreed to.
    NotAgreed = 7,
    /// Ctrl-C or SIGTERM came before it was done; what shells say of a process that SIGINT has ended.
    Interrupted = 130,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(status as u8)
    }
}

/// Why a client command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Arguments that clap cannot judge.
    #[error("{0}")]
    Usage(String),
    /// No connection to any broker.
    #[error(
        "no broker can be reached at {brokers}: {reason}\n  Is one running there? --brokers or {BROKERS_VARIABLE} \
         name others; -v shows more"
    )]
    Unreachable {
        /// As they were given.
        brokers: String,
        /// What the last attempt met.
        reason: String,
    },
    /// A connection, but no answer.
    #[error("{what}: no answer within {}: {reason}\n  --timeout waits longer; -v shows more", waited(.timeout))]
    NoAnswer {
        /// What was asked.
        what: String,
        /// How long it was waited for.
        timeout: Duration,
        /// What librdkafka says.
        reason: String,
    },
    /// Who has records answers, and does not send them.
    #[error(
        "{what}: the leader answers, but has sent no records for {}\n  The broker's log says why; it may not be able to \
         read them from its disk. --timeout waits longer", waited(.silence)
    )]
    Unread {
        /// Where the records are.
        what: String,
        /// How long it was waited for.
        silence: Duration,
    },
    /// Something that was named is not there.
    #[error("{what} does not exist; {remedy}")]
    NotFound {
        /// Such as "topic orders".
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A broker's error.
    #[error("{what}: {error}{}", remedy_of(.error))]
    Refused {
        /// What was asked for.
        what: String,
        /// What it said.
        error: BrokerError,
    },
    /// Some or all of several things failed, each of which has been told about.
    #[error("{failed} of {total} failed, as said above")]
    Several {
        /// So many.
        failed: usize,
        /// Of so many.
        total: usize,
        /// The status of all if it is the same, else [`Status::Partial`].
        status: Status,
    },
    /// A list that lacks what some brokers did not tell.
    #[error(
        "not all brokers have told their {0} in time, so some may be missing\n  `corelane cluster status` shows which \
         brokers cannot be reached"
    )]
    Incomplete(&'static str),
    /// The answer to the question was not yes, or there was nobody to ask.
    #[error("nothing was changed")]
    NotAgreed,
    /// By Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
    /// What was asked was answered, and the answer is bad: said on stdout.
    #[error("{0}")]
    Unhealthy(String),
    /// Output could not be written.
    #[error("cannot print: {0}")]
    Print(#[source] io::Error),
    /// Input could not be read.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// librdkafka refuses its settings or fails on its own.
    #[error("{0}")]
    Library(String),
}

impl ClientError {
    /// What the process ends with.
    pub fn status(&self) -> Status {
        match self {
            ClientError::Usage(_) => Status::Usage,
            ClientError::Unreachable { .. } | ClientError::NoAnswer { .. } | ClientError::Unread { .. } => {
                Status::Unreachable
            }
            ClientError::NotFound { .. } => Status::NotFound,
            ClientError::Refused { .. } => Status::Refused,
            ClientError::Several { status, .. } => *status,
            ClientError::Incomplete(_) => Status::Partial,
            ClientError::NotAgreed => Status::NotAgreed,
            ClientError::Interrupted => Status::Interrupted,
            ClientError::Unhealthy(_)
            | ClientError::Print(_)
            | ClientError::Read(_)
            | ClientError::Library(_) => Status::Failed,
        }
    }

    /// An error that a broker, or librdkafka for it, answered to `what` with, such as "topic orders".
    pub fn answered(what: impl Into<String>, error: BrokerError, timeout: Duration) -> Self {
        use RDKafkaErrorCode as Code;
        let what = what.into();
        match error.code {
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId => {
                ClientError::NotFound { what, remedy: "`corelane topic list` shows which topics do" }
            }
            Code::GroupIdNotFound => {
                ClientError::NotFound { what, remedy: "`corelane group list` shows which groups do" }
            }
            Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::MessageTimedOut
            | Code::Resolve => ClientError::NoAnswer { what, timeout, reason: error.message },
            _ => ClientError::Refused { what, error },
        }
    }

    /// The same for what is waited for, and cannot come because of this error: whatever a broker said of it, it did not
    /// answer. What does not exist stays that.
    pub fn into_no_answer(self, timeout: Duration) -> Self {
        match self {
            ClientError::Refused { what, error } => {
                ClientError::NoAnswer { what, timeout, reason: error.to_string() }
            }
            other => other,
        }
    }

    /// An error of rdkafka's safe API at `what`.
    pub fn library(what: impl Into<String>, error: &KafkaError, timeout: Duration) -> Self {
        let what = what.into();
        match (error, error.rdkafka_error_code()) {
            (KafkaError::ClientConfig(_, reason, key, _), _) => {
                ClientError::Usage(format!("librdkafka refuses {key}: {reason}{}", settings_remedy(reason)))
            }
            (KafkaError::ClientCreation(reason), _) => {
                ClientError::Usage(format!("librdkafka refuses: {reason}{}", settings_remedy(reason)))
            }
            (_, Some(code)) => Self::answered(what, BrokerError::of(code), timeout),
            (error, None) => ClientError::Library(format!("{what}: {error}")),
        }
    }
}

/// What to do about a setting that librdkafka refuses; empty if its own words are enough.
fn settings_remedy(reason: &str) -> &'static str {
    let reason = reason.to_ascii_lowercase();
    if reason.contains("openssl") {
        // Also SCRAM, which librdkafka takes from OpenSSL.
        "\n  corelane's client is built without TLS: reach such a cluster through a TLS proxy (stunnel), or with kcat or \
         rpk; SASL works with sasl.mechanism=PLAIN and security.protocol=SASL_PLAINTEXT"
    } else if reason.contains("jaas") {
        "\n  sasl.username and sasl.password say it to librdkafka"
    } else if reason.contains("no such configuration property") {
        "\n  librdkafka's CONFIGURATION.md lists its settings; most have the name that they have for Kafka's Java clients"
    } else {
        ""
    }
}

/// What a broker, or librdkafka for it, said.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}: {message}")]
pub struct BrokerError {
    /// The code as librdkafka numbers it.
    pub code: RDKafkaErrorCode,
    /// The code's name, such as `INVALID_CONFIG`.
    pub name: String,
    /// The broker's own words, or what the code means.
    pub message: String,
}

impl BrokerError {
    /// An error of which nothing but the code is known.
    pub fn of(code: RDKafkaErrorCode) -> Self {
        let number = code as i32;
        Self { code, name: code_name(number), message: code_meaning(number) }
    }
}

fn waited(timeout: &Duration) -> String {
    format_duration(*timeout)
}

/// What to do about a broker's error, on a line of its own, where its own words do not say.
fn remedy_of(error: &BrokerError) -> String {
    use RDKafkaErrorCode as Code;
    let remedy = match error.code {
        Code::TopicAlreadyExists => "--if-not-exists takes that for success",
        Code::NonEmptyGroup => "stop the group's members first",
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed => {
            "log in as somebody who may: -X security.protocol, -X sasl.mechanism, -X sasl.username, -X sasl.password"
        }
        Code::UnsupportedFeature | Code::UnsupportedVersion => "the broker is too old for this",
        _ => return String::new(),
    };
    format!("\n  {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: RDKafkaErrorCode) -> ClientError {
        ClientError::answered("topic orders", BrokerError::of(code), Duration::from_secs(30))
    }

    #[test]
    fn codes_have_their_status_and_remedy() {
        let missing = answered(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert_eq!(missing.status(), Status::NotFound);
        assert!(
            missing.to_string().starts_with("topic orders does not exist; `corelane topic list`"),
            "{missing}"
        );
        let exists = answered(RDKafkaErrorCode::TopicAlreadyExists);
        assert_eq!(exists.status(), Status::Refused);
        assert!(exists.to_string().starts_with("topic orders: TOPIC_ALREADY_EXISTS: "), "{exists}");
        assert!(exists.to_string().ends_with("\n  --if-not-exists takes that for success"), "{exists}");
        let late = answered(RDKafkaErrorCode::OperationTimedOut);
        assert_eq!(late.status(), Status::Unreachable);
        assert!(late.to_string().contains("no answer within 30s"), "{late}");
        assert_eq!(ClientError::Incomplete("groups").status(), Status::Partial);
    }

    #[test]
    fn what_cannot_come_is_no_answer() {
        let status = |code| answered(code).into_no_answer(Duration::from_secs(30)).status();
        assert_eq!(status(RDKafkaErrorCode::LeaderNotAvailable), Status::Unreachable);
        assert_eq!(status(RDKafkaErrorCode::CoordinatorNotAvailable), Status::Unreachable);
        assert_eq!(status(RDKafkaErrorCode::UnknownTopicOrPartition), Status::NotFound);
        assert_eq!(status(RDKafkaErrorCode::OperationTimedOut), Status::Unreachable);
    }
}
