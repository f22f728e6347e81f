//! All shards' threads, as the main thread sees them.

use std::sync::{Arc, mpsc};

use tokio::sync::mpsc as orders;

use super::error::ServeError;
use super::events::{Event, Order, Signal, Stage};
use super::layout::Ground;
use super::shard_thread::{self, PeerWays, Reporter, Seed};
use crate::base::ids::ShardId;
use crate::base::limits::SHARD_ORDERS_MAX;
use crate::config::Config;
use crate::control::{Control, ForShards, Layout};
use crate::runtime::glommio::{ShardThread, spawn_shard};
use crate::shard::{MailboxSender, mailbox};

/// Why the main thread does not go on as it meant to.
#[derive(Debug)]
pub enum Interruption {
    /// It was told to stop.
    Signal(Signal),
    /// Something failed.
    Failed(ServeError),
}

impl From<ServeError> for Interruption {
    fn from(error: ServeError) -> Self {
        Interruption::Failed(error)
    }
}

struct Thread {
    orders: orders::Sender<Order>,
    thread: ShardThread<()>,
}

/// The running shards.
pub struct Shards {
    threads: Vec<Thread>,
    mailboxes: Vec<MailboxSender>,
}

fn name(shard: ShardId) -> String {
    format!("shard-{shard}")
}

impl Shards {
    /// Starts a thread for each shard; each opens its storage.
    pub fn start(
        config: &Arc<Config>,
        ground: &Ground,
        layout: Layout,
        control: &Control,
        peers: &ForShards,
        events: &mpsc::Sender<Event>,
    ) -> Result<Self, ServeError> {
        let (senders, mailboxes): (Vec<_>, Vec<_>) = config.shard_ids().map(|_| mailbox()).unzip();
        let all_arrivals = peers.hand_over.open(config.shards().into());
        let start = control.start_of_node();
        let mut threads = Vec::new();
        for ((id, mailbox), arrivals) in config.shard_ids().zip(mailboxes).zip(all_arrivals) {
            let (addresses, lease) = (peers.addresses.subscribe(), peers.lease.clone());
            let ways = PeerWays { start, arrivals, addresses, lease };
            let (sender, receiver) = orders::channel(SHARD_ORDERS_MAX);
            let seed = Seed {
                id,
                config: Arc::clone(config),
                ground: ground.clone(),
                layout,
                image: control.image(),
                link: control.link(id),
                mailboxes: senders.clone(),
                mailbox,
                ways,
                orders: receiver,
                reporter: Reporter::new(id, events.clone()),
            };
            let cpu = config.shard_cpus[usize::from(id.0)];
            let thread = spawn_shard(cpu, &name(id), move |runtime| shard_thread::run(seed, runtime));
            let thread = thread.map_err(|source| ServeError::Thread { what: name(id), source })?;
            threads.push(Thread { orders: sender, thread });
        }
        Ok(Shards { threads, mailboxes: senders })
    }

    /// The shards' mailboxes by their numbers.
    pub fn mailboxes(&self) -> Vec<MailboxSender> {
        self.mailboxes.clone()
    }

    /// Gives every shard the order that is made for it.
    pub fn order(&self, make: impl Fn(usize) -> Order) {
        for (index, thread) in self.threads.iter().enumerate() {
            // A shard that has ended has said so.
            let _ = thread.orders.try_send(make(index));
        }
    }

    /// Waits until every shard has reached the stage that `take` takes; what it gave, by shard. A signal ends
    /// the wait if `signals` says so.
    pub fn all<T>(
        &self,
        events: &mpsc::Receiver<Event>,
        signals: OnSignal,
        take: impl Fn(Stage) -> Option<T>,
    ) -> Result<Vec<T>, Interruption> {
        let mut reached: Vec<Option<T>> = self.threads.iter().map(|_| None).collect();
        while reached.iter().any(Option::is_none) {
            match events.recv().expect("the main thread holds a sender itself") {
                Event::Reached(shard, stage) => {
                    let taken = take(stage);
                    assert!(taken.is_some(), "shards reach their stages in order");
                    reached[usize::from(shard.0)] = taken;
                }
                Event::Ended(shard, error) => return Err(ended(shard, error).into()),
                Event::Signal(signal) if signals == OnSignal::Interrupt => {
                    return Err(Interruption::Signal(signal));
                }
                Event::Signal(_) => {}
            }
        }
        Ok(reached.into_iter().flatten().collect())
    }

    /// Waits for a signal, or for a shard to fail.
    pub fn until_signal(&self, events: &mpsc::Receiver<Event>) -> Result<Signal, ServeError> {
        match events.recv().expect("the main thread holds a sender itself") {
            Event::Signal(signal) => Ok(signal),
            Event::Ended(shard, error) => Err(ended(shard, error)),
            Event::Reached(shard, stage) => unreachable!("shard {shard} was not told to: {stage:?}"),
        }
    }

    /// Ends the orders, which ends the shards, and waits for their threads.
    pub fn join(self) -> Result<(), ServeError> {
        let (senders, threads): (Vec<_>, Vec<_>) =
            self.threads.into_iter().map(|thread| (thread.orders, thread.thread)).unzip();
        drop(senders);
        let mut outcome = Ok(());
        for (index, thread) in threads.into_iter().enumerate() {
            let joined = thread.join();
            let what = name(ShardId(index as u16));
            outcome = outcome.and(joined.map_err(|source| ServeError::Thread { what, source }));
        }
        outcome
    }
}

/// What a signal does to a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnSignal {
    /// Ends it.
    Interrupt,
    /// Nothing: the broker is stopping already.
    Ignore,
}

fn ended(shard: ShardId, error: Option<ServeError>) -> ServeError {
    error.unwrap_or_else(|| ServeError::ShardEnded { shard_name: name(shard) })
}
