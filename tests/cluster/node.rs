//! A node of a cluster: a broker process with a data directory and ports of its own, which it keeps over its starts.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A machine: what is there while its broker is not.
pub struct Machine {
    id: u32,
    directory: TempDir,
    cluster_port: u16,
    starts: u32,
}

/// A running broker; killed if it is dropped.
pub struct Node {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    /// Where clients reach it, once it is ready.
    pub bootstrap: String,
}

impl Machine {
    /// Machines with the nodes 1, 2, 3 and so on.
    pub fn all(count: u32) -> Vec<Machine> {
        // Held until all are chosen, so that none comes twice.
        let held: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let machine = |(id, listener): (u32, &TcpListener)| Machine {
            id,
            directory: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory"),
            cluster_port: listener.local_addr().expect("bound").port(),
            starts: 0,
        };
        (1..).zip(&held).map(machine).collect()
    }

    /// Its broker's files.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What `voters` says of it.
    pub fn voter(&self) -> String {
        format!("{}@127.0.0.1:{}", self.id, self.cluster_port)
    }

    /// Starts its broker, which is ready when it has joined the others.
    pub fn spawn(&mut self, voters: &str) -> Node {
        self.starts += 1;
        let log = self.directory.path().join(format!("log-{}", self.starts));
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
        let is_ours = |name: &str| name.starts_with("CORELANE_") || name == "NOTIFY_SOCKET";
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let (id, cluster) = (self.id.to_string(), format!("127.0.0.1:{}", self.cluster_port));
        command.arg("serve").arg("--data-dir").arg(self.data_dir());
        command.args(["--node-id", &id, "--listen", "127.0.0.1:0", "--admin", "none", "--shards", "1"]);
        command.args(["--memory", "320MiB", "--set", "journal.bytes=48MiB"]);
        command.args(["--set", "unstable.replication.enable=true"]);
        if !voters.is_empty() {
            command.args(["--cluster-listen", &cluster, "--voters", voters]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).expect("a log file"));
        let mut child = command.spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Node { child, stdout, log, bootstrap: String::new() }
    }
}

impl Node {
    /// Waits until it serves.
    pub fn ready(mut self) -> Self {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("stdout is text");
        let bootstrap = line.trim_end().strip_prefix("corelane ready ").map(str::to_owned);
        self.bootstrap =
            bootstrap.unwrap_or_else(|| panic!("it is ready, not {line:?}: {}", self.read_log()));
        self
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }

    /// Stops it in order; what it logged.
    pub fn terminate(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{}", self.read_log());
        self.read_log()
    }

    /// Tells it to stop in order, and does not wait for it.
    pub fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
    }

    /// Waits until it has stopped by itself; what it logged.
    pub fn stopped_within(mut self, patience: Duration) -> String {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert!(status.success(), "{status}: {}", self.read_log());
                return self.read_log();
            }
            assert!(asked.elapsed() < patience, "it does not stop: {}", self.read_log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged so far.
    pub fn read_log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
