//! Which broker is measured, where, and with what settings.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::wire;

const STOP_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Options {
    /// Where data is put, which chooses the disk [default: below target/].
    #[arg(long, global = true, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// The broker's binary [default: the one that was built with the benchmark].
    #[arg(long, global = true, value_name = "FILE")]
    broker: Option<PathBuf>,
    /// A setting of the broker.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Options {
    pub fn setup(&self) -> Setup {
        let parent = self.directory.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
        std::fs::create_dir_all(&parent).expect("the directory can be made");
        let program = self.broker.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_corelane")));
        let settings = self.set.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]).collect();
        Setup { program, parent, settings }
    }
}

pub struct Setup {
    program: PathBuf,
    parent: PathBuf,
    /// Arguments of the broker.
    pub settings: Vec<String>,
}

impl Setup {
    /// A broker on a new data directory.
    pub fn new_node(&self) -> Node {
        self.new_node_with(&[])
    }

    /// The same with settings of the benchmark's own. What the user has set wins.
    pub fn new_node_with(&self, own: &[(&str, String)]) -> Node {
        let directory = tempfile::tempdir_in(&self.parent).expect("the directory can be written");
        let own = arguments(own);
        let broker = Broker::start(&self.program, directory.path(), &[&own[..], &self.settings].concat());
        Node { directory, broker, program: self.program.clone(), users: self.settings.clone(), own }
    }
}

/// Settings as arguments of the broker.
pub fn arguments(settings: &[(&str, String)]) -> Vec<String> {
    settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect()
}

/// A broker with a data directory of its own, which goes with it.
pub struct Node {
    directory: TempDir,
    pub broker: Broker,
    program: PathBuf,
    /// Arguments that the user gave.
    users: Vec<String>,
    /// Arguments of the benchmark's own, from the next start on. What the user has given wins.
    pub own: Vec<String>,
}

impl Node {
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    pub fn create_topic_with(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        wire::create_topic(&mut wire::connect(&self.broker.address), name, partitions, configs);
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        self.broker.stop(STOP_PATIENCE);
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.broker.process.kill().expect("it runs");
        self.broker.process.wait().expect("our child");
    }

    /// Starts it again on the same data, after it has ended; how long it took until it served.
    pub fn start(&mut self) -> Duration {
        let started = Instant::now();
        let directory: &Path = self.directory.path();
        self.broker = Broker::start(&self.program, directory, &[&self.own[..], &self.users].concat());
        started.elapsed()
    }
}
