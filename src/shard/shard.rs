//! One core's world as the layers above see it: its storage, the metadata as it has applied it, the way to
//! other shards' partitions, its budgets and counters, and its orderly end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::budget::Budget;
use super::endpoints::Endpoints;
use super::error::StorageError;
use super::fetch::FetchSessions;
use super::follow::configured_defaults;
use super::groups::{Groups, group_settings};
use super::lease::Lease;
use super::mailbox::{Mailbox, MailboxSender};
use super::metadata::{Metadata, MetadataUnavailable};
use super::meters::{ConnectionMeters, Pauses, RequestMeters};
use super::phase::{Phase, Phases};
use super::producer_ids::ProducerIds;
use super::replication::{Identity, Replication};
use super::storage::Storage;
use super::tasks::Tasks;
use crate::base::ids::{BrokerId, ShardId, TopicId};
use crate::base::meter::Counter;
use crate::cluster::{Image, Owner, Topic, TopicDefaults, TopicSettings, settings_of};
use crate::config::Config;
use crate::link::Start;
use crate::runtime::Runtime;

/// What a shard is made of.
pub struct ShardParts {
    /// Its number.
    pub id: ShardId,
    /// The door to the outside world.
    pub runtime: Rc<dyn Runtime>,
    /// Its disk, with the partitions that `image` gives it opened.
    pub storage: Rc<Storage>,
    /// The broker's configuration.
    pub config: Arc<Config>,
    /// Where clients reach the node.
    pub endpoints: Arc<Endpoints>,
    /// Where commands on the metadata go.
    pub metadata: Rc<dyn Metadata>,
    /// The image that `storage` was opened by.
    pub image: Arc<Image>,
    /// The mailboxes of all shards of the node by their numbers, this one's among them.
    pub mailboxes: Vec<MailboxSender>,
    /// This start of the node.
    pub start: Start,
    /// How long the node may act as a leader without a word from the controller.
    pub lease: Lease,
}

/// What a shard counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Operations sent to other shards.
    pub forwarded_requests: Counter,
    /// Connections that are open.
    pub connections: Cell<usize>,
    /// Connections that ended.
    pub connection_ends: ConnectionMeters,
    /// Requests of its connections.
    pub requests: RequestMeters,
    /// What its connections have to wait for.
    pub pauses: Pauses,
}

/// Bounds on memory that connections share.
pub struct ShardBudgets {
    /// Produce requests that were not executed yet.
    pub requests: Budget,
    /// Other requests that were not executed yet, with what executing them takes.
    pub queries: Budget,
    /// Records accepted and not yet durable.
    pub undurable: Budget,
    /// Pinned by responses to fetches being sent.
    pub fetches: Budget,
    /// Other responses being sent.
    pub replies: Budget,
}

/// See the module.
pub struct Shard {
    /// Its number.
    pub id: ShardId,
    /// The door to the outside world.
    pub runtime: Rc<dyn Runtime>,
    /// Its disk.
    pub storage: Rc<Storage>,
    /// The broker's configuration.
    pub config: Arc<Config>,
    /// Where clients reach the node.
    pub endpoints: Arc<Endpoints>,
    /// Where commands on the metadata go.
    pub metadata: Rc<dyn Metadata>,
    /// Bounds on memory.
    pub budgets: ShardBudgets,
    /// The sessions of clients that fetch from it.
    pub fetch_sessions: FetchSessions,
    /// What it counts.
    pub counters: Counters,
    /// How far its stop has come.
    pub phases: Phases,
    /// Held by whoever unpacks or packs the records of a produced batch: one at a time, which bounds the memory.
    pub recompression_turn: tokio::sync::Mutex<()>,
    /// What it has to do with other replicas of its partitions.
    pub replication: Rc<Replication>,
    pub(super) lease: Lease,
    pub(super) groups: Rc<Groups>,
    pub(super) mailboxes: Vec<MailboxSender>,
    pub(super) image: RefCell<Arc<Image>>,
    settings: RefCell<HashMap<TopicId, TopicSettings>>,
    configured_defaults: TopicDefaults,
    producer_ids: ProducerIds,
    tasks: Tasks,
    maintenance: Tasks,
}

