//! DescribeLogDirs: how large partitions are, and how much room is left. There is one log directory. A shard that is
//! a broker of its own to clients answers for its partitions; where the node is one broker, any shard answers for all.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::ids::{PartitionId, ShardId, TopicId};
use crate::protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::{LogSizes, Shard};

use super::errors::partition_error;
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: DescribeLogDirsRequest,
) -> Reply {
    let sizes = match sizes(caller).await {
        Ok(sizes) => sizes,
        Err(error_code) => {
            return respond(header, &DescribeLogDirsResponse { error_code, ..Default::default() });
        }
    };
    let topics = match request.topics {
        None => by_topic(caller, sizes.into_iter()),
        Some(topics) => by_topic(caller, asked_for(caller, &topics, &sizes).into_iter()),
    };
    let log_dir = log_dir(&caller.shard);
    let mut result = DescribeLogDirsResult {
        log_dir: log_dir.to_string_lossy().into_owned(),
        topics,
        ..Default::default()
    };
    match caller.shard.runtime.disk_space(&log_dir).await {
        Ok(space) => {
            let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
            (result.total_bytes, result.usable_bytes) = (bytes(space.total_bytes), bytes(space.usable_bytes));
        }
        Err(error) => tracing::warn!(%error, "the room on the disk is unknown"),
    }
    respond(header, &DescribeLogDirsResponse { results: vec![result], ..Default::default() })
}

/// The path of the only log directory, as clients are told it.
pub(super) fn log_dir(shard: &Shard) -> PathBuf {
    let directory = &shard.config.data_dir;
    std::path::absolute(directory).unwrap_or_else(|_| directory.clone())
}

/// All logs of the broker that was asked.
async fn sizes(caller: &Caller) -> Result<LogSizes, ErrorCode> {
    let shard = &caller.shard;
    let shards: Vec<ShardId> = match shard.config.advertised_shards() {
        0 => shard.config.shard_ids().collect(),
        _ => vec![shard.id],
    };
    let mut sizes = LogSizes::new();
    for id in shards {
        sizes.extend(shard.log_sizes(id).await.map_err(|error| partition_error(&error))?);
    }
    Ok(sizes)
}

/// Those of the logs that were asked for; partitions that are not here are left out, as Kafka does it.
fn asked_for(caller: &Caller, topics: &[DescribableLogDirTopic], sizes: &LogSizes) -> LogSizes {
    let image = caller.shard.image();
    let ids = topics.iter().flat_map(|topic| {
        let found = topics::find(&image, &topic.topic, TopicId::ZERO);
        topic.partitions.iter().filter_map(move |index| topics::find_partition(&found, *index).ok())
    });
    ids.filter_map(|id| sizes.get(&id).map(|size| (id, *size))).collect()
}

fn by_topic(caller: &Caller, sizes: impl Iterator<Item = (PartitionId, u64)>) -> Vec<DescribeLogDirsTopic> {
    let image = caller.shard.image();
    let mut topics: BTreeMap<TopicId, DescribeLogDirsTopic> = BTreeMap::new();
    for (id, size) in sizes {
        // A topic may have been deleted meanwhile.
        let Some(topic) = image.topic(id.topic) else { continue };
        let of_topic = topics.entry(id.topic).or_insert_with(|| DescribeLogDirsTopic {
            name: topic.record.name.clone(),
            partitions: Vec::new(),
        });
        of_topic.partitions.push(DescribeLogDirsPartition {
            partition_index: id.index,
            partition_size: i64::try_from(size).unwrap_or(i64::MAX),
            ..Default::default()
        });
    }
    topics.into_values().collect()
}
