//! A shard's life on its thread: each step on the main thread's order, each reported.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use tokio::sync::mpsc as orders;

use super::addresses::ShardAddresses;
use super::error::ServeError;
use super::events::{Event, Order, Stage};
use super::ground::batch_bytes_max;
use super::layout::Ground;
use super::metadata::ControlMetadata;
use crate::base::ids::ShardId;
use crate::cluster::Image;
use crate::config::Config;
use crate::connection::Connections;
use crate::control::{Layout, ShardLink};
use crate::link::{Arrivals, Start};
use crate::peers::{PeerAddresses, Peers};
use crate::runtime::Runtime;
use crate::runtime::glommio::Listener;
use crate::shard::{Endpoints, Lease, Mailbox, MailboxSender, Shard, ShardParts, Storage, partition_specs};

/// What a shard's thread is given.
pub struct Seed {
    /// The shard.
    pub id: ShardId,
    /// The broker's configuration.
    pub config: Arc<Config>,
    /// What its files are made of.
    pub ground: Ground,
    /// Which of them count.
    pub layout: Layout,
    /// The metadata that it opens its storage by.
    pub image: Arc<Image>,
    /// The way to control.
    pub link: ShardLink,
    /// The mailboxes of all shards by their numbers.
    pub mailboxes: Vec<MailboxSender>,
    /// Its own.
    pub mailbox: Mailbox,
    /// The ways to and from other nodes.
    pub ways: PeerWays,
    /// What it is told to do.
    pub orders: orders::Receiver<Order>,
    /// Whom it tells.
    pub reporter: Reporter,
}

/// How a shard and other nodes' shards find each other, and for how long it may lead.
pub struct PeerWays {
    /// This start of the node.
    pub start: Start,
    /// Connections that came in by the cluster port.
    pub arrivals: Arrivals,
    /// The cluster ports of other nodes.
    pub addresses: PeerAddresses,
    /// How long the node may act as a leader without a word from the controller.
    pub lease: Lease,
}

/// Tells the main thread how far the shard is; also that it ended, however it did.
pub struct Reporter {
    shard: ShardId,
    events: mpsc::Sender<Event>,
    has_ended: bool,
}

impl Reporter {
    /// For one shard.
    pub fn new(shard: ShardId, events: mpsc::Sender<Event>) -> Self {
        Reporter { shard, events, has_ended: false }
    }

    fn reached(&self, stage: Stage) {
        // The main thread may have given up.
        let _ = self.events.send(Event::Reached(self.shard, stage));
    }

    fn end(mut self, outcome: Result<(), ServeError>) {
        self.has_ended = true;
        if let Err(error) = outcome {
            let _ = self.events.send(Event::Ended(self.shard, Some(error)));
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = self.events.send(Event::Ended(self.shard, None));
        }
    }
}

/// Runs the shard until its orders end.
pub async fn run(seed: Seed, runtime: Rc<dyn Runtime>) {
    let Seed { id, config, ground, layout, image, link, mailboxes, mailbox, ways, mut orders, reporter } =
        seed;
    let opening = Opening { id, config, ground, layout, image, runtime };
    let outcome = async {
        let storage = opening.open().await?;
        reporter.reached(Stage::Opened { has_misplaced: opening.has_misplaced(&storage) });
        let Some(Order::Bind(addresses)) = orders.recv().await else { return Ok(()) };
        let listeners = bind(&addresses)?;
        reporter.reached(Stage::Bound(listeners.iter().map(|listener| listener.own_address).collect()));
        let Some(Order::Serve(endpoints)) = orders.recv().await else { return Ok(()) };
        let shard = opening.shard(storage, endpoints, &link, mailboxes, &ways);
        shard.start(link.images, mailbox);
        Peers::start(&shard, ways.addresses, ways.arrivals);
        serve(&shard, listeners, &mut orders, &reporter).await;
        Ok(())
    };
    let outcome = outcome.await;
    reporter.end(outcome);
}

