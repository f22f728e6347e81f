//! Commands that look for limits: against a stub that takes two milliseconds for each request, and the machine itself.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::broker::{Behaviour, Stub};

fn loadgen(arguments: &[&str], report: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments)
        .arg("--report")
        .arg(report)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Takes fewer than 500 requests a second on one connection.
fn slow_stub() -> Stub {
    Stub::start(Behaviour { service_time: Duration::from_millis(2), ..Default::default() })
}

#[test]
fn a_sweep_finds_the_knee() {
    let (stub, directory) = (slow_stub(), tempfile::tempdir().unwrap());
    let arguments =
        ["sweep", "--brokers", &stub.address, "--from", "100", "--p99", "300ms", "--resolution", "0.5"];
    let more = ["--warmup", "0s", "--duration", "1s", "--threads", "1", "--size", "100", "--in-flight", "1"];
    let output = loadgen(&[&arguments[..], &more].concat(), directory.path());
    assert!(String::from_utf8_lossy(&output.stdout).contains("knee:"));
    let report = json(&directory.path().join("sweep.json"));
    let knee = report["knee_records_per_s"].as_f64().unwrap();
    // The stub takes no more than 500; how far below them it ends is a matter of the machine.
    assert!(knee > 0.0 && knee <= 520.0, "{report}");
    let steps = report["steps"].as_array().unwrap();
    let broken: Vec<f64> = steps
        .iter()
        .filter(|step| !step["is_held"].as_bool().unwrap())
        .map(|step| step["offered_records_per_s"].as_f64().unwrap())
        .collect();
    assert!(
        broken.iter().all(|rate| *rate > knee) && broken.iter().any(|rate| *rate <= knee * 1.5),
        "{report}"
    );
    assert!(
        std::fs::read_to_string(directory.path().join("sweep.html"))
            .unwrap()
            .contains("Offered against achieved")
    );
}

#[test]
fn an_overload_is_held_back_dropped_and_recovered_from() {
    let (stub, directory) = (slow_stub(), tempfile::tempdir().unwrap());
    let pid = std::process::id().to_string();
    let arguments = ["backpressure", "--brokers", &stub.address, "--capacity", "300", "--multiple", "5"];
    let phases = ["--before", "1s", "--ramp", "500ms", "--hold", "2s", "--after", "2s", "--warmup", "0s"];
    let more = ["--threads", "1", "--size", "100", "--normal", "0.3", "--broker-pid", &pid];
    let consumers = ["--consumers", "1", "--consumer-mode", "backlog"];
    loadgen(&[&arguments[..], &phases, &more, &consumers].concat(), directory.path());
    let report = json(&directory.path().join("report.json"));
    let (overload, total) = (&report["overload"], &report["total"]);
    let count = |name: &str| total[name].as_u64().unwrap();
    // At 90 a second for a second, up to 1,500 for two and a half, and 90 for two.
    let offered = count("offered_requests");
    assert!((3600..=3700).contains(&offered), "{offered}");
    assert!(count("dropped_requests") > 1000, "{total}");
    assert_eq!(count("acked_requests") + count("dropped_requests"), offered, "{total}");
    assert_eq!(count("unsent_requests") + count("unanswered_requests"), 0, "{total}");
    assert_eq!(count("consumed_records"), count("acked_records"), "{total}");
    // What was dropped does not stand in the way of what comes after: more than a thousand waited in the overload, and
    // soon afterwards no more than the 180 that were due.
    let end_s = overload["end_s"].as_f64().unwrap();
    let waiting = |from_s: f64, to_s: f64| {
        let points = report["points"].as_array().unwrap().iter();
        let points = points.filter(|point| (from_s..to_s).contains(&point["start_s"].as_f64().unwrap()));
        points.map(|point| point["counts"]["waiting_requests"].as_u64().unwrap()).max().unwrap()
    };
    let (before, after) = (waiting(0.0, end_s - 0.1), waiting(end_s + 1.0, f64::MAX));
    assert!(before > 1000 && after <= 180, "{before} {after}");
    assert!(overload["broker"]["memory_bytes"].as_array().unwrap().len() > 15);
    assert!(overload["in_flight_bytes_max"].as_u64().unwrap() >= 100);
}

#[test]
fn limits_of_the_machine_are_measured_and_stated_in_reports() {
    let directory = tempfile::tempdir().unwrap();
    let arguments =
        ["disk", "--dir", env!("CARGO_TARGET_TMPDIR"), "--file-size", "1MiB", "--sizes", "4KiB,16KiB"];
    loadgen(&[&arguments[..], &["--depths", "1,2", "--duration", "50ms"]].concat(), directory.path());
    let disk = json(&directory.path().join("disk.json"));
    let cells = disk["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    assert!(cells.iter().all(|cell| cell["writes_per_s"].as_f64().unwrap() > 0.0), "{disk}");
    assert!(
        std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("loadgen-disk"))
    );

    loadgen(&["net", "--duration", "50ms"], directory.path());
    assert!(json(&directory.path().join("net.json"))["bytes_per_s"].as_f64().unwrap() > 0.0);

    loadgen(&["cpu", "--cpus", "0", "--duration", "50ms"], directory.path());
    let cpu = json(&directory.path().join("cpu.json"));
    assert!(cpu["cells"][0]["delay_ms"]["count"].as_u64().unwrap() >= 900, "{cpu}");

    let stub = Stub::start(Behaviour::default());
    let arguments =
        ["run", "--brokers", &stub.address, "--rate", "100", "--warmup", "0s", "--duration", "500ms"];
    let output = loadgen(&arguments, directory.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("times their sum") && text.contains("synchronous writes reach"), "{text}");
    assert!(text.contains("keeps whoever is due on a busy CPU waiting"), "{text}");
}

#[test]
fn contradictory_limits_are_refused() {
    for (arguments, part) in [
        (&["disk", "--sizes", "1000"][..], "multiples of 4KiB"),
        (&["disk", "--file-size", "4KiB"], "--file-size"),
        (&["backpressure", "--producers", "0"], "at least 1"),
        (&["backpressure", "--acks", "0"], "no answers"),
        (&["backpressure", "--consumer-mode", "slow"], "slow:1MB/s"),
        (&["backpressure", "--broker-pid", "4000000000"], "no process"),
        (&["sweep", "--producers", "0"], "at least 1"),
        (&["net", "--size", "0"], "--size must be"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains(part), "{arguments:?}: {message}");
    }
}
