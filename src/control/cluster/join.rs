//! A node starts among others. The order on disk, each step durable before the next:
//! 1. first start only: node.json with the cluster, boot count 0 and how the node came to it, then its store, which holds
//!    a founder's quorum of one, or nothing;
//! 2. node.json with this start's boot count and a random id, before the controller is asked to register it;
//! 3. when it is registered, that, before anything is served. Where that is missing the next start says the same again.
//!
//! A directory of a node that was on its own goes on at 2: its quorum of one takes the others in.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::client::Command;
use super::super::decide::{Decider, random_id};
use super::super::environment::Environment;
use super::super::migration::raft_id;
use super::super::node_file::{InCluster, Layout, NODE_FORMAT_VERSION, NodeFile};
use super::super::progress::Progress;
use super::super::start::{CONTROL_DIR, StartError};
use super::super::watch::ControlWatch;
use super::addresses::{FoundAddresses, look_up};
use super::asker::Asker;
use super::driver::{Driver, Identity, Input, Views};
use super::member::Member;
use super::message::{Ask, Asked, Reply};
use super::peers::other_voters;
use super::presence::{Presence, forward};
use super::seek::{Seeking, Verdict};
use crate::base::ids::NodeId;
use crate::base::limits::{
    CONTROL_QUESTIONS_MAX, CONTROL_REPLIES_WAITING_MAX, CONTROL_RETRY_MS, LINK_HANDSHAKE_MS,
};
use crate::cluster::{
    ClusterAddress, ClusterRecord, DiskId, Image, KafkaUuid, ListenerRecord, METADATA_FORMAT_VERSION,
    Placing, Registration,
};
use crate::config::address::HostPort;
use crate::config::voters::Voter;
use crate::link::{HandOver, NO_CLUSTER, Own, Start, StreamKind};
use crate::quorum::RaftId;
use crate::runtime::tokio::sleep;
use crate::shard::Lease;
use crate::transport::{Caller, CallerSettings, ClusterLinks};

/// The lanes of a node's questions, apart so that a heartbeat never waits for a command.
const PRESENCE_LANE: u16 = 0;
const COMMANDS_LANE: u16 = 1;

/// What makes a node one among others.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The voters, in order of their ids.
    pub voters: Vec<Voter>,
    /// Where other nodes reach this one.
    pub address: HostPort,
    /// Where clients reach it.
    pub listeners: Vec<ListenerRecord>,
    /// Where it stands.
    pub rack: Option<String>,
}

/// What control does for the shards of a node among others.
#[derive(Clone)]
pub struct ForShards {
    /// Where connections of other nodes' shards go.
    pub hand_over: HandOver,
    /// How long the node may act as a leader: control renews it.
    pub lease: Lease,
    /// Where other nodes' cluster ports are: control looks them up.
    pub addresses: watch::Sender<Arc<FoundAddresses>>,
}

/// What a start is made of.
pub struct Setup {
    /// DATA_DIR.
    pub dir: PathBuf,
    /// node.json, if there is one.
    pub file: Option<NodeFile>,
    /// The node, its shards, and what new partitions get. The disk is filled in.
    pub placing: Placing,
    /// Clock and randomness.
    pub environment: Environment,
    /// The others.
    pub cluster: ClusterConfig,
    /// The cluster port, bound.
    pub listener: TcpListener,
    /// The shards' commands.
    pub commands: mpsc::Receiver<Command>,
    /// How far the shards are.
    pub progress: Arc<Progress>,
    /// What it does for them.
    pub for_shards: ForShards,
    /// Whether the node is to stop, and whether it may.
    pub retiring: (watch::Receiver<bool>, std_mpsc::Sender<()>),
    /// Who sees how long the metadata's disk takes.
    pub watch: ControlWatch,
}

/// A start that is registered.
pub struct Joined {
    /// node.json.
    pub file: NodeFile,
    /// The image in which it is registered.
    pub image: Arc<Image>,
    /// All later ones.
    pub images: watch::Receiver<Arc<Image>>,
}

/// Joins, tells `joined`, and goes on until it is stopped.
pub async fn run(setup: Setup, joined: std_mpsc::Sender<Result<Joined, StartError>>) {
    if let Err(error) = join(setup, joined.clone()).await {
        tracing::error!(%error, "control is out of service");
        // Who waits for the start is told; later, nobody is there.
        let _ = joined.send(Err(error));
    }
}

