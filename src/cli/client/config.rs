//! `corelane config get`, `set` and `unset`: configs of topics and of running brokers.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::super::table::table;
use super::arguments::{Assignment, Connection};
use super::cluster::Cluster;
use super::error::ClientError;
use super::native::{Change, ConfigEntry, Resource, Source, alter_configs, describe_configs};
use super::outcomes::Outcomes;
use super::output;
use super::settings::parse_config;

/// All brokers, where an id could stand.
const ALL: &str = "all";

/// What to do with the configs of a cluster.
#[derive(Subcommand, Debug)]
pub enum ConfigAction {
    /// Show the configs of a topic or of running brokers that are not the default
    Get(Get),
    /// Set configs of a topic or of running brokers, and leave the others alone
    Set(Set),
    /// Unset configs, so that what is set for all, or the default, holds again
    Unset(Unset),
}

#[derive(Args, Debug)]
struct Subject {
    /// What has the configs
    kind: Kind,
    /// The topic's name; the broker's id, or `all`
    name: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A topic
    #[value(alias = "topics")]
    Topic,
    /// A broker, or all of them
    #[value(alias = "brokers")]
    Broker,
}

/// Arguments of `corelane config get`.
#[derive(Args, Debug)]
pub struct Get {
    #[command(flatten)]
    subject: Subject,
    /// Show these, whoever set them
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Show defaults too
    #[arg(long)]
    all: bool,
}

/// Arguments of `corelane config set`.
#[derive(Args, Debug)]
pub struct Set {
    #[command(flatten)]
    subject: Subject,
    /// What to set
    #[arg(value_name = "KEY=VALUE", value_parser = parse_config, required = true)]
    assignments: Vec<Assignment>,
}

