//! `corelane log` on what the broker leaves behind: looked at, damaged, repaired, started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::broker::{Broker, Place, corelane};
use crate::client::Client;

const BLOCK: usize = 4096;

pub fn log(place: &Place, arguments: &[&str]) -> Output {
    let mut command = corelane();
    command.args(["log", arguments[0]]).arg(place.path("")).args(&arguments[1..]);
    command.stdin(Stdio::null()).output().expect("it runs")
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// What `verify` says, and whether it calls that sound.
pub fn verify(place: &Place, more: &[&str]) -> (bool, serde_json::Value) {
    let output = log(place, &[&["verify", "--output", "json"], more].concat());
    let verified: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("JSON, not {} {}", text(&output.stdout), text(&output.stderr));
    });
    let code = output.status.code().expect("it ends by itself");
    assert_eq!(code == 0, verified["findings"]["corruptions"] == 0, "{verified:#}");
    (code == 0, verified)
}

/// The findings of a kind.
pub fn findings<'a>(verified: &'a serde_json::Value, kind: &str) -> Vec<&'a serde_json::Value> {
    let listed = verified["findings"]["listed"].as_array().expect("a list");
    listed.iter().filter(|finding| finding["kind"] == kind).collect()
}

fn stat(place: &Place, partition: &str) -> serde_json::Value {
    let output = log(place, &["stat", "--output", "json"]);
    let stat: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let partitions = stat["partitions"].as_array().expect("a list").clone();
    partitions.into_iter().find(|it| it["partition"] == partition).expect("the partition")
}

/// A topic of one partition with sealed segments, and what is in it.
pub fn fill(client: &mut Client, topic: &str, records: std::ops::Range<usize>) -> Vec<String> {
    let value = |number| format!("{number} {}", "v".repeat(60_000));
    let values: Vec<String> = records.map(value).collect();
    values.iter().for_each(|value| client.produce(topic, 0, value));
    values
}

fn segments_of(place: &Place, topic: &str) -> Vec<PathBuf> {
    let directories = fs::read_dir(place.path("topics")).expect("listed").flatten();
    let is_its = |path: &PathBuf| {
        path.file_name().unwrap_or_default().to_string_lossy().starts_with(&format!("{topic}-0."))
    };
    let directory = directories.map(|it| it.path()).find(is_its).expect("the partition's directory");
    let files = fs::read_dir(directory).expect("listed").flatten().map(|it| it.path());
    let mut segments: Vec<_> = files.filter(|path| path.extension() == Some("log".as_ref())).collect();
    segments.sort();
    segments
}

pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// Where groups are in the journals' files: sequence, file, position.
fn groups(journal: &Path) -> Vec<(u64, PathBuf, usize)> {
    let mut found = Vec::new();
    for file in fs::read_dir(journal).expect("listed").flatten().map(|it| it.path()) {
        let bytes = fs::read(&file).expect("read");
        for at in (BLOCK..bytes.len()).step_by(BLOCK).filter(|at| bytes[*at..].starts_with(b"CLJ1")) {
            let sequence = u64::from_le_bytes(bytes[at + 32..at + 40].try_into().expect("8 bytes"));
            found.push((sequence, file.clone(), at));
        }
    }
    found.sort();
    found
}

