//! A node for tests: shards on one executor, on any runtime, with metadata that lives in memory.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::*;
use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use crate::cluster::{
    self, AlterPartitionError, AlterPartitions, ClusterError, ClusterRecord, ConfigAlteration, CreatedTopic,
    DeletedTopic, DiskId, Draft, Election, ElectionError, Image, KafkaUuid, NewPartitions, NewTopic, Owner,
    PartitionRecord, Placing, ProducerIdBlock, TopicRef,
};
use crate::config::address::HostPort;
use crate::config::{self, Assignment, Config, Inputs, Machine, Origin};
use crate::link::Start;
use crate::log::journal::ring::RingShape;
use crate::log::recovery::{self, ShardPaths};
use crate::runtime::Runtime;

const DISK_ID: [u8; 16] = [7; 16];
/// The disk of every node that a test starts.
pub const TEST_DISK: uuid::Uuid = uuid::Uuid::from_bytes(DISK_ID);

/// Shards that know each other.
pub struct TestNode {
    pub shards: Vec<Rc<Shard>>,
    metadata: Rc<TestMetadata>,
}

/// A configuration for this many shards, with what is `set` on top.
pub fn test_config(shards: usize, set: &[(&str, &str)]) -> Config {
    let assign = |(key, value): &(&str, &str)| Assignment {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        origin: Origin::Flag("set"),
    };
    let inputs = Inputs { command_line: set.iter().map(assign).collect(), ..Inputs::default() };
    let machine = Machine { allowed_cpus: (0..shards).collect(), memory_bytes: 16 << 30 };
    config::load(&inputs, &machine).expect("a valid configuration").config
}

impl TestNode {
    /// Makes and starts a node whose files are in `directory`.
    pub async fn start(runtime: &Rc<dyn Runtime>, directory: PathBuf, config: Config) -> TestNode {
        let config = Arc::new(config);
        let image = Arc::new(Image::new(ClusterRecord {
            format_version: cluster::METADATA_FORMAT_VERSION,
            cluster_id: KafkaUuid(uuid::Uuid::from_bytes([3; 16])),
        }));
        let metadata = Rc::new(TestMetadata::new(runtime, &config, Arc::clone(&image)));
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = config.shard_ids().map(|_| mailbox()).unzip();
        let listeners = vec![advertised(&config, "default", 9092), advertised(&config, "outside", 19092)];
        let endpoints = Arc::new(Endpoints { listeners });
        let mut shards = Vec::new();
        for (id, mailbox) in config.shard_ids().zip(receivers) {
            let storage = open_storage(runtime, &directory, id, |storage| {
                storage.disk_free_bytes_min = config.disk_free_bytes_min;
                storage.producers.expiration_ms = config.producer_id_expiration_ms;
            });
            let storage = storage.await;
            let shard = Shard::new(ShardParts {
                id,
                runtime: Rc::clone(runtime),
                storage,
                config: Arc::clone(&config),
                endpoints: Arc::clone(&endpoints),
                metadata: Rc::new(Rc::clone(&metadata)),
                image: Arc::clone(&image),
                mailboxes: mailboxes.clone(),
                start: Start { node: config.node_id, disk: TEST_DISK, incarnation: 1 },
                lease: Lease::endless(),
            });
            shard.start(metadata.images.subscribe(), mailbox);
            shards.push(shard);
        }
        TestNode { shards, metadata }
    }

    /// A topic with a partition for each shard, partition by partition.
    pub async fn create_topic(&self, name: &str) -> TopicId {
        let metadata = &self.shards[0].metadata;
        let topics = vec![NewTopic::with_defaults(name)];
        let mut created = metadata.create_topics(topics, false).await.expect("metadata works");
        created.remove(0).expect("a valid topic").id
    }

    /// Has all shards apply an image, in the place of what the node's own metadata is.
    pub async fn publish(&self, image: Arc<Image>) {
        self.metadata.publish_image(image).await;
    }

    /// Stops all shards.
    pub async fn stop(&self) {
        self.shards.iter().for_each(|shard| shard.phases.enter(Phase::Draining));
        for shard in &self.shards {
            shard.stop().await.expect("stopped cleanly");
        }
    }
}