async fn join(
    mut setup: Setup,
    joined: std_mpsc::Sender<Result<Joined, StartError>>,
) -> Result<(), StartError> {
    let node = setup.placing.node;
    let disk = setup.file.as_ref().map(|file| file.disk_id);
    let disk = disk.unwrap_or_else(|| DiskId(random_id(&mut setup.environment).0));
    setup.placing.disk = disk;
    let seed = (setup.environment.random_u64)();
    // Who knows no cluster yet lets in only who asks for one.
    let stranger = own_of(NO_CLUSTER, Start { node, disk: disk.0, incarnation: 0 }, &setup);
    let listener = setup.listener.try_clone().map_err(StartError::ClusterPort)?;
    let (links, arrivals, questions, serving) =
        ClusterLinks::start(stranger, member_of, seed, listener, setup.for_shards.hand_over.clone());
    let (sender, mut inputs) = mpsc::channel(CONTROL_QUESTIONS_MAX);
    // Dropping the set ends them all.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the cluster port cannot be served");
        }
    });
    tasks.spawn(pass_on(arrivals, Input::Arrival, sender.clone()));
    tasks.spawn(pass_on(questions, Input::Question, sender.clone()));

    let mut file = match setup.file.take() {
        Some(file) => file,
        None => match begin_directory(&mut setup, disk, &mut inputs).await? {
            Some(file) => file,
            None => return Ok(()),
        },
    };
    if file.boot_count == 0 {
        make_store(&setup, &file)?;
    }
    begin_start(&mut setup, &mut file)?;
    let own = Start { node, disk: disk.0, incarnation: file.boot_count };
    let cluster = *file.cluster_id.0.as_bytes();
    links.open(own_of(cluster, own, &setup));

    let (known, known_view) = watch::channel(None);
    let (leader, leader_view) = watch::channel(None);
    let (own_epoch, own_epoch_view) = watch::channel(0);
    let lanes =
        Lanes { cluster, own, addresses: addresses(&setup), sender: sender.clone(), leader: leader_view };
    tasks.spawn(look_up(node, known_view.clone(), setup.for_shards.addresses.clone()));
    let presence = Presence {
        asker: lanes.asker(PRESENCE_LANE, &mut tasks),
        links: (links.clone(), other_voters(&setup.cluster.voters, node)),
        registration: registration(&setup, &file),
        known: known_view,
        own_epoch: own_epoch_view,
        retiring: setup.retiring.0.clone(),
        progress: Arc::clone(&setup.progress),
        lease: setup.for_shards.lease.clone(),
        retired: Some(setup.retiring.1.clone()),
    };
    tasks.spawn(take_part(presence, setup.dir.clone(), file, joined, sender.clone()));
    let permits = Arc::new(Semaphore::new(CONTROL_REPLIES_WAITING_MAX));
    let commander = lanes.asker(COMMANDS_LANE, &mut tasks);
    tasks.spawn(forward(commander, setup.commands, sender, permits));

    let member = Member::open(&setup.dir.join(CONTROL_DIR), disk, seed, setup.watch.clone())?;
    let identity = Identity { cluster, own, voters: setup.cluster.voters, retiring: setup.retiring.0 };
    let decider = Decider::new(setup.placing, setup.environment);
    let views = Views { known, leader, own_epoch };
    let driver = Driver::new(identity, member, links, decider, setup.progress, views)?;
    Ok(driver.run(inputs).await?)
}

/// Passes on what comes by one channel to the one that control looks at.
async fn pass_on<T>(mut from: mpsc::Receiver<T>, wrap: fn(T) -> Input, to: mpsc::Sender<Input>) {
    while let Some(one) = from.recv().await {
        if to.send(wrap(one)).await.is_err() {
            return;
        }
    }
}

