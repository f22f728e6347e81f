//! A broker process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A data directory, on a disk.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Place(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory"))
    }

    /// A path in the data directory.
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join("data").join(below)
    }

    pub fn json(&self, below: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path(below)).expect("the file is there")).expect("JSON")
    }

    /// A path beside the data directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }
}

/// The program, without settings from this process's environment.
pub fn corelane() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    let is_ours = |name: &str| name.starts_with("CORELANE_") || name == "NOTIFY_SOCKET";
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

/// How a broker ended, and what it logged.
pub struct Exit {
    pub code: Option<i32>,
    pub log: String,
}

/// A running broker; killed if it is dropped.
pub struct Broker {
    child: Child,
    stdout: BufReader<ChildStdout>,
    bootstrap: String,
    log: PathBuf,
}

impl Broker {
    /// Starts a broker of two shards on free ports, unless the arguments say otherwise, and waits until it serves.
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        Broker::start_in(place, arguments, &[])
    }

    /// The same with these environment variables.
    pub fn start_in(place: &Place, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        let mut broker = Broker::spawn(place, arguments, environment);
        let mut line = String::new();
        broker.stdout.read_line(&mut line).expect("stdout is text");
        let bootstrap = line.trim_end().strip_prefix("corelane ready ");
        let bootstrap =
            bootstrap.unwrap_or_else(|| panic!("it is ready, not {line:?}: {}", broker.read_log()));
        broker.bootstrap = bootstrap.to_owned();
        broker
    }

    /// Starts a broker that is to end by itself without having served.
    pub fn refused(place: &Place, arguments: &[&str]) -> Exit {
        Broker::refused_in(place, arguments, &[])
    }

    /// The same with these environment variables.
    pub fn refused_in(place: &Place, arguments: &[&str], environment: &[(&str, &Path)]) -> Exit {
        let mut broker = Broker::spawn(place, arguments, environment);
        let mut stdout = String::new();
        broker.stdout.read_to_string(&mut stdout).expect("stdout is text");
        let exit = broker.wait();
        assert_eq!(stdout, "", "{}", exit.log);
        exit
    }

    fn spawn(place: &Place, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        let log = place.log();
        let mut command = corelane();
        command.envs(environment.iter().copied());
        command.arg("serve").arg("--data-dir").arg(place.path(""));
        let has = |flag| arguments.contains(&flag);
        for (flag, value) in [
            ("--listen", "127.0.0.1:0"),
            ("--admin", "127.0.0.1:0"),
            ("--shards", "2"),
            ("--memory", "640MiB"),
        ] {
            if !has(flag) {
                command.args([flag, value]);
            }
        }
        command.args(["--set", "journal.bytes=48MiB"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).expect("a log file"));
        let mut child = command.spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Broker { child, stdout, bootstrap: String::new(), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of the ready line.
    pub fn bootstrap(&self) -> &String {
        &self.bootstrap
    }

    /// Stops it in order.
    pub fn terminate(mut self) -> Exit {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        self.wait()
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.wait();
    }

    fn wait(&mut self) -> Exit {
        let code = self.child.wait().expect("it is our child").code();
        Exit { code, log: self.read_log() }
    }

    fn read_log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
