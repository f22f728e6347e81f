//! Configs of topics and brokers.

use rdkafka::bindings::{
    rd_kafka_AlterConfigOpType_t, rd_kafka_ConfigEntry_is_read_only, rd_kafka_ConfigEntry_is_sensitive,
    rd_kafka_ConfigEntry_name, rd_kafka_ConfigEntry_t, rd_kafka_ConfigEntry_value,
    rd_kafka_ConfigResource_add_incremental_config, rd_kafka_ConfigResource_configs,
    rd_kafka_ConfigResource_destroy, rd_kafka_ConfigResource_error_string, rd_kafka_ConfigResource_name,
    rd_kafka_ConfigResource_new, rd_kafka_ConfigResource_t, rd_kafka_DescribeConfigs,
    rd_kafka_DescribeConfigs_result_resources, rd_kafka_IncrementalAlterConfigs,
    rd_kafka_IncrementalAlterConfigs_result_resources, rd_kafka_ResourceType_t, rd_kafka_admin_op_t,
    rd_kafka_error_destroy, rd_kafka_error_string, rd_kafka_event_DescribeConfigs_result,
    rd_kafka_event_IncrementalAlterConfigs_result,
};
use serde::Serialize;

use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::codes;
use super::memory::{Owned, c_text, items, pointers, text};

/// What has configs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// A topic, by name.
    Topic(String),
    /// A broker, by id. At most one in a request: it goes to that broker.
    Broker(i32),
}

impl Resource {
    /// In messages.
    pub fn title(&self) -> String {
        match self {
            Resource::Topic(name) => format!("topic {name}"),
            Resource::Broker(id) => format!("broker {id}"),
        }
    }

    fn object(&self) -> Result<Owned<rd_kafka_ConfigResource_t>, ClientError> {
        use rd_kafka_ResourceType_t as Type;
        let (kind, name) = match self {
            Resource::Topic(name) => (Type::RD_KAFKA_RESOURCE_TOPIC, name.clone()),
            Resource::Broker(id) => (Type::RD_KAFKA_RESOURCE_BROKER, id.to_string()),
        };
        let c_name = c_text(&name)?;
        // SAFETY: the name lives during the call; the object is ours.
        let object = unsafe {
            Owned::new(rd_kafka_ConfigResource_new(kind, c_name.as_ptr()), rd_kafka_ConfigResource_destroy)
        };
        object.ok_or_else(|| ClientError::Usage("a name cannot be empty".to_owned()))
    }
}

/// A config as it holds.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct ConfigEntry {
    /// Its key.
    pub key: String,
    /// Its value; brokers do not tell secrets.
    pub value: Option<String>,
    /// Who set it.
    pub source: Source,
    /// Whether it can be changed while the broker runs.
    pub is_read_only: bool,
    /// Whether it is a secret.
    pub is_sensitive: bool,
}

/// Who set a config.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The topic's own configs.
    Topic,
    /// The broker's own, changed while it ran.
    Broker,
    /// All brokers', changed while they ran.
    Cluster,
    /// The broker's configuration at its start.
    Static,
    /// Nobody.
    Default,
    /// Something that this client does not know of.
    Unknown,
}

impl Source {
    /// As people and programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Source::Topic => "topic",
            Source::Broker => "broker",
            Source::Cluster => "cluster",
            Source::Static => "static",
            Source::Default => "default",
            Source::Unknown => "unknown",
        }
    }

    /// From Kafka's numbers (`ConfigSource` of DescribeConfigs).
    fn of(number: i32) -> Self {
        match number {
            1 => Source::Topic,
            2 => Source::Broker,
            3 => Source::Cluster,
            4 => Source::Static,
            5 => Source::Default,
            _ => Source::Unknown,
        }
    }
}

/// A change of one config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its key.
    pub key: String,
    /// The new value; `None` unsets it, and what holds for all, or the default, holds again.
    pub value: Option<String>,
}

/// What each resource, by name, answered.
type Results<T> = Vec<(String, Result<T, BrokerError>)>;