fn advertised(config: &Config, name: &str, port: u16) -> AdvertisedListener {
    let address = |port| HostPort { host: name.to_owned(), port };
    let shards = (0..config.advertised_shards()).map(|shard| address(port + 100 + shard));
    AdvertisedListener { name: name.to_owned(), bootstrap: address(port), shards: shards.collect() }
}

/// Makes a small storage, with a configuration that `adjust` may change.
pub(super) async fn open_storage(
    runtime: &Rc<dyn Runtime>,
    data: &std::path::Path,
    id: ShardId,
    adjust: impl FnOnce(&mut StorageConfig),
) -> Rc<Storage> {
    let directory = data.join(format!("shard-{id}"));
    let paths = ShardPaths { journal_directory: directory.join("journal"), directory: directory.clone() };
    let shape = RingShape { file_count: 4, file_bytes: 1 << 20, group_bytes_max: 256 << 10 };
    recovery::create(runtime, &paths, DISK_ID, shape).await.expect("created");
    let mut config = StorageConfig {
        data_directory: data.to_owned(),
        shard_directory: directory,
        group_bytes: 128 << 10,
        segment_bytes: 64 << 20,
        dirty_bytes_max: 1 << 20,
        tail_bytes_max: 8 << 20,
        cold_bytes_max: 8 << 20,
        open_segments_max: 64,
        retention_check_interval: std::time::Duration::from_secs(300),
        reclaim_step_bytes: 1 << 20,
        compaction: CompactionConfig::default(),
        producers: ProducersConfig::default(),
        extent_bytes_min: 64 << 10,
        disk_free_bytes_min: 0,
    };
    adjust(&mut config);
    Storage::open(Rc::clone(runtime), config, &paths, DISK_ID, &[]).await.expect("opened")
}

/// Metadata that nobody stores.
struct TestMetadata {
    runtime: Rc<dyn Runtime>,
    placing: Placing,
    images: watch::Sender<Arc<Image>>,
    /// The version that each shard has applied.
    applied: RefCell<Vec<u64>>,
    progressed: Notify,
}

impl TestMetadata {
    fn new(runtime: &Rc<dyn Runtime>, config: &Config, image: Arc<Image>) -> Self {
        let placing = Placing {
            node: config.node_id,
            disk: DiskId(uuid::Uuid::from_bytes(DISK_ID)),
            shards: config.shards(),
            advertise: config.advertise,
            num_partitions: config.num_partitions,
            default_replication_factor: config.default_replication_factor,
            replicas_max: config.replicas_max,
            defaults: configured_defaults(config),
        };
        let applied = RefCell::new(vec![0; config.shards().into()]);
        let (runtime, images) = (Rc::clone(runtime), watch::Sender::new(image));
        TestMetadata { runtime, placing, images, applied, progressed: Notify::new() }
    }

    fn new_topic_id(&self) -> TopicId {
        let (high, low) = (self.runtime.random_u64(), self.runtime.random_u64());
        TopicId(uuid::Builder::from_u128(u128::from(high) << 64 | u128::from(low)).into_uuid())
    }

    async fn publish(&self, draft: Draft) {
        if draft.changes().is_empty() {
            return;
        }
        self.publish_image(Arc::new(draft.finish())).await;
    }

    async fn publish_image(&self, image: Arc<Image>) {
        let version = image.version();
        self.images.send_replace(image);
        loop {
            let progressed = self.progressed.notified();
            if self.applied.borrow().iter().all(|applied| *applied >= version) {
                return;
            }
            progressed.await;
        }
    }

    fn draft(&self) -> Draft {
        Draft::of(&self.images.borrow())
    }
}

