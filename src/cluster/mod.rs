//! What the cluster knows of itself: records as they are stored, the immutable image of all of them, and the
//! decisions that turn an image and a command into changes. Pure: no I/O, no clock, no randomness.

mod alter_configs;
mod checksum;
#[cfg(test)]
mod cluster_tests;
mod config;
mod create;
mod create_partitions;
mod delete;
mod delta;
mod draft;
mod duties;
mod error;
#[cfg(test)]
mod history_tests;
mod hosts;
mod image;
mod incarnation;
mod kafka_uuid;
mod leadership;
mod membership;
mod name;
mod placement;
mod placing;
mod records;
mod spread;
#[cfg(test)]
mod tests;

pub use alter_configs::{ConfigAlteration, ConfigChange, ConfigResource, alter_configs};
pub use config::{
    CleanerSettings, CleanupPolicy, ConfigKey, ConfigKind, ConfigSource, Configs, EffectiveConfig, Synonym,
    TopicDefaults, TopicSettings, broker_configs, effective_configs, settings_of, topic_config_keys,
    topic_settings,
};
pub use create::{CreatedTopic, NewTopic, ReplicaAssignment, create_topics};
pub use create_partitions::{NewPartitions, create_partitions};
pub use delete::{DeletedTopic, TopicRef, delete_topics};
pub use delta::{Closed, Delta, Owned};
pub use draft::Draft;
pub use duties::{Duties, Duty, Holder};
pub use error::ClusterError;
pub use image::{Image, ImageError, Topic};
pub use incarnation::{Incarnation, IncarnationError, begin_incarnation};
pub use kafka_uuid::{KafkaUuid, KafkaUuidError};
pub use leadership::{
    AlterPartition, AlterPartitionError, AlterPartitions, Election, ElectionError, InSyncReplica,
    alter_partitions, elect_leaders,
};
pub use membership::{
    Heartbeat, HeartbeatAnswer, Membership, Registration, RegistrationError, StaleRegistration,
    check_registration,
};
pub use name::{is_internal, validate_topic_name};
pub use placing::Placing;
pub use records::{
    BrokerConfigsRecord, Change, ClusterAddress, ClusterRecord, DiskId, FormerDisk, ListenerRecord,
    METADATA_FORMAT_OF_CLUSTERS, METADATA_FORMAT_VERSION, NodeRecord, Owner, PartitionRecord,
    ProducerIdBlock, ProducerIdsRecord, Record, RecordKey, Replica, TopicRecord, is_known_format,
};
