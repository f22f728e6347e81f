//! `corelane check` as an operator meets it.

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use crate::broker::{Broker, Place, corelane};

/// Checks for a small broker on the place's directories.
fn check(place: &Place, arguments: &[&str]) -> Output {
    let mut command = corelane();
    command.args(["check", "--shards", "1", "--memory", "320MiB", "--data-dir"]).arg(place.path(""));
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(arguments).output().unwrap()
}

fn findings(output: &Output) -> Vec<serde_json::Value> {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn on(findings: &[serde_json::Value], subject: &str) -> (String, String) {
    let finding = findings.iter().find(|finding| finding["subject"] == subject);
    let finding = finding.unwrap_or_else(|| panic!("{subject} among {findings:#?}"));
    let text = |field: &str| finding[field].as_str().unwrap().to_owned();
    (text("status"), text("found"))
}

#[test]
fn it_looks_and_leaves_nothing_behind() {
    let place = Place::new();
    let output = check(&place, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!place.path("").exists(), "the directory would be made by `serve`");
    let findings = findings(&output);
    for subject in [
        "kernel",
        "io_uring",
        "locked memory",
        "open files",
        "memory",
        "cpus",
        "data.dir",
        "listener default",
    ] {
        assert_eq!(on(&findings, subject).0, "ok");
    }
    assert!(findings.iter().all(|finding| finding["why"].as_str().is_some_and(|why| !why.is_empty())));
    for subject in ["CPU governor", "swap", "mount options", "socket buffers", "clock source"] {
        assert_ne!(on(&findings, subject).0, "problem");
    }

    let people = String::from_utf8(check(&place, &[]).stdout).unwrap();
    assert!(people.contains("A broker can serve here") && people.contains("Linux "), "{people}");
}

#[test]
fn what_keeps_a_broker_from_serving_is_a_problem() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fs::write(place.beside("data"), "").unwrap();
    let output = check(&place, &["--listen", &address, "--shard-ports", "0", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let findings = findings(&output);
    let (status, text) = on(&findings, "listener default");
    assert!(status == "problem" && text.contains(&address) && text.contains("in use"), "{text}");
    let (status, text) = on(&findings, "data.dir");
    assert!(status == "problem" && text.contains("set `data.dir` to another"), "{text}");
    assert_eq!(check(&place, &["--set", "no.such.key=1"]).status.code(), Some(2));
}

#[test]
fn a_broker_that_runs_is_left_alone() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let listen = broker.bootstrap().clone();
    let output = check(&place, &["--listen", &listen, "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (status, text) = on(&findings(&output), "data.dir");
    assert!(status == "ok" && text.contains(&format!("(process {})", broker.pid())), "{text}");
    assert_eq!(broker.terminate().code, Some(0));
}
