//! What every client command takes: which cluster, how long to wait, how to print.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::super::arguments::Output;
use super::settings::{SettingsFile, parse_file};
use crate::config::BROKERS_VARIABLE;
use crate::config::ValueError;
use crate::config::units::parse_duration;

const HEADING: &str = "Connection";

/// How long one host may take to accept a connection. Less than the time to wait for answers, so that a host that
/// drops packets is named as the reason.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// librdkafka accepts no less.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Which cluster, how long to wait, how to print. The arguments may stand before or behind the last word of the
/// command (`topic --brokers B list`, `topic list --brokers B`).
#[derive(Args, Clone, Debug)]
pub struct Connection {
    /// Brokers to begin with; the others are learnt from them
    #[arg(short, long, visible_alias = "bootstrap-server", value_name = "HOST:PORT,...", env = BROKERS_VARIABLE,
        default_value = "127.0.0.1:9092", global = true, help_heading = HEADING)]
    pub brokers: String,
    /// Set a client setting of librdkafka, such as security.protocol=SASL_PLAINTEXT; can be repeated
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = parse_assignment, global = true, help_heading = HEADING)]
    pub client_settings: Vec<Assignment>,
    /// Read such settings from a file as Kafka's tools take it: a line of KEY=VALUE each. -X and the command's own options
    /// win over it
    #[arg(long, value_name = "FILE", value_parser = parse_file, global = true, help_heading = HEADING)]
    pub command_config: Option<SettingsFile>,
    /// Wait so long for the answer to a request
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout, default_value = "30s", global = true,
        help_heading = HEADING)]
    pub timeout: Duration,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Human, global = true)]
    pub output: Output,
    /// Print what the client library logs to stderr
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Connection {
    /// librdkafka's settings for these arguments. What a command sets on top of them should leave alone what
    /// `-X` has set: see [`Connection::sets`].
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        let connect_timeout = self.timeout.clamp(CONNECT_TIMEOUT_MIN, CONNECT_TIMEOUT);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "corelane-cli")
            .set("socket.connection.setup.timeout.ms", connect_timeout.as_millis().to_string())
            // A broker that only closes idle connections is no news.
            .set("log.connection.close", "false");
        for Assignment { key, value } in self.settings() {
            config.set(key, value);
        }
        // librdkafka logs through the context; what is not asked for is not even formatted.
        let level = if self.verbose { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Emerg };
        config.set_log_level(level);
        config
    }

    /// Whether `-X` sets this key. What the file says gives way to the command: one for applications may name a group that
    /// is not the one that was asked for.
    pub fn sets(&self, key: &str) -> bool {
        self.client_settings.iter().any(|assignment| assignment.key == key)
    }

    /// What the file says, and then `-X`, which wins.
    fn settings(&self) -> impl Iterator<Item = &Assignment> {
        self.command_config.iter().flat_map(|file| &file.0).chain(&self.client_settings)
    }
}

/// KEY=VALUE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Before the first `=`.
    pub key: String,
    /// Behind it, as it stands there.
    pub value: String,
}

/// Reads KEY=VALUE; the value may be empty and may contain `=`.
pub fn parse_assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok(Assignment { key: one_name(key.trim()).to_owned(), value: value.to_owned() })
        }
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// librdkafka has two names for some settings that commands set too; the one that they use.
fn one_name(key: &str) -> &str {
    match key {
        "metadata.broker.list" => "bootstrap.servers",
        "request.required.acks" => "acks",
        "compression.codec" => "compression.type",
        _ => key,
    }
}

/// Names as they were given, without those that were given before: `topic describe a a` is about one topic.
pub fn each_once(names: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).filter(|name| seen.insert(*name)).collect()
}

/// librdkafka takes milliseconds, at most an hour, and none at all would wait for nothing.
fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text).map_err(|error: ValueError| error.to_string())?;
    let is_possible = (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&timeout);
    if is_possible { Ok(timeout) } else { Err("choose from 1ms to 1h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        connection: Connection,
    }

    fn parsed(arguments: &[&str]) -> Result<Connection, clap::Error> {
        let all = ["command"].into_iter().chain(arguments.iter().copied());
        Command::try_parse_from(all).map(|command| command.connection)
    }

    #[test]
    fn settings_go_to_librdkafka_and_win() {
        let arguments =
            ["--brokers", "a:1,b:2", "-X", "client.id=me", "-X", "sasl.password=a=b", "--timeout", "2s"];
        let connection = parsed(&arguments).unwrap();
        let config = connection.client_config();
        assert_eq!(config.get("bootstrap.servers"), Some("a:1,b:2"));
        assert_eq!(config.get("client.id"), Some("me"));
        assert_eq!(config.get("sasl.password"), Some("a=b"));
        assert_eq!(config.get("socket.connection.setup.timeout.ms"), Some("2000"));
        assert!(connection.sets("client.id") && !connection.sets("linger.ms"));
        assert_eq!(parsed(&["--bootstrap-server", "c:3"]).unwrap().brokers, "c:3");
    }

    #[test]
    fn what_is_named_twice_is_meant_once() {
        let names = ["b", "a", "b", "c", "a"].map(str::to_owned);
        assert_eq!(each_once(&names), ["b", "a", "c"]);
        assert!(each_once(&[]).is_empty());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in
            [["-X", "novalue"], ["-X", "=1"], ["--timeout", "0s"], ["--timeout", "2h"], ["--timeout", "5"]]
        {
            assert!(parsed(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(parse_assignment(" a = b=c"), Ok(Assignment { key: "a".into(), value: " b=c".into() }));
        assert_eq!(parse_assignment("compression.codec=lz4").unwrap().key, "compression.type");
        assert_eq!(parse_assignment("a="), Ok(Assignment { key: "a".into(), value: String::new() }));
    }
}