/// Asks for all configs of some topics, or of one broker.
pub fn describe_configs(
    cluster: &Cluster,
    resources: &[Resource],
) -> Result<Results<Vec<ConfigEntry>>, ClientError> {
    if resources.is_empty() {
        return Ok(Vec::new());
    }
    let objects = resources.iter().map(Resource::object).collect::<Result<Vec<_>, _>>()?;
    let mut resources = pointers(&objects);
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let submit = Call { what: "the configs", operation, validate_only: false };
    call(
        cluster,
        &submit,
        // SAFETY: the objects live beyond the call, which copies them.
        |to| unsafe {
            rd_kafka_DescribeConfigs(
                to.client,
                resources.as_mut_ptr(),
                resources.len(),
                to.options,
                to.queue,
            );
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_DescribeConfigs_result(event);
            let resources = items(rd_kafka_DescribeConfigs_result_resources(result, &mut count), count);
            resources.iter().map(|resource| read(*resource, |it| read_entries(it))).collect()
        },
    )
}

/// Changes some configs of one topic or broker and leaves the others alone (KIP-339).
pub fn alter_configs(cluster: &Cluster, resource: &Resource, changes: &[Change]) -> Result<(), ClientError> {
    let title = resource.title();
    let object = resource.object()?;
    changes.iter().try_for_each(|change| add_change(&object, change))?;
    let mut resources = [object.pointer()];
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let submit = Call { what: &title, operation, validate_only: false };
    let results: Results<()> = call(
        cluster,
        &submit,
        // SAFETY: the object lives beyond the call, which copies it.
        |to| unsafe {
            rd_kafka_IncrementalAlterConfigs(
                to.client,
                resources.as_mut_ptr(),
                resources.len(),
                to.options,
                to.queue,
            );
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_IncrementalAlterConfigs_result(event);
            let resources =
                items(rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count), count);
            resources.iter().map(|resource| read(*resource, |_| ())).collect()
        },
    )?;
    results
        .into_iter()
        .try_for_each(|(_, outcome)| outcome.map_err(|error| cluster.answered(title.clone(), error)))
}

fn add_change(object: &Owned<rd_kafka_ConfigResource_t>, change: &Change) -> Result<(), ClientError> {
    use rd_kafka_AlterConfigOpType_t as Type;
    let (key, value) = (c_text(&change.key)?, c_text(change.value.as_deref().unwrap_or_default())?);
    let kind = match change.value {
        Some(_) => Type::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
        None => Type::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
    };
    // SAFETY: object and strings live during the call, which copies them; the error is ours.
    unsafe {
        let error = rd_kafka_ConfigResource_add_incremental_config(
            object.pointer(),
            key.as_ptr(),
            kind,
            value.as_ptr(),
        );
        match Owned::new(error, rd_kafka_error_destroy) {
            None => Ok(()),
            Some(error) => Err(ClientError::Usage(text(rd_kafka_error_string(error.pointer())))),
        }
    }
}

/// # Safety
/// `resource` lives as long as its event.
unsafe fn read<T>(
    resource: *const rd_kafka_ConfigResource_t,
    then: impl FnOnce(*const rd_kafka_ConfigResource_t) -> T,
) -> (String, Result<T, BrokerError>) {
    // SAFETY: as demanded; the message is null where there is none.
    unsafe {
        let code = codes::rd_kafka_ConfigResource_error(resource);
        let outcome = codes::outcome(code, rd_kafka_ConfigResource_error_string(resource));
        (text(rd_kafka_ConfigResource_name(resource)), outcome.map(|()| then(resource)))
    }
}

/// # Safety
/// `resource` lives as long as its event.
unsafe fn read_entries(resource: *const rd_kafka_ConfigResource_t) -> Vec<ConfigEntry> {
    let mut count = 0;
    // SAFETY: as demanded.
    let mut entries: Vec<ConfigEntry> = unsafe {
        let entries = items(rd_kafka_ConfigResource_configs(resource, &mut count), count);
        entries.iter().map(|entry| read_entry(*entry)).collect()
    };
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

/// # Safety
/// `entry` lives as long as its event.
unsafe fn read_entry(entry: *const rd_kafka_ConfigEntry_t) -> ConfigEntry {
    // SAFETY: as demanded; the value may be null.
    unsafe {
        let value = rd_kafka_ConfigEntry_value(entry);
        ConfigEntry {
            key: text(rd_kafka_ConfigEntry_name(entry)),
            value: (!value.is_null()).then(|| text(value)),
            source: Source::of(codes::rd_kafka_ConfigEntry_source(entry)),
            is_read_only: rd_kafka_ConfigEntry_is_read_only(entry) == 1,
            is_sensitive: rd_kafka_ConfigEntry_is_sensitive(entry) == 1,
        }
    }
}
