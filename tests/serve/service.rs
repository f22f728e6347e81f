//! Under a service manager: what it is told, and the unit in docs/systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::{Broker, Place, corelane};
use crate::client::Client;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/systemd/corelane.service");

/// What systemd would listen on.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// Listens in the temporary directory: paths of sockets are short.
    fn listen(directory: &tempfile::TempDir) -> Self {
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // So that a broker that says nothing is a failed test, and not one without an end.
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Manager { socket, path }
    }

    fn environment(&self) -> [(&'static str, &Path); 1] {
        [("NOTIFY_SOCKET", &self.path)]
    }

    /// The next message, its lines.
    fn next(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message");
        std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_service_manager_is_told_of_start_readiness_and_stop() {
    let (place, directory) = (Place::new(), tempfile::tempdir().unwrap());
    let manager = Manager::listen(&directory);
    let broker = Broker::start_in(&place, &[], &manager.environment());
    let starting = manager.next();
    assert!(starting.len() == 1 && starting[0].starts_with("STATUS=starting"), "{starting:?}");
    let serving = format!("STATUS=serving on {}, shards: 2", broker.bootstrap());
    assert_eq!(manager.next(), ["READY=1", &serving]);
    // Ready is when clients are served.
    Client::connect(broker.bootstrap()).api_versions();
    assert_eq!(broker.terminate().code, Some(0));
    let stopping = manager.next();
    assert!(stopping[0] == "STOPPING=1" && stopping[1].starts_with("STATUS=stopping"), "{stopping:?}");
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 1]).is_err(), "nothing more");
}

#[test]
fn a_broker_that_cannot_start_says_why_and_a_manager_that_is_gone_does_not_hinder() {
    let (place, directory) = (Place::new(), tempfile::tempdir().unwrap());
    let manager = Manager::listen(&directory);
    let exit = Broker::refused_in(&place, &["--memory", "16TiB"], &manager.environment());
    assert_eq!(exit.code, Some(1));
    let failed = manager.next();
    assert!(failed.len() == 1 && failed[0].starts_with("STATUS=failed: `memory` is"), "{failed:?}");

    let gone = directory.path().join("nobody");
    let broker = Broker::start_in(&place, &[], &[("NOTIFY_SOCKET", &gone)]);
    let exit = broker.terminate();
    assert_eq!(exit.code, Some(0));
    assert!(exit.log.contains("service manager could not be told"), "{}", exit.log);
}

#[test]
fn the_unit_is_one_that_systemd_and_the_broker_accept() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let setting = |name: &str| {
        let mut values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        values.next().unwrap_or_else(|| panic!("{name} in the unit"))
    };
    assert_eq!(setting("Type"), "notify");
    assert!(setting("RestrictAddressFamilies").contains("AF_UNIX"), "or it could not tell that it is ready");
    let command: Vec<&str> = setting("ExecStart").split_whitespace().collect();
    assert_eq!(command[..3], ["/usr/local/bin/corelane", "serve", "--config"]);

    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("corelane.toml");
    fs::write(&config, "").unwrap();
    let accepted =
        corelane().arg("config").arg("--config").arg(&config).args(&command[4..]).output().unwrap();
    assert!(accepted.status.success(), "{accepted:?}");

    let copy = directory.path().join("corelane.service");
    fs::write(&copy, unit.replace(command[0], env!("CARGO_BIN_EXE_corelane"))).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&copy).output() {
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr);
            // It looks at the machine's other units as well.
            let ours: Vec<&str> = said.lines().filter(|line| line.contains("corelane")).collect();
            assert!(verified.status.success() && ours.is_empty(), "{said}");
        }
        Err(error) => println!("systemd-analyze is not here: {error}"),
    }
}
