//! FindCoordinator: the broker of the shard that leads a group's partition of `__consumer_offsets`. The first who asks
//! has that topic created.

use crate::base::ids::BrokerId;
use crate::base::limits::COORDINATOR_KEYS_MAX;
use crate::cluster::{ClusterError, Image, NewTopic};
use crate::config::Config;
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::{OFFSETS_TOPIC, Shard};

use super::brokers::brokers;
use super::reply::{Reply, respond};
use super::router::Caller;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE_GROUP: i8 = 2;

/// Kafka's id and port for a broker that there is not.
const NOBODY: i32 = -1;

/// The configs of `__consumer_offsets`, as Kafka has them. The last record of a key is all that counts. What a group has
/// committed must not go because of its age, whichever policy an operator may choose: the coordinator forgets it, by a
/// tombstone.
const OFFSETS_TOPIC_CONFIGS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
    ("segment.bytes", "104857600"),
];

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: FindCoordinatorRequest,
) -> Reply {
    let refusal = match request.key_type {
        GROUP => ensure_topic(&caller.shard).await.err(),
        // Producers with a transactional id are refused for good, as InitProducerId refuses them.
        TRANSACTION => Some(ErrorCode::TransactionalIdAuthorizationFailed),
        SHARE_GROUP => Some(ErrorCode::CoordinatorNotAvailable),
        _ => Some(ErrorCode::InvalidRequest),
    };
    let find = |key: String| match refusal {
        Some(error_code) => nobody(key, error_code),
        None => coordinator(caller, key),
    };
    let one = if header.version < 4 { find(request.key) } else { nobody(String::new(), ErrorCode::None) };
    let keys = request.coordinator_keys.into_iter().take(COORDINATOR_KEYS_MAX);
    let response = FindCoordinatorResponse {
        error_code: one.error_code,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        coordinators: keys.map(find).collect(),
        ..Default::default()
    };
    respond(header, &response)
}

fn nobody(key: String, error_code: ErrorCode) -> Coordinator {
    Coordinator { key, node_id: NOBODY, port: NOBODY, error_code, ..Default::default() }
}

fn coordinator(caller: &Caller, key: String) -> Coordinator {
    let shard = &caller.shard;
    let partition = Shard::group_partition(&shard.image(), &key);
    let Some(owner) = partition.and_then(|partition| partition.owner()) else {
        return nobody(key, ErrorCode::CoordinatorNotAvailable);
    };
    let node_id: BrokerId = shard.broker_id_of(owner);
    match brokers(shard, caller.listener).find(|broker| broker.id == node_id) {
        None => nobody(key, ErrorCode::CoordinatorNotAvailable),
        Some(broker) => Coordinator {
            key,
            node_id,
            host: broker.address.host.clone(),
            port: broker.address.port.into(),
            ..Default::default()
        },
    }
}

/// Creates the topic of the groups if there is none yet.
async fn ensure_topic(shard: &Shard) -> Result<(), ErrorCode> {
    if shard.image().topic_named(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let replication_factor = offsets_factor(&shard.config, &shard.image());
    let configs = OFFSETS_TOPIC_CONFIGS.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    let topic = NewTopic {
        num_partitions: shard.config.offsets_topic_num_partitions,
        configs: configs.into(),
        replication_factor,
        ..NewTopic::with_defaults(OFFSETS_TOPIC)
    };
    match shard.metadata.create_topics(vec![topic], false).await {
        // Somebody else was faster.
        Ok(outcomes) => match outcomes.into_iter().next() {
            Some(Ok(_) | Err(ClusterError::TopicExists(_))) => Ok(()),
            // At the start of a cluster nobody is alive yet; clients ask again until there are enough.
            Some(Err(ClusterError::InvalidReplicationFactor(why))) => {
                tracing::info!(
                    why,
                    "{OFFSETS_TOPIC} waits for {replication_factor} nodes: there are no groups yet"
                );
                Err(ErrorCode::CoordinatorNotAvailable)
            }
            refused => {
                tracing::error!(?refused, "{OFFSETS_TOPIC} cannot be created: there are no groups");
                Err(ErrorCode::CoordinatorNotAvailable)
            }
        },
        Err(error) => {
            tracing::error!(%error, "{OFFSETS_TOPIC} cannot be created: there are no groups");
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }
}

/// Copies of `__consumer_offsets`: as many as are configured, but for a cluster that is to have fewer nodes.
fn offsets_factor(config: &Config, image: &Image) -> i16 {
    let voters = config.cluster.as_ref().map_or(1, |cluster| cluster.voters.len());
    let nodes = voters.max(image.nodes().count());
    i16::try_from(nodes).map_or(config.offsets_topic_replication_factor, |nodes| {
        nodes.min(config.offsets_topic_replication_factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::NodeId;
    use crate::cluster::{ClusterRecord, KafkaUuid, METADATA_FORMAT_VERSION};
    use crate::config::ClusterPort;
    use crate::config::address::HostPort;
    use crate::config::voters::Voter;
    use crate::shard::testing::test_config;

    #[test]
    fn the_offsets_have_as_many_copies_as_there_will_be_nodes() {
        let cluster_id = KafkaUuid(uuid::Uuid::nil());
        let image = Image::new(ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id });
        let address = || HostPort { host: "localhost".to_owned(), port: 1 };
        let among = |count: u32, set: &[(&str, &str)]| {
            let voters = (1..=count).map(|node| Voter { node: NodeId(node), address: address() }).collect();
            let mut config = test_config(1, &[&[("unstable.replication.enable", "true")], set].concat());
            config.cluster = Some(ClusterPort { listen: address(), advertised: address(), voters });
            offsets_factor(&config, &image)
        };
        assert_eq!(offsets_factor(&test_config(1, &[]), &image), 1, "alone");
        assert_eq!((among(1, &[]), among(2, &[]), among(3, &[]), among(5, &[])), (1, 2, 3, 3));
        assert_eq!(among(5, &[("offsets.topic.replication.factor", "5")]), 5);
        assert_eq!(among(3, &[("offsets.topic.replication.factor", "1")]), 1);
    }
}
