//! What the cluster knows of itself: records as they are stored, the immutable image of all of them, and the
//! decisions that turn an image and a command into changes. Pure: no I/O, no clock, no randomness.

mod config;
mod create;
mod delete;
mod delta;
mod draft;
mod error;
mod image;
mod incarnation;
mod kafka_uuid;
mod name;
mod placement;
mod records;
#[cfg(test)]
mod tests;

pub use config::{
    ConfigKey, ConfigKind, ConfigSource, Configs, EffectiveConfig, Synonym, TopicDefaults, TopicSettings,
    effective_configs, settings_of, topic_config_keys, topic_settings,
};
pub use create::{CreatedTopic, NewTopic, Placing, ReplicaAssignment, create_topics};
pub use delete::{DeletedTopic, TopicRef, delete_topics};
pub use delta::{Closed, Delta, Owned};
pub use draft::Draft;
pub use error::ClusterError;
pub use image::{Image, ImageError, Topic};
pub use incarnation::{Incarnation, IncarnationError, begin_incarnation};
pub use kafka_uuid::{KafkaUuid, KafkaUuidError};
pub use name::{is_internal, validate_topic_name};
pub use records::{
    BrokerConfigsRecord, Change, ClusterRecord, DiskId, METADATA_FORMAT_VERSION, NodeRecord, Owner,
    PartitionRecord, ProducerIdBlock, ProducerIdsRecord, Record, RecordKey, Replica, TopicRecord,
};