#[test]
fn it_shows_what_a_broker_left_behind_and_refuses_while_one_runs() {
    let place = Place::new();
    let refused = log(&place, &["verify"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("no data directory"), "{}", text(&refused.stderr));

    let broker = Broker::start(&place, &[]);
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic("numbers", 2);
    for number in 0..10 {
        client.produce("numbers", number % 2, &format!("value {number}"));
    }
    for action in [&["verify"][..], &["stat"], &["dump"], &["repair", "--journal", "--yes"]] {
        let refused = log(&place, action);
        assert_eq!(refused.status.code(), Some(1), "{action:?}");
        let error = text(&refused.stderr);
        assert!(error.contains(&format!("in use by another broker (process {})", broker.pid())), "{error}");
    }
    broker.kill();
    let (is_sound, verified) = verify(&place, &[]);
    assert!(is_sound, "{verified:#}");
    assert_eq!(verified["totals"]["batches"], 10);
    assert_eq!((&verified["totals"]["shards"], &verified["totals"]["partitions"]), (&2.into(), &2.into()));
    let one = stat(&place, "numbers-1");
    assert_eq!((&one["log_end"], &one["state"]), (&5.into(), &"online".into()), "{one:#}");
    assert!(one["journal_only_bytes"].as_u64() > Some(0), "{one:#}");

    let dumped = log(&place, &["dump", "numbers-1", "--records", "--journal", "--output", "json"]);
    let rows: Vec<serde_json::Value> =
        text(&dumped.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| rows.iter().filter(|row| row["row"] == kind).collect::<Vec<_>>();
    let values: Vec<_> = of("record").iter().map(|row| row["value"].as_str().expect("text")).collect();
    assert_eq!(values, ["value 1", "value 3", "value 5", "value 7", "value 9"]);
    assert_eq!((of("checkpoint").len(), of("segment").len(), of("entry").len()), (2, 1, 5));
    assert!(of("group").iter().any(|group| group["is_start"] == true));
    let people = log(&place, &["dump", "numbers-1", "--from", "3", "--batches", "1"]);
    let lines: Vec<_> = text(&people.stdout).lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("batch 3..3 records 1") && lines[1].contains("in journal"), "{lines:?}");
    let unknown = log(&place, &["stat", "numbers-7"]);
    assert!(text(&unknown.stderr).contains("no partition numbers-7"));

    let broker = Broker::start(&place, &[]);
    assert_eq!(Client::connect(broker.bootstrap()).fetch_all("numbers", 1), values);
    assert_eq!(broker.terminate().code, Some(0));
    let (is_sound, verified) = verify(&place, &[]);
    assert!(is_sound, "{verified:#}");
}

#[test]
fn rot_in_a_segment_is_named_and_cut_off() {
    let place = Place::new();
    let broker = Broker::start(&place, &["--shards", "1"]);
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic_with("rotten", 1, &[("segment.bytes", "1048576")]);
    let mut values = fill(&mut client, "rotten", 0..40);
    client.create_topic("other", 1);
    client.produce("other", 0, "untouched");
    assert_eq!(broker.terminate().code, Some(0));
    assert!(verify(&place, &[]).0);
    let segments = segments_of(&place, "rotten");
    assert!(segments.len() >= 2, "{segments:?}");
    let length = fs::metadata(&segments[0]).expect("there").len() as usize;
    flip(&segments[0], length / 2);

    let (is_sound, verified) = verify(&place, &[]);
    let [corruption] = findings(&verified, "corruption")[..] else { panic!("{verified:#}") };
    assert!(!is_sound && corruption["partition"] == "rotten-0", "{corruption:#}");
    assert_eq!(corruption["file"], segments[0].to_str().unwrap());
    let (from, until) = (corruption["offsets"]["from"].as_u64(), corruption["offsets"]["until"].as_u64());
    let from = from.expect("a number") as usize;
    assert_eq!(until, Some(from as u64 + 1), "one batch of one record: {corruption:#}");
    assert!(verify(&place, &["other-0"]).0);

    // Nobody agrees, so nothing happens.
    let cut = from.to_string();
    let asked = log(&place, &["repair", "rotten-0", "--truncate-at", &cut]);
    assert_eq!(asked.status.code(), Some(1));
    let plan = text(&asked.stdout);
    assert!(plan.contains(&format!("{} records, offsets {from} to 39", 40 - from)), "{plan}");
    assert!(text(&asked.stderr).contains("--yes") && !place.path("repairs").exists());

    let done = log(&place, &["repair", "rotten-0", "--truncate-at", &cut, "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let (is_sound, verified) = verify(&place, &[]);
    assert!(is_sound, "{verified:#}");
    let lines = fs::read_to_string(place.path("repairs/repairs.log")).expect("kept");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!([&lines[0]["step"], &lines[1]["step"]], ["begun", "done"]);
    assert_eq!(lines[1]["lost"][0]["offsets"]["from"], from as u64);
    let backup = PathBuf::from(lines[1]["backup"].as_str().expect("a path"));
    let name = segments[0].strip_prefix(place.path("topics")).expect("below it");
    let kept = backup.join(name.to_str().expect("UTF-8").replace('/', "__"));
    assert_eq!(fs::read(kept).expect("backed up"), fs::read(&segments[0]).expect("still there"));

    values.truncate(from);
    for round in 0..2 {
        let broker = Broker::start(&place, &["--shards", "1"]);
        let mut client = Client::connect(broker.bootstrap());
        assert_eq!(client.fetch_all("rotten", 0), values, "round {round}");
        assert_eq!(client.fetch_all("other", 0), ["untouched"]);
        values.extend(fill(&mut client, "rotten", 100..125));
        assert_eq!(client.fetch_all("rotten", 0), values, "round {round}");
        broker.kill();
        let (is_sound, verified) = verify(&place, &[]);
        assert!(is_sound, "round {round}: {verified:#}");
    }
}

#[test]
fn a_torn_tail_is_no_corruption() {
    let place = Place::new();
    let broker = Broker::start(&place, &["--shards", "1"]);
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic("numbers", 1);
    for number in 0..10 {
        client.produce("numbers", 0, &format!("{number}"));
    }
    broker.kill();
    let (_, file, position) = groups(&place.path("layout-1/shard-0/journal")).pop().expect("groups");
    // As though its last block had not come to the disk.
    flip(&file, position + 124);
    let (is_sound, verified) = verify(&place, &[]);
    let [torn] = findings(&verified, "torn_tail")[..] else { panic!("{verified:#}") };
    assert!(is_sound);
    assert_eq!((&torn["file"], &torn["position"]), (&file.to_str().unwrap().into(), &position.into()));
    let nothing = log(&place, &["repair", "--journal", "--yes"]);
    assert!(text(&nothing.stderr).contains("nothing to repair"), "{}", text(&nothing.stderr));
    let broker = Broker::start(&place, &["--shards", "1"]);
    let found = Client::connect(broker.bootstrap()).fetch_all("numbers", 0);
    assert_eq!(found, (0..9).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_journal_that_lost_a_group_is_ended_before_it_on_a_device_of_its_own() {
    let place = Place::new();
    let journals = place.beside("journals");
    let arguments = ["--shards", "1", "--journal-dir", journals.to_str().expect("UTF-8")];
    let broker = Broker::start(&place, &arguments);
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic("numbers", 1);
    let mut values: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    values.iter().for_each(|value| client.produce("numbers", 0, value));
    broker.kill();
    let groups = groups(&journals.join("layout-1/shard-0/journal"));
    // Five groups of a record each are behind it.
    let (sequence, file, position) = &groups[groups.len() - 6];
    flip(file, position + 40);

    let elsewhere = log(&place, &["verify"]);
    assert_eq!(elsewhere.status.code(), Some(1), "the journal is not in the data directory");
    let (is_sound, verified) = verify(&place, &arguments[2..]);
    let corruptions = findings(&verified, "corruption");
    assert!(!is_sound && corruptions[0]["what"].as_str().unwrap().contains(&format!("group {sequence} ")));
    assert_eq!(corruptions[0]["file"], file.to_str().unwrap());
    let lost = &corruptions[1];
    assert_eq!(
        (&lost["partition"], &lost["offsets"]["until"]),
        (&"numbers-0".into(), &10.into()),
        "{lost:#}"
    );

    let refused =
        log(&place, &[&["repair", "numbers-0", "--truncate-at", "4", "--yes"], &arguments[2..]].concat());
    assert!(text(&refused.stderr).contains("repair it first, with --journal"), "{}", text(&refused.stderr));
    let done = log(&place, &[&["repair", "--journal", "--yes"], &arguments[2..]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let (is_sound, verified) = verify(&place, &arguments[2..]);
    assert!(is_sound, "{verified:#}");

    values.truncate(4);
    for round in 0..2 {
        let broker = Broker::start(&place, &arguments);
        let mut client = Client::connect(broker.bootstrap());
        assert_eq!(client.fetch_all("numbers", 0), values, "round {round}");
        values.push(format!("after {round}"));
        client.produce("numbers", 0, values.last().expect("just pushed"));
        broker.kill();
        assert!(verify(&place, &arguments[2..]).0, "round {round}");
    }
}
