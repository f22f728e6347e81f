//! The main thread: the order of start and stop.

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use super::error::ServeError;
use super::events::{Event, Order, Stage};
use super::ground::ground;
use super::layout::Ground;
use super::shards::{Interruption, OnSignal, Shards};
use super::{addresses, admin, prepare, signals};
use crate::admin::AdminThread;
use crate::config::{ClusterPort, Config, Machine};
use crate::control::{
    ClusterConfig, Control, ControlConfig, ControlThread, Environment, ForShards, Joining, StartError,
};
use crate::link::HandOver;
use crate::runtime::glommio::{process_clock_ms, random_u64, wall_clock_ms};
use crate::shard::{Lease, configured_defaults};
use crate::startup::endpoints::{self, Endpoints};
use crate::startup::notify;

/// How often a signal is looked for while the node waits for others.
const SIGNALS_LOOKED_AT: Duration = Duration::from_millis(100);

/// Runs a broker until SIGTERM or SIGINT, and stops it in order. The caller holds the directories' locks.
pub fn run(config: Config, machine: &Machine) -> Result<(), ServeError> {
    let (sender, events) = mpsc::channel();
    let watched = signals::watch(sender.clone());
    watched.map_err(|source| ServeError::Thread { what: "the thread for signals".to_owned(), source })?;
    let spare_cpu = machine.allowed_cpus.iter().copied().find(|cpu| !config.shard_cpus.contains(cpu));
    let admin = admin::open(&config, spare_cpu)?;
    let peers = for_shards(&config);
    let start = Start { config: Arc::new(config), admin: admin.as_ref(), peers, sender, events };
    let outcome = start.run(spare_cpu);
    if let Some(admin) = admin {
        admin.stop();
    }
    outcome
}

/// A node on its own has no cluster port: nobody comes, there is nobody to look for, and nobody takes what it leads.
fn for_shards(config: &Config) -> ForShards {
    let is_alone = config.cluster.is_none();
    let lease = if is_alone { Lease::endless() } else { Lease::new(process_clock_ms) };
    ForShards { hand_over: HandOver::default(), lease, addresses: watch::channel(Arc::default()).0 }
}

struct Start<'a> {
    config: Arc<Config>,
    admin: Option<&'a AdminThread>,
    /// What control does for the shards, where there are other nodes.
    peers: ForShards,
    /// Keeps `events` open, and goes to each shard.
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
}

/// A broker that serves.
struct Running {
    config: Arc<Config>,
    shards: Shards,
    control: ControlThread,
}