impl Shard {
    /// A shard; nothing runs yet.
    pub fn new(parts: ShardParts) -> Rc<Self> {
        let budgets = &parts.config.budgets;
        let fetch_sessions =
            FetchSessions::new(parts.config.fetch_sessions_max, budgets.fetch_session_partitions());
        let budgets = ShardBudgets {
            requests: Budget::new(budgets.request_bytes),
            queries: Budget::new(budgets.query_bytes),
            undurable: Budget::new(budgets.undurable_bytes),
            fetches: Budget::new(budgets.fetch_bytes),
            replies: Budget::new(budgets.reply_bytes),
        };
        let configured_defaults = configured_defaults(&parts.config);
        let groups = Groups::new(Rc::clone(&parts.runtime), group_settings(&parts.config));
        let cluster = *parts.image.cluster().cluster_id.0.as_bytes();
        let identity = Identity { cluster, start: parts.start, shard: parts.id };
        let replication = Replication::new(identity, Rc::clone(&parts.storage));
        Rc::new(Shard {
            replication,
            lease: parts.lease,
            id: parts.id,
            runtime: parts.runtime,
            storage: parts.storage,
            config: parts.config,
            endpoints: parts.endpoints,
            metadata: parts.metadata,
            budgets,
            fetch_sessions,
            counters: Counters::default(),
            phases: Phases::default(),
            recompression_turn: tokio::sync::Mutex::new(()),
            groups: Rc::new(groups),
            mailboxes: parts.mailboxes,
            image: RefCell::new(parts.image),
            settings: RefCell::default(),
            configured_defaults,
            producer_ids: ProducerIds::default(),
            tasks: Tasks::default(),
            maintenance: Tasks::default(),
        })
    }

    /// Starts the shard's own tasks: it follows the metadata, serves its mailbox and maintains its disk.
    pub fn start(self: &Rc<Self>, images: watch::Receiver<Arc<Image>>, mailbox: Mailbox) {
        let Mailbox { appends, queries } = mailbox;
        self.storage.set_producer_expiration(self.topic_defaults().producer_id_expiration_ms());
        self.storage.set_cleaner(self.topic_defaults().cleaner());
        if self.replication.has_failed() {
            // Before anything is said to be applied: else the node would count as able for a moment, and be elected.
            self.metadata.failed(self.id);
        }
        self.take_up_duties(None, &self.image());
        self.start_groups();
        self.spawn(Rc::clone(self).propose_in_sync());
        self.spawn(Rc::clone(self).tick_replication());
        self.spawn(Rc::clone(self).look_again_at_duties());
        self.spawn(Rc::clone(self).follow_metadata(images));
        self.spawn(Rc::clone(self).serve_appends(appends));
        self.spawn(Rc::clone(self).serve_queries(queries));
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).maintain());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).reclaim());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).keep_retention());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).bound_producers());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).compact());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).watch_space());
        self.maintenance.spawn(&*self.runtime, Rc::clone(&self.storage).watch_stalls());
        let scrub = Rc::clone(&self.storage).scrub(self.config.scrub_bytes_per_second);
        self.maintenance.spawn(&*self.runtime, scrub);
    }

    /// Ends the shard after its connections have ended: its tasks, then its storage, cleanly. Other shards must
    /// have drained theirs too, since they may have asked this one.
    pub async fn stop(&self) -> Result<(), StorageError> {
        self.phases.enter(Phase::Stopped);
        self.replication.stop();
        self.tasks.finished().await;
        self.replication.finished().await;
        let stopped = self.storage.stop().await;
        self.maintenance.finished().await;
        let forwarded_requests = self.counters.forwarded_requests.get();
        tracing::info!(forwarded_requests, shard = self.id.0, "shard stopped");
        stopped
    }

    /// Runs a task that [`Shard::stop`] waits for. It ends soon after [`Phase::Stopped`].
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.spawn(&*self.runtime, task);
    }

    /// The metadata as this shard has applied it.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.borrow())
    }

    /// The shard as partitions know their owner.
    pub fn owner(&self) -> Owner {
        Owner { node: self.config.node_id, shard: self.id }
    }

    /// The broker id that stands for an owner in metadata.
    pub fn broker_id_of(&self, owner: Owner) -> BrokerId {
        self.config.advertise.broker_id(owner.node, owner.shard)
    }

    /// What holds for topics that do not say otherwise, as this shard's broker sees it.
    pub fn topic_defaults(&self) -> TopicDefaults {
        self.topic_defaults_in(&self.image.borrow())
    }

    /// The same by another image.
    pub(super) fn topic_defaults_in(&self, image: &Image) -> TopicDefaults {
        self.configured_defaults.at(image, self.config.broker_id(self.id))
    }

    /// What a topic's configs come to.
    pub fn topic_settings(&self, topic: &Topic) -> TopicSettings {
        let compute = || settings_of(&topic.record, &self.topic_defaults());
        *self.settings.borrow_mut().entry(topic.record.id).or_insert_with(compute)
    }

    /// A producer id that nobody has.
    pub async fn next_producer_id(&self) -> Result<i64, MetadataUnavailable> {
        self.producer_ids.next(&*self.metadata).await
    }

    pub(super) fn set_image(&self, image: Arc<Image>) {
        self.settings.borrow_mut().clear();
        *self.image.borrow_mut() = image;
    }
}
