//! Control starts: whose data is this, is it whole, and which start is it.
//!
//! The order on disk, each step durable before the next, so that a crash between any two is recovered from:
//! 1. first start only: node.json with boot count 0, then the empty store; where the store is of an earlier format, the
//!    store in the present one; then an empty entry of the quorum's log, by which the node has its office as leader;
//! 2. node.json with this start's boot count;
//! 3. the store with new leader epochs and, last, this start's registration.
//!
//! So the store's count is node.json's, or one less where a start was cut off between 2 and 3. Anything else
//! is a directory that was put together from several.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::client::{Command, ControlClient};
use super::cluster::Joined;
use super::controller::Controller;
use super::decide::random_id;
use super::environment::Environment;
use super::files;
use super::lone_quorum::LoneQuorum;
use super::node_file::{Layout, NODE_FORMAT_VERSION, NodeFile, NodeFileError};
use super::progress::{AppliedReporter, Progress};
use super::store::{MetadataStore, StoreError};
use super::thread::ControlThread;
use crate::base::ids::{NodeId, SHARDS_PER_NODE_MAX, ShardId};
use crate::base::limits::CONTROL_COMMANDS_MAX;
use crate::cluster::{
    ClusterRecord, DiskId, Draft, Image, Incarnation, IncarnationError, KafkaUuid, METADATA_FORMAT_VERSION,
    Placing, TopicDefaults, begin_incarnation,
};
use crate::config::Advertise;
use crate::link::Start;

/// The folder of DATA_DIR that is control's.
pub(super) const CONTROL_DIR: &str = "control";
/// What a data directory can hold besides: names, or beginnings of them.
const DATA_NAMES: [&str; 3] = [CONTROL_DIR, "layout-", "topics"];