/// Arguments of `corelane config unset`.
#[derive(Args, Debug)]
pub struct Unset {
    #[command(flatten)]
    subject: Subject,
    /// What to unset
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

/// Carries out `corelane config get`, `set` or `unset`.
pub fn run(action: ConfigAction) -> Result<(), ClientError> {
    match action {
        ConfigAction::Get(get) => run_get(&get),
        ConfigAction::Set(Set { subject, assignments }) => {
            let change = |it: Assignment| Change { key: it.key, value: Some(it.value) };
            change_all(&subject, &assignments.into_iter().map(change).collect::<Vec<_>>(), "set")
        }
        ConfigAction::Unset(Unset { subject, keys }) => {
            let change = |key| Change { key, value: None };
            change_all(&subject, &keys.into_iter().map(change).collect::<Vec<_>>(), "unset")
        }
    }
}

impl Subject {
    /// The topic or the brokers that are meant. An id that is not there is refused here: librdkafka would wait for
    /// such a broker to appear.
    fn resources(&self, cluster: &Cluster) -> Result<Vec<Resource>, ClientError> {
        let ids: Vec<i32> = cluster.description().nodes.iter().map(|node| node.id).collect();
        match (self.kind, self.name.as_str()) {
            (Kind::Topic, name) => Ok(vec![Resource::Topic(name.to_owned())]),
            (Kind::Broker, ALL) => Ok(ids.into_iter().map(Resource::Broker).collect()),
            (Kind::Broker, name) => {
                let Ok(id) = name.parse() else {
                    return Err(ClientError::Usage(format!("a broker is a number or `{ALL}`, not `{name}`")));
                };
                if !ids.contains(&id) {
                    let remedy = "`corelane cluster status` shows which brokers do";
                    return Err(ClientError::NotFound { what: format!("broker {id}"), remedy });
                }
                Ok(vec![Resource::Broker(id)])
            }
        }
    }
}

/// A topic's or a broker's configs, as programs get them.
#[derive(Serialize)]
struct Configs {
    kind: &'static str,
    name: String,
    configs: Vec<ConfigEntry>,
}

fn run_get(get: &Get) -> Result<(), ClientError> {
    let cluster = Cluster::connect(&get.subject.connection)?;
    let mut all = Vec::new();
    for resource in get.subject.resources(&cluster)? {
        let title = resource.title();
        // One by one: a request for a broker goes to that broker.
        for (name, entries) in describe_configs(&cluster, &[resource])? {
            let entries = entries.map_err(|error| cluster.answered(title.clone(), error))?;
            let kind = if get.subject.kind == Kind::Topic { "topic" } else { "broker" };
            all.push(Configs { kind, name, configs: chosen(entries, &get.keys, get.all, &title)? });
        }
    }
    output::print(get.subject.connection.output, &all, || configs_text(&all))
}

/// The keys that were asked for, or all that are not the default, or all.
fn chosen(
    entries: Vec<ConfigEntry>,
    keys: &[String],
    with_defaults: bool,
    title: &str,
) -> Result<Vec<ConfigEntry>, ClientError> {
    if let Some(missing) = keys.iter().find(|key| !entries.iter().any(|entry| entry.key == **key)) {
        let what = format!("config {missing} of {title}");
        return Err(ClientError::NotFound { what, remedy: "`corelane config get .. --all` shows which do" });
    }
    let is_chosen = |entry: &ConfigEntry| match keys {
        [] => with_defaults || entry.source != Source::Default,
        keys => keys.contains(&entry.key),
    };
    Ok(entries.into_iter().filter(is_chosen).collect())
}

fn configs_text(all: &[Configs]) -> String {
    let one = |it: &Configs| match (&it.configs[..], all.len()) {
        ([], _) => format!("{} {}: everything is the default; --all shows it\n", it.kind, it.name),
        (configs, 1) => entries_table(configs),
        (configs, _) => format!("{} {}\n{}", it.kind, it.name, entries_table(configs)),
    };
    all.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Configs for people.
pub fn entries_table(entries: &[ConfigEntry]) -> String {
    let row = |entry: &ConfigEntry| {
        let secret = if entry.is_sensitive { "(secret)" } else { "-" };
        let value = entry.value.clone().unwrap_or_else(|| secret.to_owned());
        vec![entry.key.clone(), value, entry.source.word().to_owned()]
    };
    table(&["config", "value", "source"], &entries.iter().map(row).collect::<Vec<_>>())
}

fn change_all(subject: &Subject, changes: &[Change], done: &'static str) -> Result<(), ClientError> {
    let cluster = Cluster::connect(&subject.connection)?;
    let mut outcomes = Outcomes::default();
    for resource in subject.resources(&cluster)? {
        let outcome = alter_configs(&cluster, &resource, changes);
        outcomes.add(resource.title(), outcome.map(|()| done));
    }
    outcomes.finish("configs of", subject.connection.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: Option<&str>, source: Source) -> ConfigEntry {
        let value = value.map(str::to_owned);
        ConfigEntry {
            key: key.to_owned(),
            value,
            source,
            is_read_only: false,
            is_sensitive: key == "password",
        }
    }

    fn entries() -> Vec<ConfigEntry> {
        vec![
            entry("cleanup.policy", Some("compact"), Source::Topic),
            entry("password", None, Source::Static),
            entry("segment.bytes", Some("1048576"), Source::Default),
        ]
    }

    #[test]
    fn defaults_are_shown_only_if_asked_for() {
        let keys = |keys: &[&str], all| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let chosen = chosen(entries(), &keys, all, "topic t")?;
            Ok::<_, ClientError>(chosen.into_iter().map(|entry| entry.key).collect::<Vec<_>>())
        };
        assert_eq!(keys(&[], false).unwrap(), ["cleanup.policy", "password"]);
        assert_eq!(keys(&[], true).unwrap().len(), 3);
        assert_eq!(keys(&["segment.bytes"], false).unwrap(), ["segment.bytes"]);
        let missing = keys(&["segment.byte"], false).unwrap_err().to_string();
        assert!(missing.starts_with("config segment.byte of topic t does not exist; "), "{missing}");
    }

    #[test]
    fn texts() {
        let expected = "config          value     source\n\
            cleanup.policy  compact   topic\n\
            password        (secret)  static\n";
        assert_eq!(entries_table(&entries()[..2]), expected);
        let none = Configs { kind: "topic", name: "t".to_owned(), configs: Vec::new() };
        assert_eq!(configs_text(&[none]), "topic t: everything is the default; --all shows it\n");
    }
}
