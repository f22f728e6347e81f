//! The program against a broker that misbehaves on purpose. What is asserted holds on a busy machine too: exact counts,
//! and bounds on the side that delays cannot reach.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::{Behaviour, Stub};

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn report(directory: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(directory.join("report.json")).unwrap()).unwrap()
}

/// Runs against a stub for three seconds without warm-up, with all the time it needs to drain, and gives output and
/// report.
fn run(stub: &Stub, more: &[&str]) -> (Output, Value) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut arguments = vec!["run", "--brokers", &stub.address, "--warmup", "0s", "--duration", "3s"];
    arguments.extend(["--threads", "1", "--drain", "60s", "--report", path]);
    arguments.extend(more);
    let output = loadgen(&arguments);
    assert!(directory.path().join("report.json").exists(), "{}", text(&output.stderr));
    let report = report(directory.path());
    assert!(std::fs::read_to_string(directory.path().join("report.html")).unwrap().contains("<svg"));
    (output, report)
}

#[test]
fn a_stall_of_a_second_shows_in_full() {
    let stall = Some((Duration::from_secs(1), Duration::from_secs(1)));
    let stub = Stub::start(Behaviour { stall, ..Default::default() });
    let (output, report) = run(&stub, &["--rate", "1000", "--size", "100", "--in-flight", "1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    // One request was outstanding when the broker stalled: by service time one request of 3,000 was slow. But a
    // thousand were to be sent in that second, and waited for half a second on average.
    let at = |kind: &str, percentile: &str| report["latency_ms"][kind][percentile].as_f64().unwrap();
    assert!(at("service", "max") >= 990.0);
    assert!(at("service", "p99") < 500.0, "{}", at("service", "p99"));
    assert!(at("response", "max") >= 990.0);
    assert!(at("response", "p99") >= 900.0, "{}", at("response", "p99"));
    // A third of all requests were meant for the stall, and waited for up to a second, evenly.
    assert!(at("response", "p90") >= 600.0, "{}", at("response", "p90"));
    assert_eq!(report["latency_ms"]["response"]["count"], 3000);
    assert_eq!(report["total"]["acked_records"], 3000);
    assert_eq!(report["total"]["unsent_requests"], 0);
    assert!(report["total"]["answer_gap_ns_max"].as_u64().unwrap() >= 990_000_000);
}

#[test]
fn nothing_is_achieved_in_a_stall_though_as_much_is_offered_as_ever() {
    // Two seconds contain a whole second of the report, whenever they begin.
    let stall = Some((Duration::from_millis(500), Duration::from_secs(2)));
    let stub = Stub::start(Behaviour { stall, ..Default::default() });
    let (output, report) = run(&stub, &["--rate", "1000", "--size", "100", "--in-flight", "1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let points = report["points"].as_array().unwrap();
    let count = |point: &Value, name: &str| point["counts"][name].as_u64().unwrap();
    let is_stalled = |point: &&Value| {
        // One request that was outstanding when the stall began may be answered in its last moment.
        count(point, "acked_records") <= 1 && count(point, "offered_records") >= 500
    };
    assert!(points.iter().any(|point| is_stalled(&point)), "{points:?}");
}

#[test]
fn what_is_sent_when_is_what_was_asked_for() {
    let stub = Stub::start(Behaviour::default());
    let arguments = ["--rate", "2000", "--batch", "10", "--size", "50..150", "--producers", "2"];
    let started = Instant::now();
    let (output, report) = run(&stub, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut arrivals = stub.arrivals.lock().unwrap().clone();
    arrivals.sort();
    // 200 requests of 10 records a second for three seconds, not one more or less, and none grouped with others.
    assert_eq!(arrivals.len(), 600);
    assert_eq!(stub.records.load(Ordering::SeqCst), 6000);
    assert_eq!(report["total"]["acked_records"], 6000);
    // None is early, by the schedule of a run that began no sooner than its process.
    let is_early = |(number, at): &(usize, &Instant)| {
        at.duration_since(started) < Duration::from_millis(5 * *number as u64)
    };
    assert_eq!(arrivals.iter().enumerate().filter(is_early).count(), 0);
}

#[test]
fn a_closed_loop_is_called_one_and_hides_the_stall() {
    let stall = Some((Duration::from_secs(1), Duration::from_secs(1)));
    let stub = Stub::start(Behaviour { stall, ..Default::default() });
    let (output, report) = run(&stub, &["--closed", "--in-flight", "1", "--size", "100"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(report["mode"].as_str().unwrap().starts_with("closed loop"));
    assert!(text(&output.stdout).contains("closed loop"));
    assert!(report["latency_ms"]["response"]["p99"].as_f64().unwrap() < 500.0);
}

#[test]
fn a_broker_that_dies_leaves_partial_results_that_say_so() {
    let dies_after = Some(Duration::from_millis(1500));
    let stub = Stub::start(Behaviour { dies_after, ..Default::default() });
    let (output, report) = run(&stub, &["--rate", "500", "--size", "100"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the results are partial"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("PARTIAL RESULTS"));
    assert!(report["partial"].as_str().unwrap().contains("broke"), "{}", report["partial"]);
    let acked = report["total"]["acked_records"].as_u64().unwrap();
    // What arrived last was not answered.
    let arrived = stub.arrivals.lock().unwrap().len() as u64;
    assert!((1..arrived).contains(&acked), "{acked} of {arrived}");
}

#[test]
fn requests_that_are_refused_are_counted_by_name() {
    let stub = Stub::start(Behaviour { refuses_every: Some(10), ..Default::default() });
    let (output, report) = run(&stub, &["--rate", "1000", "--size", "100"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["errors"]["NOT_ENOUGH_REPLICAS"], 300);
    assert_eq!(report["total"]["acked_requests"], 2700);
    assert!(text(&output.stderr).contains("300 requests were answered with errors"));
}

#[test]
fn requests_that_never_go_out_are_counted_and_not_forgotten() {
    let stall = Some((Duration::from_secs(1), Duration::from_secs(60)));
    let stub = Stub::start(Behaviour { stall, ..Default::default() });
    let (output, report) =
        run(&stub, &["--rate", "1000", "--size", "100", "--in-flight", "1", "--drain", "1s"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let total = |name: &str| report["total"][name].as_u64().unwrap();
    assert_eq!(total("unanswered_requests"), 1);
    assert_eq!(total("unsent_requests") + 1 + total("acked_requests"), 3000);
    assert_eq!(report["latency_ms"]["response"]["count"], 3000);
    assert!(text(&output.stdout).contains("lower bounds"));
    assert!(report["latency_ms"]["response"]["max"].as_f64().unwrap() >= 2900.0);
}

#[test]
fn acks_0_is_measured_and_called_what_it_is() {
    let stub = Stub::start(Behaviour::default());
    let (output, report) = run(&stub, &["--rate", "1000", "--acks", "0", "--size", "100"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(report["total"]["acked_requests"], 3000);
    assert!(text(&output.stdout).contains("nothing is answered"));
}

#[test]
fn bad_input_is_named_with_its_remedy() {
    let refused = |arguments: &[&str], code, part: &str| {
        let output = loadgen(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    };
    let stub = Stub::start(Behaviour::default());
    refused(&["run", "--rate", "1", "--brokers", "127.0.0.1:1"], 1, "is it running");
    refused(&["run", "--rate", "1", "--brokers", "nonsense"], 1, "HOST:PORT");
    refused(&["run", "--rate", "1", "--brokers", &stub.address, "--topic", "missing"], 1, "--partitions N");
    refused(&["run", "--rate", "1", "--brokers", &stub.address, "--partitions", "9"], 1, "has 4 partitions");
    refused(&["run"], 2, "--rate");
    refused(&["run", "--rate", "1", "--closed"], 2, "cannot be used with");
    refused(&["run", "--rate", "1", "--preset", "harder"], 2, "did you mean `hard`?");
}

#[test]
fn the_null_broker_takes_everything() {
    let output = loadgen(&["run", "--null", "--rate", "1", "--duration", "100ms", "--batch", "100"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("records/s"));
}

#[test]
fn consumers_get_everything_and_tell_end_to_end_latency() {
    // Records are there for consumers when the stub's work on the request is done.
    let stub = Stub::start(Behaviour { service_time: Duration::from_millis(20), ..Default::default() });
    let arguments = ["--rate", "1000", "--batch", "50", "--size", "100", "--consumers", "2"];
    let (output, report) = run(&stub, &[&arguments[..], &["--compression", "snappy"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(report["total"]["consumed_records"], 3000);
    assert_eq!(report["latency_ms"]["end_to_end"]["count"], 3000);
    let fastest_ms = report["latency_ms"]["end_to_end"]["min"].as_f64().unwrap();
    assert!(fastest_ms >= 19.9, "{fastest_ms}");
}

#[test]
fn linger_gathers_records_and_counts_from_each() {
    // Five records are due within five milliseconds, and ten fill a batch.
    let stub = Stub::start(Behaviour::default());
    let arguments = ["--rate", "1000", "--batch", "10", "--linger", "4500us", "--size", "100"];
    let (output, report) = run(&stub, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let count = |name: &str| report["total"][name].as_u64().unwrap();
    assert_eq!((count("acked_records"), count("offered_records")), (3000, 3000));
    assert!((550..=650).contains(&count("sent_requests")), "{}", report["total"]);
    assert_eq!(report["latency_ms"]["response"]["count"], 3000);
    let response = &report["latency_ms"]["response"];
    assert!(
        response["p50"].as_f64().unwrap() >= 2.0 && response["p99"].as_f64().unwrap() >= 4.4,
        "{response}"
    );

    // A long linger: batches are full, and only the last waits for nobody.
    let arguments = ["--rate", "1000", "--batch", "10", "--linger", "10s", "--size", "100"];
    let (_, report) = run(&Stub::start(Behaviour::default()), &arguments);
    assert_eq!(report["total"]["acked_requests"], 300);
    assert_eq!(report["total"]["acked_records"], 3000);
}

#[test]
fn a_backlog_that_outgrows_the_queues_is_still_counted() {
    let stall = Some((Duration::from_millis(100), Duration::from_secs(60)));
    let stub = Stub::start(Behaviour { stall, ..Default::default() });
    // More requests are due than the queues hold.
    let (_, report) = run(
        &stub,
        &["--rate", "800k", "--size", "10", "--in-flight", "1", "--drain", "0s", "--producers", "1"],
    );
    let count = |name: &str| report["total"][name].as_u64().unwrap();
    assert_eq!(count("offered_requests"), 2_400_000);
    assert_eq!(count("acked_requests") + count("unsent_requests") + count("unanswered_requests"), 2_400_000);
    assert_eq!(report["latency_ms"]["response"]["count"], 2_400_000);
    // As it became due, and not all at the end.
    let last = report["points"].as_array().unwrap().iter().find(|point| point["start_s"] == 2.0).unwrap();
    let offered = last["counts"]["offered_requests"].as_u64().unwrap();
    assert!((400_000..=1_600_000).contains(&offered), "{offered}");
}

#[test]
fn an_interrupted_run_tells_what_it_has() {
    let stub = Stub::start(Behaviour::default());
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args([
            "run",
            "--brokers",
            &stub.address,
            "--rate",
            "1000",
            "--size",
            "100",
            "--warmup",
            "0s",
            "--report",
        ])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while stub.arrivals.lock().unwrap().len() < 1500 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report = report(directory.path());
    assert_eq!(report["partial"], "interrupted");
    // Of the 30,000 requests, none that lay ahead counts; and rates are over the time that was, not over 30 seconds.
    let (total, rates) = (&report["total"], &report["rates"]);
    let offered = total["offered_requests"].as_u64().unwrap();
    assert!((1500..25_000).contains(&offered), "{total}");
    assert_eq!(report["latency_ms"]["response"]["count"].as_u64().unwrap(), offered);
    let (achieved, window_s) =
        (rates["achieved_records_per_s"].as_f64().unwrap(), rates["window_s"].as_f64().unwrap());
    assert!(window_s < 25.0 && achieved * window_s >= 1400.0, "{rates}");
}
