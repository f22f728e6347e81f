//! A node on its way into a cluster: its control thread runs, and the rest waits until it is registered.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::client::ControlClient;
use super::cluster::{self, ClusterConfig, ForShards, Joined, Setup};
use super::files;
use super::node_file::NodeFile;
use super::progress::Progress;
use super::start::{Control, ControlConfig, StartError, check_empty};
use super::thread::ControlThread;
use super::watch::ControlWatch;
use crate::base::limits::CONTROL_COMMANDS_MAX;
use crate::runtime::tokio::spawn_tokio;

/// See the module.
pub struct Joining {
    config: (std::path::PathBuf, u16),
    joined: std_mpsc::Receiver<Result<Joined, StartError>>,
    progress: Arc<Progress>,
    client: ControlClient,
    thread: ControlThread,
}

impl Joining {
    /// Checks the data directory, which the caller has locked, opens the cluster port, and starts control. The node
    /// registers when a majority of the voters runs.
    pub fn start(
        config: ControlConfig,
        cluster: ClusterConfig,
        listen: SocketAddr,
        for_shards: ForShards,
    ) -> Result<Self, StartError> {
        let placing = config.placing();
        let ControlConfig { data_dir: dir, node, shards, environment, cpu, .. } = config;
        files::create_dir(&dir).map_err(|source| StartError::DataDir { dir: dir.clone(), source })?;
        let file = NodeFile::read(&dir, node)?;
        if file.is_none() {
            check_empty(&dir)?;
        }
        let listener = TcpListener::bind(listen).map_err(StartError::ClusterPort)?;
        listener.set_nonblocking(true).map_err(StartError::ClusterPort)?;
        if is_exposed(listen) {
            tracing::warn!(
                %listen,
                "the cluster port has neither authentication nor encryption: whoever reaches it can change metadata \
                 and records, so let nobody but the cluster's nodes reach it"
            );
        }
        let (sender, commands) = mpsc::channel(CONTROL_COMMANDS_MAX);
        let progress = Arc::new(Progress::new(shards));
        let (retire, retiring) = watch::channel(false);
        let (has_retired, retired) = std_mpsc::channel();
        let watch = ControlWatch::new();
        let setup = Setup {
            dir: dir.clone(),
            file,
            placing,
            environment,
            cluster,
            listener,
            commands,
            progress: Arc::clone(&progress),
            for_shards,
            retiring: (retiring, has_retired),
            watch: watch.clone(),
        };
        let (tell, joined) = std_mpsc::channel();
        let thread =
            spawn_tokio("control", cpu, move || cluster::run(setup, tell)).map_err(StartError::Thread)?;
        let thread = ControlThread::among(thread, Arc::clone(&progress), watch, (retire, retired));
        let client = ControlClient::new(sender);
        Ok(Joining { config: (dir, shards), joined, progress, client, thread })
    }

    /// Waits this long at most; control once the node is registered, or itself to wait on.
    pub fn wait(self, patience: Duration) -> Result<Result<Control, Joining>, StartError> {
        match self.joined.recv_timeout(patience) {
            Ok(Ok(joined)) => {
                let Joining { config: (dir, shards), progress, client, thread, .. } = self;
                Ok(Ok(Control::among(dir, joined, progress, client, thread, shards)))
            }
            Ok(Err(error)) => {
                self.stop();
                Err(error)
            }
            Err(std_mpsc::RecvTimeoutError::Timeout) => Ok(Err(self)),
            Err(std_mpsc::RecvTimeoutError::Disconnected) => {
                self.stop();
                Err(StartError::Thread(io::Error::other("it has ended before the node was registered")))
            }
        }
    }

    /// Gives up.
    pub fn stop(self) {
        self.thread.stop();
    }
}

/// Whether other machines may reach a port at this address.
fn is_exposed(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_loopback_addresses_are_exposed() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(!is_exposed(address.parse().expect("an address")), "{address}");
        }
        for address in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[fd00::1]:1"] {
            assert!(is_exposed(address.parse().expect("an address")), "{address}");
        }
    }
}
