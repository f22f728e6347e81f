//! `loadgen verify` against a broker with planted faults, each of which it must count exactly.

use std::process::Command;

use serde_json::Value;

use super::broker::{Behaviour, Stub};
use super::log::Faults;

/// Records of one batch.
const BATCH: u64 = 7;

/// Verifies a stub for a second, and gives exit code and verdict.
fn verify(behaviour: Behaviour, more: &[&str]) -> (Option<i32>, Value) {
    let stub = Stub::start(behaviour);
    let directory = tempfile::tempdir().unwrap();
    let batch = BATCH.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["verify", "--brokers", &stub.address, "--duration", "1s", "--rate", "2800", "--batch", &batch])
        .args(["--producers", "2", "--report", directory.path().to_str().unwrap()])
        .args(more)
        .output()
        .unwrap();
    let path = directory.path().join("verify.json");
    let json = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), serde_json::from_str(&json).unwrap())
}

fn counts(report: &Value) -> [u64; 5] {
    ["lost", "duplicated", "out_of_order", "corrupted", "never_sent"]
        .map(|name| report["verdict"][name].as_u64().unwrap())
}

#[test]
fn a_broker_that_keeps_its_word_is_clean() {
    let (code, report) = verify(Behaviour::default(), &[]);
    assert_eq!((code, counts(&report)), (Some(0), [0; 5]), "{report}");
    let verdict = &report["verdict"];
    assert!((BATCH..=2800).contains(&verdict["sent"].as_u64().unwrap()), "{verdict}");
    assert_eq!((&verdict["acknowledged"], &verdict["read"]), (&verdict["sent"], &verdict["sent"]));
}

#[test]
fn a_planted_loss_is_counted() {
    let faults = Faults { loses: Some(33), ..Default::default() };
    let (code, report) = verify(Behaviour { faults, ..Default::default() }, &[]);
    assert_eq!((code, counts(&report)), (Some(1), [BATCH, 0, 0, 0, 0]), "{report}");
}

#[test]
fn a_planted_duplicate_is_counted() {
    let faults = Faults { doubles: Some(33), ..Default::default() };
    let (code, report) = verify(Behaviour { faults, ..Default::default() }, &["--compression", "lz4"]);
    assert_eq!((code, counts(&report)), (Some(1), [0, BATCH, 0, 0, 0]), "{report}");
}

#[test]
fn a_planted_swap_is_counted() {
    let faults = Faults { swaps: Some(33), ..Default::default() };
    // One producer, so that the next batch of the partition is of the same one.
    let (code, report) = verify(Behaviour { faults, ..Default::default() }, &["--producers", "1"]);
    assert_eq!((code, counts(&report)), (Some(1), [0, 0, BATCH, 0, 0]), "{report}");
}

#[test]
fn a_lost_answer_is_made_good_by_sending_again() {
    let (code, report) = verify(Behaviour { hangs_up_at: Some(50), ..Default::default() }, &[]);
    assert_eq!((code, counts(&report)), (Some(0), [0; 5]), "{report}");
    assert_eq!(report["reconnects"], 1);
    assert_eq!(report["verdict"]["acknowledged"], report["verdict"]["sent"]);
}

#[test]
fn a_broker_that_forgets_its_producers_stores_duplicates() {
    let faults = Faults { forgets_producers: true, ..Default::default() };
    let (code, report) = verify(Behaviour { hangs_up_at: Some(50), faults, ..Default::default() }, &[]);
    assert_eq!(code, Some(1));
    let [lost, duplicated, ..] = counts(&report);
    assert!(lost == 0 && duplicated >= BATCH && duplicated.is_multiple_of(BATCH), "{report}");
}