impl Start<'_> {
    fn run(&self, spare_cpu: Option<usize>) -> Result<(), ServeError> {
        notify::doing("starting: reading checkpoints and journals");
        let chosen = addresses::choose(&self.config)?;
        let started = match &self.config.cluster {
            None => Control::start(self.control_config(spare_cpu))
                .map_err(|error| Interruption::Failed(error.into())),
            Some(cluster) => self.join(cluster, &chosen, spare_cpu),
        };
        match started.and_then(|control| self.start(control, chosen)) {
            Ok(running) => running.run(&self.events, self.admin),
            Err(Interruption::Signal(signal)) => {
                tracing::info!(signal = signal.name(), "stopped before it served");
                notify::stopping("stopped before it served");
                Ok(())
            }
            Err(Interruption::Failed(error)) => Err(error),
        }
    }

    /// Waits until the node is registered with the others, or told to stop.
    fn join(
        &self,
        cluster: &ClusterPort,
        chosen: &[Vec<addresses::ShardAddresses>],
        spare_cpu: Option<usize>,
    ) -> Result<Control, Interruption> {
        notify::doing("starting: joining the cluster");
        let listen = cluster.listen.resolve();
        let listen = listen.map_err(|source| ServeError::Control(StartError::ClusterPort(source)))?;
        let settings = ClusterConfig {
            voters: cluster.voters.clone(),
            address: cluster.advertised.clone(),
            listeners: addresses::registered(&self.config, chosen),
            rack: Some(self.config.broker_rack.clone()),
        };
        let joining = Joining::start(self.control_config(spare_cpu), settings, listen, self.peers.clone());
        let mut joining = joining.map_err(ServeError::Control)?;
        loop {
            joining = match joining.wait(SIGNALS_LOOKED_AT).map_err(ServeError::Control)? {
                Ok(control) => return Ok(control),
                Err(joining) => joining,
            };
            if let Ok(Event::Signal(signal)) = self.events.try_recv() {
                joining.stop();
                return Err(Interruption::Signal(signal));
            }
        }
    }

    fn control_config(&self, cpu: Option<usize>) -> ControlConfig {
        let config = &self.config;
        ControlConfig {
            data_dir: config.data_dir.clone(),
            node: config.node_id,
            shards: config.shards(),
            advertise: config.advertise,
            num_partitions: config.num_partitions,
            default_replication_factor: config.default_replication_factor,
            replicas_max: config.replicas_max,
            defaults: configured_defaults(config),
            cpu,
            environment: Environment {
                random_u64: Box::new(random_u64),
                wall_clock_ms: Box::new(wall_clock_ms),
            },
        }
    }

    fn start(
        &self,
        mut control: Control,
        chosen: Vec<Vec<addresses::ShardAddresses>>,
    ) -> Result<Running, Interruption> {
        let ground = ground(&self.config, control.node_file().disk_id);
        prepare::lay_out(&self.config, &ground, &mut control)?;
        let shards = self.open_shards(&ground, &mut control)?;
        let layout = control.node_file().layout;
        let bound = prepare::tidy(&ground, layout, &control.image())
            .map_err(Interruption::from)
            .and_then(|()| self.bind(&shards, &chosen));
        let bound = match bound {
            Ok(bound) => bound,
            Err(interruption) => return Err(give_up(shards, interruption)),
        };
        let control = match control.spawn() {
            Ok(control) => control,
            Err(source) => {
                let what = "the control thread".to_owned();
                return Err(give_up(shards, ServeError::Thread { what, source }.into()));
            }
        };
        let running = Running { config: Arc::clone(&self.config), shards, control };
        match self.serve(&running, bound) {
            Ok(()) => Ok(running),
            Err(interruption) => {
                running.abandon();
                Err(interruption)
            }
        }
    }

    /// Opens the shards' storages; moves partitions that are in other shards' files than their owners', as
    /// after a change of the number of shards that was cut off and taken back.
    fn open_shards(&self, ground: &Ground, control: &mut Control) -> Result<Shards, Interruption> {
        for is_last in [false, true] {
            let layout = control.node_file().layout;
            let shards = Shards::start(&self.config, ground, layout, control, &self.peers, &self.sender)?;
            let opened = shards.all(&self.events, OnSignal::Interrupt, |stage| match stage {
                Stage::Opened { has_misplaced } => Some(has_misplaced),
                _ => None,
            });
            match opened {
                Ok(misplaced) if !misplaced.contains(&true) => return Ok(shards),
                Ok(_) if is_last => return Err(give_up(shards, ServeError::Misplaced.into())),
                Ok(_) => shards.join()?,
                Err(interruption) => return Err(give_up(shards, interruption)),
            }
            tracing::info!("partitions are in the files of shards that do not own them, and are moved");
            prepare::move_partitions(&self.config, ground, control)?;
        }
        unreachable!("the last turn returns")
    }

    fn bind(
        &self,
        shards: &Shards,
        chosen: &[Vec<addresses::ShardAddresses>],
    ) -> Result<Vec<endpoints::BoundListener>, Interruption> {
        shards.order(|shard| Order::Bind(chosen[shard].clone()));
        let own = shards.all(&self.events, OnSignal::Interrupt, |stage| match stage {
            Stage::Bound(addresses) => Some(addresses),
            _ => None,
        })?;
        Ok(addresses::bound(chosen, &own))
    }

    /// Has the shards serve, and then says so.
    fn serve(&self, running: &Running, bound: Vec<endpoints::BoundListener>) -> Result<(), Interruption> {
        let advertised = Arc::new(addresses::advertised(&self.config, &bound));
        running.shards.order(|_| Order::Serve(Arc::clone(&advertised)));
        running
            .shards
            .all(&self.events, OnSignal::Interrupt, |stage| matches!(stage, Stage::Serving).then_some(()))?;
        if let Some(admin) = self.admin {
            let watch = running.control.watch();
            admin.note_serving(running.shards.mailboxes(), Arc::new(move || watch.stall()));
        }
        let endpoints = Endpoints::new(&self.config, &bound, self.admin.map(AdminThread::address));
        match endpoints.publish(&self.config.data_dir) {
            // Deletions make room, and for them it has to serve.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "the disk is full: endpoints.json is not there");
            }
            published => published.map_err(|source| self.data_dir_failed(source))?,
        }
        if let Err(error) = writeln!(io::stdout(), "{}", endpoints.ready_line()) {
            tracing::warn!(%error, "the ready line could not be written to stdout");
        }
        for listener in &endpoints.listeners {
            let (name, bound, bootstrap) = (&listener.name, &listener.bound, &listener.bootstrap);
            tracing::info!(name, bound, bootstrap, "listening");
        }
        let addresses = endpoints.addresses().join(" and ");
        notify::serving(&format!("serving on {addresses}, shards: {}", self.config.shards()));
        Ok(())
    }

    fn data_dir_failed(&self, source: io::Error) -> ServeError {
        ServeError::File { path: self.config.data_dir.clone(), source }
    }
}