impl Metadata for Rc<TestMetadata> {
    fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Answer<Vec<Result<CreatedTopic, ClusterError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let mut new_id = || this.new_topic_id();
            let outcomes = cluster::create_topics(&mut draft, &topics, &this.placing, 0, &mut new_id);
            if !validate_only {
                this.publish(draft).await;
            }
            Ok(outcomes)
        })
    }

    fn delete_topics(&self, topics: Vec<TopicRef>) -> Answer<Vec<Result<DeletedTopic, ClusterError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let outcomes = cluster::delete_topics(&mut draft, &topics);
            this.publish(draft).await;
            Ok(outcomes)
        })
    }

    fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let outcomes = cluster::create_partitions(&mut draft, &topics, &this.placing);
            if !validate_only {
                this.publish(draft).await;
            }
            Ok(outcomes)
        })
    }

    fn alter_configs(
        &self,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Answer<Vec<Result<(), ClusterError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let outcomes = cluster::alter_configs(&mut draft, &alterations, &this.placing);
            if !validate_only {
                this.publish(draft).await;
            }
            Ok(outcomes)
        })
    }

    fn alter_partitions(
        &self,
        command: AlterPartitions,
    ) -> Answer<Vec<Result<PartitionRecord, AlterPartitionError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let AlterPartitions { leader, registration_epoch, alterations } = command;
            let outcomes = cluster::alter_partitions(&mut draft, leader, registration_epoch, &alterations);
            this.publish(draft).await;
            outcomes.map_err(|error| MetadataUnavailable::Failed(error.to_string()))
        })
    }

    fn elect_leaders(
        &self,
        election: Election,
        partitions: Vec<PartitionId>,
    ) -> Answer<Vec<Result<(), ElectionError>>> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let outcomes = cluster::elect_leaders(&mut draft, election, &partitions);
            this.publish(draft).await;
            Ok(outcomes)
        })
    }

    fn allocate_producer_ids(&self) -> Answer<ProducerIdBlock> {
        let this = Rc::clone(self);
        Box::pin(async move {
            let mut draft = this.draft();
            let block = draft.allocate_producer_ids().expect("ids are left");
            this.publish(draft).await;
            Ok(block)
        })
    }

    fn failed(&self, _shard: ShardId) {}

    fn applied(&self, shard: ShardId, version: u64) {
        self.applied.borrow_mut()[usize::from(shard.0)] = version;
        self.progressed.notify_waiters();
    }
}

/// Answers the next question for a shard's report with this one.
pub async fn answer_report(mailbox: &mut Mailbox, report: ShardReport) {
    match mailbox.queries.recv().await {
        Some(super::mailbox::Query::Report { reply }) => {
            let _ = reply.send(Box::new(report));
        }
        _ => panic!("the report is asked for"),
    }
}

/// The shard that owns a partition, and another one.
pub fn owner_and_other(node: &TestNode, topic: TopicId, index: i32) -> (Rc<Shard>, Rc<Shard>) {
    let image = node.shards[0].image();
    let partition = image.partition(crate::base::ids::PartitionId { topic, index }).expect("exists");
    let Owner { node: NodeId(_), shard } = partition.owner().expect("has a leader");
    let owner = usize::from(shard.0);
    let other = (owner + 1) % node.shards.len();
    (Rc::clone(&node.shards[owner]), Rc::clone(&node.shards[other]))
}

#[test]
fn a_group_that_is_durable_before_anybody_waits_for_it_is_not_missed() {
    use crate::protocol::batch::{BatchBuilder, BatchHeader};
    use crate::runtime::sim::SimWorld;

    let world = SimWorld::new(1);
    let runtime = world.runtime();
    let ended = world.block_on(async {
        let node = TestNode::start(&runtime, "/data".into(), test_config(1, &[])).await;
        let topic = node.create_topic("t").await;
        let storage = &node.shards[0].storage;
        let replica = storage.replica(crate::base::ids::PartitionId { topic, index: 0 }).expect("open");
        let batch = BatchBuilder::new().record(0, None, None).build();
        let header = BatchHeader::parse(&batch).expect("our own");
        // As though the disk had been done before the append had returned: decided, and durable, but not yet told.
        replica.state.borrow_mut().append(&header, 0).expect("accepted");
        storage.expect_durable(0, &replica, 1);
        assert!(replica.commit_waiter(0).is_none());
    });
    assert_eq!(ended, Some(()));
}
