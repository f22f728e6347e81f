//! The broker as a user starts it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running broker; killed if it is dropped.
pub struct Broker {
    pub process: Child,
    /// HOST:PORT of its only shard.
    pub address: String,
}

impl Broker {
    /// Starts a broker of one shard, so that the client's port leads to every partition's owner, with its data in
    /// `directory`/data and its log in `directory`/log. Returns when it serves.
    pub fn start(program: &Path, directory: &Path, settings: &[impl AsRef<OsStr>]) -> Self {
        let log = directory.join("log");
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--set", "admin.listen=none", "--shards", "1"])
            .arg("--data-dir")
            .arg(directory.join("data"))
            .args(settings)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("the directory can be written"))
            .spawn()
            .expect("the binary was built");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the broker says when it is ready");
        let address = line.strip_prefix("corelane ready ").and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| {
            panic!("not a ready line: {line:?}\n{}", fs::read_to_string(&log).unwrap_or_default())
        });
        Broker { process, address: address.to_owned() }
    }

    /// Stops it in order.
    pub fn stop(&mut self, patience: Duration) {
        // SAFETY: a plain signal to a process that is our child and not yet waited for.
        unsafe { libc::kill(self.process.id() as i32, libc::SIGTERM) };
        let deadline = Instant::now() + patience;
        while self.process.try_wait().expect("our child").is_none() {
            assert!(Instant::now() < deadline, "the broker does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has ended already unless it is to end as in a crash, or the benchmark panicked.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