/// Registers, says so, and goes on saying that the node is there.
async fn take_part(
    mut presence: Presence,
    dir: PathBuf,
    mut file: NodeFile,
    joined: std_mpsc::Sender<Result<Joined, StartError>>,
    sender: mpsc::Sender<Input>,
) {
    let outcome = match presence.register().await {
        Err(why) => Err(StartError::Registration(why)),
        Ok((epoch, image)) => {
            if let Some(in_cluster) = &mut file.in_cluster {
                in_cluster.registered = true;
            }
            file.write(&dir).map(|()| (epoch, image)).map_err(StartError::from)
        }
    };
    let (epoch, image) = match outcome {
        Ok(registered) => registered,
        Err(error) => return drop(joined.send(Err(error))),
    };
    let (publish, images) = watch::channel(Arc::clone(&image));
    if sender.send(Input::Publish(publish)).await.is_err() {
        return;
    }
    // The process may be about to stop already.
    let _ = joined.send(Ok(Joined { file, image, images }));
    presence.beat(epoch).await;
}

/// What the lanes of a node's questions share.
struct Lanes {
    cluster: [u8; 16],
    own: Start,
    addresses: BTreeMap<NodeId, HostPort>,
    sender: mpsc::Sender<Input>,
    leader: watch::Receiver<Option<NodeId>>,
}

impl Lanes {
    fn asker(&self, lane: u16, tasks: &mut JoinSet<()>) -> Asker {
        let settings = CallerSettings { cluster: self.cluster, own: self.own, lane };
        // The node's questions to itself come in as all others do.
        let (own_questions, questions) = mpsc::channel(1);
        tasks.spawn(pass_on(questions, Input::Question, self.sender.clone()));
        Asker::new(settings, self.addresses.clone(), own_questions, self.leader.clone())
    }
}

/// The member of the quorum that a disk is.
fn member_of(disk: Uuid) -> RaftId {
    raft_id(DiskId(disk))
}

fn own_of(cluster: [u8; 16], start: Start, setup: &Setup) -> Own {
    let kinds = match cluster {
        NO_CLUSTER => vec![StreamKind::Control],
        _ => vec![StreamKind::Control, StreamKind::Quorum, StreamKind::Live, StreamKind::CatchUp],
    };
    let voters = setup.cluster.voters.iter().map(|voter| voter.node).collect();
    Own { cluster, start, shards: setup.placing.shards, voters, kinds }
}

fn addresses(setup: &Setup) -> BTreeMap<NodeId, HostPort> {
    setup.cluster.voters.iter().map(|voter| (voter.node, voter.address.clone())).collect()
}

fn registration(setup: &Setup, file: &NodeFile) -> Registration {
    let ClusterConfig { address, listeners, rack, .. } = &setup.cluster;
    Registration {
        node: setup.placing.node,
        disk: file.disk_id,
        incarnation: file.boot_count,
        start: file.in_cluster.as_ref().map_or_else(Uuid::nil, |in_cluster| in_cluster.start),
        shards: setup.placing.shards,
        rack: rack.clone(),
        listeners: listeners.clone(),
        cluster_address: Some(ClusterAddress { host: address.host.clone(), port: address.port }),
    }
}

/// Counts a start, unless the one before was not registered: then this is that one once more.
fn begin_start(setup: &mut Setup, file: &mut NodeFile) -> Result<(), StartError> {
    let before = file.in_cluster.clone();
    if before.as_ref().is_some_and(|before| !before.registered && file.boot_count > 0) {
        return Ok(());
    }
    file.boot_count += 1;
    let start = random_id(&mut setup.environment).0;
    let joins = before.is_some_and(|before| before.joins);
    file.in_cluster = Some(InCluster { joins, start, registered: false });
    Ok(file.write(&setup.dir)?)
}

/// Makes the store of a directory that has none yet: the first start did not come far enough to tell anybody anything.
fn make_store(setup: &Setup, file: &NodeFile) -> Result<(), StartError> {
    let control = setup.dir.join(CONTROL_DIR);
    let cluster = ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id: file.cluster_id };
    let joins = file.in_cluster.as_ref().is_some_and(|in_cluster| in_cluster.joins);
    let made = if joins {
        Member::join(&control, file.disk_id, cluster)
    } else {
        Member::found(&control, file.disk_id, cluster)
    };
    Ok(made?)
}