/// Serves until it is told to drain, then stops.
async fn serve(
    shard: &Rc<Shard>,
    listeners: Vec<BoundListeners>,
    orders: &mut orders::Receiver<Order>,
    reporter: &Reporter,
) {
    let connections = Connections::new(Rc::clone(shard));
    for (index, listener) in listeners.into_iter().enumerate() {
        connections.listen(listener.bootstrap, index);
        if let Some(own) = listener.own {
            connections.listen(own, index);
        }
    }
    reporter.reached(Stage::Serving);
    // Drain and stop also if the orders end: the main thread has failed then, and the records are kept.
    orders.recv().await;
    connections.drain(shard.config.shutdown_timeout).await;
    reporter.reached(Stage::Drained);
    orders.recv().await;
    let stopped = shard.stop().await;
    reporter.reached(Stage::Stopped(stopped.map_err(|error| error.to_string())));
}

/// A shard before it serves.
struct Opening {
    id: ShardId,
    config: Arc<Config>,
    ground: Ground,
    layout: Layout,
    image: Arc<Image>,
    runtime: Rc<dyn Runtime>,
}

impl Opening {
    async fn open(&self) -> Result<Rc<Storage>, ServeError> {
        let specs = partition_specs(&self.image, &self.config, self.id);
        let runtime = Rc::clone(&self.runtime);
        let started = runtime.now();
        let (config, paths) =
            (self.ground.storage_of(self.layout, self.id), self.ground.paths(self.layout, self.id));
        let opened = Storage::open(runtime, config, &paths, self.ground.disk_id, &specs).await;
        let storage = opened.map_err(|source| ServeError::Storage { shard: self.id, source })?;
        self.check_journal(&storage)?;
        let took_ms = (self.runtime.now() - started).as_millis() as u64;
        tracing::info!(shard = self.id.0, partitions = specs.len(), took_ms, "storage open");
        Ok(storage)
    }

    /// The journal's shape was fixed when it was made.
    fn check_journal(&self, storage: &Storage) -> Result<(), ServeError> {
        let (found, wanted) = (storage.journal_shape(), self.ground.shape);
        let (configured, fitting) = (self.config.message_max_bytes, batch_bytes_max(found));
        if configured as u64 > fitting {
            return Err(ServeError::BatchesTooLong { shard: self.id, configured, fitting });
        }
        if found != wanted {
            let bytes = found.file_count * found.file_bytes;
            let configured = wanted.file_count * wanted.file_bytes;
            tracing::warn!(
                shard = self.id.0,
                bytes,
                configured,
                "the journal keeps the length that it was made with; a change of the number of shards makes new ones"
            );
        }
        Ok(())
    }

    /// Whether the files hold partitions that the metadata gives to another shard. Those that it does not know
    /// were deleted.
    fn has_misplaced(&self, storage: &Storage) -> bool {
        storage.unclaimed().iter().any(|&id| self.image.partition(id).is_some())
    }

    fn shard(
        self,
        storage: Rc<Storage>,
        endpoints: Arc<Endpoints>,
        link: &ShardLink,
        mailboxes: Vec<MailboxSender>,
        ways: &PeerWays,
    ) -> Rc<Shard> {
        let (client, reporter) = (link.client.clone(), link.applied.clone());
        Shard::new(ShardParts {
            start: ways.start,
            lease: ways.lease.clone(),
            id: self.id,
            runtime: self.runtime,
            storage,
            config: self.config,
            endpoints,
            metadata: Rc::new(ControlMetadata { client, reporter }),
            image: self.image,
            mailboxes,
        })
    }
}

/// One listener's sockets on this shard.
struct BoundListeners {
    bootstrap: Listener,
    own: Option<Listener>,
    own_address: Option<SocketAddr>,
}

fn bind(addresses: &[ShardAddresses]) -> Result<Vec<BoundListeners>, ServeError> {
    let bind_one = |wanted: &ShardAddresses| {
        let refused = |address| {
            let listener = wanted.listener.clone();
            move |source| ServeError::Listen { listener, address, source }
        };
        let bootstrap = Listener::bind(wanted.bootstrap, true).map_err(refused(wanted.bootstrap))?;
        let Some(address) = wanted.own else {
            return Ok(BoundListeners { bootstrap, own: None, own_address: None });
        };
        let own = Listener::bind(address, false).map_err(refused(address))?;
        let own_address = Some(own.local_addr().map_err(refused(address))?);
        Ok(BoundListeners { bootstrap, own: Some(own), own_address })
    };
    addresses.iter().map(bind_one).collect()
}