/// Ends shards that do not serve yet; the reason for it, or what their threads say where that is more.
fn give_up(shards: Shards, interruption: Interruption) -> Interruption {
    match (interruption, shards.join()) {
        (Interruption::Failed(ServeError::ShardEnded { .. }), Err(error)) => Interruption::Failed(error),
        (interruption, _) => interruption,
    }
}

impl Running {
    fn run(self, events: &mpsc::Receiver<Event>, admin: Option<&AdminThread>) -> Result<(), ServeError> {
        match self.shards.until_signal(events) {
            Ok(signal) => {
                tracing::info!(signal = signal.name(), "stopping; a second signal ends at once");
                if let Some(admin) = admin {
                    admin.note_stopping();
                }
                notify::stopping("stopping: answering what is in flight, writing records back");
                self.stop(events)?;
                tracing::info!("stopped");
                Ok(())
            }
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Ends what is left after a failure, which is told elsewhere: shards whose orders end stop by themselves.
    fn abandon(self) {
        let _ = endpoints::withdraw(&self.config.data_dir);
        if let Err(error) = self.shards.join() {
            tracing::error!("{error}");
        }
        self.control.stop();
    }

    /// Ends connections, then storages, then control.
    fn stop(self, events: &mpsc::Receiver<Event>) -> Result<(), ServeError> {
        let withdrawn = endpoints::withdraw(&self.config.data_dir);
        self.control.hand_over(self.config.shutdown_timeout);
        let stopped = self.stop_shards(events);
        let joined = self.shards.join();
        self.control.stop();
        stopped?;
        joined?;
        withdrawn.map_err(|source| ServeError::File { path: self.config.data_dir.clone(), source })
    }

    fn stop_shards(&self, events: &mpsc::Receiver<Event>) -> Result<(), ServeError> {
        let fail = |interruption| match interruption {
            Interruption::Failed(error) => error,
            Interruption::Signal(_) => unreachable!("signals are ignored here"),
        };
        self.shards.order(|_| Order::Drain);
        let drained = |stage| matches!(stage, Stage::Drained).then_some(());
        self.shards.all(events, OnSignal::Ignore, drained).map_err(fail)?;
        self.shards.order(|_| Order::Stop);
        let stopped = self.shards.all(events, OnSignal::Ignore, |stage| match stage {
            Stage::Stopped(outcome) => Some(outcome),
            _ => None,
        });
        for (shard, outcome) in self.config.shard_ids().zip(stopped.map_err(fail)?) {
            outcome.map_err(|reason| ServeError::UncleanStop { shard, reason })?;
        }
        Ok(())
    }
}
