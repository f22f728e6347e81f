//! librdkafka's admin calls, most of which the `rdkafka` crate lacks or strips of the broker's words. All unsafe code
//! of the command line is here: what the functions of this module give and take is plain data.
//!
//! [`call`] is how every admin call runs; each of the other files has the calls for one kind of thing: what goes in, which C
//! function, what comes out. C memory is freed by [`memory::Owned`], and results are copied out before their event is
//! destroyed, so no pointer leaves a call.

mod call;
mod cluster;
mod codes;
mod configs;
mod group_list;
mod group_offsets;
mod groups;
mod headers;
mod memory;
mod offsets;
mod topics;

pub use cluster::{
    ClusterDescription, Node, PartitionDescription, TopicDescription, describe_cluster, describe_topics,
};
pub use codes::{code_meaning, code_name};
pub use configs::{Change, ConfigEntry, Resource, Source, alter_configs, describe_configs};
pub use group_list::{ListedGroup, list_groups};
pub use group_offsets::{Element, alter_offsets, committed_offsets};
pub use groups::{GroupDescription, Member, delete_groups, describe_group};
pub use headers::headers;
pub use offsets::{At, OffsetAt, list_offsets};
pub use topics::{NewTopic, create_partitions, create_topics, delete_topics};
