//! AlterReplicaLogDirs. There is one log directory: who asks for that one has it already, any other is not there.

use std::path::Path;

use crate::base::ids::TopicId;
use crate::cluster::Owner;
use crate::protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopic, AlterReplicaLogDirTopicResult,
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::describe_log_dirs::log_dir;
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

pub(super) fn handle(caller: &Caller, header: &RequestHeader, request: AlterReplicaLogDirsRequest) -> Reply {
    let ours = log_dir(&caller.shard);
    let mut results = Vec::new();
    for directory in request.dirs {
        let is_ours = Path::new(&directory.path) == ours;
        results.extend(directory.topics.into_iter().map(|topic| altered(caller, topic, is_ours)));
    }
    respond(header, &AlterReplicaLogDirsResponse { throttle_time_ms: 0, results })
}

fn altered(caller: &Caller, asked: AlterReplicaLogDirTopic, is_ours: bool) -> AlterReplicaLogDirTopicResult {
    let shard = &caller.shard;
    let image = shard.image();
    let topic = topics::find(&image, &asked.name, TopicId::ZERO);
    let is_here = |index: i32| {
        let partition = topic.as_ref().ok().and_then(|topic| topic.partition(index));
        partition.is_some_and(|partition| {
            // In node mode the node is one broker.
            let is_ours = |owner: Owner| {
                let is_any = shard.config.advertised_shards() == 0;
                owner.node == shard.config.node_id && (is_any || owner.shard == shard.id)
            };
            partition.owner().is_some_and(is_ours)
        })
    };
    let outcome = |partition_index: i32| AlterReplicaLogDirPartitionResult {
        partition_index,
        error_code: match (is_ours, is_here(partition_index)) {
            (false, _) => ErrorCode::LogDirNotFound,
            (true, false) => ErrorCode::ReplicaNotAvailable,
            (true, true) => ErrorCode::None,
        },
    };
    let partitions = asked.partitions.iter().copied().map(outcome).collect();
    AlterReplicaLogDirTopicResult { topic_name: asked.name, partitions }
}