/// How control is set up.
pub struct ControlConfig {
    /// DATA_DIR; made if it is not there.
    pub data_dir: PathBuf,
    /// This node.
    pub node: NodeId,
    /// Its shards: 0 up to this number.
    pub shards: u16,
    /// What clients take for a broker.
    pub advertise: Advertise,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`
    pub default_replication_factor: i16,
    /// Copies that a partition may have.
    pub replicas_max: usize,
    /// Defaults and bounds of topic configs.
    pub defaults: TopicDefaults,
    /// A CPU for control alone, if there is one to spare.
    pub cpu: Option<usize>,
    /// Clock and randomness.
    pub environment: Environment,
}

impl ControlConfig {
    /// Where new partitions go. The disk is filled in when it is known.
    pub(super) fn placing(&self) -> Placing {
        Placing {
            node: self.node,
            disk: DiskId(Uuid::nil()),
            shards: self.shards,
            advertise: self.advertise,
            num_partitions: self.num_partitions,
            default_replication_factor: self.default_replication_factor,
            replicas_max: self.replicas_max,
            defaults: self.defaults.clone(),
        }
    }
}

/// Why the node does not start.
#[derive(Error, Debug)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}: {source}", dir.display())]
    DataDir {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// node.json cannot be used.
    #[error(transparent)]
    NodeFile(#[from] NodeFileError),
    /// There is data and no node.json.
    #[error(
        "{} holds {found} but no node.json: restore the whole data directory from one backup, or start with an \
         empty one",
        dir.display()
    )]
    NodeFileMissing {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        found: String,
    },
    /// node.json and the metadata store are not of one directory at one time.
    #[error(
        "node.json and the metadata store in {} do not belong together ({detail}): restore the whole data \
         directory from one backup",
        dir.display()
    )]
    Mixed {
        /// The directory.
        dir: PathBuf,
        /// In what they differ.
        detail: String,
    },
    /// The metadata store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registration was refused.
    #[error(transparent)]
    Incarnation(#[from] IncarnationError),
    /// The cluster port cannot be had.
    #[error("cannot listen on the cluster port (`cluster.listen`): {0}")]
    ClusterPort(io::Error),
    /// Control's thread cannot be had, or has ended.
    #[error("control's thread: {0}")]
    Thread(io::Error),
    /// The controller does not let the node take part.
    #[error("the cluster does not take this node: {0}")]
    Registration(String),
    /// Two nodes are configured with different voters.
    #[error("node {node} has other `voters` ({voters}) than this node: give all nodes the same")]
    OtherVoters {
        /// The node.
        node: NodeId,
        /// Its voters.
        voters: String,
    },
    /// Two voters have data of two clusters.
    #[error(
        "voters {one} and {other} belong to different clusters: start one of them with an empty data directory, or \
         correct `voters`"
    )]
    TwoClusters {
        /// A voter.
        one: NodeId,
        /// Another.
        other: NodeId,
    },
    /// The directory is that of a node among others.
    #[error("{} belongs to a node of a cluster: start with its `voters` and `cluster.listen`", dir.display())]
    NotAlone {
        /// The directory.
        dir: PathBuf,
    },
}

/// The data directory and what node.json says of it.
struct NodeDirectory {
    dir: PathBuf,
    file: NodeFile,
}

/// What one shard needs of control.
pub struct ShardLink {
    /// The newest image. A shard that is slow skips those in between.
    pub images: watch::Receiver<Arc<Image>>,
    /// Where the shard reports the version that it follows.
    pub applied: AppliedReporter,
    /// Where the shard sends commands.
    pub client: ControlClient,
}

/// Control, with this start registered, before its thread runs.
pub struct Control {
    directory: NodeDirectory,
    image: Arc<Image>,
    images: watch::Receiver<Arc<Image>>,
    progress: Arc<Progress>,
    driven: Driven,
    client: ControlClient,
    shards: u16,
}

/// What makes control go on.
enum Driven {
    /// A thread that is yet to be started: nobody else decides.
    Alone { controller: Box<Controller>, commands: mpsc::Receiver<Command>, cpu: Option<usize> },
    /// One that runs: the others have not waited.
    Among(ControlThread),
}

impl Control {
    /// Checks the data directory, which the caller has locked, and registers a new incarnation of the node: every partition that it
    /// leads is in a new leader epoch, and dealt to one of `shards`.
    pub fn start(config: ControlConfig) -> Result<Control, StartError> {
        let placing = config.placing();
        let ControlConfig { data_dir: dir, node, shards, mut environment, .. } = config;
        assert!((1..=SHARDS_PER_NODE_MAX).contains(&shards), "the configuration allows no other number");
        files::create_dir(&dir).map_err(|source| StartError::DataDir { dir: dir.clone(), source })?;
        let mut file = match NodeFile::read(&dir, node)? {
            Some(file) if file.in_cluster.is_some() => return Err(StartError::NotAlone { dir }),
            Some(file) => file,
            None => new_node_file(&dir, node, shards, &mut environment)?,
        };
        let mut store = open_store(&dir, &file)?;
        let image = store.load()?;
        let incarnation = next_incarnation(&dir, &file, &image)?;
        if file.boot_count != incarnation {
            file.boot_count = incarnation;
            match file.write(&dir) {
                Err(error) if error.is_no_space() => {
                    store.release_reserve()?;
                    file.write(&dir)?;
                }
                written => written?,
            }
        }
        let disk = file.disk_id;
        let mut draft = Draft::of(&image);
        begin_incarnation(&mut draft, &Incarnation { node, disk, incarnation, shards })?;
        // A full disk must not keep the broker from starting: nothing could be deleted then.
        store.register(draft.changes())?;

        let image = Arc::new(draft.finish());
        let controller =
            Controller::new(Box::new(store), Arc::clone(&image), Placing { disk, ..placing }, environment);
        let (sender, commands) = mpsc::channel(CONTROL_COMMANDS_MAX);
        let directory = NodeDirectory { dir, file };
        let client = ControlClient::new(sender);
        let (images, progress) = (controller.subscribe(), Arc::clone(controller.progress()));
        let driven = Driven::Alone { controller: Box::new(controller), commands, cpu: config.cpu };
        Ok(Control { directory, image, images, progress, driven, client, shards })
    }

    /// Control of a node that has joined others.
    pub(super) fn among(
        dir: PathBuf,
        joined: Joined,
        progress: Arc<Progress>,
        client: ControlClient,
        thread: ControlThread,
        shards: u16,
    ) -> Control {
        let Joined { file, image, images } = joined;
        let directory = NodeDirectory { dir, file };
        Control { directory, image, images, progress, driven: Driven::Among(thread), client, shards }
    }

    /// The image of the start, by which storage is opened. Where nobody else decides, of version 1.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image)
    }

    /// node.json: the identities under which files are written, and the boot count, which is the incarnation.
    pub fn node_file(&self) -> &NodeFile {
        &self.directory.file
    }

    /// This start of the node, as other nodes know it.
    pub fn start_of_node(&self) -> Start {
        let NodeFile { node_id, disk_id, boot_count, .. } = *self.node_file();
        Start { node: node_id, disk: disk_id.0, incarnation: boot_count }
    }

    /// Says durably that the next layout of the shards' files is the one that counts; it is complete and has this
    /// start's number of shards. Comes before [`Control::spawn`] where `node_file().layout` is of no files yet
    /// (generation 0) or of another number of shards, and where partitions are not in their owners' files.
    pub fn adopt_next_layout(&mut self) -> Result<(), StartError> {
        let NodeDirectory { dir, file } = &mut self.directory;
        let layout = file.layout.next(self.shards);
        NodeFile { layout, ..file.clone() }.write(dir)?;
        file.layout = layout;
        Ok(())
    }

    /// What a shard needs.
    pub fn link(&self, shard: ShardId) -> ShardLink {
        ShardLink {
            images: self.images.clone(),
            applied: AppliedReporter::new(Arc::clone(&self.progress), shard),
            client: self.client.clone(),
        }
    }

    /// Starts the thread, where it does not run. From now on commands are served; their replies wait for every shard.
    pub fn spawn(self) -> io::Result<ControlThread> {
        assert_eq!(self.directory.file.layout.shards, self.shards, "the files are laid out anew first");
        match self.driven {
            Driven::Alone { controller, commands, cpu } => ControlThread::spawn(*controller, commands, cpu),
            Driven::Among(thread) => Ok(thread),
        }
    }
}

/// Makes sure that a data directory without node.json is an empty one.
pub(super) fn check_empty(dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::DataDir { dir: dir.to_owned(), source };
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if DATA_NAMES.iter().any(|name| found.starts_with(name)) {
            return Err(StartError::NodeFileMissing { dir: dir.to_owned(), found });
        }
    }
    Ok(())
}

/// Begins a data directory, if it is an empty one.
fn new_node_file(
    dir: &Path,
    node: NodeId,
    shards: u16,
    environment: &mut Environment,
) -> Result<NodeFile, StartError> {
    check_empty(dir)?;
    let file = NodeFile {
        format_version: NODE_FORMAT_VERSION,
        cluster_id: KafkaUuid(random_id(environment).0),
        node_id: node,
        disk_id: DiskId(Uuid::from_u128(random_id(environment).0.as_u128())),
        boot_count: 0,
        layout: Layout { generation: 0, shards },
        in_cluster: None,
    };
    file.write(dir)?;
    Ok(file)
}

fn open_store(dir: &Path, file: &NodeFile) -> Result<LoneQuorum, StoreError> {
    let control = dir.join(CONTROL_DIR);
    if file.boot_count > 0 {
        return LoneQuorum::open(&control, file.disk_id);
    }
    // The first start did not come far enough to tell anybody anything.
    let cluster = ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id: file.cluster_id };
    LoneQuorum::create(&control, cluster, file.disk_id)
}

/// The number of this start, if node.json and the store agree on it.
fn next_incarnation(dir: &Path, file: &NodeFile, image: &Image) -> Result<u64, StartError> {
    let mixed = |detail: String| Err(StartError::Mixed { dir: dir.to_owned(), detail });
    let (here, there) = (file.cluster_id, image.cluster().cluster_id);
    if here != there {
        return mixed(format!("cluster {here} and cluster {there}"));
    }
    let known = image.node(file.node_id);
    if let Some(known) = known.filter(|known| known.disk != file.disk_id) {
        return mixed(format!("disk {} and disk {}", file.disk_id.0, known.disk.0));
    }
    let (here, there) = (file.boot_count, known.map_or(0, |known| known.incarnation));
    match here.checked_sub(there) {
        Some(0 | 1) if there < u64::MAX => Ok(there + 1),
        _ => mixed(format!("start {here} and start {there}")),
    }
}