/// Begins a data directory: finds out to which cluster it belongs, or founds one. `None` if it is stopped before.
async fn begin_directory(
    setup: &mut Setup,
    disk: DiskId,
    inputs: &mut mpsc::Receiver<Input>,
) -> Result<Option<NodeFile>, StartError> {
    let progress = Arc::clone(&setup.progress);
    let voters: Vec<NodeId> = setup.cluster.voters.iter().map(|voter| voter.node).collect();
    let cluster = {
        let mut seeking = std::pin::pin!(seek(setup, disk));
        loop {
            let (input, news) = (std::pin::pin!(inputs.recv()), std::pin::pin!(progress.news()));
            match select(seeking.as_mut(), select(input, news)).await {
                Either::Left((found, _)) => break found?,
                Either::Right((Either::Left((Some(input), _)), _)) => tell_of_no_cluster(input, &voters),
                Either::Right((Either::Left((None, _)), _)) => return Ok(None),
                Either::Right((Either::Right(_), _)) if progress.is_stopping() => return Ok(None),
                Either::Right((Either::Right(_), _)) => {}
            }
        }
    };
    let joins = cluster.is_some();
    let cluster_id = match cluster {
        Some(cluster) => KafkaUuid(Uuid::from_bytes(cluster)),
        None => KafkaUuid(random_id(&mut setup.environment).0),
    };
    tracing::info!(%cluster_id, founds = !joins, "the data directory begins");
    let file = NodeFile {
        format_version: NODE_FORMAT_VERSION,
        cluster_id,
        node_id: setup.placing.node,
        disk_id: disk,
        boot_count: 0,
        layout: Layout { generation: 0, shards: setup.placing.shards },
        in_cluster: Some(InCluster { joins, start: Uuid::nil(), registered: false }),
    };
    file.write(&setup.dir)?;
    Ok(Some(file))
}

/// The cluster that the voters belong to; `None` if this node is to found it.
async fn seek(setup: &Setup, disk: DiskId) -> Result<Option<[u8; 16]>, StartError> {
    let node = setup.placing.node;
    let addresses = addresses(setup);
    let voters: Vec<NodeId> = addresses.keys().copied().collect();
    let mut seeking = Seeking::new(node, voters.clone());
    let asked = Asked { voters, ask: Ask::Seek }.encode().expect("a list of voters is short");
    let own = Start { node, disk: disk.0, incarnation: 0 };
    let mut caller = Caller::new(CallerSettings { cluster: NO_CLUSTER, own, lane: PRESENCE_LANE });
    let limit = Duration::from_millis(LINK_HANDSHAKE_MS);
    let mut told = Vec::new();
    loop {
        for (voter, address) in addresses.iter().filter(|(voter, _)| **voter != node) {
            let answer = caller.call(*voter, address, &asked, limit).await;
            match answer.map_err(|error| error.to_string()).and_then(|answer| Reply::decode(&answer)) {
                Ok(Reply::Cluster(cluster)) => seeking.hear(*voter, cluster.map(Uuid::into_bytes)),
                Ok(Reply::OtherVoters(theirs)) => {
                    let (node, voters) = (*voter, join_ids(&theirs));
                    return Err(StartError::OtherVoters { node, voters });
                }
                Ok(_) | Err(_) => seeking.miss(*voter),
            }
        }
        match seeking.verdict() {
            Verdict::Join(cluster) => return Ok(Some(cluster)),
            Verdict::Found => return Ok(None),
            Verdict::Disagree { one, other } => {
                return Err(StartError::TwoClusters { one: one.0, other: other.0 });
            }
            Verdict::Wait => {
                let missing = seeking.missing();
                if missing != told {
                    let voters = join_ids(&missing);
                    tracing::info!(voters, "the first start of a cluster waits for all its voters");
                    told = missing;
                }
                sleep(Duration::from_millis(CONTROL_RETRY_MS)).await;
            }
        }
    }
}

fn join_ids(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ")
}

/// Answers who asks a node that does not know its cluster yet.
fn tell_of_no_cluster(input: Input, own_voters: &[NodeId]) {
    let Input::Question(question) = input else { return };
    let reply = match Asked::decode(&question.body) {
        Ok(asked) if asked.voters != own_voters => Reply::OtherVoters(own_voters.to_vec()),
        Ok(Asked { ask: Ask::Seek, .. }) => Reply::Cluster(None),
        Ok(_) => Reply::NotController(None),
        Err(wrong) => Reply::NotUnderstood(wrong),
    };
    // Who asked may be gone.
    let _ = question.reply.send(reply.encode());
}
