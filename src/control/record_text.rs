//! Records as the quorum keeps them, from text to JSON:
//!
//! ```text
//! cluster                   ClusterRecord, first: it has the format's version
//! config/broker/0000001000  BrokerConfigsRecord of one broker
//! config/broker/default     BrokerConfigsRecord of all brokers
//! node/0000000001           NodeRecord
//! producer_ids              ProducerIdsRecord
//! topic/<uuid>              TopicRecord
//! topic/<uuid>/0000000000   PartitionRecord, after its topic and in order of the index
//! ```

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::base::ids::TopicId;
use crate::base::limits::METADATA_RECORD_BYTES_MAX;
use crate::cluster::{Change, Image, Record, RecordKey};
use crate::quorum::{self, State};

/// Where the cluster's record is.
pub(super) const CLUSTER_KEY: &str = "cluster";

/// A change as it is proposed.
pub fn change_of(change: &Change) -> quorum::Change {
    let record = match change {
        Change::Put(record) => record,
        Change::RemoveTopic(id) => {
            let from = key_text(&RecordKey::Topic(*id));
            // Its own key and all that continue it with '/', whose successor is '0'.
            let to = format!("{from}0");
            return quorum::Change::Remove { from, to };
        }
    };
    let value = match record {
        Record::Cluster(cluster) => serde_json::to_vec(cluster),
        Record::Node(node) => serde_json::to_vec(node),
        Record::Topic(topic) => serde_json::to_vec(topic),
        Record::Partition(partition) => serde_json::to_vec(partition),
        Record::ProducerIds(ids) => serde_json::to_vec(ids),
        Record::BrokerConfigs(configs) => serde_json::to_vec(configs),
    };
    let value = value.expect("plain data");
    assert!(value.len() <= METADATA_RECORD_BYTES_MAX, "a record that could not be read again");
    quorum::Change::Put { key: key_text(&record.key()), value }
}

/// The change that a committed one is.
pub fn cluster_change(change: &quorum::Change) -> Result<Change, String> {
    let (from, to) = match change {
        quorum::Change::Put { key, value } => return parse_record(key, value).map(Change::Put),
        quorum::Change::Remove { from, to } => (from, to),
    };
    let id = from.strip_prefix("topic/").and_then(|id| id.parse::<Uuid>().ok());
    let removal = id.map(|id| Change::RemoveTopic(TopicId(id)));
    let removal = removal.filter(|removal| change_of(removal) == *change);
    removal.ok_or_else(|| format!("a change removes {from} to {to}, which is no topic"))
}

/// The image that the quorum's records make, or what is wrong with them.
pub fn image_of(state: &State) -> Result<Image, String> {
    let records = state.records().map(|(key, value)| parse_record(key, value));
    let mut records = records.collect::<Result<Vec<Record>, String>>()?.into_iter();
    match records.next() {
        Some(Record::Cluster(cluster)) => {
            Image::from_records(cluster, records).map_err(|error| error.to_string())
        }
        _ => Err("it has no cluster record".to_owned()),
    }
}

/// The format's version, from a cluster record of any version.
pub(super) fn format_version(cluster: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    parse::<Version>(CLUSTER_KEY, cluster).map(|version| version.format_version)
}

/// A record of a known kind.
pub(super) fn parse<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, String> {
    if value.len() > METADATA_RECORD_BYTES_MAX {
        return Err(format!("record {key} has {} bytes", value.len()));
    }
    serde_json::from_slice(value).map_err(|error| format!("record {key}: {error}"))
}

fn parse_record(key: &str, value: &[u8]) -> Result<Record, String> {
    let record = match key.split('/').collect::<Vec<_>>()[..] {
        [CLUSTER_KEY] => Record::Cluster(parse(key, value)?),
        ["producer_ids"] => Record::ProducerIds(parse(key, value)?),
        ["config", "broker", _] => Record::BrokerConfigs(parse(key, value)?),
        ["node", _] => Record::Node(parse(key, value)?),
        ["topic", _] => Record::Topic(parse(key, value)?),
        ["topic", _, _] => Record::Partition(parse(key, value)?),
        _ => return Err(format!("record {key} is of no known kind")),
    };
    let own_key = key_text(&record.key());
    if own_key != key {
        return Err(format!("record {key} holds {own_key}"));
    }
    Ok(record)
}

fn key_text(key: &RecordKey) -> String {
    match key {
        RecordKey::Cluster => CLUSTER_KEY.to_owned(),
        RecordKey::ProducerIds => "producer_ids".to_owned(),
        RecordKey::BrokerConfigs(None) => "config/broker/default".to_owned(),
        RecordKey::BrokerConfigs(Some(broker)) => format!("config/broker/{broker:010}"),
        RecordKey::Node(node) => format!("node/{:010}", node.0),
        RecordKey::Topic(id) => format!("topic/{id}"),
        RecordKey::Partition(id) => format!("topic/{}/{:010}", id.topic, id.index),
    }
}
